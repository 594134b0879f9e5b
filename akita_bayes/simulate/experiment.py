"""Simulates the experiment on one chromosome: random letters, counts, targets and their truth."""

import zlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna, errors
from akita_bayes.data.contacts import counts_to_targets as targets
from akita_bayes.data.contacts import measurement_noise
from akita_bayes.simulate import chromatin, chromosomes, reads, sites, strains
from akita_bayes.simulate.designs import Design
from akita_bayes.simulate.measurement import band_balancing, biases


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


class Chromatin(NamedTuple):
    """Holds a chromosome and its noise-free contacts.

    Attributes:
        chromosome: Letters, and planted sites and decoys.
        unmappable: True for bins without mapped reads. [M].
        bands: Contacts of each cell type. [T] of [M, D].
        coverage: Mean share of reads that a bin gets; None where all bins get the same. [M].
    """

    chromosome: chromosomes.Chromosome
    unmappable: NDArray[np.bool_]
    bands: list[NDArray[np.float64]]
    coverage: NDArray[np.float64] | None


class Counts(NamedTuple):
    """Holds the counts of a cell type and the weights that balance them.

    Attributes:
        replicates: Counts of each replicate. [R] of [M, D].
        pooled: Counts of all replicates. [M, D].
        weights: Weights of the pooled counts; NaN for filtered bins. [M].
        replicate_weights: The same, of each replicate. [R] of [M].
    """

    replicates: list[NDArray[np.int32]]
    pooled: NDArray[np.int32]
    weights: NDArray[np.float64]
    replicate_weights: list[NDArray[np.float64]]


def simulate_chromosome(name: str, design: Design, seed: int, strain: float = 0.0) -> Experiment:
    """Simulates a chromosome of the design; the same seed gives the same experiment.

    Args:
        name: Name of the chromosome.
        design: Design of the experiment.
        seed: Seed of all random draws.
        strain: Share of bases in which a second strain differs, whose chromosome is simulated; 0
            for the reference.

    Raises:
        DataError: A window has too few reads, or too few mappable bins.
    """
    rng = generator(seed, name)
    chromatin_ = fold(name, design, seed, rng, strain)
    if strain:  # another experiment, with noise and biases of its own
        seed = int(generator(seed, "strain").integers(2**31))
        rng = generator(seed, name)
    counts = measure(chromatin_, name, design, seed, rng)
    split = design.chromosomes()[name][1]
    index = dna.to_index(chromatin_.chromosome.sequence)
    starts = [region.start for region, _ in design.windows() if region.chrom == name]
    windows = [
        _window(start, index, chromatin_.bands, counts, design, replicates=split != "train")
        for start in starts
    ]
    if split == "valid":
        # Its own generator: data of a seed stay the same, whatever the noise needs.
        parts = generator(seed, "noise")
        windows = [
            window._replace(noise=_noise(window.start, counts, design, parts)) for window in windows
        ]
    pixels = [[_pixels(replicate) for replicate in cell.replicates] for cell in counts]
    all_sites = sites.find(chromatin_.chromosome.sequence, design.physics)
    return Experiment(chromatin_.chromosome, all_sites, windows, pixels)


def generator(seed: int, *purposes: str) -> np.random.Generator:
    """Returns a generator of its own for a purpose, such as a chromosome or one of its biases."""
    return np.random.default_rng([seed, *(zlib.crc32(purpose.encode()) for purpose in purposes)])


def fold(
    name: str, design: Design, seed: int, rng: np.random.Generator, strain: float = 0.0
) -> Chromatin:
    """Draws a chromosome and computes its contacts.

    Args:
        name: Name of the chromosome.
        design: Design of the experiment.
        seed: Seed of the simulation; each bias has a generator of its own, so that a changed key
            of the measurement leaves the draws of the others as they are.
        rng: Source of the letters and of the single unmappable bins.
        strain: Share of bases in which a second strain differs; 0 for the reference.
    """
    physics, measurement = design.physics, design.measurement
    length, _ = design.chromosomes()[name]
    chromosome = chromosomes.chromosome(
        name, length, physics, design.landscape, seed=int(rng.integers(1 << 62))
    )
    if strain:
        source = generator(seed, name, "substitutions")
        chromosome = strains.substituted(chromosome, strain, source)
    bins = length // physics.bin_size
    unmappable = rng.random(bins) < design.unmappable
    unmappable |= biases.stretches(
        bins, physics.bin_size, measurement, generator(seed, name, "stretches")
    )
    bands = [
        reads.band(track, physics, design.max_distance // physics.bin_size)
        for track in chromatin.all_tracks(chromosome.sequence, physics)
    ]
    coverage = None
    if measurement.has_coverage:
        coverage = biases.coverage(
            bins, physics.bin_size, measurement, generator(seed, name, "coverage")
        )
    return Chromatin(chromosome, unmappable, bands, coverage)


def measure(
    chromatin_: Chromatin, name: str, design: Design, seed: int, rng: np.random.Generator
) -> list[Counts]:
    """Draws the counts of every cell type, and balances them if bins differ in coverage.

    Args:
        chromatin_: Contacts of the chromosome.
        name: Name of the chromosome.
        design: Design of the experiment.
        seed: Seed of the biases, which each have a generator of their own.
        rng: Source of the counting noise.
    """
    physics, measurement = design.physics, design.measurement
    distances = design.max_distance // physics.bin_size
    expected = reads.reads_per_contact(design.depth / design.replicates, physics, distances)
    sigma = measurement.bias_length / physics.bin_size
    depth = depths(design, seed)
    cells = []
    for cell, band in zip(design.cell_types, chromatin_.bands, strict=True):
        mean = _covered(band, chromatin_.coverage)
        if measurement.target_bias:
            source = generator(seed, name, cell, "bias")
            mean = mean * biases.factor(band.shape, measurement.target_bias, sigma, source)
        replicates = []
        for number in range(design.replicates):
            own = mean
            if measurement.replicate_bias:
                source = generator(seed, name, cell, f"bias of replicate {number}")
                own = mean * biases.factor(band.shape, measurement.replicate_bias, sigma, source)
            replicates.append(
                reads.sequence(
                    own,
                    expected * depth[cell],
                    chromatin_.unmappable,
                    rng,
                    dispersion=measurement.dispersion,
                )
            )
        cells.append(_balanced(replicates, chromatin_))
    return cells


def depths(design: Design, seed: int) -> dict[str, float]:
    """Draws the depth of every cell type, of mean 1; it is the same on all chromosomes."""
    draws = np.ones(len(design.cell_types))
    if design.measurement.target_depth:
        log = generator(seed, "depth").standard_normal(len(draws))
        draws = np.exp(design.measurement.target_depth * log)
    return dict(zip(design.cell_types, (draws / draws.mean()).tolist(), strict=True))


def _covered(
    band: NDArray[np.float64], coverage: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Multiplies contacts with the coverage of both bins. [M, D]."""
    if coverage is None:
        return band
    partner = np.arange(len(band))[:, None] + np.arange(band.shape[1])
    return np.asarray(band * coverage[:, None] * coverage[np.minimum(partner, len(band) - 1)])


def _balanced(replicates: list[NDArray[np.int32]], chromatin_: Chromatin) -> Counts:
    pooled = sum(replicates[1:], replicates[0])
    if chromatin_.coverage is None:
        # All bins have nearly the same total, so balancing would change little.
        flat = np.where(chromatin_.unmappable, np.nan, 1.0)
        return Counts(replicates, pooled, flat, [flat] * len(replicates))
    weights = band_balancing.balance(pooled, chromatin_.unmappable)
    each_weights = [
        band_balancing.balance(replicate, chromatin_.unmappable) for replicate in replicates
    ]
    return Counts(replicates, pooled, weights, each_weights)


def target(
    band: NDArray[Any], weights: NDArray[np.float64], start: int, design: Design
) -> targets.Target:
    """Computes the target of the window that starts at this base.

    Raises:
        DataError: The window has too few reads, or too few mappable bins.
    """
    size = design.physics.bin_size
    first, bins = start // size, design.seq_length // size
    transform = chromatin.transform(bins, size, design.crop // size, design.measurement)
    try:
        return targets.target(
            reads.window(band, first, bins),
            weights[first : first + bins],
            transform,
            clip=chromatin.CLIP,
        )
    except targets.Unusable as problem:
        raise errors.DataError(
            f"depth {design.depth:g}, unmappable {design.unmappable:g}: a window is "
            f"{problem.reason}; simulate more depth, or more bins that can be mapped."
        ) from None


def _window(
    start: int,
    index: NDArray[np.uint8],
    bands: list[NDArray[Any]],
    counts: list[Counts],
    design: Design,
    *,
    replicates: bool,
) -> Window:
    mappable = np.ones(len(bands[0]))
    pooled = [target(cell.pooled, cell.weights, start, design) for cell in counts]
    truth = [target(band * chromatin.NOISE_FREE, mappable, start, design).values for band in bands]
    replicate_targets = [
        [
            target(cell.replicates[number], cell.replicate_weights[number], start, design).values
            for cell in counts
        ]
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
    start: int, counts: list[Counts], design: Design, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Returns squares of the noise of a window; NaN where a replicate has too few reads. [P, T]."""
    size = design.physics.bin_size
    first, bins = start // size, design.seq_length // size
    transform = chromatin.transform(bins, size, design.crop // size, design.measurement)
    columns = []
    for cell in counts:
        squares = [reads.window(replicate, first, bins) for replicate in cell.replicates]
        try:
            columns.append(
                measurement_noise.of_replicate_counts(
                    squares,
                    cell.weights[first : first + bins],
                    transform,
                    generator,
                    clip=chromatin.CLIP,
                )
            )
        except targets.Unusable:
            columns.append(np.full(transform.pixels, np.nan))
    return np.stack(columns, axis=-1).astype(np.float32)


def _pixels(counts: NDArray[np.int32]) -> Pixels:
    bin1, distance = np.nonzero(counts)
    return Pixels(bin1.astype(np.int32), (bin1 + distance).astype(np.int32), counts[bin1, distance])
