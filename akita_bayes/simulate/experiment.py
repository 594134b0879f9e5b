"""One chromosome's experiment, from a random genome to counts, targets and their truth."""

import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna, errors
from akita_bayes.data.contacts import counts_to_targets as targets
from akita_bayes.simulate import chromatin, chromosomes, reads, sites
from akita_bayes.simulate.designs import Design


class Window(NamedTuple):
    """One record, and what is known about it beyond the record.

    Attributes:
        start: First base on the chromosome.
        sequence: Indices 0..4. [L].
        target: From all replicates' counts together. [P, T].
        mask: True where measured. [P, T].
        truth: Noise-free. [P, T].
        replicates: From each replicate's counts alone; empty for training windows. [R, P, T].
    """

    start: int
    sequence: NDArray[np.uint8]
    target: NDArray[np.float16]
    mask: NDArray[np.bool_]
    truth: NDArray[np.float16]
    replicates: NDArray[np.float16]


class Pixels(NamedTuple):
    """Nonzero counts, bins counted from the chromosome's start. [K] each."""

    bin1: NDArray[np.int32]
    bin2: NDArray[np.int32]
    counts: NDArray[np.int32]


class Experiment(NamedTuple):
    """All that was done on one chromosome.

    Attributes:
        chromosome: Letters and what was planted.
        sites: What the letters say.
        windows: Records of this chromosome, in order.
        pixels: Counts by cell type and replicate.
    """

    chromosome: chromosomes.Chromosome
    sites: sites.Sites
    windows: list[Window]
    pixels: list[list[Pixels]]


def run(name: str, design: Design, seed: int) -> Experiment:
    """Simulates a chromosome of the design; the same seed gives the same experiment.

    Raises:
        DataError: A window has too few reads, or too few bins where any can be placed.
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
    found = sites.find(chromosome.sequence, physics)
    return Experiment(chromosome, found, windows, [[_pixels(c) for c in cell] for cell in counts])


def _window(
    start: int,
    index: NDArray[np.uint8],
    bands: list[NDArray],
    counts: list[list[NDArray]],
    unmappable: NDArray[np.bool_],
    design: Design,
    *,
    replicates: bool,
) -> Window:
    size = design.physics.bin_size
    first, bins = start // size, design.seq_length // size
    transform = chromatin.transform(bins, size, design.crop // size)
    weights = np.where(unmappable[first : first + bins], np.nan, 1.0)

    def value(map_of: NDArray, weights: NDArray) -> targets.Target:
        square = reads.window(map_of, first, bins)
        try:
            return targets.target(square, weights, transform, clip=chromatin.CLIP)
        except targets.Unusable as problem:
            raise errors.DataError(
                f"depth {design.depth:g}, unmappable {design.unmappable:g}: a window is "
                f"{problem.reason}; simulate more depth, or more bins that can be mapped."
            ) from None

    pooled = [value(sum(cell[1:], cell[0]), weights) for cell in counts]
    truth = [value(band * chromatin.NOISE_FREE, np.ones(bins)).values for band in bands]
    single = [
        [value(cell[number], weights).values for cell in counts]
        for number in range(design.replicates if replicates else 0)
    ]
    return Window(
        start=start,
        sequence=index[start : start + design.seq_length],
        target=np.stack([each.values for each in pooled], axis=-1).astype(np.float16),
        mask=np.stack([each.mask for each in pooled], axis=-1),
        truth=np.stack(truth, axis=-1).astype(np.float16),
        replicates=np.array([np.stack(each, axis=-1) for each in single], np.float16),
    )


def _pixels(counts: NDArray[np.int32]) -> Pixels:
    bin1, distance = np.nonzero(counts)
    return Pixels(bin1.astype(np.int32), (bin1 + distance).astype(np.int32), counts[bin1, distance])
