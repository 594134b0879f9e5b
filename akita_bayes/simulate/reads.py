"""Converts contacts to counts: whole chromosomes as bands, and sequencing as counting noise.

A band holds the contacts of bin i with bins i, i + 1, ..., i + D - 1 in row i: [M, D]. Pixels
beyond the chromosome's end are 0.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.simulate import chromatin
from akita_bayes.simulate.physics import Physics

FAR = 10
"""Shortest distance of reads that count towards the depth, bins."""


def band(tracks: chromatin.Tracks, physics: Physics, distances: int) -> NDArray[np.float64]:
    """Computes noise-free contacts of a chromosome, up to `distances` - 1 bins apart. [M, D].

    Overlapping windows give the rows. A window with its flanks equals the same part of the
    chromosome, so their borders do not show.
    """
    bins = len(tracks.compartment)
    flank = physics.flank // physics.bin_size
    result = np.zeros((bins, distances))
    rows = max(distances, 2 * flank)
    for start in range(0, bins, rows):
        count = min(rows, bins - start)
        window = tracks.window(start - flank, start + count + distances - 1 + flank)
        contacts = chromatin.contacts_of(window, physics)
        result[start : start + count] = _band_of(contacts, count, distances)
    beyond = bins - np.arange(bins)  # first distance at which the second bin is beyond the end
    result[np.arange(distances) >= beyond[:, None]] = 0
    return result


def _band_of(square: NDArray[Any], rows: int, distances: int) -> NDArray[Any]:
    """Returns pixels (i, i + d) of the first rows. [N, N] -> [rows, D]."""
    first = np.arange(rows)[:, None]
    return square[first, first + np.arange(distances)]


def window(band: NDArray[Any], start: int, bins: int) -> NDArray[Any]:
    """Returns the symmetric map of bins start..start+bins-1. [M, D] -> [N, N].

    Distances beyond the band are 0.
    """
    distances = min(bins, band.shape[1])
    rows = np.arange(bins)[:, None]
    columns = rows + np.arange(distances)
    inside = columns < bins
    square = np.zeros((bins, bins), band.dtype)
    values = band[start : start + bins, :distances]
    rows, columns = np.broadcast_to(rows, columns.shape)[inside], columns[inside]
    square[rows, columns] = square[columns, rows] = values[inside]
    return square


def reads_per_contact(depth: float, physics: Physics, distances: int) -> float:
    """Computes the expected reads of a pixel with contacts 1.

    Args:
        depth: Read pairs per kilobase of a genome without sites, `FAR` bins or more apart. Nearer
            pairs make up most of a library and contain little information about folding.
        physics: Parameters of the chromatin.
        distances: Number of distances; pairs up to `distances` - 1 bins apart are sequenced.
    """
    bins = distances + 2 * physics.flank // physics.bin_size
    free = chromatin.contacts_of(chromatin.Tracks(*np.zeros((3, bins))), physics)
    return depth * physics.bin_size / 1000 / float(free[0, FAR:].sum())


def check_depth(depth: float, physics: Physics, distances: int) -> None:
    """Refuses a depth whose counts a cooler cannot hold.

    Coolers hold counts as int32. Most contacts are those of a bin with itself; loops and noise at
    most double them.

    Args:
        depth: As in `reads_per_contact`, all replicates together.
        physics: Parameters of the chromatin.
        distances: As in `reads_per_contact`.

    Raises:
        DataError: The expected reads of a pixel exceed half of the largest int32.
    """
    limit = np.iinfo(np.int32).max / 2
    unit = reads_per_contact(1.0, physics, distances)
    expected = depth * unit * float(chromatin.decay(np.zeros(()), physics))
    if expected > limit:
        raise errors.DataError(
            f"depth {depth:g}: puts {expected:.2g} reads into one pixel, and coolers count to "
            f"{np.iinfo(np.int32).max:,}; simulate less than {depth * limit / expected:.2g}."
        )


def sequence(
    contacts: NDArray[np.float64],
    reads: float,
    unmappable: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    dispersion: float = 0.0,
) -> NDArray[np.int32]:
    """Draws counts of one replicate; 0 in unmappable bins. [M, D] -> [M, D].

    Counts are Poisson, or negative binomial as Poisson counts whose mean has a gamma distribution.

    Args:
        contacts: A band of noise-free contacts.
        reads: Expected reads per unit of contacts.
        unmappable: True for bins without mapped reads. [M].
        rng: Source of the noise.
        dispersion: variance = mean + dispersion mean^2.
    """
    mean = contacts * reads
    if dispersion > 0:
        # Shape 1 / dispersion gives the gamma distribution the relative variance `dispersion`.
        mean = rng.gamma(1 / dispersion, dispersion * mean)
    counts = rng.poisson(mean).astype(np.int32)
    counts[unmappable] = 0
    # Column d of row i is bin i + d; bins beyond the end hold 0 already.
    columns = np.arange(len(counts))[:, None] + np.arange(counts.shape[1])
    counts[unmappable[np.minimum(columns, len(counts) - 1)]] = 0
    return counts
