r"""Computes contact maps with a known truth, from sequence alone.

The map of a cell type is derived in four steps; every symbol is a field of `physics.Physics`.

1. Sites (`simulate.sites`). Each base sequence of the site's width has a score, hence an occupancy
   in each cell type, on either strand. Bin k stalls legs moving left with probability
   s_k = 1 - prod(1 - stall x occupancy) over its forward sites, legs moving right over its reverse
   sites. A site belongs to the bin of its middle base.
2. Loops (`simulate.extrusion` derives them). P[i, j] loops connect bins i and j.
3. Contacts. Two bins meet without a loop, more often the nearer they are,

       D(d) = (1 + d bin_size / decay_length)^-decay_exponent
              + neighbour_strength exp(-d bin_size / neighbour_length),

   or because a loop brings them close: a loop (a, b) leaves |i - a| + |j - b| bins between i and j,
   over which contact falls off as exp(-x bin_size / tether) = K[i, a] K[j, b]. Compartments c in
   (-1, 1) avoid each other when they differ:

       C[i, j] = exp(-compartment_strength (c_i - c_j)^2)
                 (D(|i - j|) + loop_strength (K P K)[i, j]),
       c_i = tanh((GC_i - compartment_gc) / compartment_width),

   where GC_i is the mean over `isochore` bp on each side of the bin. Neighbours make up most of a
   bin's contacts, as in Hi-C, so that all bins have nearly the same total: balancing a simulated
   map (Imakaev et al. 2012, Nat Methods 9:999) changes it little, and C is the truth of the
   balanced map too.
4. Observed over expected. truth = ln(C[i, j] / mean of C over the window's pixels at that
   distance), clipped to +-2, by the procedure of `data.contacts`. This is the training target that
   a Hi-C experiment of unlimited depth would give; it is smoothed where targets are.

Every step uses only bins between i and j and at most `physics.flank` bp around them. So the map of
a window, computed from its letters and flanks of this length, equals the same part of the
chromosome's map to rounding. Letters beyond these count as unknown: they contain no site and do not
count in the GC content.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna, errors, triangle
from akita_bayes.data.contacts import counts_to_targets as targets
from akita_bayes.simulate import extrusion, sites
from akita_bayes.simulate.measurement.settings import COUNTING_NOISE, Measurement
from akita_bayes.simulate.physics import Physics

CLIP = 2.0
"""Largest absolute log observed/expected, as in Akita's data."""

DIAGONAL_OFFSET = 2
"""First diagonal of a target, and of the contacts in a bin's total, as in Akita's data."""

NOISE_FREE = 1e12
"""Reads per unit of contacts that are so many that nothing is smoothed."""


class Tracks(NamedTuple):
    """Holds stalls and compartment of each bin, in one cell type. [N] each."""

    left_stall: NDArray[np.float64]
    right_stall: NDArray[np.float64]
    compartment: NDArray[np.float64]

    def window(self, start: int, end: int) -> "Tracks":
        """Returns bins start..end-1; bins beyond the ends have zeros in all tracks."""
        size = len(self.compartment)
        before, after = max(0, -start), max(0, end - size)
        return Tracks(
            *(np.pad(track[max(0, start) : min(end, size)], (before, after)) for track in self)
        )


def tracks(sequence: str, physics: Physics, cell_type: str) -> Tracks:
    """Computes stalls and compartment of every bin of a sequence; the last bin may be partial.

    Raises:
        DataError: The cell type is not one of the physics'.
    """
    return all_tracks(sequence, physics)[_cell_type_index(physics, cell_type)]


def all_tracks(sequence: str, physics: Physics) -> list[Tracks]:
    """Computes the tracks of every cell type from one scan of the letters."""
    bins = -(-len(sequence) // physics.bin_size)
    all_sites = sites.find(sequence, physics)
    site_bins = all_sites.middle(physics) // physics.bin_size
    stall = np.array([staller.stall for staller in physics.stallers])[all_sites.staller]
    both_ways = np.array([staller.both_ways for staller in physics.stallers])[all_sites.staller]
    compartment = _compartment(sequence, bins, physics)
    result = []
    for cell in range(len(physics.cell_types)):
        # s_k = 1 - prod(1 - stall x occupancy), with the product as a sum of logarithms. Forward
        # sites stall legs that move left, reverse sites legs that move right.
        log_passes = np.log1p(-stall * all_sites.occupancy[:, cell])
        left, right = (
            -np.expm1(
                np.bincount(
                    site_bins,
                    log_passes * ((all_sites.strand == strand) | both_ways),
                    minlength=bins,
                )
            )
            for strand in (1, -1)
        )
        result.append(Tracks(left, right, compartment))
    return result


def _compartment(sequence: str, bins: int, physics: Physics) -> NDArray[np.float64]:
    """Computes c of every bin; 0 where all bases are unknown. [N]."""
    index = dna.to_index(sequence)
    edges = np.arange(bins + 1) * physics.bin_size
    start = np.maximum(edges[:-1] - physics.isochore, 0)
    end = np.minimum(edges[1:] + physics.isochore, len(index))
    # Cumulative counts: bases start..end-1 hold gc_before[end] - gc_before[start] G and C.
    gc_before, bases_before = (
        np.concatenate([[0], np.cumsum(is_counted)])
        for is_counted in ((index == 1) | (index == 2), index != dna.UNKNOWN)
    )
    count = bases_before[end] - bases_before[start]
    gc = (gc_before[end] - gc_before[start]) / np.maximum(count, 1)
    compartment = np.tanh((gc - physics.compartment_gc) / physics.compartment_width)
    return np.where(count > 0, compartment, 0.0)


def decay(distance: NDArray[Any], physics: Physics) -> NDArray[np.float64]:
    """Computes D, the contacts of two bins without loops; distance in bins."""
    bases = distance * physics.bin_size
    return (
        1 + bases / physics.decay_length
    ) ** -physics.decay_exponent + physics.neighbour_strength * np.exp(
        -bases / physics.neighbour_length
    )


def contacts_of(tracks: Tracks, physics: Physics) -> NDArray[np.float64]:
    """Computes C of all bins but `physics.flank` at each side. [N + 2F] tracks -> [N, N]."""
    flank, reach = physics.flank // physics.bin_size, physics.tether_bins
    tracks = tracks.window(flank - reach, len(tracks.compartment) - flank + reach)
    loops = extrusion.loops(
        tracks.left_stall, tracks.right_stall, physics.processivity / physics.bin_size
    )
    bins = len(loops) - 2 * reach
    offset = np.abs(np.arange(bins)[:, None] + reach - np.arange(len(loops)))
    tether = np.exp(-offset * physics.bin_size / physics.tether) * (offset <= reach)
    compartment = tracks.compartment[reach : reach + bins]
    distance = np.abs(np.arange(bins)[:, None] - np.arange(bins))
    difference = np.subtract.outer(compartment, compartment)
    return np.exp(-physics.compartment_strength * difference**2) * (
        decay(distance, physics) + physics.loop_strength * (tether @ loops @ tether.T)
    )


def contacts(
    sequence: str, physics: Physics, cell_type: str, *, flank: int = 0
) -> NDArray[np.float64]:
    """Computes C of a window, in units of a free bin's contacts with itself. [N, N].

    The unit leaves out the contacts of neighbours, `physics.neighbour_strength`.

    Args:
        sequence: The window's letters, with `flank` letters more at each side.
        physics: Parameters of the chromatin.
        cell_type: One of the physics' cell types.
        flank: Number of context letters at each side, a multiple of the bin size. With
            `physics.flank` or more, the map equals that of the window in its chromosome.

    Raises:
        DataError: The window is not a whole number of bins, or the cell type is unknown.
    """
    _cell_type_index(physics, cell_type)  # refuses an unknown cell type before the slow scan
    width = len(sequence) - 2 * flank
    if width <= 0 or width % physics.bin_size or flank % physics.bin_size:
        raise errors.DataError(
            f"A window of {width} bp with flanks of {flank} bp is not a whole number of "
            f"{physics.bin_size}-bp bins; extend or trim it."
        )
    first = (flank - physics.flank) // physics.bin_size
    last = first + (width + 2 * physics.flank) // physics.bin_size
    return contacts_of(tracks(sequence, physics, cell_type).window(first, last), physics)


def truth(
    sequence: str,
    physics: Physics,
    cell_type: str,
    *,
    flank: int = 0,
    measurement: Measurement = COUNTING_NOISE,
) -> NDArray[np.float64]:
    """Computes noise-free ln observed/expected of a window; 0 on two diagonals. [N, N].

    The two innermost diagonals are not part of a target. The arguments are those of `contacts` and
    of `observed_over_expected`; the truth of an edited genome is the same call with its letters.
    """
    return observed_over_expected(contacts(sequence, physics, cell_type, flank=flank), measurement)


def observed_over_expected(
    contacts: NDArray[np.float64], measurement: Measurement = COUNTING_NOISE
) -> NDArray[np.float64]:
    """Converts noise-free contacts to a target, as for measured data. [N, N] -> [N, N].

    Args:
        contacts: Contacts of all pairs of bins.
        measurement: Experiment whose smoothing of targets is applied; its noise is not.
    """
    bins = len(contacts)
    vector = targets.target(
        contacts * NOISE_FREE,
        np.ones(bins),
        transform(bins, 1, measurement=measurement),
        clip=CLIP,
    ).values
    return triangle.to_matrix(vector[:, None], diagonal_offset=DIAGONAL_OFFSET, fill=0.0)[..., 0]


def transform(
    bins: int, bin_size: int, crop: int = 0, measurement: Measurement = COUNTING_NOISE
) -> targets.Transform:
    """Returns the transform of windows of `bins` bins to targets; `crop` in bins."""
    return targets.Transform(
        seq_length=bins * bin_size,
        pool_width=bin_size,
        crop=crop * bin_size,
        diagonal_offset=DIAGONAL_OFFSET,
        as_obsexp=True,
        kernel_sigma=measurement.kernel_sigma,
        kernel_width=measurement.kernel_width,
    )


def _cell_type_index(physics: Physics, name: str) -> int:
    if name not in physics.cell_types:
        raise errors.DataError(
            f'"{name}" is not among the cell types {list(physics.cell_types)}.'
            + errors.did_you_mean(name, physics.cell_types)
        )
    return physics.cell_types.index(name)
