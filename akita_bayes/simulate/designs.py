"""Describes what to simulate: genome, windows and sequencing; names four designs."""

import dataclasses

from akita_bayes import errors
from akita_bayes.regions import Region
from akita_bayes.simulate.chromatin import DIAGONAL_OFFSET
from akita_bayes.simulate.chromosomes import Landscape
from akita_bayes.simulate.measurement.settings import COUNTING_NOISE, Measurement
from akita_bayes.simulate.physics import Factor, Motif, Physics
from akita_bayes.simulate.reads import FAR

LONGEST = 4_194_304
"""Longest chromosome, bp; each process simulates one chromosome."""


@dataclasses.dataclass(frozen=True)
class Design:
    """Describes a simulated experiment.

    Args:
        physics: Parameters that determine contacts from letters.
        landscape: Features of the random chromosomes.
        genome_mb: Megabases of the training chromosomes; validation and test chromosomes of an
            eighth each are added, so that splits share no letters.
        seq_length: Length of a window, bp.
        crop: Length that is cropped from each side of the map, bp.
        stride: Distance between starts of training windows, bp; held-out windows do not overlap.
        depth: Read pairs per kilobase in each cell type, all replicates together, counting pairs
            at least `reads.FAR` bins apart.
        replicates: Independent experiments that share the depth.
        max_distance: Largest distance of simulated contacts, bp.
        unmappable: Share of bins in which no read can be placed.
        variants: Number of variants of each kind.
        measurement: What the experiment adds to the contacts beside counting noise.
    """

    physics: Physics = dataclasses.field(default_factory=Physics)
    landscape: Landscape = dataclasses.field(default_factory=Landscape)
    genome_mb: float = 24.0
    seq_length: int = 32768
    crop: int = 2048
    stride: int = 16384
    depth: float = 5000.0
    replicates: int = 2
    max_distance: int = 32768
    unmappable: float = 0.002
    variants: int = 40
    measurement: Measurement = COUNTING_NOISE

    def __post_init__(self) -> None:
        for name in ("seq_length", "crop", "stride", "max_distance"):
            if getattr(self, name) % self.physics.bin_size:
                raise errors.DataError(
                    f"{name} {getattr(self, name)} is not a whole number of "
                    f"{self.physics.bin_size}-bp bins; choose a multiple."
                )
        if self.stride <= 0:
            raise errors.DataError(
                f"stride {self.stride}: must be positive; choose one bin or more."
            )
        if (self.seq_length - 2 * self.crop) // self.physics.bin_size <= DIAGONAL_OFFSET:
            raise errors.DataError(
                f"seq_length {self.seq_length}: nothing is left of a map that loses {self.crop} bp "
                "on each side; choose longer windows."
            )
        if self.max_distance < self.seq_length:
            raise errors.DataError(
                f"max_distance {self.max_distance} is shorter than a window of {self.seq_length}; "
                "simulate contacts up to a window's length, or farther."
            )
        if self.max_distance // self.physics.bin_size <= FAR:
            raise errors.DataError(
                f"max_distance {self.max_distance}: the depth counts pairs at least {FAR} bins "
                f"apart; simulate contacts beyond {FAR * self.physics.bin_size} bp."
            )
        if self.replicates < 2 or self.depth <= 0:
            raise errors.DataError(
                f"{self.replicates} replicates of depth {self.depth}: at least 2 replicates are "
                "needed to know how well data can be predicted, and a depth above 0."
            )
        if self.genome_mb * 1e6 < 4 * self.seq_length:
            raise errors.DataError(
                f"genome_mb {self.genome_mb} holds fewer than four windows of {self.seq_length} "
                "bp; choose a longer genome."
            )

    @property
    def cell_types(self) -> tuple[str, ...]:
        """Returns the names of the cell types; each is one target."""
        return self.physics.cell_types

    def chromosomes(self) -> dict[str, tuple[int, str]]:
        """Returns length in bp and split of every chromosome, by name."""
        total = int(self.genome_mb * 1e6)
        count = -(-total // LONGEST)
        held_out = max(total // 8, 8 * self.seq_length)
        lengths = [(total // count, "train")] * count + [(held_out, "valid"), (held_out, "test")]
        bins = self.physics.bin_size
        return {
            f"chr{number}": (length // bins * bins, split)
            for number, (length, split) in enumerate(lengths, 1)
        }

    def windows(self) -> list[tuple[Region, str]]:
        """Returns every window and its split, in order; skips two flanks at chromosome ends."""
        step = {"train": self.stride, "valid": self.seq_length, "test": self.seq_length}
        margin = 2 * self.physics.flank
        windows = []
        for name, (length, split) in self.chromosomes().items():
            last = length - margin - self.seq_length
            for start in range(margin, last + 1, step[split]):
                windows.append((Region(name, start, start + self.seq_length), split))
        return windows


_FACTORS = (
    Factor(Motif("GCAATTAGCCTAATG", (0.9,) * 15), midpoint=11.0, stall=0.35, most_occupancy=0.9),
    Factor(
        Motif("TGACTCATTCGAA", (0.95,) * 13),
        midpoint=11.0,
        stall=0.2,
        most_occupancy=0.7,
        both_ways=False,
        cell_types=("alpha",),
    ),
)
"""A weaker barrier for legs from both sides, and a weak one of one cell type for legs it faces."""

_DECOY_MOTIFS = (Motif("ATGCAAATGGCAT", (0.95,) * 13), Motif("CGGAAGTGACCGTTA", (0.93,) * 15))
"""As strong as motifs that act, and without effect."""

PRESETS = {
    "tiny": Design(genome_mb=0.6, variants=8),
    "small": Design(),
    "medium": Design(genome_mb=48.0, max_distance=262144),
    "realistic": Design(
        depth=10000.0,
        physics=Physics(midpoint=13.0, most_occupancy=0.85, factors=_FACTORS),
        landscape=Landscape(weakened=0.3, decoy_motifs=_DECOY_MOTIFS),
        measurement=Measurement(
            kernel_sigma=1.0,
            kernel_width=5,
            dispersion=0.02,
            coverage_smooth=0.2,
            coverage_bin=0.2,
            unmappable_stretches=0.03,
            target_bias=0.03,
            target_depth=0.2,
            replicate_r=0.9,
        ),
    ),
}
"""`tiny` takes seconds, the demo uses `small`, the benchmarks use `medium`; maps of `realistic`
look measured."""
