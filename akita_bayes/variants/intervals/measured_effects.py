"""Fits intervals of variant scores to edits whose effect was measured.

A directory of `akita_scd.py` has the predicted scores of the edits. A table has the measured ones,
in columns with the same names. The intervals contain measured scores, so they include the noise of
the measurement: a score of two maps with noise is larger than that of the maps without it.

`cross_fitted` tests every edit with intervals that were fitted to the edits of other chromosomes.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors, regions
from akita_bayes.files import output_directory, text_table
from akita_bayes.models import fingerprint
from akita_bayes.models.protocol import Model
from akita_bayes.variants import interval_files
from akita_bayes.variants.intervals import cross_fitted
from akita_bayes.variants.intervals.score_intervals import ScoreIntervals
from akita_bayes.variants.options import Options
from akita_bayes.variants.scored_files import score_outputs
from akita_bayes.variants.scores import conformal, named_scores

_log = logging.getLogger(__name__)

_KEY = ("chrom", "pos", "ref", "alt")
_EMPTY = ("", "NA", "nan", "NaN", ".")  # cells of scores that were not measured


class _Scores(NamedTuple):
    """Holds the edits of a directory of scores: a table of text, its path and its origin."""

    table: pd.DataFrame
    path: Path
    fitted_to: interval_files.FittedTo


def calibrate_scores(
    model: Model,
    scores_dir: str | Path,
    measured: str | Path,
    *,
    scores: Sequence[str],
    level: float = conformal.LEVEL,
) -> ScoreIntervals:
    """Fits intervals to edits with measured scores, and tests them across chromosomes.

    Args:
        model: The model that scored the edits.
        scores_dir: Directory of `akita_scd.py` with the predicted scores of the edits.
        measured: Tab-separated table with the columns `chrom`, `pos`, `ref` and `alt` of
            `scores.tsv`, optionally `end`, and measured scores in columns such as `SCD:target`.
            An empty cell or NA is a score that was not measured.
        scores: Names of the scores.
        level: Share of measured scores that the intervals contain.

    Raises:
        RunError: The directory is not one of finished scores.
        DataError: The table is not readable, or an edit or a score is missing or repeated.
        VariantError: The scores are of another model, a score has values below 0, or there are too
            few edits for the level.
    """
    conformal.check_scores(scores)
    predicted = _scores(model, Path(scores_dir))
    table = text_table.read(measured, _KEY, missing="no such table of measured scores")
    joined = _joined(predicted, table, Path(measured))
    widenings, tested = {}, []
    for score in named_scores.resolve(scores):
        rows = _rows(joined, score.name, Path(measured), predicted.path)
        widenings[score.name], of_score = cross_fitted.fit(rows, score.name, level)
        tested.append(of_score)
    return ScoreIntervals(widenings, pd.concat(tested, ignore_index=True), predicted.fitted_to)


def _scores(model: Model, folder: Path) -> _Scores:
    """Reads the predicted scores of a directory and checks that they are of the model."""
    status = score_outputs.status(folder)
    if not status.joined:
        raise errors.RunError(f"{folder}: its scores are not finished; run akita_scd.py again.")
    recorded = output_directory.notes_of(folder, "scores")
    identity, attributes = recorded["of"], recorded["attributes"]
    if identity["model_digest"] != fingerprint.model_digest(model):
        raise errors.VariantError(
            f"{folder}: these scores are of another model, or of other weights of it; score the "
            "edits with this model."
        )
    origin = interval_files.fitted_to(model, _options(identity["options"]))
    path = folder / score_outputs.TABLE
    return _Scores(
        text_table.read(path, (*_KEY, "end", "id", "type"), missing="no such table of scores"),
        path,
        origin._replace(genome=attributes["genome"], genome_digest=identity["genome_digest"]),
    )


def _options(recorded: Mapping[str, Any]) -> Options:
    """Returns the recorded options of scores, as far as intervals depend on them."""
    names = ("head", *interval_files.SCORING)
    values = {name: recorded[name] for name in names if name in recorded}
    return Options(**{**values, "shifts": tuple(values.get("shifts", (0,)))})


def _joined(predicted: _Scores, measured: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Returns measured edits beside their predicted scores, whose columns get "predicted "."""
    if measured.empty:
        raise errors.DataError(f"{path}: has no edit; add a line for each.")
    names: Collection[str] = set(predicted.table["chrom"])
    keys = [*_KEY, "end"] if "end" in measured else list(_KEY)
    measured = measured.assign(
        chrom=[regions.own_name(chrom, names) or chrom for chrom in measured["chrom"]],
        line=np.arange(len(measured)) + 2,
    )
    repeated = measured.duplicated(keys)
    if repeated.any():
        row = measured[repeated].iloc[0]
        raise errors.DataError(
            f"{path}, line {row['line']}: repeats {_edit(row)}; give each edit once."
        )
    scored = predicted.table.drop_duplicates(keys)
    scored = scored.rename(columns={name: f"predicted {name}" for name in _scores_in(scored)})
    about = ["id", "type", *(name for name in scored if name.startswith("predicted "))]
    columns = measured[[*keys, "line", *_scores_in(measured)]]
    joined = columns.merge(scored[[*keys, *about]], on=keys, how="left")
    unscored = joined["type"].isna()
    if unscored.any():
        row = joined[unscored].iloc[0]
        raise errors.DataError(
            f"{path}, line {row['line']}: {_edit(row)} is not in {predicted.path}; score it by "
            "akita_scd.py, or remove the line."
        )
    return joined


def _edit(row: pd.Series) -> str:
    return f"{row['chrom']}:{row['pos']} {row['ref']}>{row['alt']}"


def _scores_in(table: pd.DataFrame) -> list[str]:
    """Returns the columns of scores, whose names contain a target, as `SCD:target`."""
    return [name for name in table if ":" in name]


def _rows(joined: pd.DataFrame, score: str, path: Path, scores_path: Path) -> pd.DataFrame:
    """Returns a row for each edit and target with a measured and a predicted score."""
    prefix = f"{score}:"
    columns = [name for name in joined if name.startswith(prefix)]
    if not columns:
        raise errors.DataError(
            f'{path}: has no column "{prefix}TARGET"; name the targets as {scores_path} does.'
        )
    parts = []
    for column in columns:
        target = column.removeprefix(prefix)
        if f"predicted {column}" not in joined:
            raise errors.DataError(
                f'{path}: column "{column}" is not in {scores_path}; name score and target as '
                "there."
            )
        sd_column = f"predicted {score}_sd:{target}"
        part = joined[["id", "chrom", "pos", "type", "line"]].assign(
            edit=joined["line"],
            kind=joined["type"],
            name=score,
            target=target,
            score=_numbers(joined[f"predicted {column}"]),
            sd=_numbers(joined[sd_column]) if sd_column in joined else 0.0,
            measured=_numbers(joined[column]),
        )
        wrong = ~joined[column].str.strip().isin(_EMPTY) & ~(part["measured"] >= 0)
        if wrong.any():
            line = part.loc[wrong, "line"].iloc[0]
            raise errors.DataError(
                f'{path}, line {line}: {column} is "{joined.loc[wrong, column].iloc[0]}"; expected '
                "a number of at least 0, or NA for a score that was not measured."
            )
        is_measured = np.isfinite(part["measured"])
        if unscored := int((is_measured & ~np.isfinite(part["score"])).sum()):
            _log.warning(
                "%s: %d measured %s are left out, because %s has no score for them; its column "
                "reason says why.",
                path,
                unscored,
                column,
                scores_path,
            )
        parts.append(part[np.isfinite(part["score"]) & is_measured])
    return pd.concat(parts, ignore_index=True).drop(columns="line").fillna({"sd": 0.0})


def _numbers(column: pd.Series) -> NDArray[np.float64]:
    """Returns the numbers of a column of text, NaN where a cell is not a finite number."""
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)
