"""Chooses the ends of colour scales, the same for figures and for the report."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_DIFFERENCE = 0.05
"""Least half width of the scale of a difference, as a share of the half width of both maps.

An edit without effect changes a map of the yeast model by 0.004 of this half width, and a deletion
of 200 bases by 0.14; on a scale of its own, the first would look like the second.
"""


def symmetric(maps: Sequence[NDArray[Any]], quantile: float = 0.995) -> float:
    """Returns the half width of a scale around 0 that covers all but extreme pixels.

    Args:
        maps: Maps of any shape; pixels that are not finite do not count.
        quantile: Share of the pixels that the scale covers.
    """
    values = np.concatenate([np.zeros(0), *(np.abs(m[np.isfinite(m)]) for m in maps)])
    return float(np.quantile(values, quantile)) if values.size else 1.0


def difference(change: NDArray[Any], limit: float) -> float:
    """Returns the half width of the scale of a difference of two maps.

    Args:
        change: Difference of the maps, of any shape.
        limit: Half width of the scale of both maps.
    """
    return max(symmetric([change], 0.999), LEAST_DIFFERENCE * limit) or 1e-6
