"""Reads genes and bigWig tracks in the frame of a map."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig
from numpy.typing import NDArray

from akita_bayes import errors, regions
from akita_bayes.report import contents
from akita_bayes.variants.alleles import bin_loci


class BigWigs:
    """Reads tracks of open bigWig files.

    Args:
        tracks: Name and open file of each track.
    """

    def __init__(self, tracks: Sequence[tuple[str, Any]]) -> None:
        self._tracks = tracks

    def signals(
        self, stretches: Sequence[bin_loci.Stretch], bins: int, bin_width: int
    ) -> list[contents.Signal]:
        """Computes the mean of every track in every bin of a frame.

        Args:
            stretches: Stretches of the genome in the frame.
            bins: Bins N of the frame.
            bin_width: Bases of a bin.
        """
        return [
            contents.Signal(name, _means(file, stretches, bins, bin_width))
            for name, file in self._tracks
        ]


@contextlib.contextmanager
def opened(paths: Sequence[str | Path]) -> Iterator[BigWigs]:
    """Opens bigWig files; a track has the name of its file.

    Raises:
        DataError: A file is missing, or not a bigWig file.
    """
    with contextlib.ExitStack() as stack:
        tracks = []
        for path in map(Path, paths):
            if not path.is_file():
                raise errors.DataError(f"{path}: no such bigWig file.")
            try:
                file = pyBigWig.open(str(path))
            except RuntimeError:
                file = None
            if file is None or not file.isBigWig():
                raise errors.DataError(
                    f"{path}: damaged or not a bigWig file; give a .bw file, such as "
                    "bedGraphToBigWig writes."
                )
            stack.callback(file.close)
            tracks.append((path.name, file))
        yield BigWigs(tracks)


def _means(
    file: Any, stretches: Sequence[bin_loci.Stretch], bins: int, bin_width: int
) -> NDArray[np.float64]:
    """Returns the mean over the bases of each bin that have a value. [N]."""
    total, count = np.zeros(bins), np.zeros(bins)
    sizes = file.chroms()
    for part in stretches:
        chrom = regions.own_name(part.region.chrom, sizes)
        if chrom is None:
            continue
        first, last = max(part.region.start, 0), min(part.region.end, sizes[chrom])
        if first >= last:
            continue
        values = np.asarray(file.values(chrom, first, last, numpy=True), np.float64)
        position = np.arange(first, last) - part.region.start
        if part.strand == -1:
            position = part.region.width - 1 - position
        bin_ = np.floor(part.first + position / bin_width + 1e-9).astype(int)
        usable = np.isfinite(values) & (bin_ >= 0) & (bin_ < bins)
        np.add.at(total, bin_[usable], values[usable])
        np.add.at(count, bin_[usable], 1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
