"""Plots the maps of `predict.h5`, with their uncertainty, a figure for each window."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import matplotlib.figure
import numpy as np
from numpy.typing import NDArray

from akita_bayes import triangle
from akita_bayes.plots import map_plots
from akita_bayes.regions import Region

MOST_TARGETS = 4
"""Targets in a figure; a figure of more would be too wide to read."""


def figures(
    path: str | Path, names: Mapping[str, Sequence[str]], *, most: int = 10
) -> dict[str, matplotlib.figure.Figure]:
    """Plots the first windows of `predict.h5`; heads without maps are left out.

    Args:
        path: The file.
        names: Head -> names of its targets.
        most: Largest number of windows of a head.

    Returns:
        Figures by name, such as "chr2_1720000_1848000"; with several heads, the head comes first.
    """
    figures_by_name: dict[str, matplotlib.figure.Figure] = {}
    with h5py.File(path) as file:
        several = len(names) > 1
        chroms = [chrom.decode() for chrom in file["chrom"][:most]]
        for head, target_names in names.items():
            group = file[head] if several else file
            if "row" not in group:
                continue
            for number, chrom in enumerate(chroms):
                edges = int(group["bin_start"][number, 0]), int(group["bin_end"][number, -1])
                region = Region(chrom, *edges)
                name = f"{chrom}_{region.start}_{region.end}"
                figures_by_name[f"{head}_{name}" if several else name] = _figure(
                    group, number, region, target_names
                )
    return figures_by_name


def _figure(
    group: h5py.Group, number: int, region: Region, names: Sequence[str]
) -> matplotlib.figure.Figure:
    offset = int(group.attrs["diagonal_offset"])
    maps = _matrices(group["preds"][number], offset)
    spread = {}
    if "epistemic_sd" in group:
        sds = _matrices(group["epistemic_sd"][number], offset)
        spread = {
            f"{name}, {map_plots.HOW_UNSURE}": sd for name, sd in zip(names, sds, strict=False)
        }
    more = len(names) - MOST_TARGETS
    return map_plots.compare(
        [map_plots.Row("", region, dict(zip(names, maps, strict=False)), spread=spread)],
        title=f"{region}" + (f" (+{more} targets not shown)" if more > 0 else ""),
    )


def _matrices(vectors: NDArray[np.float32], offset: int) -> list[NDArray[np.float32]]:
    """Returns a symmetric map for each of the first targets. [P, T] -> [N, N] each."""
    matrices = triangle.to_matrix(vectors[:, :MOST_TARGETS], diagonal_offset=offset)
    return [matrices[..., target] for target in range(matrices.shape[-1])]
