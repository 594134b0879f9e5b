"""Defines what the pipeline reads from one file of contacts, whatever its format.

A file is read by the genome's chromosome names. Bins that the file lacks at the end of a chromosome
have no contacts and no weight. A region of a circular chromosome may continue behind the origin.
"""

import abc
import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, regions
from akita_bayes.data import assembly
from akita_bayes.files import damage

_log = logging.getLogger(__name__)

MOST_MISSING = 0.05  # share of a chromosome that a file may lack at its end
RAW = "NONE"  # name of the weights that leave counts as they are, as in .hic files


class Source(NamedTuple):
    """Describes a file of contacts and the weights that balance it.

    Attributes:
        uri: Path of a cooler or a .hic file, optionally with `::/resolutions/N`.
        weight: Name of the weights: a column of the bins of a cooler, or a normalisation of a .hic
            file; NONE for raw counts, and empty for the only or usual one.
        divisive: True when counts are divided by these weights, False when they are multiplied;
            None when the file says.
        balance: True to balance a cooler without weights.
    """

    uri: str
    weight: str = ""
    divisive: bool | None = None
    balance: bool = False


class Extent(NamedTuple):
    """Describes a chromosome of a file: its length in bases, and the bins that the file has."""

    bases: int
    bins: int


class Run(NamedTuple):
    """Describes neighbouring bins of a file that are neighbours in a map too.

    Attributes:
        first: First bin, counted from the start of the chromosome.
        last: Bin behind the last one.
        at: Row of the first bin in the map.
    """

    first: int
    last: int
    at: int

    @property
    def rows(self) -> slice:
        """Returns the rows of the map."""
        return slice(self.at, self.at + self.last - self.first)


class ContactFile(abc.ABC):
    """Reads counts and weights of one file, by the genome's chromosome names.

    Attributes:
        uri: The file, and the group or resolution in it.
        bin_width: Bases per bin.
        names: Name in the file of each chromosome of the genome.

    Args:
        uri: The file, and the group or resolution in it.
        bin_width: Bases per bin.
        extents: Chromosomes of the file.
        genome: The genome.

    Raises:
        DataError: The file shares no chromosome with the genome, or has a chromosome that is
            longer than the genome's by a bin, or shorter by a bin and more than 5 %.
    """

    def __init__(
        self,
        uri: str,
        bin_width: int,
        extents: Mapping[str, Extent],
        genome: assembly.Assembly,
    ) -> None:
        self.uri = uri
        self.bin_width = bin_width
        self.genome = genome
        own = genome.names(extents, uri, complete=True)
        self.names = {name: file_name for file_name, name in own.items()}
        self._extents = {name: extents[file_name] for name, file_name in self.names.items()}
        for chrom in self.names:
            self._check_length(chrom)

    def bins(self, chrom: str) -> int:
        """Returns the number of bins that the file has of a chromosome."""
        return self._extents[chrom].bins if chrom in self.names else 0

    @abc.abstractmethod
    def counts(self, region: regions.Region) -> NDArray[Any]:
        """Returns raw counts of a bin-aligned region, with zeros below the diagonal. [N, N].

        Raises:
            DataError: The file is damaged, or a count is negative or not finite.
        """

    @abc.abstractmethod
    def weights(self, region: regions.Region) -> NDArray[np.float64]:
        """Returns the weights that multiply counts; NaN for filtered and missing bins. [N].

        Raises:
            DataError: The file is damaged, or a weight cannot be used.
        """

    @abc.abstractmethod
    def maps(self, region: regions.Region) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Returns balanced and raw contacts as the library of the format computes them.

        Both are symmetric. [N, N], [N, N].
        """

    def inspect(self) -> None:
        """Logs which chromosomes end before those of the genome.

        Raises:
            DataError: The file is damaged.
        """
        missing = {
            chrom: self.genome.sizes[chrom] - self._end(chrom)
            for chrom in self.names
            if self.genome.sizes[chrom] - self._end(chrom) >= self.bin_width
        }
        if missing:
            _log.warning(
                "%s: %d of %d chromosomes end before those of the genome (%s); these bins are "
                "masked.",
                self.uri,
                len(missing),
                len(self.names),
                ", ".join(f"{chrom} by {bases:,} bases" for chrom, bases in missing.items()),
            )

    def share_weights(self) -> None:  # noqa: B027 - only a cooler may lack weights
        """Computes weights that the file lacks, where processes of this run find them again."""

    def _end(self, chrom: str) -> int:
        """Returns the last base of a chromosome that the file covers."""
        extent = self._extents[chrom]
        return min(extent.bases, extent.bins * self.bin_width)

    def _check_length(self, chrom: str) -> None:
        size, bases = self.genome.sizes[chrom], self._extents[chrom].bases
        lacking = size - self._end(chrom)
        too_long = bases - size >= self.bin_width
        if too_long or (lacking >= self.bin_width and lacking > MOST_MISSING * size):
            covered = "" if bases <= self._end(chrom) else f" and bins up to {self._end(chrom):,}"
            raise errors.DataError(
                f"{self.uri}: {self.names[chrom]} has {bases:,} bases{covered}, but {chrom} of the "
                f"genome has {size:,}; give the genome of the assembly of this map."
            )

    def _runs(self, region: regions.Region) -> list[Run]:
        """Returns the bins of a region that the file has; two runs across the origin of a circle.

        With bins of 10 bases and a circle of 5 bins, 30-70 holds bins 3, 4 and then 0, 1.
        """
        first = region.start // self.bin_width
        last = -(-region.end // self.bin_width)
        available = self.bins(region.chrom)
        period = self.genome.period(region.chrom, self.bin_width)
        if period is not None and first >= period:
            first, last = first - period, last - period
        if period is None or last <= period:
            runs = [Run(first, last, 0)]
        else:
            runs = [Run(first, period, 0), Run(0, last - period, period - first)]
        whole = [run._replace(last=min(run.last, available)) for run in runs]
        return [run for run in whole if run.first < run.last]

    def _size(self, region: regions.Region) -> int:
        """Returns the number of bins of a region."""
        return -(-region.end // self.bin_width) - region.start // self.bin_width


def path_of(uri: str) -> Path:
    """Returns the file of a URI, without the group."""
    return Path(uri.partition("::")[0])


def reading(uri: str) -> contextlib.AbstractContextManager[None]:
    """Turns what a library raises for a damaged file of contacts into one sentence."""
    return damage.explained(uri, "a file of contacts", "make or download it again")
