"""Judges the calibration of a trained model on held-out windows, and fits its recalibration."""

import contextlib
import dataclasses
import functools
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, keywords, progress
from akita_bayes.data.records import dataset
from akita_bayes.evaluate import calibration, strata
from akita_bayes.evaluate import spread_factors as recalibration_
from akita_bayes.evaluate.spread_factors import Prediction
from akita_bayes.models import posterior, predict
from akita_bayes.models.protocol import Model
from akita_bayes.models.recalibration import Recalibration

DRAWS = 32


@dataclasses.dataclass(frozen=True)
class Report:
    """Holds the calibration of a model before and after recalibration, and the factors.

    Attributes:
        before: `Calibration.summary` of the model before recalibration; a model without observation
            noise takes the noise of the recalibration.
        after: `Calibration.summary` after recalibration.
        recalibration: The factors.
        head: Name of the recalibrated head.
        tested: All windows of the tested split, recalibrated; the arrays lie on disk.
        draws: Draws of the mean of the first window, spread by the same factors. [S, P, T].
        bin_width: Bases per bin.
        diagonal_offset: First diagonal of the triangle.
    """

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    recalibration: Recalibration
    head: str
    tested: list[Prediction]
    draws: NDArray[np.float32]
    bin_width: int
    diagonal_offset: int


@dataclasses.dataclass(frozen=True)
class CalibrationOptions:
    """Holds the settings of `calibrate`.

    Attributes:
        draws: Posterior draws per window.
        seed: Seed of the draws and of the block bootstrap.
        split: Split on which the model is judged.
        fit_split: Split on which the recalibration is fitted; must differ from `split`.
        head: Name or index of the head, for a model with several.
        distances: Number of strata of genomic distance.

    Raises:
        DataError: Both splits are the same.
    """

    draws: int = DRAWS
    seed: int = 0
    split: str = "test"
    fit_split: str = "valid"
    head: str | int | None = None
    distances: int = 8

    def __post_init__(self) -> None:
        if self.split == self.fit_split:
            raise errors.DataError(
                f'split: intervals fitted on "{self.split}" cannot be judged on it; choose another.'
            )


def calibrate(
    model: Model,
    data_dir: str | Path,
    *,
    options: CalibrationOptions = CalibrationOptions(),
    advance: progress.Advance = progress.ignore,
    **changes: Any,
) -> Report:
    """Fits the recalibration on one split and judges the model, before and after, on another.

    Args:
        model: A network or an ensemble, from `load_model`.
        data_dir: A data directory of contact maps.
        options: Settings.
        advance: Called with the number of finished windows after every batch.
        changes: Fields of `options` to replace, such as `draws=64`.

    Raises:
        DataError: Both splits are the same, a split is bad, or the data are tracks, not maps.
        SpecError: The model has several heads and `head` is None.
        TypeError: A keyword is not a field of `options`.
    """
    options = keywords.replaced(options, changes)
    head = posterior.Sampler(model, head=options.head).head
    geometry = model.spec.geometry(head)
    if geometry.diagonal_offset is None:
        raise errors.DataError(f"{data_dir}: calibration by distance needs contact maps.")
    groups = strata.log_spaced(geometry.bins, geometry.diagonal_offset, options.distances)
    predicted = functools.partial(
        predictions,
        model,
        data_dir,
        draws=options.draws,
        seed=options.seed,
        head=head,
        advance=advance,
    )
    recalibration = recalibration_.fit(
        on_disk(predicted(options.fit_split)), groups, geometry.diagonal_offset
    )
    noise = recalibration.aleatoric_sd(geometry.target_length)
    before, after = (
        calibration.Calibration(groups, len(recalibration.epistemic)) for _ in range(2)
    )

    def recalibrated_windows() -> Iterator[Prediction]:
        for raw in predicted(options.split):
            recalibrated = apply(raw, recalibration)
            if noise is not None:
                raw = raw._replace(aleatoric_sd=noise)
            for accumulator, version in ((before, raw), (after, recalibrated)):
                accumulator.update(version.target, version.mean, version.sd, version.mask)
            yield recalibrated

    tested = on_disk(recalibrated_windows())
    return Report(
        before.summary(seed=options.seed),
        after.summary(seed=options.seed),
        recalibration,
        head,
        tested,
        _draws_of_first(model, data_dir, dataclasses.replace(options, head=head), recalibration),
        geometry.bin_width,
        geometry.diagonal_offset,
    )


def predictions(
    model: Model,
    data_dir: str | Path,
    split: str,
    *,
    draws: int,
    seed: int = 0,
    head: str | int | None = None,
    advance: progress.Advance = progress.ignore,
) -> Iterator[Prediction]:
    """Yields every window of a split, measured and predicted, without recalibration."""
    size = predict.batch_size(model.spec.model.seq_length)
    for batch in dataset.open_split(data_dir, split, batch_size=size).batches():
        drawn_moments = posterior.sample_posterior(
            model,
            batch["sequence"].numpy(),
            draws=draws,
            seed=seed,
            quantiles=(),
            head=head,
            recalibrated=False,
        )
        arrays = (batch["target"].numpy(), batch["mask"].numpy(), *drawn_moments[:3])
        yield from (Prediction(*window) for window in zip(*arrays, strict=True))
        advance(len(drawn_moments.mean))


def on_disk(windows: Iterable[Prediction]) -> list[Prediction]:
    """Returns the same windows, with arrays that are read from temporary files when used.

    Full human maps take 10 MB per window; TMPDIR sets the folder.
    """
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in Prediction._fields]
        count, window = 0, None
        for window in windows:
            for file, values in zip(files, window, strict=True):
                file.write(np.ascontiguousarray(values).data)
            count += 1
        if window is None:
            return []
        arrays = []
        for file, values in zip(files, window, strict=True):
            file.flush()
            arrays.append(np.memmap(file, values.dtype, "r", shape=(count, *values.shape)))
    return [Prediction(*window) for window in zip(*arrays, strict=True)]


def apply(prediction: Prediction, recalibration: Recalibration) -> Prediction:
    """Returns a prediction with the factors applied, as `sample_posterior` applies them."""
    learned = prediction.aleatoric_sd if recalibration.noise is None else None
    epistemic, aleatoric = recalibration.apply(prediction.epistemic_sd, learned)
    return prediction._replace(epistemic_sd=epistemic, aleatoric_sd=aleatoric)


def _draws_of_first(
    model: Model, data_dir: str | Path, options: CalibrationOptions, recalibration: Recalibration
) -> NDArray[np.float32]:
    """Returns draws of the first window, with the recalibrated epistemic sd. [S, P, T]."""
    first = next(iter(dataset.open_split(data_dir, options.split).batches()))
    sampled = posterior.sample_posterior(
        model,
        first["sequence"].numpy(),
        draws=options.draws,
        seed=options.seed,
        head=options.head,
        quantiles=(),
        keep_draws=True,
        recalibration=recalibration,
    )
    assert sampled.draws is not None
    return sampled.draws[:, 0]
