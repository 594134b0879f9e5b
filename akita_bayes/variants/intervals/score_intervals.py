"""Fits intervals for variant scores to simulated variants, tests them on others, and writes both.

The true effects of the variants are known, since `known_effects` simulates the edited genome.
"""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from akita_bayes import errors, files, keywords, progress
from akita_bayes.models.protocol import Model
from akita_bayes.simulate import design_json
from akita_bayes.variants import interval_files
from akita_bayes.variants.intervals import known_effects
from akita_bayes.variants.options import Options
from akita_bayes.variants.scores import conformal

INTERVALS, TABLE = "variant_intervals.json", "variant_intervals.tsv"


class ScoreIntervals(NamedTuple):
    """Holds fitted intervals and the variants that test them.

    Attributes:
        widenings: Intervals by the name of the score.
        tested: A row for each tested variant, score and target, as `known_effects.table` returns.
        fitted_to: The scores that the intervals are valid for.
    """

    widenings: dict[str, conformal.Widening]
    tested: pd.DataFrame
    fitted_to: interval_files.FittedTo


@dataclasses.dataclass(frozen=True)
class IntervalOptions:
    """Holds the settings of `calibrate_scores`.

    Attributes:
        count: Variants of each kind, in each of both splits.
        seed: Seed of the variants.
        level: Share of true scores that the intervals contain, between 0 and 1.
        fit_split: Split whose chromosomes carry the variants of the fit.
        split: Split whose chromosomes carry the tested variants; must differ from `fit_split`.
        other_genome: True if the simulation stands for another genome, whose variants the intervals
            are for; False if they are for variants of the simulated genome.

    Raises:
        DataError: Both splits are the same.
    """

    count: int = 60
    seed: int = 0
    level: float = conformal.LEVEL
    fit_split: str = "valid"
    split: str = "test"
    other_genome: bool = False

    def __post_init__(self) -> None:
        if self.split == self.fit_split:
            raise errors.DataError(
                f'intervals fitted on "{self.fit_split}" cannot be judged on it; name another '
                "split."
            )


def calibrate_scores(
    model: Model,
    data_dir: str | Path,
    *,
    scoring: Options,
    options: IntervalOptions = IntervalOptions(),
    open_bar: progress.OpenBar = progress.no_bar,
    **changes: Any,
) -> ScoreIntervals:
    """Fits intervals to variants of one split and tests them on variants of another.

    Args:
        model: What `load_model` returns.
        data_dir: Folder of `akita_simulate.py`.
        scoring: Settings of the scores.
        options: Settings of the variants and of their intervals.
        open_bar: Opens a progress bar for each split.
        changes: Fields of `options` to replace.

    Raises:
        DataError: Both splits are the same, the folder is not a simulation, or its maps differ from
            those of the model.
        VariantError: There are too few variants for the level, or a score has no intervals.
        TypeError: A keyword is not a field of `options`.
    """
    options = keywords.replaced(options, changes)
    design = design_json.read(data_dir)

    def compare(split: str) -> known_effects.KnownEffects:
        with open_bar(f"Scoring and simulating {split}") as advance:
            return known_effects.compare(
                model,
                data_dir,
                split,
                count=options.count,
                options=scoring,
                seed=options.seed,
                level=options.level,
                advance=advance,
            )

    fitted, tested = compare(options.fit_split), compare(options.split)
    widenings = known_effects.fit(fitted, level=options.level)
    genome = None if options.other_genome else Path(data_dir) / "genome.fa"
    return ScoreIntervals(
        widenings,
        known_effects.table(tested, design.cell_types, widenings),
        interval_files.fitted_to(model, scoring, genome),
    )


def write(intervals: ScoreIntervals, out_dir: str | Path) -> Path:
    """Writes `variant_intervals.json` and `variant_intervals.tsv`.

    Returns:
        Path of the intervals, for `--intervals` of `akita_scd.py` and `Options.intervals`.
    """
    path = Path(out_dir) / INTERVALS
    interval_files.save(path, intervals.widenings, intervals.fitted_to)
    write_table(intervals.tested, Path(out_dir) / TABLE)
    return path


def write_table(rows: pd.DataFrame, path: str | Path) -> None:
    """Writes rows of `known_effects.table` as tab-separated text."""
    with files.atomic(path) as temporary:
        rows.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
