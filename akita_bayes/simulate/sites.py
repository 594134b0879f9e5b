r"""Finds the sites that stall extrusion: strands and occupancies, from letters alone.

A site of score S (nats over a uniform background, Berg & von Hippel 1987, J Mol Biol 193:723) is
bound like a two-state system, and a bound corepressor f adds its energy e_f:

    occupancy_c = m / (1 + exp(-(S - midpoint - sum_f o_f e_f [f expressed in c])))

with m the largest occupancy (1 by default) and o_f the occupancy of the factor at the best of its
allowed spacings, by the same formula with m = 1.
So one substitution changes S, the occupancy, and the map. Further proteins that stall extrusion
have sites of their own, without corepressors, in the cell types that express them.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna
from akita_bayes.simulate.physics import Motif, Physics

LEAST_OCCUPANCY = 0.01
"""Smallest occupancy of a counted site, in its cell type of largest occupancy."""


class Sites(NamedTuple):
    """Holds K sites of both strands, in order of position.

    Attributes:
        start: First base, counted from 0. [K].
        strand: +1 or -1. [K].
        score: Score of the motif, nats. [K].
        occupancy: Occupancy in every cell type. [K, T].
        staller: Number of the protein in `Physics.stallers`; 0 for `Physics.site`. [K].
    """

    start: NDArray[np.int64]
    strand: NDArray[np.int8]
    score: NDArray[np.float64]
    occupancy: NDArray[np.float64]
    staller: NDArray[np.int64]

    def take(self, index: NDArray[Any]) -> "Sites":
        """Returns the sites that an index or a mask selects."""
        return Sites(*(column[index] for column in self))

    def width(self, physics: Physics) -> NDArray[np.int64]:
        """Returns the number of bases of each site. [K]."""
        return np.array([staller.motif.width for staller in physics.stallers])[self.staller]

    def middle(self, physics: Physics) -> NDArray[np.int64]:
        """Returns the middle base of each site. [K]."""
        return self.start + self.width(physics) // 2


def scan(index: NDArray[np.uint8], motif: Motif) -> NDArray[np.float64]:
    """Scores the motif at every start, on the strand of `index`, nats. [L] -> [L - W + 1]."""
    count = len(index) - motif.width + 1
    if count <= 0:
        return np.zeros(0)
    score = np.zeros(count)
    for position, row in enumerate(motif.log_odds):
        score += row[index[position : position + count]]
    return score


def find(sequence: str, physics: Physics) -> Sites:
    """Finds sites of both strands with `LEAST_OCCUPANCY` or more in some cell type."""
    index = dna.to_index(sequence)
    turned = _reverse_complement(index)
    parts = []
    for number, staller in enumerate(physics.stallers):
        forward = _find_forward(index, physics, number)
        reverse = _find_forward(turned, physics, number)
        # A site that starts at s of the reverse complement starts at L - W - s of the sequence.
        last = len(sequence) - staller.motif.width
        parts += [forward, reverse._replace(start=last - reverse.start, strand=-reverse.strand)]
    both = Sites(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    return both.take(np.lexsort((both.staller, both.strand, both.start)))


def least_score(physics: Physics, number: int) -> float:
    """Returns the score from which on a protein's site can be counted, nats."""
    staller = physics.stallers[number]
    # Corepressors only lower an occupancy, so sites below this score cannot reach the threshold.
    share = min(LEAST_OCCUPANCY / staller.most_occupancy, 0.5)
    return float(staller.midpoint + np.log(share / (1 - share)))


def _find_forward(index: NDArray[np.uint8], physics: Physics, number: int) -> Sites:
    """Finds the sites of a protein on the forward strand; `strand` is +1 for all."""
    staller = physics.stallers[number]
    score = scan(index, staller.motif)
    start = np.flatnonzero(score >= least_score(physics, number))
    score = score[start]
    if number == 0:
        energy = _corepression(index, start, physics)
        expressed = np.ones(len(physics.cell_types))
    else:
        energy = np.zeros((len(start), len(physics.cell_types)))
        names = staller.cell_types or physics.cell_types
        expressed = np.isin(physics.cell_types, names).astype(float)
    occupied = staller.most_occupancy * occupancy(score[:, None] - energy, staller.midpoint)
    occupied = occupied * expressed
    candidates = Sites(
        start, np.ones(len(start), np.int8), score, occupied, np.full(len(start), number)
    )
    return candidates.take(np.flatnonzero((occupied >= LEAST_OCCUPANCY).any(axis=1)))


def _corepression(
    index: NDArray[np.uint8], start: NDArray[np.int64], physics: Physics
) -> NDArray[np.float64]:
    """Computes the energy that corepressors add to sites at these starts, kT. [K] -> [K, T]."""
    energy = np.zeros((len(start), len(physics.cell_types)))
    for factor in physics.corepressors:
        bound = np.zeros(len(start))
        for gap in range(factor.gap[0], factor.gap[1] + 1):
            factor_score = _score_at(index, start + physics.site.width + gap, factor.motif)
            bound = np.maximum(bound, occupancy(factor_score, factor.midpoint))
        energy += factor.energy * bound[:, None] * np.isin(physics.cell_types, factor.cell_types)
    return energy


def occupancy(score: NDArray[Any], midpoint: float) -> NDArray[Any]:
    """Computes the share of time that a site is bound; score and midpoint in nats."""
    return 1 / (1 + np.exp(midpoint - score))


def _score_at(index: NDArray[np.uint8], start: NDArray[np.int64], motif: Motif) -> NDArray[Any]:
    """Scores the motif at these starts; bases beyond the end are unknown. [K] -> [K]."""
    positions = start[:, None] + np.arange(motif.width)
    inside = positions < len(index)
    letters = np.where(inside, index[np.minimum(positions, len(index) - 1)], dna.UNKNOWN)
    return motif.log_odds[np.arange(motif.width), letters].sum(axis=1)


def _reverse_complement(index: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.where(index == dna.UNKNOWN, dna.UNKNOWN, 3 - index)[::-1].astype(np.uint8)
