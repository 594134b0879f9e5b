"""Random chromosomes: isochores, domain boundaries made of sites, lone sites, and decoys."""

import dataclasses
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna
from akita_bayes.simulate.physics import Motif, Physics

_LETTERS = np.frombuffer(dna.ALPHABET.encode("ascii"), np.uint8)


@dataclasses.dataclass(frozen=True)
class Landscape:
    """How often things occur along a random chromosome; lengths are means in bp.

    Args:
        isochore: Length of a stretch of one GC content, at least a quarter of it.
        gc: GC fractions of AT-rich and of GC-rich isochores.
        boundary: Distance between domain boundaries. A boundary is a reverse site followed by a
            forward one (so that neighbours across a domain converge), one of them missing in a
            quarter of cases each.
        lone_site: Distance between single sites of either strand.
        decoy: Distance between decoys, which do nothing: sites too weak to bind, shuffled ones,
            and halves of a site a few bases too far apart.
        regulated: Share of sites with a corepressor's motif downstream.
        misplaced: Share of the other sites with such a motif at a spacing that has no effect.
    """

    isochore: float = 24576.0
    gc: tuple[float, float] = (0.40, 0.50)
    boundary: float = 10240.0
    lone_site: float = 16384.0
    decoy: float = 8192.0
    regulated: float = 0.5
    misplaced: float = 0.2


class Planted(NamedTuple):
    """One thing written into a chromosome."""

    start: int
    end: int
    kind: str
    strand: int


class Chromosome(NamedTuple):
    """Letters and what was planted among them, decoys included."""

    name: str
    sequence: str
    planted: list[Planted]


def chromosome(
    name: str, length: int, physics: Physics, landscape: Landscape, *, seed: int
) -> Chromosome:
    """A random chromosome; the same seed gives the same letters."""
    rng = np.random.default_rng(seed)
    index = _isochores(length, landscape, rng)
    planted: list[Planted] = []
    free = np.ones(length, bool)
    for start, kind, strand in _plan(length, landscape, rng):
        insert = _insert(kind, physics, landscape, rng)
        if strand < 0:
            insert = (3 - insert)[::-1]
        end = start + len(insert)
        if end <= length and free[start:end].all():
            index[start:end] = insert
            free[start:end] = False
            planted.append(Planted(start, end, kind, strand))
    return Chromosome(name, _LETTERS[index].tobytes().decode("ascii"), planted)


def _isochores(length: int, landscape: Landscape, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Random letters whose GC content alternates. [L]."""
    gc = np.empty(length)
    position, rich = 0, int(rng.integers(2))
    least = landscape.isochore / 4
    while position < length:
        end = position + int(least + rng.exponential(landscape.isochore - least)) + 1
        gc[position:end] = landscape.gc[rich]
        position, rich = end, 1 - rich
    strong = rng.random(length) < gc
    pair = rng.integers(0, 2, length)
    return np.where(strong, 1 + pair, 3 * pair).astype(np.uint8)


def _plan(
    length: int, landscape: Landscape, rng: np.random.Generator
) -> list[tuple[int, str, int]]:
    """Start, kind and strand of everything to plant, in order of importance."""
    plan = []
    for position in _renewals(length, landscape.boundary, rng):
        missing = rng.integers(4)
        if missing != 0:
            plan.append((position, "site", -1))
        if missing != 1:
            plan.append((position + int(rng.integers(100, 400)), "site", 1))
    for position in _renewals(length, landscape.lone_site, rng):
        plan.append((position, "site", int(rng.choice((-1, 1)))))
    for position in _renewals(length, landscape.decoy, rng):
        kind = str(rng.choice(("weak", "shuffled", "split")))
        plan.append((position, kind, int(rng.choice((-1, 1)))))
    return plan


def _renewals(length: int, mean: float, rng: np.random.Generator) -> list[int]:
    """Random positions whose distances are at least a third of their mean."""
    steps = mean / 3 + rng.exponential(2 * mean / 3, int(3 * length / mean) + 8)
    positions = np.cumsum(steps) - rng.random() * mean
    return [int(position) for position in positions if 0 <= position < length]


def _insert(
    kind: str, physics: Physics, landscape: Landscape, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Letters to write, on the strand of the site."""
    site = draw(physics.site, rng)
    if kind == "shuffled":
        return rng.permutation(site)
    if kind == "weak":
        return _mutate(site, 4, rng)
    if kind == "split":
        half = physics.site.width // 2
        return np.concatenate([site[:half], _random(int(rng.integers(3, 8)), rng), site[half:]])
    if not physics.corepressors:
        return site
    factor = physics.corepressors[rng.integers(len(physics.corepressors))]
    if rng.random() < landscape.regulated:
        gap = int(rng.integers(factor.gap[0], factor.gap[1] + 1))
    elif rng.random() < landscape.misplaced:
        gap = factor.gap[1] + int(rng.integers(10, 40))
    else:
        return site
    return np.concatenate([site, _random(gap, rng), draw(factor.motif, rng)])


def draw(motif: Motif, rng: np.random.Generator) -> NDArray[np.uint8]:
    """One sequence drawn from a position weight matrix. [W]."""
    cumulative = np.cumsum(motif.probabilities, axis=1)
    return (rng.random((motif.width, 1)) > cumulative).sum(axis=1).astype(np.uint8)


def _mutate(site: NDArray[np.uint8], count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A copy with `count` bases changed."""
    at = rng.choice(len(site), count, replace=False)
    changed = site.copy()
    changed[at] = (changed[at] + rng.integers(1, 4, count)) % 4
    return changed


def _random(length: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    return rng.integers(0, 4, length).astype(np.uint8)
