"""Letters of DNA as high as a number of each base."""

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
        axes: Their limits become those of the letters; heights that are all 0 leave a flat line.
        heights: Of every letter at every base, in any unit; what is not finite is not drawn. [L, 4]
        first: Where the first base stands on the axis.
        upside_down: Letters below 0 stand on their heads; otherwise they are upright and pale.
    """
    table = pd.DataFrame(np.where(np.isfinite(heights), heights, 0.0), columns=list(dna.ALPHABET))
    table.index += first
    if table.to_numpy().any():
        pale = {} if upside_down else {"flip_below": False, "fade_below": 0.5}
        logomaker.Logo(table, ax=axes, color_scheme=BASES, **pale)
    else:  # logomaker has no limits for it
        axes.set_ylim(-1, 1)
    axes.set_xlim(first - 0.5, first + len(table) - 0.5)
