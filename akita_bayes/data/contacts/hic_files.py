"""Reads counts and normalisations of Juicer's .hic files, versions 6 to 9, through hictkpy.

Juicer divides counts by its normalisation vectors; here they are inverted to weights that multiply,
as in coolers. hictkpy is imported when the first .hic file is opened.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, regions
from akita_bayes.data import assembly
from akita_bayes.data.contacts import contact_file
from akita_bayes.files import hic_header

_log = logging.getLogger(__name__)


def is_hic(path: Path) -> bool:
    """Returns True for a file whose first bytes are those of a .hic file.

    Raises:
        DataError: The file is missing or cannot be read.
    """
    if not path.is_file():
        raise errors.DataError(f"{path}: no such cooler or .hic file.")
    try:
        with open(path, "rb") as handle:
            return handle.read(len(hic_header.SIGNATURE)) == hic_header.SIGNATURE
    except OSError as error:
        raise errors.DataError(f"{path}: cannot be read ({error.strerror}).") from None


def widths(path: Path) -> list[int]:
    """Returns the bin widths of a .hic file, in bases.

    Raises:
        DataError: The file is damaged, or has no resolution.
    """
    import hictkpy

    with contact_file.reading(str(path)):
        hic_header.check(path)
        available = sorted(int(width) for width in hictkpy.MultiResFile(path).resolutions())
    if not available:
        raise errors.DataError(f"{path}: has no resolution in bases; make or download it again.")
    return available


class HicContacts(contact_file.ContactFile):
    """Reads one resolution and one normalisation of a .hic file.

    Args:
        source: The file as `path::/resolutions/N`, and the normalisation.
        genome: The genome.

    Raises:
        DataError: The file is damaged, lacks the resolution or the normalisation, has several
            normalisations and none is named, or does not fit the genome.
    """

    def __init__(self, source: contact_file.Source, genome: assembly.Assembly) -> None:
        path = contact_file.path_of(source.uri)
        width = int(source.uri.rpartition("/")[2])
        self._file = _open(path, width)
        self.normalisation = _normalisation(source, self._file)
        with contact_file.reading(source.uri):
            chroms = {name: int(size) for name, size in self._file.chromosomes().items()}
        extents = {
            name: contact_file.Extent(size, -(-size // width)) for name, size in chroms.items()
        }
        offsets = np.cumsum([0, *(extent.bins for extent in extents.values())])
        self._first = dict(zip(extents, offsets.tolist(), strict=False))
        self._factors: NDArray[np.float64] | None = None
        super().__init__(source.uri, width, extents, genome)

    def counts(self, region: regions.Region) -> NDArray[Any]:
        """Returns raw counts of a bin-aligned region, with zeros below the diagonal. [N, N].

        Raises:
            DataError: The file is damaged, or a count is negative or not finite.
        """
        counts = np.triu(self._matrix(region, contact_file.RAW, 0.0))
        wrong = np.argwhere(~(np.isfinite(counts) & (counts >= 0)))
        if len(wrong):
            row, column = wrong[0]
            raise errors.DataError(
                f"{self.uri}: the count of bins {row} and {column} of {region} is "
                f"{counts[row, column]}; counts must be finite and not negative."
            )
        # .hic files hold counts as floats of 32 bits; whole ones become integers, as in coolers.
        is_whole = (counts == np.round(counts)).all() and counts.max(initial=0) < 1 << 31
        return counts.astype(np.int32) if is_whole else counts

    def weights(self, region: regions.Region) -> NDArray[np.float64]:
        """Returns the weights that multiply counts; NaN for filtered and missing bins. [N].

        Raises:
            DataError: The file is damaged, or a weight is negative.
        """
        weights = np.full(self._size(region), np.nan)
        factors = self._all_weights()
        for run in self._runs(region):
            first = self._first[self.names[region.chrom]]
            weights[run.rows] = factors[first + run.first : first + run.last]
        if (weights < 0).any():
            raise errors.DataError(
                f"{self.uri}: {self.normalisation} is negative for a bin of {region}; choose "
                "another normalisation with --norm."
            )
        return weights

    def maps(self, region: regions.Region) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Returns balanced and raw contacts as hictkpy computes them. [N, N], [N, N]."""
        balanced = self._matrix(region, self.normalisation, np.nan)
        # hictkpy gives empty pixels of filtered bins 0; their value is unknown.
        filtered = np.isnan(self.weights(region))
        balanced[filtered] = balanced[:, filtered] = np.nan
        return balanced, self._matrix(region, contact_file.RAW, 0.0)

    def inspect(self) -> None:
        """Logs missing ends of chromosomes, and chromosomes without a normalisation."""
        super().inspect()
        _log.info("%s: counts are divided by %s.", self.uri, self.normalisation)
        factors = self._all_weights()
        empty = [
            chrom
            for chrom, name in self.names.items()
            if self.bins(chrom) and np.isnan(factors[self._first[name] :][: self.bins(chrom)]).all()
        ]
        if empty:
            _log.warning(
                "%s: the normalisation %s has no value on %s; these bins are masked.",
                self.uri,
                self.normalisation,
                ", ".join(empty),
            )

    def _all_weights(self) -> NDArray[np.float64]:
        """Returns the weights of all bins of the file. [bins]."""
        if self._factors is None:
            with contact_file.reading(self.uri):
                if self.normalisation == contact_file.RAW:
                    vector = np.ones(self._file.nbins())
                else:
                    vector = self._file.weights(self.normalisation, divisive=True)
            usable = np.isfinite(vector) & (vector != 0)  # 0 cannot divide
            self._factors = 1 / np.where(usable, vector, np.nan)
        return self._factors

    def _matrix(self, region: regions.Region, normalisation: str, empty: float) -> NDArray[Any]:
        """Returns the symmetric map of a region; `empty` where the file has no bins. [N, N]."""
        size, runs = self._size(region), self._runs(region)
        matrix = np.full((size, size), empty)
        for across in runs:
            for down in runs:
                # hictkpy reads the upper triangle of the file only: earlier bins come first.
                earlier, later = sorted((across, down))
                part = self._fetch(region.chrom, earlier, later, normalisation)
                matrix[across.rows, down.rows] = part if earlier == across else part.T
        return matrix

    def _fetch(
        self, chrom: str, rows: contact_file.Run, columns: contact_file.Run, normalisation: str
    ) -> NDArray[Any]:
        name, bases = self.names[chrom], self._extents[chrom].bases
        first, second = (
            f"{name}\t{run.first * self.bin_width}\t{min(run.last * self.bin_width, bases)}"
            for run in (rows, columns)
        )
        with contact_file.reading(self.uri):
            selector = self._file.fetch(
                first, second, normalization=normalisation, count_type="float64", query_type="BED"
            )
            return np.asarray(selector.to_numpy())


def _open(path: Path, width: int) -> Any:
    import hictkpy

    available = widths(path)
    if width not in available:
        raise errors.DataError(
            f"{path}: has no bins of {width:,} bases, only of "
            f"{', '.join(f'{width:,}' for width in available)}; choose one with -w."
        )
    with contact_file.reading(str(path)):
        return hictkpy.File(path, width)


def _normalisation(source: contact_file.Source, file: Any) -> str:
    with contact_file.reading(source.uri):
        available = list(file.avail_normalizations())
    listed = ", ".join([*available, contact_file.RAW])
    if source.weight and source.weight not in (*available, contact_file.RAW):
        raise errors.DataError(
            f'{source.uri}: has no normalisation "{source.weight}"; it has {listed}.'
        )
    if not source.weight and len(available) != 1:
        raise errors.DataError(f"{source.uri}: name a normalisation with --norm; it has {listed}.")
    return source.weight or str(available[0])
