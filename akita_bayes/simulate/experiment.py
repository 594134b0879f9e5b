"""Simulates the experiment on one chromosome: random letters, counts, targets and their truth."""

import zlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna, errors
from akita_bayes.data.contacts import counts_to_targets as targets
from akita_bayes.data.contacts import measurement_noise
from akita_bayes.simulate import chromatin, chromosomes, reads, sites
from akita_bayes.simulate.designs import Design


class Window(NamedTuple):
    """Holds one record, with its truth and its replicates.

    Attributes:
        start: First base on the chromosome.
        sequence: Bases as 0..3, 4 for unknown. [L].
        target: Target of the summed counts of all replicates. [P, T].
        mask: True for measured pixels. [P, T].
        truth: Noise-free target. [P, T].
        replicates: Target of each replicate; empty for training windows. [R, P, T].
        noise: Squares whose expectation is the noise variance of the target, NaN where unknown;
            empty for other than validation windows. [P, T].
    """

    start: int
    sequence: NDArray[np.uint8]
    target: NDArray[np.float16]
    mask: NDArray[np.bool_]
    truth: NDArray[np.float16]
    replicates: NDArray[np.float16]
    noise: NDArray[np.float32]


class Pixels(NamedTuple):
    """Holds nonzero counts; bins are counted from the chromosome's start. [K] each."""

    bin1: NDArray[np.int32]
    bin2: NDArray[np.int32]
    counts: NDArray[np.int32]


class Experiment(NamedTuple):
    """Holds the simulated experiment on one chromosome.

    Attributes:
        chromosome: Letters, and planted sites and decoys.
        sites: Sites that a scan of the letters finds.
        windows: Records of this chromosome, in order.
        pixels: Counts by cell type and replicate.
    """

    chromosome: chromosomes.Chromosome
    sites: sites.Sites
    windows: list[Window]
    pixels: list[list[Pixels]]


def simulate_chromosome(name: str, design: Design, seed: int) -> Experiment:
    """Simulates a chromosome of the design; the same seed gives the same experiment.

    Raises:
        DataError: A window has too few reads, or too few mappable bins.
    """
    physics = design.physics
    length, split = design.chromosomes()[name]
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    chromosome = chromosomes.chromosome(
        name, length, physics, design.landscape, seed=int(rng.integers(1 << 62))
    )
    bins = length // physics.bin_size
    unmappable = rng.random(bins) < design.unmappable
    distances = design.max_distance // physics.bin_size
    expected = reads.reads_per_contact(design.depth / design.replicates, physics, distances)
    bands = [
        reads.band(track, physics, distances)
        for track in chromatin.all_tracks(chromosome.sequence, physics)
    ]
    counts = [
        [reads.sequence(band, expected, unmappable, rng) for _ in range(design.replicates)]
        for band in bands
    ]
    index = dna.to_index(chromosome.sequence)
    starts = [region.start for region, _ in design.windows() if region.chrom == name]
    windows = [
        _window(start, index, bands, counts, unmappable, design, replicates=split != "train")
        for start in starts
    ]
    if split == "valid":
        # Its own generator: data of a seed stay the same, whatever the noise needs.
        parts = np.random.default_rng([seed, zlib.crc32(b"noise")])
        windows = [
            window._replace(noise=_noise(window.start, counts, unmappable, design, parts))
            for window in windows
        ]
    pixels = [[_pixels(replicate) for replicate in cell] for cell in counts]
    return Experiment(chromosome, sites.find(chromosome.sequence, physics), windows, pixels)


def _window(
    start: int,
    index: NDArray[np.uint8],
    bands: list[NDArray[Any]],
    counts: list[list[NDArray[Any]]],
    unmappable: NDArray[np.bool_],
    design: Design,
    *,
    replicates: bool,
) -> Window:
    size = design.physics.bin_size
    first, bins = start // size, design.seq_length // size
    transform = chromatin.transform(bins, size, design.crop // size)
    weights = np.where(unmappable[first : first + bins], np.nan, 1.0)

    def target(band: NDArray[Any], weights: NDArray[Any]) -> targets.Target:
        square = reads.window(band, first, bins)
        try:
            return targets.target(square, weights, transform, clip=chromatin.CLIP)
        except targets.Unusable as problem:
            raise errors.DataError(
                f"depth {design.depth:g}, unmappable {design.unmappable:g}: a window is "
                f"{problem.reason}; simulate more depth, or more bins that can be mapped."
            ) from None

    pooled = [target(sum(cell[1:], cell[0]), weights) for cell in counts]
    truth = [target(band * chromatin.NOISE_FREE, np.ones(bins)).values for band in bands]
    replicate_targets = [
        [target(cell[number], weights).values for cell in counts]
        for number in range(design.replicates if replicates else 0)
    ]
    return Window(
        start=start,
        sequence=index[start : start + design.seq_length],
        target=np.stack([cell.values for cell in pooled], axis=-1).astype(np.float16),
        mask=np.stack([cell.mask for cell in pooled], axis=-1),
        truth=np.stack(truth, axis=-1).astype(np.float16),
        replicates=np.array([np.stack(r, axis=-1) for r in replicate_targets], np.float16),
        noise=np.empty((0, len(counts)), np.float32),
    )


def _noise(
    start: int,
    counts: list[list[NDArray[Any]]],
    unmappable: NDArray[np.bool_],
    design: Design,
    generator: np.random.Generator,
) -> NDArray[np.float32]:
    """Returns squares of the noise of a window; NaN where a replicate has too few reads. [P, T]."""
    size = design.physics.bin_size
    first, bins = start // size, design.seq_length // size
    transform = chromatin.transform(bins, size, design.crop // size)
    weights = np.where(unmappable[first : first + bins], np.nan, 1.0)
    columns = []
    for cell in counts:
        squares = [reads.window(replicate, first, bins) for replicate in cell]
        try:
            columns.append(
                measurement_noise.of_replicate_counts(
                    squares, weights, transform, generator, clip=chromatin.CLIP
                )
            )
        except targets.Unusable:
            columns.append(np.full(transform.pixels, np.nan))
    return np.stack(columns, axis=-1).astype(np.float32)


def _pixels(counts: NDArray[np.int32]) -> Pixels:
    bin1, distance = np.nonzero(counts)
    return Pixels(bin1.astype(np.int32), (bin1 + distance).astype(np.int32), counts[bin1, distance])
