"""Declares the parameters of the simulated chromatin, each with its unit and its default."""

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna, errors


@dataclasses.dataclass(frozen=True)
class Motif:
    """Describes a position weight matrix by its consensus and the conservation of each base.

    Position k holds its consensus base with probability `conservation[k]` and each other base with
    a third of the rest.
    """

    consensus: str
    conservation: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.consensus) != len(self.conservation):
            raise errors.DataError(
                f"Motif {self.consensus} has {len(self.consensus)} bases but "
                f"{len(self.conservation)} conservation values; give one value per base."
            )
        if not set(self.consensus) <= set(dna.ALPHABET):
            raise errors.DataError(f"Motif {self.consensus} may hold only A, C, G and T.")
        if not all(0.25 <= value < 1 for value in self.conservation):
            raise errors.DataError(
                f"Motif {self.consensus}: conservation must lie in [0.25, 1); 0.25 is any base."
            )

    @property
    def width(self) -> int:
        """Returns the number of bases."""
        return len(self.consensus)

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Returns P(base | position). [W, 4]."""
        conserved = np.array(self.conservation)[:, None]
        return np.where(dna.to_one_hot(self.consensus) == 1, conserved, (1 - conserved) / 3)

    @property
    def log_odds(self) -> NDArray[np.float64]:
        """Returns ln P(base | position) / 0.25, nats; the fifth column: unknown. [W, 5]."""
        odds = np.log(self.probabilities / 0.25)
        return np.hstack([odds, odds.min(axis=1, keepdims=True)])


@dataclasses.dataclass(frozen=True)
class Corepressor:
    """Describes a factor that empties the site upstream of its motif, where it is expressed.

    Args:
        motif: Motif that the factor binds.
        midpoint: Score of half occupancy, nats.
        gap: Fewest and most bases between the site and the factor's motif, which lies downstream
            of the site and on its strand. Other spacings have no effect.
        energy: Energy that a bound factor adds to the site's binding energy, kT.
        cell_types: Cell types that express the factor.
    """

    motif: Motif
    midpoint: float
    gap: tuple[int, int]
    energy: float
    cell_types: tuple[str, ...]


CTCF = Motif(
    "CCACCAGGGGGCGCT",
    (0.8, 0.97, 0.8, 0.97, 0.97, 0.9, 0.97, 0.97, 0.9, 0.97, 0.97, 0.9, 0.97, 0.9, 0.7),
)
COREPRESSORS = (
    Corepressor(Motif("A" * 12, (0.99,) * 12), 13.0, (2, 5), 10.0, ("beta",)),
    Corepressor(Motif("CA" * 6, (0.99,) * 12), 13.0, (2, 5), 10.0, ("alpha",)),
)
"""One binds A-tracts, the other CA repeats: easy to learn, and rare beside random sites."""


@dataclasses.dataclass(frozen=True)
class Factor:
    """Describes a further protein that stalls extrusion at its own motif.

    Args:
        motif: Motif that the factor binds; of odd width, so that it has a middle base.
        midpoint: Score of half of the largest occupancy, nats.
        stall: Probability that a fully occupied site stalls a leg.
        most_occupancy: Occupancy of a site whose score is far above the midpoint.
        both_ways: True if a site stalls legs from both sides; False if only those that it faces.
        cell_types: Cell types that express the factor; none means all.
    """

    motif: Motif
    midpoint: float
    stall: float
    most_occupancy: float = 1.0
    both_ways: bool = True
    cell_types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.motif.width % 2 == 0:
            raise errors.DataError(
                f"A factor's motif {self.motif.consensus} has {self.motif.width} bases; an odd "
                "number gives it a middle base."
            )
        _check_probabilities("factor", self.stall, self.most_occupancy)


@dataclasses.dataclass(frozen=True)
class Physics:
    """Holds all parameters that determine a contact map. Derivation: `simulate.chromatin`.

    Args:
        bin_size: Width of a map's bin, bp.
        cell_types: One target per name.
        site: The motif that stalls extrusion; of odd width, so that it has a middle base.
        midpoint: Score of half of the largest occupancy of a site, nats.
        corepressors: Factors through which cell types differ.
        stall: Probability that a fully occupied site stalls a leg that it faces.
        processivity: Mean distance that a free leg travels, bp.
        loop_strength: Contacts per extruder and bin at the anchors of its loop, in units of the
            contacts of a bin with itself.
        tether: Distance over which a loop's anchors bring their neighbours together, bp.
        decay_exponent: Exponent of the decay of contacts with distance.
        decay_length: Distance at which the decay begins, bp.
        neighbour_strength: Contacts between neighbours on the chain, in the same units.
        neighbour_length: Distance over which these contacts fall off, bp.
        compartment_strength: A quarter of the log depletion of contacts between full A and full B.
        compartment_gc: GC fraction halfway between the compartments.
        compartment_width: Difference of GC fraction over which the compartment changes.
        isochore: Length to each side of a bin over which GC is averaged, bp.
        most_occupancy: Occupancy of a site whose score is far above the midpoint; below 1, even
            the best sites are empty in a share of the cells.
        factors: Further proteins that stall extrusion at their own motifs.
    """

    bin_size: int = 512
    cell_types: tuple[str, ...] = ("alpha", "beta")
    site: Motif = CTCF
    midpoint: float = 12.0
    corepressors: tuple[Corepressor, ...] = COREPRESSORS
    stall: float = 0.75
    processivity: float = 8192.0
    loop_strength: float = 1.0
    tether: float = 1024.0
    decay_exponent: float = 1.0
    decay_length: float = 512.0
    neighbour_strength: float = 300.0
    neighbour_length: float = 768.0
    compartment_strength: float = 0.15
    compartment_gc: float = 0.45
    compartment_width: float = 0.03
    isochore: int = 2048
    most_occupancy: float = 1.0
    factors: tuple[Factor, ...] = ()

    def __post_init__(self) -> None:
        if self.site.width % 2 == 0:
            raise errors.DataError(
                f"The site's motif has {self.site.width} bases; an odd number gives it a middle "
                "base, without which a map and its reverse complement could differ."
            )
        _check_probabilities("physics", self.stall, self.most_occupancy)
        for name in ("bin_size", "processivity", "tether", "decay_length", "compartment_width"):
            if getattr(self, name) <= 0:
                raise errors.DataError(f"{name} must be positive; got {getattr(self, name)}.")
        proteins = [("corepressor", protein.cell_types) for protein in self.corepressors]
        proteins += [("factor", protein.cell_types) for protein in self.factors]
        for kind, cell_types in proteins:
            unknown = set(cell_types) - set(self.cell_types)
            if unknown:
                raise errors.DataError(
                    f"A {kind} is expressed in {sorted(unknown)}, not among the cell types "
                    f"{list(self.cell_types)}; add them or correct the {kind}."
                )

    @property
    def stallers(self) -> tuple[Factor, ...]:
        """Returns everything that stalls extrusion: the site's own protein, then `factors`."""
        own = Factor(self.site, self.midpoint, self.stall, self.most_occupancy, both_ways=False)
        return (own, *self.factors)

    @property
    def tether_bins(self) -> int:
        """Returns the longest tether in bins: five lengths, where its strength is e^-5."""
        return math.ceil(5 * self.tether / self.bin_size)

    @property
    def flank(self) -> int:
        """Returns the length at each side of a window that its map depends on: whole bins, bp."""
        motifs = self.site.width + max(
            (factor.gap[1] + factor.motif.width for factor in self.corepressors), default=0
        )
        motifs = max([motifs, *(factor.motif.width for factor in self.factors)])
        reach = max(self.tether_bins * self.bin_size + motifs, self.isochore)
        return math.ceil(reach / self.bin_size) * self.bin_size


def _check_probabilities(owner: str, stall: float, most_occupancy: float) -> None:
    """Refuses a probability of stalling or a largest occupancy that is out of range."""
    if not 0 <= stall < 1:
        raise errors.DataError(f"{owner}: stall is a probability below 1; got {stall}.")
    if not 0 < most_occupancy <= 1:
        raise errors.DataError(
            f"{owner}: most_occupancy is a share above 0 and at most 1; got {most_occupancy}."
        )
