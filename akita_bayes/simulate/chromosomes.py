"""Draws random chromosomes: isochores, domain boundaries made of sites, lone sites, decoys."""

import dataclasses
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna, errors
from akita_bayes.simulate.physics import Motif, Physics

SITE, FACTOR, DECOY_MOTIF = "site", "factor", "motif"
"""Kinds of planted letters: sites, sites of factors (`factor1`), decoy motifs (`motif1`)."""

_LETTERS = np.frombuffer(dna.ALPHABET.encode("ascii"), np.uint8)


@dataclasses.dataclass(frozen=True)
class Landscape:
    """Describes the features of a random chromosome; lengths are means in bp.

    Args:
        isochore: Length of a stretch of one GC content; the shortest is a quarter of the mean.
        gc: GC fractions of AT-rich and of GC-rich isochores.
        boundary: Distance between domain boundaries. A boundary is a reverse site followed by a
            forward site, so that the sites at both ends of a domain converge. In a quarter of
            cases each, one of the two sites is missing.
        lone_site: Distance between single sites of either strand.
        decoy: Distance between decoys, which have no effect: sites too weak to bind, shuffled
            sites, and halves of a site a few bases too far apart.
        regulated: Share of sites with a corepressor's motif downstream.
        misplaced: Share of the remaining sites with such a motif at a spacing without effect.
        weakened: Share of sites with one base changed at random, which many bind in part only.
        factor_site: Distance between single sites of each of `Physics.factors`, either strand.
        decoy_motifs: Motifs that nothing binds; a model must learn to ignore them.
        decoy_motif: Distance between instances of each of these, either strand.
    """

    isochore: float = 24576.0
    gc: tuple[float, float] = (0.40, 0.50)
    boundary: float = 10240.0
    lone_site: float = 16384.0
    decoy: float = 8192.0
    regulated: float = 0.5
    misplaced: float = 0.2
    weakened: float = 0.0
    factor_site: float = 16384.0
    decoy_motifs: tuple[Motif, ...] = ()
    decoy_motif: float = 16384.0

    def __post_init__(self) -> None:
        lengths = ("isochore", "boundary", "lone_site", "decoy", "factor_site", "decoy_motif")
        for name in lengths:
            if not getattr(self, name) > 0:
                raise errors.DataError(
                    f"landscape.{name} {getattr(self, name):g} is not a length in bp; choose one "
                    "above 0."
                )
        for name in ("regulated", "misplaced", "weakened"):
            if not 0 <= getattr(self, name) <= 1:
                raise errors.DataError(
                    f"landscape.{name} {getattr(self, name):g} is a share; choose 0 to 1."
                )


class Planted(NamedTuple):
    """Describes one site or decoy that was written into a chromosome."""

    start: int
    end: int
    kind: str
    strand: int


class Chromosome(NamedTuple):
    """Holds the letters of a chromosome, and its planted sites and decoys."""

    name: str
    sequence: str
    planted: list[Planted]


def chromosome(
    name: str, length: int, physics: Physics, landscape: Landscape, *, seed: int
) -> Chromosome:
    """Draws a random chromosome; the same seed gives the same letters."""
    rng = np.random.default_rng(seed)
    index = _isochores(length, landscape, rng)
    planted: list[Planted] = []
    free = np.ones(length, bool)
    plan = _plan(length, landscape, rng) + _plan_motifs(length, physics, landscape, rng)
    for start, kind, strand in plan:
        insert = _insert(kind, physics, landscape, rng)
        if strand < 0:
            insert = (3 - insert)[::-1]  # A, C, G, T are 0 to 3, so 3 - base is the complement
        end = start + len(insert)
        if end <= length and free[start:end].all():
            index[start:end] = insert
            free[start:end] = False
            planted.append(Planted(start, end, kind, strand))
    return Chromosome(name, _LETTERS[index].tobytes().decode("ascii"), planted)


def _isochores(length: int, landscape: Landscape, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draws random letters whose GC content alternates. [L]."""
    gc = np.empty(length)
    position, is_gc_rich = 0, int(rng.integers(2))
    shortest = landscape.isochore / 4
    while position < length:
        end = position + int(shortest + rng.exponential(landscape.isochore - shortest)) + 1
        gc[position:end] = landscape.gc[is_gc_rich]
        position, is_gc_rich = end, 1 - is_gc_rich
    is_gc = rng.random(length) < gc
    coin = rng.integers(0, 2, length)
    return np.where(is_gc, 1 + coin, 3 * coin).astype(np.uint8)  # C, G are 1, 2; A, T are 0, 3


def _plan(
    length: int, landscape: Landscape, rng: np.random.Generator
) -> list[tuple[int, str, int]]:
    """Draws start, kind and strand of all sites and decoys; earlier ones take precedence."""
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


def _plan_motifs(
    length: int, physics: Physics, landscape: Landscape, rng: np.random.Generator
) -> list[tuple[int, str, int]]:
    """Draws start, kind and strand of sites of factors (`factor1`) and decoy motifs (`motif1`)."""
    plan = []
    for name, count, distance in (
        (FACTOR, len(physics.factors), landscape.factor_site),
        (DECOY_MOTIF, len(landscape.decoy_motifs), landscape.decoy_motif),
    ):
        for number in range(1, count + 1):
            for position in _renewals(length, distance, rng):
                plan.append((position, f"{name}{number}", int(rng.choice((-1, 1)))))
    return plan


def _renewals(length: int, mean: float, rng: np.random.Generator) -> list[int]:
    """Draws random positions whose distances are at least a third of their mean."""
    steps = mean / 3 + rng.exponential(2 * mean / 3, int(3 * length / mean) + 8)
    positions = np.cumsum(steps) - rng.random() * mean
    return [int(position) for position in positions if 0 <= position < length]


def _insert(
    kind: str, physics: Physics, landscape: Landscape, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Draws the letters of a site or decoy, on its strand."""
    for name, motifs in (
        (FACTOR, [factor.motif for factor in physics.factors]),
        (DECOY_MOTIF, list(landscape.decoy_motifs)),
    ):
        if kind.startswith(name):
            return draw(motifs[int(kind.removeprefix(name)) - 1], rng)
    site = draw(physics.site, rng)
    if kind == "shuffled":
        return rng.permutation(site)
    if kind == "weak":
        return _mutate(site, 4, rng)
    if kind == "split":
        half = physics.site.width // 2
        return np.concatenate([site[:half], _random(int(rng.integers(3, 8)), rng), site[half:]])
    if landscape.weakened and rng.random() < landscape.weakened:
        site = _mutate(site, 1, rng)
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
    """Draws one sequence from a position weight matrix. [W]."""
    # Inverse of the distribution function: the base is the number of cumulative values below u.
    cumulative = np.cumsum(motif.probabilities, axis=1)
    return (rng.random((motif.width, 1)) > cumulative).sum(axis=1).astype(np.uint8)


def _mutate(site: NDArray[np.uint8], count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Returns a copy with `count` bases changed."""
    positions = rng.choice(len(site), count, replace=False)
    changed = site.copy()
    # Adding 1, 2 or 3 modulo 4 gives one of the three other bases.
    changed[positions] = (changed[positions] + rng.integers(1, 4, count)) % 4
    return changed


def _random(length: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    return rng.integers(0, 4, length).astype(np.uint8)
