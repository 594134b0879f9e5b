"""Writes simulated counts as balanced coolers: of each replicate, and of each cell type."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from akita_bayes import progress
from akita_bayes.simulate.designs import Design
from akita_bayes.simulate.experiment import Experiment, Pixels
from akita_bayes.workers import Cluster, map_parts

FOLDER = "coolers"

UNBALANCED = 0.01
"""Relative deviation of bins' totals at which balancing stops."""


def write(
    folder: Path,
    experiments: list[Experiment],
    design: Design,
    workers: int,
    advance: progress.Advance,
) -> None:
    """Writes `coolers/{cell}_rep{r}.cool` of each replicate and `coolers/{cell}.cool` of all."""
    (folder / FOLDER).mkdir()
    chromosomes = [experiment.chromosome for experiment in experiments]
    sizes = {chromosome.name: len(chromosome.sequence) for chromosome in chromosomes}
    jobs = []
    for cell, name in enumerate(design.cell_types):
        for replicate in range(design.replicates):
            pixels = [experiment.pixels[cell][replicate] for experiment in experiments]
            jobs.append((f"{name}_rep{replicate + 1}", pixels))
        jobs.append((name, [_pooled(experiment.pixels[cell]) for experiment in experiments]))
    paths = [folder / FOLDER / f"{name}.cool" for name, _ in jobs]
    parts = [(path, sizes, design, pixels) for path, (_, pixels) in zip(paths, jobs, strict=True)]
    written = map_parts(_write_part, parts, Cluster(min(workers, len(parts))))
    for path, _ in zip(paths, written, strict=True):
        advance(1, note=path.name)


def _write_part(_: None, part: tuple[Any, ...]) -> None:
    _write_cooler(*part)


def _pooled(replicates: list[Pixels]) -> Pixels:
    """Sums counts over replicates."""
    # Both bins in one integer: the upper 32 bits hold bin1, the lower 32 hold bin2.
    keys = [pixels.bin1.astype(np.int64) << 32 | pixels.bin2 for pixels in replicates]
    key, position = np.unique(np.concatenate(keys), return_inverse=True)
    count = np.bincount(position, np.concatenate([pixels.counts for pixels in replicates]))
    return Pixels(
        (key >> 32).astype(np.int32), (key & 0xFFFFFFFF).astype(np.int32), count.astype(np.int32)
    )


def _write_cooler(path: Path, sizes: dict[str, int], design: Design, pixels: list[Pixels]) -> None:
    from akita_bayes.data.contacts import cooler_files

    width = design.physics.bin_size
    # First bin of each chromosome in the whole genome, and the number of all bins.
    first = np.concatenate([[0], np.cumsum([size // width for size in sizes.values()])])
    chromosomes = list(zip(pixels, first[:-1], strict=True))
    table = pd.DataFrame(
        {
            "bin1_id": np.concatenate([chrom.bin1 + offset for chrom, offset in chromosomes]),
            "bin2_id": np.concatenate([chrom.bin2 + offset for chrom, offset in chromosomes]),
            "count": np.concatenate([chrom.counts for chrom in pixels]),
        }
    )
    # All bins with reads are valid; a filter of outliers would drop only neighbours of empty bins.
    mean = 2 * table["count"].sum() / first[-1]
    cooler_files.write_cooler(path, sizes, width, table, mad_max=0, tol=(UNBALANCED * mean) ** 2)
