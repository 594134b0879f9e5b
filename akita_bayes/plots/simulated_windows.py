"""Plots windows of a simulation: measured, true and predicted maps, above the sites that fold them.

The figures of `akita_demo.py`.
"""

from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.figure
import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, triangle
from akita_bayes.data import genome
from akita_bayes.evaluate.accuracy import Example, Report
from akita_bayes.plots import map_plots
from akita_bayes.simulate import sites
from akita_bayes.simulate.designs import Design


class Windows(NamedTuple):
    """Holds the indices of two windows of a report.

    Attributes:
        median: Window of median accuracy.
        contrast: Window whose true maps differ most between cell types.
    """

    median: int
    contrast: int


def choose(report: Report) -> Windows:
    """Returns the windows of a report whose examples are all its windows.

    Raises:
        DataError: A window has no true map.
    """
    r = report.windows[1].mean(axis=1)
    contrast = [np.ptp(_truth(example), axis=1).mean() for example in report.examples]
    return Windows(int(np.argsort(r)[len(r) // 2]), int(np.argmax(contrast)))


def rows(
    data_dir: str | Path, design: Design, example: Example, offset: int
) -> list[map_plots.Row]:
    """Returns the maps of a window to draw, one row for each cell type.

    Args:
        data_dir: Folder of `akita_simulate.py`, with `genome.fa`.
        design: Design of the simulation.
        example: The window.
        offset: First diagonal of the triangle.

    Raises:
        DataError: The window has no true map.
    """
    columns = {
        "measured": example.target,
        "noise-free truth": _truth(example),
        "predicted from sequence": example.prediction,
    }
    squares = {
        title: triangle.to_matrix(values, diagonal_offset=offset)
        for title, values in columns.items()
    }
    with genome.Genome(Path(data_dir) / "genome.fa") as letters:
        window_sites = sites.find(letters.fetch(example.region), design.physics)
    middle = example.region.start + window_sites.middle(design.physics)
    return [
        map_plots.Row(
            f"cell type {name}",
            example.region,
            {title: square[..., cell] for title, square in squares.items()},
            map_plots.Marks(middle, window_sites.strand, window_sites.occupancy[:, cell]),
        )
        for cell, name in enumerate(design.cell_types)
    ]


def beside_spread(
    window_rows: list[map_plots.Row], title: str, sd: NDArray[Any], offset: int
) -> matplotlib.figure.Figure:
    """Plots all maps of a window beside a standard deviation of its prediction.

    Args:
        window_rows: What `rows` returns.
        title: Title of the standard deviation.
        sd: Its values. [P, T].
        offset: First diagonal of the triangle.
    """
    square = triangle.to_matrix(sd, diagonal_offset=offset)
    return map_plots.compare(
        [row._replace(spread={title: square[..., cell]}) for cell, row in enumerate(window_rows)]
    )


def truth_above_prediction(row: map_plots.Row) -> matplotlib.figure.Figure:
    """Plots the true and the predicted triangle of one row of `rows` face to face."""
    names = list(row.maps)[1:]
    above, below = ((f"{name}, {row.label}", row.maps[name]) for name in names)
    return map_plots.face_to_face(above, below, row.region, marks=row.marks)


def _truth(example: Example) -> NDArray[Any]:
    if example.truth is None:
        raise errors.DataError(f"{example.region}: has no true map; simulate the data again.")
    return example.truth
