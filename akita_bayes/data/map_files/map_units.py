"""Converts predicted ln(observed / expected) into the unit of a file.

A pixel at distance d with prediction y, its standard deviation s, and E(d) expected contacts has

    log_oe     y               s
    oe         exp(y)          exp(y) s
    observed   exp(y) E(d)     exp(y) E(d) s

The standard deviations of the last two units are those of a first-order expansion about y.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.data.contacts import expectation

Unit = Literal["log_oe", "oe", "observed"]

UNITS: tuple[str, ...] = get_args(Unit)

DESCRIPTIONS: Mapping[str, str] = {
    "log_oe": "ln(observed / expected)",
    "oe": "observed / expected",
    "observed": "expected contacts of the table, times observed / expected",
}


@dataclasses.dataclass(frozen=True)
class Scale:
    """Describes the unit of the pixels of a file.

    Attributes:
        unit: Name of the unit.
        expected: Table of `cooltools expected-cis` for the unit `observed`; None for the others.
    """

    unit: Unit = "log_oe"
    expected: str | None = None

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise errors.DataError(
                f'"{self.unit}" is not a unit of maps; choose one of {", ".join(UNITS)}.'
            )
        if (self.unit == "observed") != (self.expected is not None):
            raise errors.DataError(
                "unit: observed contacts need a table of expected contacts, and other units use "
                "none; give --unit observed together with --expected TABLE."
            )

    @property
    def is_additive(self) -> bool:
        """Returns True when a coarse pixel is the sum of its parts; False when it is their mean."""
        return self.unit == "observed"

    def of_chromosome(
        self, chrom: str, *, bins: int, diagonal_offset: int, width: int
    ) -> "ChromosomeScale":
        """Returns the scale of the pixels of a chromosome.

        Args:
            chrom: Chromosome.
            bins: Number of distances that pixels have.
            diagonal_offset: First distance that a pixel has.
            width: Bases per bin.

        Raises:
            DataError: The table has no positive number for the chromosome at a distance.
        """
        expected = None
        if self.expected is not None:
            expected = expectation.read(
                self.expected, chrom, bins=bins, offset=diagonal_offset, width=width
            )
        return ChromosomeScale(self.unit, expected)


LOG_RATIO = Scale()
"""The unit of predictions, ln(observed / expected)."""


@dataclasses.dataclass(frozen=True)
class ChromosomeScale:
    """Converts pixels of one chromosome.

    Attributes:
        unit: Name of the unit.
        expected: Expected contacts at each distance in bins; None for units without. [D].
    """

    unit: Unit
    expected: NDArray[np.float64] | None

    def values(self, log_ratio: NDArray[Any], distance: NDArray[np.int64]) -> NDArray[np.float64]:
        """Returns pixels in this unit, from ln(observed / expected). [P] -> [P]."""
        if self.unit == "log_oe":
            return np.asarray(log_ratio, np.float64)
        ratio = np.exp(np.asarray(log_ratio, np.float64))
        return ratio if self.expected is None else ratio * self.expected[distance]

    def sds(
        self, log_ratio: NDArray[Any], sd: NDArray[Any], distance: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Returns standard deviations in this unit, from those of ln(O/E). [P] -> [P]."""
        if self.unit == "log_oe":
            return np.asarray(sd, np.float64)
        return np.asarray(self.values(log_ratio, distance) * sd)
