"""Fits intervals to measured scores, and tests each score with those of other chromosomes.

If all scores lie on one chromosome, stretches of it take the place of chromosomes. The intervals
for later use are fitted to all scores. Rows of scores have the columns

    chrom, pos      where the edit or the window lies
    edit            its number; the targets of an edit err together, so edits are counted
    score, sd       predicted score, and its standard deviation over draws (0 without draws)
    measured        measured score
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.variants.scores import conformal

STRETCHES = 5
"""Stretches of edits that test each other, if all edits are on one chromosome."""


class Fitted(Protocol):
    """Holds intervals that were fitted to rows, and finds those of others."""

    @property
    def widening(self) -> conformal.Widening:
        """Returns the intervals."""

    def columns(self, rows: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
        """Returns the intervals of rows, by column: `ci_low`, `ci_high` and others."""


class _OfScores(NamedTuple):
    """Holds intervals that were fitted to the scores themselves (`conformal`)."""

    widening: conformal.Widening

    def columns(self, rows: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
        ends = self.widening.interval(rows["score"].to_numpy(), rows["sd"].to_numpy())
        return dict(zip(("ci_low", "ci_high"), ends, strict=True))


def of_scores(rows: pd.DataFrame, level: float) -> Fitted:
    """Fits intervals to measured scores, which they contain with their noise."""
    measured, score, sd = (rows[name].to_numpy() for name in ("measured", "score", "sd"))
    return _OfScores(
        conformal.fit(measured, score, sd, level=level, variants=rows["edit"].to_numpy())
    )


class CrossFitted(NamedTuple):
    """Holds the intervals of one score.

    Attributes:
        widening: Intervals that were fitted to all rows.
        tested: The rows, with the intervals that the rows of other chromosomes give.
    """

    widening: conformal.Widening
    tested: pd.DataFrame


def fit(
    rows: pd.DataFrame,
    score: str,
    level: float,
    fit_rows: Callable[[pd.DataFrame, float], Fitted] = of_scores,
    unit: str = "edits",
) -> CrossFitted:
    """Fits intervals to all rows, and tests every chromosome with those of the others.

    Args:
        rows: Measured and predicted scores, one row for each edit and target.
        score: Name of the score, for errors.
        level: Share of scores that the intervals contain.
        fit_rows: Fits intervals of a level to rows.
        unit: What the rows are of, for errors.

    Raises:
        VariantError: There are too few edits for the level, or a score is below 0.
    """
    widening = fit_rows(rows, level).widening
    tested = []
    folds = _folds(rows)
    for fold in np.unique(folds):
        part = rows[folds == fold]
        edits = rows.loc[folds != fold, "edit"].nunique()
        _check_enough(edits, part, f"the measured {score}", level, unit)
        of_others = fit_rows(rows[folds != fold], level)
        tested.append(part.drop(columns="edit").assign(**of_others.columns(part)))
    return CrossFitted(widening, pd.concat(tested).sort_index(kind="stable"))


def _folds(rows: pd.DataFrame) -> NDArray[np.int64]:
    """Returns the fold of every row: its chromosome, or its stretch on the only chromosome."""
    folds: NDArray[np.int64] = pd.factorize(rows["chrom"])[0]
    if folds.max(initial=0) == 0:
        positions = np.unique(_positions(rows))
        rank = np.searchsorted(positions, _positions(rows))
        folds = rank * STRETCHES // max(len(positions), 1)
    return folds


def _positions(rows: pd.DataFrame) -> NDArray[np.int64]:
    return np.asarray(rows["pos"].astype(np.int64))


def _check_enough(count: int, part: pd.DataFrame, scores: str, level: float, unit: str) -> None:
    """Refuses a fold that too few edits of other folds can test."""
    least = conformal.fewest(level)
    if count < least:
        chrom, positions = part["chrom"].iloc[0], _positions(part)
        raise errors.VariantError(
            f"{scores} of {chrom}:{positions.min()}-{positions.max()} are tested with those of all "
            f"other {unit}, which are {count}; intervals of level {level:g} need {least}; measure "
            f"more {unit}, or give a lower level."
        )
