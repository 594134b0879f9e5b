"""Fits intervals of variant scores to the differences between two individuals with measured maps.

Few variants have a measured map before and after, but strains and individuals differ in many
variants, and each has a map. For every held-out window, the model predicts the map of the reference
and that of the other individual, whose phased variants are known; both maps were measured. So the
score of the predicted difference has a measured counterpart:

    predicted   sqrt(sum (predicted map of the other - predicted map of the reference)^2)
    measured    sqrt(max(sum (other map - reference map)^2 - noise, 0))

over the pixels that were measured in both. `noise` is the sum of the variances of both measurements
(`noise.tsv`), so that the measured square is right on average. `deconvolution` estimates from
squares how far true scores are from predicted ones. What an experiment adds beside its counting
noise, as a batch effect, counts as a difference: intervals are then too wide. The map of a diploid
individual is the mean of both haplotypes.

Windows stand for variants here. Intervals hold for variants whose scores err as those of windows
with several variants do; `benchmarks.natural_differences` tries it.
"""

import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors, progress
from akita_bayes.data.preparation import targets
from akita_bayes.models import predict
from akita_bayes.models.incremental import predictor
from akita_bayes.models.protocol import Model
from akita_bayes.origins import training_regions
from akita_bayes.specs.geometry import Geometry
from akita_bayes.variants import interval_files
from akita_bayes.variants.intervals import cross_fitted, deconvolution
from akita_bayes.variants.intervals.measured_differences import (
    Difference,
    Sources,
    differences,
    splits,
)
from akita_bayes.variants.intervals.score_intervals import ScoreIntervals
from akita_bayes.variants.options import Options, geometry_of
from akita_bayes.variants.scores import conformal, draw_summary

_log = logging.getLogger(__name__)

SCORE = "SCD"
"""The only score whose square has a known noise."""

ENOUGH = 100
"""Number of windows below which intervals vary much; there is a warning."""


def calibrate_scores(
    model: Model,
    sources: Sources,
    *,
    scoring: Options,
    level: float = conformal.LEVEL,
    open_bar: progress.OpenBar = progress.no_bar,
) -> ScoreIntervals:
    """Fits intervals to the differences of all windows, and tests them across chromosomes.

    Args:
        model: What `load_model` returns.
        sources: Maps and sequences of two individuals.
        scoring: Settings of the scores; `scores` must be SCD alone.
        level: Share of scores that the intervals contain.
        open_bar: Opens a progress bar.

    Raises:
        DataError: A directory lacks the noise of its targets, the directories have other windows or
            other sequences than the genome, or no window differs.
        SpecError: The maps of the model differ from those of the directories.
        VariantError: Another score or way of scoring, too few windows for the level, windows from
            which every member of the model learned, or maps that differ by less than their noise.
    """
    _check(scoring)
    geometry = geometry_of(model, scoring.head)
    names = targets.names(sources.data_dir, geometry.units or 1)
    scorer = _Scorer(model, scoring, geometry)
    rows: list[dict[str, Any]] = []
    opened = splits(sources, model, scoring)
    with open_bar("Comparing windows", sum(first.records for first, _ in opened)) as advance:
        compared = differences(sources, opened, geometry, scoring.shifts, advance)
        for group in scorer.groups(compared):
            for difference, scores in zip(group, scorer(group), strict=True):
                rows += _rows(difference, scores, names, number=len(rows))
    if not rows:
        raise errors.DataError(
            f"{sources.other_dir}: no window of {', '.join(sources.splits)} has variants of "
            f"{sources.haplotypes[0].sample} and enough measured pixels; give other splits, or the "
            "file of another sample."
        )
    table = pd.DataFrame(rows)
    if (windows := table["edit"].nunique()) < ENOUGH:
        _log.warning(
            "Intervals are fitted to %d windows; with fewer than %d, the share of true scores that "
            "they contain varies much.",
            *(windows, ENOUGH),
        )
    for name, of_target in table.groupby("target"):
        deconvolution.check_noise(of_target["square"].to_numpy(), str(name))
    intervals = cross_fitted.fit(table, SCORE, level, _fit, unit="windows")
    origin = interval_files.fitted_to(model, scoring, sources.haplotypes[0].fasta)
    return ScoreIntervals({SCORE: intervals.widening}, intervals.tested, origin)


def _check(scoring: Options) -> None:
    """Refuses scores whose differences are not measured, and options that windows do not have."""
    if tuple(name.upper() for name in scoring.scores) != (SCORE,):
        raise errors.VariantError(
            f"natural differences give intervals of {SCORE} alone, since only its noise is known; "
            f"leave out the other scores, or name {SCORE}."
        )
    for name, value in (("window", "anchored"), ("members", "held_out"), ("targets", None)):
        requested = getattr(scoring, name)
        if requested != value:
            raise errors.VariantError(
                f"natural differences have no {name} = {requested}; leave it at {value}."
            )


class _Scorer:
    """Predicts the differences of windows and scores them.

    Args:
        model: What `load_model` returns.
        scoring: Settings of the scores.
        geometry: How maps lie on windows.
    """

    def __init__(self, model: Model, scoring: Options, geometry: Geometry) -> None:
        self._predict = predictor.WindowPredictor(model, scoring.window_options())
        head = predict.one_head(model, scoring.head)
        self._training = training_regions.of_members(model, head)
        self._size = 4 * predict.batch_size(geometry.seq_length)

    def groups(self, compared: Iterable[Difference]) -> Iterator[list[Difference]]:
        """Yields windows in groups that the same members predict."""
        for _, same in itertools.groupby(compared, self._members):
            while group := list(itertools.islice(same, self._size)):
                yield group

    def __call__(self, group: Sequence[Difference]) -> NDArray[np.float64]:
        """Returns the predicted scores of a group for every draw. [windows, S, T]."""
        members = self._members(group[0])
        requests: list[predictor.Request] = []
        numbers = []
        for difference in group:
            base = len(requests)
            for allele in difference.alleles:
                first = base if len(requests) > base else None
                requests.append(predictor.Request(allele.__getitem__, base=first))
            numbers.append((base, range(base + 1, len(requests))))
        draws = []
        for maps in self._predict(requests, members):
            changes = [maps[list(own)].mean(axis=0) - maps[base] for base, own in numbers]
            draws.append([_size(c, d.mask) for c, d in zip(changes, group, strict=True)])
        return np.swapaxes(np.asarray(draws), 0, 1)

    def _members(self, difference: Difference) -> tuple[int, ...]:
        """Returns the members that did not learn from a window."""
        everyone = tuple(range(len(self._training)))
        if all(recorded is None for recorded in self._training):
            return everyone
        members = training_regions.held_out_members(self._training, [difference.region])
        if not members:
            raise errors.VariantError(
                f"{difference.region}: every member of the model learned from this window, or does "
                "not record its windows; name splits that a member did not learn from."
            )
        return members


def _size(change: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Returns the SCD of a change over measured pixels. [T]."""
    return np.asarray(np.sqrt(np.sum(mask * change.astype(np.float64) ** 2, axis=0)))


def _rows(
    difference: Difference,
    scores: NDArray[np.float64],
    names: Sequence[str],
    *,
    number: int,
) -> list[dict[str, Any]]:
    """Returns a row for each target."""
    summary = draw_summary.summarise(scores)
    mean, sd = summary.mean, np.nan_to_num(summary.sd)  # one draw has no sd
    region = difference.region
    shared = {"id": str(region), "chrom": region.chrom, "pos": region.start + 1, "edit": number}
    return [
        shared
        | {"type": "window", "kind": "window", "name": SCORE, "target": name}
        | {"score": float(m), "sd": float(s), **_of_target(difference.measured, target)}
        for target, (name, m, s) in enumerate(zip(names, mean, sd, strict=True))
    ]


def _of_target(measured: deconvolution.Measured, target: int) -> dict[str, float]:
    """Returns the measured square of a target and its noise, by column."""
    values = {name: float(column[target]) for name, column in measured._asdict().items()}
    return {"measured": float(np.sqrt(max(values["square"], 0))), **values}


class _OfSquares(NamedTuple):
    """Holds intervals that were fitted to measured squares, and the noise of each target."""

    model: deconvolution.ErrorModel
    noise: dict[str, float]

    @property
    def widening(self) -> conformal.Widening:
        return self.model.widening

    def columns(self, rows: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
        mean, sd = rows["score"].to_numpy(), rows["sd"].to_numpy()
        measured = _squares(rows, self.noise)
        low, high = self.widening.interval(mean, sd)
        square_low, square_high = self.model.measured_interval(mean, sd, measured)
        return {
            **{"variance": measured.variance, "ci_low": low, "ci_high": high},
            **{"square_low": square_low, "square_high": square_high},
        }


def _fit(rows: pd.DataFrame, level: float) -> _OfSquares:
    noise = {
        str(name): deconvolution.noise_variance(of_target["square"].to_numpy())
        for name, of_target in rows.groupby("target")
    }
    model = deconvolution.fit(
        _squares(rows, noise),
        rows["score"].to_numpy(),
        rows["sd"].to_numpy(),
        variants=rows["edit"].to_numpy(),
        level=level,
    )
    return _OfSquares(model, noise)


def _squares(rows: pd.DataFrame, noise: dict[str, float]) -> deconvolution.Measured:
    """Returns measured squares, with at least the noise of their target."""
    square, variance, slope = (rows[name].to_numpy() for name in deconvolution.Measured._fields)
    least = rows["target"].map(noise).to_numpy()
    return deconvolution.Measured(square, np.maximum(variance, least), slope)
