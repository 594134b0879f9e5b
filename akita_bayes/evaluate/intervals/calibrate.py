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
from akita_bayes.data import noise_table
from akita_bayes.data.records import dataset
from akita_bayes.evaluate import accuracy, strata
from akita_bayes.evaluate.intervals import (
    aggregate_coverage,
    calibration,
    error_tails,
    model_error,
)
from akita_bayes.evaluate.intervals import spread_factors as recalibration_
from akita_bayes.evaluate.intervals.spread_factors import Prediction
from akita_bayes.models import fingerprint, network_draws, posterior, predict
from akita_bayes.models.intervals.map_error import draws_half_width
from akita_bayes.models.protocol import Model
from akita_bayes.models.recalibration import Recalibration
from akita_bayes.numerics import pit
from akita_bayes.regions import Region
from akita_bayes.specs.geometry import Geometry

DRAWS = 32


@dataclasses.dataclass(frozen=True)
class Report:
    """Holds the calibration of a model before and after recalibration, and the factors.

    Attributes:
        before: `Calibration.summary` of the model as it states its intervals; a model without
            learned noise takes the noise of the recalibration.
        after: `Calibration.summary` after recalibration.
        constant: `Calibration.summary` of the baseline, the same sd in all pixels of a stratum.
        maps: Intervals of the map apart from the noise: `noise`, how the noise of the data was
            estimated, None where unknown; `level` of the intervals; `value_borders` [T][K - 1];
            `aggregates`, the `AggregateCoverage.summary`, None where the noise is unknown; and
            `MapIntervals.summary` of `before`, `constant` and `after`. Intervals of the map are
            calibrated only where the noise is known.
        recalibration: The factors.
        head: Name of the recalibrated head.
        tested: All windows of the tested split, recalibrated; the arrays lie on disk.
        draws: Draws of the mean of the first window, spread by the same factors. [S, P, T].
        bin_width: Bases per bin.
        diagonal_offset: First diagonal of the triangle.
        origin: Versions, seed and digests of model and data (`akita_bayes.origins.provenance`).
        uniformity: Test of the recalibrated model on the tested split; None for few windows.
        first_region: Bases of the map of the first tested window.
    """

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    constant: Mapping[str, Any]
    maps: Mapping[str, Any]
    recalibration: Recalibration
    head: str
    tested: list[Prediction]
    draws: NDArray[np.float32]
    bin_width: int
    diagonal_offset: int
    origin: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    uniformity: pit.Uniformity | None = None
    first_region: Region | None = None


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
        precision: Precision of the convolutions, 'float32' or 'bfloat16'; None takes that of the
            saved model.

    Raises:
        DataError: Both splits are the same.
    """

    draws: int = DRAWS
    seed: int = 0
    split: str = "test"
    fit_split: str = "valid"
    head: str | int | None = None
    distances: int = 8
    precision: str | None = None

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
        SpecError: The model has several heads and `head` is None, or the data have other maps.
        TypeError: A keyword is not a field of `options`.
    """
    options = keywords.replaced(options, changes)
    head = predict.one_head(model, options.head)
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
        precision=options.precision,
        advance=advance,
    )
    data_noise = noise_table.read(
        data_dir,
        targets=geometry.units or 1,
        bins=geometry.bins,
        diagonal_offset=geometry.diagonal_offset,
    )
    draws = network_draws.useful_draws(model, options.draws, head)
    windows = on_disk(predicted(options.fit_split))
    recalibration, constant = _fitted(windows, groups, geometry.diagonal_offset, data_noise, draws)
    noise = recalibration.aleatoric_sd(geometry.target_length)
    states = ("before", "constant", "after")
    judged = {
        state: calibration.Calibration(groups, len(recalibration.epistemic)) for state in states
    }
    borders = error_tails.value_borders(windows, groups)
    maps = {state: calibration.MapIntervals(groups, borders) for state in states}
    truth = _truth(data_dir, options.split)
    aggregates = None
    if recalibration.map_error is not None and recalibration.map_error.correlation is not None:
        aggregates = aggregate_coverage.AggregateCoverage(
            geometry.bins, geometry.diagonal_offset, recalibration.map_error.correlation
        )

    def recalibrated_windows() -> Iterator[Prediction]:
        for number, raw in enumerate(predicted(options.split)):
            noise_free = None if truth is None else truth[number].astype(np.float32)
            # A model without learned noise states none, and is judged with the fitted noise.
            stated = raw
            if noise is not None and not raw.aleatoric_sd.any():
                stated = raw._replace(aleatoric_sd=noise)
            half_width = draws_half_width(raw.epistemic_sd, draws, calibration.MAP_LEVEL)
            versions = {"before": (stated, half_width)}
            for state, factors in (("constant", constant), ("after", recalibration)):
                versions[state] = apply(raw, factors, draws=draws)
            for state, (version, half_width) in versions.items():
                judged[state].update(version.target, version.mean, version.sd, version.mask)
                maps[state].update(version, half_width, noise_free)
            if aggregates is not None:
                aggregates.update(*versions["after"], noise_free)
            yield versions["after"][0]

    tested = on_disk(recalibrated_windows())
    return Report(
        judged["before"].summary(seed=options.seed),
        judged["after"].summary(seed=options.seed),
        judged["constant"].summary(seed=options.seed),
        {
            "noise": None if data_noise is None else data_noise.method,
            "level": calibration.MAP_LEVEL,
            "value_borders": borders.tolist(),
            "aggregates": None if aggregates is None else aggregates.summary(),
            **{
                state: maps[state].summary(noise_known=data_noise is not None and state != "before")
                for state in states
            },
        },
        recalibration,
        head,
        tested,
        _draws_of_first(model, data_dir, dataclasses.replace(options, head=head), recalibration),
        geometry.bin_width,
        geometry.diagonal_offset,
        fingerprint.origin(model, options.seed, data_dir),
        pit.uniformity(judged["after"].pit_by_window()),
        _first_region(data_dir, options.split, geometry),
    )


def predictions(
    model: Model,
    data_dir: str | Path,
    split: str,
    *,
    draws: int,
    seed: int = 0,
    head: str | int | None = None,
    precision: str | None = None,
    advance: progress.Advance = progress.ignore,
) -> Iterator[Prediction]:
    """Yields every window of a split, measured and predicted, without recalibration.

    Raises:
        DataError: The split cannot be read.
        SpecError: The data have other maps than the head.
    """
    size = predict.batch_size(model.spec.model.seq_length)
    data_split = dataset.open_split(data_dir, split, batch_size=size)
    model.spec.check_statistics(data_split.statistics.to_json(), head)
    for batch in data_split.batches():
        drawn_moments = posterior.sample_posterior(
            model,
            batch["sequence"].numpy(),
            draws=draws,
            seed=seed,
            quantiles=(),
            head=head,
            recalibrated=False,
            precision=precision,
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


def apply(
    prediction: Prediction, recalibration: Recalibration, *, draws: int
) -> tuple[Prediction, NDArray[np.float32]]:
    """Returns a prediction with the factors applied, as `sample_posterior` applies them.

    The second value is half of the interval of the map at `calibration.MAP_LEVEL`. [P, T].
    """
    learned = prediction.aleatoric_sd if recalibration.noise is None else None
    spread = recalibration.apply(
        prediction.epistemic_sd, learned, mean=prediction.mean, draws=draws
    )
    changed = prediction._replace(epistemic_sd=spread.epistemic, aleatoric_sd=spread.aleatoric)
    return changed, spread.half_width(calibration.MAP_LEVEL)


def _fitted(
    windows: list[Prediction],
    groups: strata.Strata,
    diagonal_offset: int,
    noise: noise_table.NoiseTable | None,
    draws: int,
) -> tuple[Recalibration, Recalibration]:
    """Returns the recalibration, and the baseline of one sd for each target and stratum."""
    if noise is None:
        nothing = np.zeros_like(windows[0].mean)
        plain = [window._replace(epistemic_sd=nothing, aleatoric_sd=nothing) for window in windows]
        return (
            recalibration_.fit(windows, groups, diagonal_offset),
            recalibration_.fit(plain, groups, diagonal_offset),
        )
    moments = functools.partial(
        model_error.fit, windows, groups, diagonal_offset, noise, draws=draws
    )
    return moments(), moments(constant=True)


def _truth(data_dir: str | Path, split: str) -> NDArray[Any] | None:
    """Returns the noise-free targets of simulated data, or None. [W, P, T]."""
    if not (Path(data_dir) / accuracy.TRUTH / f"{split}.npz").is_file():
        return None
    records = dataset.open_split(data_dir, split, batch_size=1).records
    return accuracy.read_truth(data_dir, split, records)


def _first_region(data_dir: str | Path, split: str, geometry: Geometry) -> Region:
    first = next(iter(dataset.open_split(data_dir, split, batch_size=1).batches()))
    location = first["region"].numpy()[0].decode()
    return accuracy.target_region(location, geometry.crop_bp, geometry.seq_length)


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
        precision=options.precision,
    )
    assert sampled.draws is not None
    return sampled.draws[:, 0]
