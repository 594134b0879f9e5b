r"""Contact maps with a known truth, from sequence alone.

The map of a cell type is derived in four steps; every symbol is a field of `physics.Physics`.

1. Sites (`simulate.sites`). Each base sequence of the site's width has a score, hence an occupancy
   in each cell type, on either strand. Bin k stalls legs moving left with probability
   s_k = 1 - prod(1 - stall x occupancy) over its forward sites, legs moving right over its reverse
   sites. A site belongs to the bin of its middle base.
2. Loops (`simulate.extrusion`). P[i, j] loops tie bins i and j together, derived there.
3. Contacts. Two bins meet by themselves, the less the farther apart,

       D(d) = (1 + d bin_size / decay_length)^-decay_exponent,

   or because a loop brings them close: a loop (a, b) leaves |i - a| + |j - b| bins between i and j,
   over which contact falls off as exp(-x bin_size / tether) = K[i, a] K[j, b]. Compartments c in
   (-1, 1) favour their own kind:

       C[i, j] = exp(compartment_strength c_i c_j) (D(|i - j|) + loop_strength (K P K)[i, j]),
       c_i = tanh((GC_i - compartment_gc) / compartment_width),

   GC_i being averaged over `isochore` bp to each side of the bin.
4. Observed over expected. truth = ln(C[i, j] / mean of C over the window's pixels at |i - j|),
   clipped to +-2: what a Hi-C experiment of unlimited depth would give as the training target.

Every step looks only at bins between i and j and at most `physics.flank` bp around them. So a map
of a window, read from its letters and that much flank, equals the same part of the chromosome's
map to rounding; letters that are not given count as unknown: no site, no say in the GC.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna, errors
from akita_bayes.simulate import extrusion, sites
from akita_bayes.simulate.physics import Physics

CLIP = 2.0
"""Largest absolute log observed/expected, as in Akita's data."""


class Tracks(NamedTuple):
    """What the letters say about each bin, in one cell type. [N] each."""

    left_stall: NDArray[np.float64]
    right_stall: NDArray[np.float64]
    compartment: NDArray[np.float64]

    def window(self, start: int, end: int) -> "Tracks":
        """Bins start..end-1; beyond the ends no leg stalls and no compartment is favoured."""
        size = len(self.compartment)
        before, after = max(0, -start), max(0, end - size)
        return Tracks(
            *(np.pad(track[max(0, start) : min(end, size)], (before, after)) for track in self)
        )


def tracks(sequence: str, physics: Physics, cell_type: str) -> Tracks:
    """Stalls and compartment of every bin of a sequence, whose last bin may be a part.

    Raises:
        DataError: The cell type is not one of the physics'.
    """
    return all_tracks(sequence, physics)[_cell_type(physics, cell_type)]


def all_tracks(sequence: str, physics: Physics) -> list[Tracks]:
    """The tracks of every cell type, from one scan of the letters."""
    bins = -(-len(sequence) // physics.bin_size)
    found = sites.find(sequence, physics)
    where = (found.start + physics.site.width // 2) // physics.bin_size
    compartment = _compartment(sequence, bins, physics)
    result = []
    for cell in range(len(physics.cell_types)):
        passes = np.log1p(-physics.stall * found.occupancy[:, cell])
        left, right = (
            -np.expm1(np.bincount(where, passes * (found.strand == strand), minlength=bins))
            for strand in (1, -1)
        )
        result.append(Tracks(left, right, compartment))
    return result


def _compartment(sequence: str, bins: int, physics: Physics) -> NDArray[np.float64]:
    """c of every bin, 0 where no base is known. [N]."""
    index = dna.to_index(sequence)
    edges = np.arange(bins + 1) * physics.bin_size
    start = np.maximum(edges[:-1] - physics.isochore, 0)
    end = np.minimum(edges[1:] + physics.isochore, len(index))
    strong, known = (
        np.concatenate([[0], np.cumsum(hit)])
        for hit in ((index == 1) | (index == 2), index != dna.UNKNOWN)
    )
    count = known[end] - known[start]
    gc = (strong[end] - strong[start]) / np.maximum(count, 1)
    state = np.tanh((gc - physics.compartment_gc) / physics.compartment_width)
    return np.where(count > 0, state, 0.0)


def decay(distance: NDArray, physics: Physics) -> NDArray[np.float64]:
    """D: contacts of two bins that no loop brings together; distance in bins."""
    return (1 + distance * physics.bin_size / physics.decay_length) ** -physics.decay_exponent


def contacts_of(tracks: Tracks, physics: Physics) -> NDArray[np.float64]:
    """C of all bins but the outermost `flank_bins` at each side. [N + 2F] tracks -> [N, N]."""
    flank, reach = physics.flank // physics.bin_size, physics.tether_bins
    inner = slice(flank - reach, len(tracks.compartment) - flank + reach)
    loops = extrusion.loops(
        tracks.left_stall[inner],
        tracks.right_stall[inner],
        physics.processivity / physics.bin_size,
    )
    bins = loops.shape[0] - 2 * reach
    offset = np.abs(np.arange(bins)[:, None] + reach - np.arange(loops.shape[0]))
    tether = np.exp(-offset * physics.bin_size / physics.tether) * (offset <= reach)
    compartment = tracks.compartment[flank : flank + bins]
    distance = np.abs(np.arange(bins)[:, None] - np.arange(bins))
    favour = np.exp(physics.compartment_strength * np.multiply.outer(compartment, compartment))
    return favour * (decay(distance, physics) + physics.loop_strength * (tether @ loops @ tether.T))


def contacts(
    sequence: str, physics: Physics, cell_type: str, *, flank: int = 0
) -> NDArray[np.float64]:
    """C of a window, in units of a free bin's contacts with itself. [N, N].

    Args:
        sequence: The window's letters, with `flank` letters more at each side.
        physics: Its parameters.
        cell_type: One of the physics' cell types.
        flank: How many letters at each side are context rather than window, a multiple of the
            bin size; `physics.flank` or more gives the map that the window has in its chromosome.

    Raises:
        DataError: The window is no whole number of bins, or the cell type is unknown.
    """
    _cell_type(physics, cell_type)
    width = len(sequence) - 2 * flank
    if width <= 0 or width % physics.bin_size or flank % physics.bin_size:
        raise errors.DataError(
            f"A window of {width} bp with flanks of {flank} bp is no whole number of "
            f"{physics.bin_size}-bp bins; extend or trim it."
        )
    first = (flank - physics.flank) // physics.bin_size
    last = first + (width + 2 * physics.flank) // physics.bin_size
    return contacts_of(tracks(sequence, physics, cell_type).window(first, last), physics)


def truth(
    sequence: str, physics: Physics, cell_type: str, *, flank: int = 0
) -> NDArray[np.float64]:
    """Noise-free ln observed/expected of a window, clipped to +-2. [N, N].

    The arguments are those of `contacts`. An edited genome goes through the same call.
    """
    return observed_over_expected(contacts(sequence, physics, cell_type, flank=flank))


def observed_over_expected(contacts: NDArray[np.float64]) -> NDArray[np.float64]:
    """ln of a map over its mean at each distance, clipped. [N, N] -> [N, N]."""
    bins = len(contacts)
    distance = np.abs(np.arange(bins)[:, None] - np.arange(bins))
    total = np.bincount(distance.ravel(), contacts.ravel())
    expected = total / np.bincount(distance.ravel())
    return np.clip(np.log(contacts / expected[distance]), -CLIP, CLIP)


def _cell_type(physics: Physics, name: str) -> int:
    if name not in physics.cell_types:
        raise errors.DataError(
            f'"{name}" is no cell type of {list(physics.cell_types)}.'
            + errors.did_you_mean(name, physics.cell_types)
        )
    return physics.cell_types.index(name)
