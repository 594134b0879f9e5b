"""Counts of a simulation as balanced coolers: each replicate, and all of a cell type together."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from akita_bayes.simulate import experiment, pool
from akita_bayes.simulate.designs import Design

FOLDER = "coolers"

UNBALANCED = 0.01
"""Relative deviation of bins' totals left by balancing."""


def write(
    folder: Path,
    done: list[experiment.Experiment],
    design: Design,
    workers: int,
    advance: Callable[..., None],
) -> None:
    """Writes `coolers/{cell}_rep{r}.cool` of every replicate and `coolers/{cell}.cool` of all."""
    (folder / FOLDER).mkdir()
    sizes = {one.chromosome.name: len(one.chromosome.sequence) for one in done}
    jobs = []
    for cell, name in enumerate(design.cell_types):
        for replicate in range(design.replicates):
            pixels = [one.pixels[cell][replicate] for one in done]
            jobs.append((f"{name}_rep{replicate + 1}", pixels))
        jobs.append((name, [_pooled(one.pixels[cell]) for one in done]))
    paths = [folder / FOLDER / f"{name}.cool" for name, _ in jobs]
    calls = [
        (_write_cooler, (path, sizes, design, pixels))
        for path, (_, pixels) in zip(paths, jobs, strict=True)
    ]
    for path, _ in zip(paths, pool.results(calls, workers), strict=True):
        advance(1, note=path.name)


def _pooled(replicates: list[experiment.Pixels]) -> experiment.Pixels:
    """Sum of counts over replicates."""
    keys = [each.bin1.astype(np.int64) << 32 | each.bin2 for each in replicates]
    key, where = np.unique(np.concatenate(keys), return_inverse=True)
    count = np.bincount(where, np.concatenate([each.counts for each in replicates]))
    return experiment.Pixels(
        (key >> 32).astype(np.int32), (key & 0xFFFFFFFF).astype(np.int32), count.astype(np.int32)
    )


def _write_cooler(
    path: Path, sizes: dict[str, int], design: Design, pixels: list[experiment.Pixels]
) -> None:
    from akita_bayes.data.contacts import coolers

    width = design.physics.bin_size
    first = np.concatenate([[0], np.cumsum([size // width for size in sizes.values()])])
    table = pd.DataFrame(
        {
            "bin1_id": np.concatenate(
                [each.bin1 + offset for each, offset in zip(pixels, first[:-1], strict=True)]
            ),
            "bin2_id": np.concatenate(
                [each.bin2 + offset for each, offset in zip(pixels, first[:-1], strict=True)]
            ),
            "count": np.concatenate([each.counts for each in pixels]),
        }
    )
    # Every bin with reads is sound: a filter of outliers finds only neighbours of empty bins.
    mean = 2 * table["count"].sum() / first[-1]
    coolers.write_cooler(path, sizes, width, table, mad_max=0, tol=(UNBALANCED * mean) ** 2)
