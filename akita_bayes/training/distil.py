"""Trains a student from the predictions of an ensemble (`akita_distill.py`)."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from akita_bayes import keywords, progress
from akita_bayes.data.records import statistics
from akita_bayes.files import output_directory
from akita_bayes.specs.spec import Spec
from akita_bayes.training import fit as fit_
from akita_bayes.training import observers
from akita_bayes.training.teachers import labels, student_spec, teacher

_AS_THE_SPEC = fit_.FitOptions()


@dataclasses.dataclass(frozen=True)
class DistilOptions:
    """Holds the settings of a distillation, beside those of the training.

    Attributes:
        head: Head that teaches and learns, by name or number; None for models with one.
        draws: Most draws of the teachers.
        mutated: Mutated copies of every training window.
        mutation_rate: Share of the bases that are replaced in a copy.
        seed: Seed of draws and mutations.
        spread_weight: Factor of the error of the standard deviation; None takes the spec's.
        labels_dir: Directory of labels; None takes the run directory with "_labels" behind its
            name. Several students may use one directory.
    """

    head: str | None = None
    draws: int = 64
    mutated: int = 1
    mutation_rate: float = 0.02
    seed: int = 0
    spread_weight: float | None = None
    labels_dir: str | Path | None = None


def distil(
    spec: Spec,
    data_dir: str | Path,
    teachers: Sequence[str | Path],
    *,
    out_dir: str | Path,
    options: DistilOptions = DistilOptions(),
    fit_options: fit_.FitOptions = _AS_THE_SPEC,
    observer: observers.Observer | None = None,
    open_bar: progress.OpenBar = progress.no_bar,
    **changes: Any,
) -> fit_.Run:
    """Labels windows by teachers, and trains a student on the labels.

    Args:
        spec: Spec of the student; an output `final` or `dense` becomes `normal_final`.
        data_dir: Data directory with the windows; its targets are not read.
        teachers: Run directories, which teach as one ensemble.
        out_dir: Run directory of the student.
        options: Settings of the distillation.
        fit_options: Settings of the training.
        observer: Observer of every step of the training.
        open_bar: Opens the progress bar of the labelling.
        changes: Fields of `options` to replace.

    Raises:
        SpecError: The spec cannot be that of a student, or disagrees with the data.
        DataError: A data directory, split or record is bad.
        RunError: A teacher predicts something else, a directory holds something else, or as `fit`.
    """
    options = keywords.replaced(options, changes)
    out_dir = Path(out_dir)
    content: output_directory.Content = "own" if fit_options.resume else "new"
    output_directory.check(out_dir, kind="run", content=content, advice=fit_.NOT_EMPTY)
    teaching = teacher.load_teacher(
        teachers, data_dir, head=options.head, draws=options.draws, seed=options.seed
    )
    noise = teaching.noise()
    student = student_spec.student(
        spec,
        head=options.head,
        observation_noise=None if noise is None else labels.noise_dependence(noise),
        spread_weight=options.spread_weight,
    )
    student.check_statistics(statistics.read(data_dir).to_json())
    labels_dir = options.labels_dir or out_dir.with_name(f"{out_dir.name}_labels")
    labels.write(
        labels_dir,
        data_dir,
        teaching,
        mutated=options.mutated,
        mutation_rate=options.mutation_rate,
        seed=options.seed,
        open_bar=open_bar,
    )
    return fit_.fit(student, labels_dir, out_dir=out_dir, options=fit_options, observer=observer)
