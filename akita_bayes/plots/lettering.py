"""Draws letters of DNA whose heights show one number for each base."""

import logomaker
import matplotlib.axes
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import dna

BASES = {"A": "#009E73", "C": "#0072B2", "G": "#E69F00", "T": "#D55E00"}


def draw(
    axes: matplotlib.axes.Axes,
    heights: NDArray[np.floating],
    *,
    first: int = 0,
    upside_down: bool = True,
) -> None:
    """Draws one stack of letters per base of a region.

    Args:
        axes: Axes to draw into. Their limits are set to those of the letters; if all heights are 0,
            the line is flat.
        heights: Height of every letter at every base, in any unit; heights that are not finite are
            not drawn. [L, 4]
        first: Position of the first base on the axis.
        upside_down: True to turn letters below 0 upside down; False to draw them upright and pale.
    """
    table = pd.DataFrame(np.where(np.isfinite(heights), heights, 0.0), columns=list(dna.ALPHABET))
    table.index += first
    if table.to_numpy().any():
        pale = {} if upside_down else {"flip_below": False, "fade_below": 0.5}
        logomaker.Logo(table, ax=axes, color_scheme=BASES, **pale)
    else:  # logomaker cannot set limits when all heights are 0
        axes.set_ylim(-1, 1)
    axes.set_xlim(first - 0.5, first + len(table) - 0.5)
