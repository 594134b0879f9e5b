"""Scores the parts of a plan, in this process or in workers, and writes each as a file."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from akita_bayes.data import personal_genome
from akita_bayes.data.genome import Genome
from akita_bayes.files import output_directory
from akita_bayes.models.protocol import Model
from akita_bayes.variants import engine
from akita_bayes.variants.alleles import records
from akita_bayes.variants.options import Options
from akita_bayes.variants.scored_files import record_plan
from akita_bayes.variants.scores import background, score_table


@dataclasses.dataclass(frozen=True)
class PartSettings:
    """Holds what a worker needs beside the model.

    Attributes:
        fasta: The genome, or a haplotype of a sample.
        out_dir: Directory with the plan, which gets the parts.
        options: Settings of the scores.
        batch_size: Windows computed at a time.
        size: Rows of a part.
        key: Digest of everything that the scores depend on.
        null: Random variants per stratum of the background; 0 for no background.
        null_path: File that stores the background.
        null_key: Digest of what the background depends on.
    """

    fasta: str | Path | personal_genome.Personal
    out_dir: Path
    options: Options
    batch_size: int | None
    size: int
    key: str
    null: int
    null_path: str | Path
    null_key: str

    def path(self, part: int) -> Path:
        """Returns the file of a part."""
        return self.out_dir / output_directory.PARTS / record_plan.part_name(part)

    def stored(self, part: int) -> score_table.Scored | None:
        """Returns the rows of a part; None when it is not finished, or of other inputs."""
        path = self.path(part)
        return score_table.load(path, self.key) if path.exists() else None


class Counts(NamedTuple):
    """Counts the rows of some parts.

    Attributes:
        rows: Number of alleles.
        reasons: Reason -> number of alleles without scores.
    """

    rows: int
    reasons: dict[str, int]


def counts(parts: Sequence[score_table.Scored]) -> Counts:
    """Counts the rows of parts, by their reasons."""
    reasons: dict[str, int] = {}
    for part in parts:
        for reason in filter(None, part.reasons):
            reasons[reason] = reasons.get(reason, 0) + 1
    return Counts(sum(len(part.variants) for part in parts), reasons)


def summed(parts: Sequence[Counts]) -> Counts:
    """Returns the counts of several parts together."""
    reasons: dict[str, int] = {}
    for part in parts:
        for reason, number in part.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + number
    return Counts(sum(part.rows for part in parts), reasons)


class PartScorer:
    """Scores parts with a model that was loaded once.

    Args:
        scorer: Engine of the model.
        genome: The genome.
        settings: What else is needed.
    """

    def __init__(self, scorer: engine.Engine, genome: Genome, settings: PartSettings) -> None:
        self.scorer, self.genome, self.settings = scorer, genome, settings
        self._plan = record_plan.RecordPlan(settings.out_dir / record_plan.NAME)

    def rows(self, part: int) -> list[records.Variant]:
        """Returns the rows of a part."""
        return self._plan.part(part, self.settings.size, self.genome)

    def rows_of(self, part: int) -> int:
        """Returns the number of rows of a part."""
        return min(self.settings.size, self._plan.rows - part * self.settings.size)

    def add_background(self, rows: Sequence[records.Variant]) -> None:
        """Extends the background of the engine to the strata of some rows."""
        self.scorer.background = background.build(
            (self.scorer.windows.framed(row).variant for row in rows),
            self.genome,
            self.scorer.score,
            count=self.settings.null,
            path=self.settings.null_path,
            identity=self.settings.null_key,
            seed=self.settings.options.seed,
            earlier=self.scorer.background,
        )


@contextlib.contextmanager
def opened(load_model: Callable[[], Model], settings: PartSettings) -> Iterator[PartScorer]:
    """Loads a model and yields its scorer; the setup of a worker."""
    model = load_model()
    with personal_genome.opened(settings.fasta) as genome:
        scorer = engine.Engine(model, genome, settings.options, batch_size=settings.batch_size)
        yield PartScorer(scorer, genome, settings)


def score(state: PartScorer, part: int) -> Counts:
    """Scores a part and writes its file, unless another worker has written it."""
    stored = state.settings.stored(part)
    if stored is None:
        rows = state.rows(part)
        if state.settings.null:
            state.add_background(rows)
        stored = state.scorer.score(rows)
        score_table.save(state.settings.path(part), stored, state.settings.key)
    return counts([stored])


def strata(state: PartScorer, part: int) -> list[background.Stratum]:
    """Returns the strata of the rows of a part."""
    framed = (state.scorer.windows.framed(row).variant for row in state.rows(part))
    return background.strata(framed, state.genome)


def null_scores(state: PartScorer, stratum: background.Stratum) -> background.StoredNull:
    """Scores random variants of a stratum."""
    settings = state.settings
    return background.null_scores(
        stratum,
        state.genome,
        state.scorer.score,
        count=settings.null,
        seed=settings.options.seed,
    )
