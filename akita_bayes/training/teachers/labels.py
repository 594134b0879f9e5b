"""Writes the predictions of a teacher as a data directory, from which a student is trained.

The directory has the windows of another data directory, and mutated copies of its training windows.
The targets of a record are the mean over the draws of the teacher, and `spread` is their standard
deviation. Every record file is written at once, so that a stopped run continues with the files that
are missing; which bases of which copy are mutated depends on the seed and the record only.
"""

import dataclasses
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from akita_bayes import errors, files, keywords, progress, regions
from akita_bayes.data.preparation import targets
from akita_bayes.data.records import dataset, tfrecord
from akita_bayes.data.records import statistics as statistics_
from akita_bayes.files import output_directory
from akita_bayes.layers import noise as noise_layer
from akita_bayes.models import build, predict
from akita_bayes.origins import provenance, training_regions
from akita_bayes.training.teachers import random_edits, teacher

NOISE = "teacher_noise.npz"
"""Observation noise that the teacher states, one row for each distance or for all. [D or 1, T]."""

_BED = "sequences.bed"
_ADVICE = "choose another directory of labels, or remove it"


@dataclasses.dataclass(frozen=True)
class LabelOptions:
    """Holds which sequences a teacher labels.

    Attributes:
        splits: Splits whose windows are labelled.
        mutated: Mutated copies of every window of `mutated_split`.
        mutated_split: Split of the training windows.
        mutation_rate: Share of the bases of a copy that are replaced.
        seed: Seed of the mutations.
    """

    splits: tuple[str, ...] = ("train", "valid")
    mutated: int = 0
    mutated_split: str = "train"
    mutation_rate: float = 0.02
    seed: int = 0


class _Part(NamedTuple):
    """Describes a record file of labels.

    Attributes:
        source: File of the windows.
        path: File to write.
        number: Number of the source in its split.
        copy: 0 for the windows as they are, n for their n-th mutated copy.
    """

    source: Path
    path: Path
    number: int
    copy: int


def write(
    out_dir: str | Path,
    data_dir: str | Path,
    teaching: teacher.Teacher,
    *,
    options: LabelOptions = LabelOptions(),
    open_bar: progress.OpenBar = progress.no_bar,
    **changes: Any,
) -> statistics_.Statistics:
    """Labels the windows of a data directory; continues an unfinished directory of labels.

    Args:
        out_dir: Directory of labels; empty, absent, or of the same teacher, data and options.
        data_dir: Data directory with the windows.
        teaching: The teacher.
        options: Sequences to label.
        open_bar: Opens a progress bar; called with a description and the number of windows.
        changes: Fields of `options` to replace.

    Returns:
        The statistics of the directory of labels.

    Raises:
        DataError: A record or a split of the data directory is bad.
        RunError: The directory holds something else, or labels of other inputs.
    """
    options = keywords.replaced(options, changes)
    out_dir, data_dir = Path(out_dir), Path(data_dir)
    splits = {name: dataset.open_split(data_dir, name) for name in options.splits}
    statistics = statistics_.read(data_dir)
    identity = _identity(data_dir, teaching, options)
    with output_directory.claim(out_dir, kind="data", identity=identity, advice=_ADVICE):
        if (out_dir / statistics_.FILE_NAME).exists():
            return statistics_.read(out_dir)
        parts = _parts(splits, out_dir, options)
        (out_dir / "tfrecords").mkdir(exist_ok=True)
        copies = {name: 1 + _copies(name, options) for name in splits}
        total = sum(split.records * copies[name] for name, split in splits.items())
        counts = dict.fromkeys(splits, 0)
        with open_bar("labelling", total) as advance:
            for name, part in parts:
                counts[name] += _write_part(part, statistics, teaching, options, advance)
        _write_tables(out_dir, data_dir, teaching, copies)
        labelled = dataclasses.replace(statistics, seq_1hot=True, spread=True, seqs=counts)
        statistics_.write(out_dir, labelled)
        return labelled


def set_noise(model: build.Network, head: str, data_dir: str | Path) -> None:
    """Sets the observation noise of a student to that of its teacher, if its spec asks for noise.

    Args:
        model: The student.
        head: Name of its head.
        data_dir: Directory of labels.

    Raises:
        SpecError: The teacher states no noise, or noise that depends on something else.
    """
    distillation = model.spec.train.distillation
    if distillation is None or distillation.observation_noise is None:
        return
    path, per = Path(data_dir) / NOISE, distillation.observation_noise
    if not path.is_file():
        raise errors.SpecError(
            f"train.distillation.observation_noise: the teacher of {data_dir} states no noise; "
            "write null."
        )
    with np.load(path) as stored:
        sd = stored["sd"]
    (layer,) = (x for x in model.layers if x.name == f"observation_noise_{head}")
    assert isinstance(layer, noise_layer.ObservationNoise)
    if tuple(layer.log_sd.shape) != sd.shape:
        raise errors.SpecError(
            f'train.distillation.observation_noise: is "{per}", but the teacher of {data_dir} '
            f'states its noise per {noise_dependence(sd)}; write "{noise_dependence(sd)}".'
        )
    layer.log_sd.assign(np.log(sd))


def noise_dependence(sd: Any) -> str:
    """Returns on what a noise [D or 1, T] depends, as a spec names it."""
    return "target" if len(sd) == 1 else "target_distance"


def _identity(data_dir: Path, teaching: teacher.Teacher, options: LabelOptions) -> dict[str, Any]:
    """Returns the inputs of the labels, which a continued directory must share."""
    return {
        "teachers": teaching.digests(),
        "data_digest": provenance.data_digest(data_dir),
        "options": {
            "head": teaching.head,
            "draws": teaching.draws,
            "draw_seed": teaching.seed,
            **dataclasses.asdict(options),
        },
    }


def _copies(split: str, options: LabelOptions) -> int:
    return options.mutated if split == options.mutated_split else 0


def _parts(
    splits: dict[str, dataset.Split], out_dir: Path, options: LabelOptions
) -> list[tuple[str, _Part]]:
    """Returns the files to write, each with its split.

    Copies have files of their own, after those of the windows: two files and two copies give
    train-0, train-1 (windows), train-2, train-3 (first copy), train-4 and train-5.
    """
    parts = []
    for name, split in splits.items():
        for copy in range(1 + _copies(name, options)):
            for number, source in enumerate(split.files):
                index = copy * len(split.files) + number
                path = out_dir / "tfrecords" / f"{name}-{index}{tfrecord.SUFFIX}"
                parts.append((name, _Part(source, path, number, copy)))
    return parts


def _write_part(
    part: _Part,
    statistics: statistics_.Statistics,
    teaching: teacher.Teacher,
    options: LabelOptions,
    advance: progress.Advance,
) -> int:
    """Writes a file of labels, unless it is there; returns the number of its records."""
    if part.path.exists():
        labelled = dataclasses.replace(statistics, seq_1hot=True, spread=True)
        count = sum(1 for _ in tfrecord.read_records(part.path, labelled))
        advance(count)
        return count
    return tfrecord.write_records(part.path, _records(part, statistics, teaching, options, advance))


def _records(
    part: _Part,
    statistics: statistics_.Statistics,
    teaching: teacher.Teacher,
    options: LabelOptions,
    advance: progress.Advance,
) -> Iterator[tfrecord.Record]:
    size = predict.batch_size(statistics.seq_length)
    batch: list[tfrecord.Record] = []
    for index, record in enumerate(tfrecord.read_records(part.source, statistics)):
        if part.copy:
            seeds = [options.seed, part.copy, part.number, index]
            sequence = random_edits.mutate(
                record.sequence, rate=options.mutation_rate, random=np.random.default_rng(seeds)
            )
            record = record._replace(sequence=sequence)
        batch.append(record)
        if len(batch) == size:
            yield from _labelled(batch, teaching, advance)
            batch = []
    if batch:
        yield from _labelled(batch, teaching, advance)


def _labelled(
    batch: Sequence[tfrecord.Record], teaching: teacher.Teacher, advance: progress.Advance
) -> Iterator[tfrecord.Record]:
    predicted = teaching.predict(np.stack([record.sequence for record in batch]))
    labels = zip(batch, predicted.mean, predicted.epistemic_sd, strict=True)
    for record, mean, spread in labels:
        yield tfrecord.Record(record.sequence, mean, None, record.region, spread)
    advance(len(batch))


def _write_tables(
    out_dir: Path, data_dir: Path, teaching: teacher.Teacher, copies: dict[str, int]
) -> None:
    """Writes targets, windows, training regions of the teacher, its noise, and the origin."""
    if (data_dir / targets.FILE_NAME).is_file():
        with files.atomic(out_dir / targets.FILE_NAME) as temporary:
            shutil.copyfile(data_dir / targets.FILE_NAME, temporary)
    if (data_dir / _BED).is_file():
        rows = list(regions.read_bed(data_dir / _BED))
        lines = [
            f"{region.chrom}\t{region.start}\t{region.end}\t{split}\n"
            for split, count in copies.items()
            for _ in range(count)
            for region, fields in rows
            if fields[:1] == [split]
        ]
        with files.atomic(out_dir / _BED) as temporary:
            temporary.write_text("".join(lines), encoding="utf-8")
    recorded = teaching.training_regions()
    if recorded is not None:
        training_regions.write(out_dir, {teaching.head: recorded})
    noise = teaching.noise()
    if noise is not None:
        # The first row of a triangle holds a pixel of every distance, in order.
        layout = teaching.model.spec.geometry(teaching.head)
        rows_of_noise = layout.bins - (layout.diagonal_offset or 0) if len(noise) > 1 else 1
        with files.atomic(out_dir / NOISE) as temporary, open(temporary, "wb") as handle:
            np.savez(handle, sd=noise[:rows_of_noise])
    record = provenance.record(
        seeds={"draws": teaching.seed},
        inputs={"teachers": teaching.digests(), "data": data_dir},
    )
    files.write_json(out_dir / provenance.FILE, record)
