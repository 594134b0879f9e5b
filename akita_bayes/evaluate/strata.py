"""Groups the pixels of a map into strata of genomic distance, which are judged separately.

Contacts, and the accuracy of their predictions, fall steeply with distance; one number over all
pixels hides both. Strata are log-spaced, like the decay of contacts with distance.
"""

import dataclasses
import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akita_bayes import triangle


@dataclasses.dataclass(frozen=True)
class Strata:
    """Holds half-open distance intervals [edges[d], edges[d+1]) in bins, and that of each pixel.

    Attributes:
        edges: First distance of every stratum, and the end of the last one. [D + 1].
        index: Stratum of every pixel. [P].
    """

    edges: NDArray[np.intp]
    index: NDArray[np.intp]

    @property
    def count(self) -> int:
        """Returns the number of strata D."""
        return len(self.edges) - 1

    def labels(self, bin_width: int = 1) -> list[str]:
        """Returns each stratum as text, in bins or, given a bin width in bp, in kb.

        Kilobases have as many digits as needed to make all edges differ, and at least two.
        """
        low, high = self.edges[:-1], self.edges[1:]
        if bin_width == 1:
            return [f"{a}-{b - 1}" for a, b in zip(low, high, strict=True)]
        kb = [float(edge * bin_width / 1000) for edge in self.edges]
        digits = next(d for d in range(2, 18) if len({f"{x:.{d}g}" for x in kb}) == len(kb))
        edge_labels = [f"{float(f'{x:.{digits}g}'):.15g}" for x in kb]
        return [f"{a}-{b} kb" for a, b in itertools.pairwise(edge_labels)]

    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sums pixels within strata, in float64. [P, T] -> [T, D]."""
        return np.stack(
            [
                np.bincount(self.index, column, minlength=self.count)
                for column in np.asarray(values, np.float64).T
            ]
        )


def log_spaced(bins: int, diagonal_offset: int, count: int = 8) -> Strata:
    """Returns about `count` strata whose widths grow with distance, none of them empty.

    Args:
        bins: Side N of the map.
        diagonal_offset: First diagonal k of the triangle.
        count: Number of strata; a small map gets fewer.
    """
    # Rounding can repeat edges, as 2, 2, 3; `unique` leaves out the empty strata between them.
    edges = np.unique(
        np.rint(np.geomspace(max(diagonal_offset, 1), bins, count + 1)).astype(np.intp)
    )
    edges[0] = diagonal_offset
    distance = triangle.distances(bins, diagonal_offset)
    return Strata(edges, np.searchsorted(edges, distance, side="right") - 1)
