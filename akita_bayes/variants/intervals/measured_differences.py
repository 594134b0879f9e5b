"""Reads the windows that were measured in two individuals, and the bases in which they differ."""

import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna, errors, progress, triangle
from akita_bayes.data import genome as genomes
from akita_bayes.data import noise_table, personal_genome
from akita_bayes.data.preparation import targets
from akita_bayes.data.records import dataset
from akita_bayes.models import predict
from akita_bayes.models.protocol import Model
from akita_bayes.regions import Region, parse
from akita_bayes.specs.geometry import Geometry
from akita_bayes.variants.intervals import deconvolution
from akita_bayes.variants.options import Options

_log = logging.getLogger(__name__)

_LEAST_MEASURED = 0.5  # share of pixels of a window that must be measured in both individuals


class Sources(NamedTuple):
    """Names the maps and sequences of two individuals.

    Attributes:
        data_dir: Data directory of the reference.
        other_dir: Data directory of the other individual, with the same windows and targets.
        haplotypes: Both haplotypes of the other individual.
        splits: Splits whose windows are compared; no member of the model learned from them.
    """

    data_dir: Path
    other_dir: Path
    haplotypes: tuple[personal_genome.Personal, personal_genome.Personal]
    splits: tuple[str, ...]

    @classmethod
    def of_sample(
        cls,
        data_dir: str | Path,
        other_dir: str | Path,
        *,
        fasta: str,
        vcf: str,
        sample: str,
        splits: Iterable[str] = ("valid", "test"),
    ) -> "Sources":
        """Returns the sources of a sample of a phased variant file."""
        first, second = (
            personal_genome.Personal(fasta, vcf, sample, number)
            for number in personal_genome.NUMBERS
        )
        names = tuple(dict.fromkeys(splits))
        return cls(Path(data_dir), Path(other_dir), (first, second), names)


class _Window(NamedTuple):
    """Holds a measured window: bases as 0..3 and 4, [L]; pixels and their mask, [P, T]."""

    region: Region
    bases: NDArray[np.uint8]
    target: NDArray[np.float32]
    mask: NDArray[np.bool_]


class Difference(NamedTuple):
    """Holds a window that was measured in both individuals.

    Attributes:
        region: The window.
        alleles: Its bases in the reference, and in the haplotypes of the other individual (in one
            if both are equal); each as shift of the window -> bases. [L] each.
        mask: True for pixels measured in both. [P, T].
        measured: Squares of the measured scores without noise, and the variance of their noise. [T]
            each.
    """

    region: Region
    alleles: list[dict[int, NDArray[np.uint8]]]
    mask: NDArray[np.bool_]
    measured: deconvolution.Measured


def splits(
    sources: Sources, model: Model, scoring: Options
) -> list[tuple[dataset.Split, dataset.Split]]:
    """Opens every split of both directories, and compares their targets."""
    head = predict.one_head(model, scoring.head)
    _compare_targets(sources, model.spec.geometry(head).units or 1)
    size = predict.batch_size(model.spec.model.seq_length)
    pairs = []
    for split in sources.splits:
        first, second = (
            dataset.open_split(path, split, batch_size=size)
            for path in (sources.data_dir, sources.other_dir)
        )
        for opened in (first, second):
            model.spec.check_statistics(opened.statistics.to_json(), head)
        pairs.append((first, second))
    return pairs


def _compare_targets(sources: Sources, count: int) -> None:
    """Warns if the targets of both directories have other names, since they are paired in order."""
    paths = (sources.data_dir, sources.other_dir)
    if all((path / targets.FILE_NAME).is_file() for path in paths):
        pairs = list(zip(*(targets.names(path, count) for path in paths), strict=True))
        if any(a != b for a, b in pairs):
            _log.warning(
                "Targets are compared in their order: %s.",
                ", ".join(f"{a} with {b}" for a, b in pairs),
            )


def differences(
    sources: Sources,
    opened: list[tuple[dataset.Split, dataset.Split]],
    geometry: Geometry,
    shifts: Sequence[int],
    advance: progress.Advance,
) -> Iterator[Difference]:
    """Yields the windows in which the individuals differ, and which were measured in both."""
    noise = _noise(sources.data_dir, geometry) + _noise(sources.other_dir, geometry)
    with (
        genomes.Genome(sources.haplotypes[0].fasta) as reference,
        personal_genome.opened(sources.haplotypes[0], on_reference=True) as first,
        personal_genome.opened(sources.haplotypes[1], on_reference=True) as second,
    ):
        for of_data, of_other in opened:
            for a, b in _paired(of_data, of_other, advance):
                letters = dna.to_index(reference.padded(*a.region))
                if not np.array_equal(letters, a.bases):
                    raise errors.DataError(
                        f"{sources.data_dir}: the bases of {a.region} differ from those in "
                        f"{reference.path}; give the genome that the data were made from."
                    )
                haplotypes = [dna.to_index(genome.padded(*a.region)) for genome in (first, second)]
                same = [np.array_equal(letters, haplotype) for haplotype in haplotypes]
                mask = a.mask & b.mask
                if all(same) or mask.mean(axis=0).min() < _LEAST_MEASURED:
                    continue
                carriers = (
                    [first] if np.array_equal(haplotypes[0], haplotypes[1]) else [first, second]
                )
                alleles = [_alleles(genome, a.region, shifts) for genome in (reference, *carriers)]
                measured = _measured(a.target, b.target, mask, noise)
                yield Difference(a.region, alleles, mask, measured)


def _measured(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    mask: NDArray[np.bool_],
    noise: NDArray[np.float64],
) -> deconvolution.Measured:
    """Returns the measured score of two maps, with the noise of independent pixels. [T] each."""
    change = second.astype(np.float64) - first
    square, variance, of_squares = (
        np.sum(mask * pixels, axis=0) for pixels in (change**2 - noise, noise, noise**2)
    )
    return deconvolution.Measured(square, 2 * of_squares, 4 * variance / mask.sum(axis=0))


def _alleles(
    genome: genomes.Genome, region: Region, shifts: Sequence[int]
) -> dict[int, NDArray[np.uint8]]:
    """Returns the bases of a window that is moved right by every shift. [L] each."""
    chrom, start, end = region
    return {
        shift: dna.to_index(genome.padded(chrom, start - shift, end - shift)) for shift in shifts
    }


def _noise(data_dir: Path, geometry: Geometry) -> NDArray[np.float64]:
    """Returns the variance of the noise of every pixel. [P, T]."""
    assert geometry.diagonal_offset is not None
    table = noise_table.read(
        data_dir,
        targets=geometry.units or 1,
        bins=geometry.bins,
        diagonal_offset=geometry.diagonal_offset,
    )
    if table is None:
        raise errors.DataError(
            f"{data_dir}: has no {noise_table.FILE_NAME}, and the noise of both maps must be taken "
            "from their difference; make the data by akita_data.py from coolers with counts."
        )
    distances = triangle.distances(geometry.bins, geometry.diagonal_offset)
    return table.variance[:, distances - geometry.diagonal_offset].T


def _windows(split: dataset.Split) -> Iterator[_Window]:
    """Yields the records of a split as windows."""
    for batch in split.batches():
        sequences, maps, masks = (batch[key].numpy() for key in ("sequence", "target", "mask"))
        unknown = ~sequences.any(axis=-1)
        index = np.where(unknown, 4, sequences.argmax(axis=-1)).astype(np.uint8)
        names = [name.decode() for name in batch["region"].numpy()]
        for name, bases, target, mask in zip(names, index, maps, masks, strict=True):
            if "#" in name:
                raise errors.DataError(
                    f"{split.data_dir}: the record {name} does not say which region it is of; make "
                    "the data again by akita_data.py."
                )
            yield _Window(parse(name), bases, target, mask)


def _paired(
    of_data: dataset.Split, of_other: dataset.Split, advance: progress.Advance
) -> Iterator[tuple[_Window, _Window]]:
    """Yields the windows that are in both; few windows are kept if their orders are similar."""
    unmatched: tuple[dict[Region, _Window], dict[Region, _Window]] = ({}, {})
    matches = 0
    for pair in itertools.zip_longest(_windows(of_data), _windows(of_other)):
        for side, window in enumerate(pair):
            if window is None:
                continue
            if side == 0:
                advance(1)
            match = unmatched[1 - side].pop(window.region, None)
            if match is None:
                unmatched[side][window.region] = window
            else:
                matches += 1
                yield (window, match) if side == 0 else (match, window)
    split = "+".join(of_data.names)
    if not matches:
        raise errors.DataError(
            f"{of_other.data_dir}: no window of {split} is also in {of_data.data_dir}; make both "
            "directories with the same windows (akita_data.py --windows)."
        )
    if any(unmatched):
        _log.warning(
            "%s: %d windows of %s have no partner in %s, and %d of the latter none; they are left "
            "out.",
            *(split, len(unmatched[0]), of_data.data_dir, of_other.data_dir, len(unmatched[1])),
        )
