"""From a trained model and held-out windows to a calibration report, and factors that mend it."""

import contextlib
import dataclasses
import functools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.data.records import dataset
from akita_bayes.evaluate import calibration, strata
from akita_bayes.evaluate import spread_factors as recalibration_
from akita_bayes.evaluate.spread_factors import Prediction
from akita_bayes.models import posterior, predict
from akita_bayes.models.recalibration import Recalibration

DRAWS = 32


@dataclasses.dataclass(frozen=True)
class Report:
    """What is stated, what is true, and the factors between the two.

    Attributes:
        before: Calibration of the model as it states itself, `Calibration.summary`; one that has
            learned no noise is lent that of the recalibration.
        after: The same with the factors applied.
        recalibration: The factors.
        head: Name of the head that they are of.
        tested: Every window of the tested split, recalibrated; its arrays lie on disk.
        draws: Draws of the mean of the first of them, spread by the same factors. [S, P, T].
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


def calibrate(
    model: Any,
    data_dir: str | Path,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    split: str = "test",
    fit_split: str = "valid",
    head: str | int | None = None,
    distances: int = 8,
    advance: Callable[[int], None] = lambda windows: None,
) -> Report:
    """Fits the recalibration on one split and judges the model, before and after, on another.

    Args:
        model: A network or an ensemble, from `load_model`.
        data_dir: A data directory of contact maps.
        draws: Posterior draws per window.
        seed: Of the draws and of the block bootstrap.
        split: Split to judge on.
        fit_split: Split to fit on; must be another.
        head: One head of several.
        distances: Strata of genomic distance.
        advance: Told how many windows are done, batch by batch.

    Raises:
        DataError: The splits are one, a split is bad, or the data are tracks rather than maps.
        SpecError: The model has several heads and none is chosen.
    """
    if split == fit_split:
        raise errors.DataError(
            f'split: intervals fitted on "{split}" cannot be judged on it; choose another.'
        )
    head = posterior.Sampler(model, head=head).head
    place = model.spec.geometry(head)
    if place.diagonal_offset is None:
        raise errors.DataError(f"{data_dir}: calibration by distance needs contact maps.")
    groups = strata.log_spaced(place.bins, place.diagonal_offset, distances)
    drawn = functools.partial(
        predictions, model, data_dir, draws=draws, seed=seed, head=head, advance=advance
    )
    fitted = recalibration_.fit(on_disk(drawn(fit_split)), groups, place.diagonal_offset)
    noise = fitted.aleatoric_sd(place.target_length)
    before, after = (calibration.Calibration(groups, len(fitted.epistemic)) for _ in range(2))

    def judged() -> Iterator[Prediction]:
        for stated in drawn(split):
            mended = apply(stated, fitted)
            if noise is not None:
                stated = stated._replace(aleatoric_sd=noise)
            for accumulator, each in ((before, stated), (after, mended)):
                accumulator.update(each.target, each.mean, each.sd, each.mask)
            yield mended

    tested = on_disk(judged())
    return Report(
        before.summary(seed=seed),
        after.summary(seed=seed),
        fitted,
        head,
        tested,
        _draws_of_first(model, data_dir, split, fitted, draws=draws, seed=seed, head=head),
        place.bin_width,
        place.diagonal_offset,
    )


def predictions(
    model: Any,
    data_dir: str | Path,
    split: str,
    *,
    draws: int,
    seed: int = 0,
    head: str | int | None = None,
    advance: Callable[[int], None] = lambda windows: None,
) -> Iterator[Prediction]:
    """Yields every window of a split, measured and predicted, as the model states itself."""
    size = predict.batch_size(model.spec.model.seq_length)
    for batch in dataset.open_split(data_dir, split, batch_size=size).batches():
        stated = posterior.sample_posterior(
            model,
            batch["sequence"].numpy(),
            draws=draws,
            seed=seed,
            quantiles=(),
            head=head,
            recalibrated=False,
        )
        arrays = (batch["target"].numpy(), batch["mask"].numpy(), *stated[:3])
        yield from (Prediction(*window) for window in zip(*arrays, strict=True))
        advance(len(stated.mean))


def on_disk(windows: Iterable[Prediction]) -> list[Prediction]:
    """The same windows, whose arrays are read from a nameless temporary file when they are used.

    Full human maps take 10 MB a window; TMPDIR says where.
    """
    with contextlib.ExitStack() as stack:
        stored = [stack.enter_context(tempfile.TemporaryFile()) for _ in Prediction._fields]
        count, window = 0, None
        for window in windows:
            for file, values in zip(stored, window, strict=True):
                file.write(np.ascontiguousarray(values).data)
            count += 1
        if window is None:
            return []
        kept = []
        for file, values in zip(stored, window, strict=True):
            file.flush()
            kept.append(np.memmap(file, values.dtype, "r", shape=(count, *values.shape)))
    return [Prediction(*window) for window in zip(*kept, strict=True)]


def apply(prediction: Prediction, fitted: Recalibration) -> Prediction:
    """A prediction with the factors applied, as `sample_posterior` would."""
    learned = prediction.aleatoric_sd if fitted.noise is None else None
    epistemic, aleatoric = fitted.apply(prediction.epistemic_sd, learned)
    return prediction._replace(epistemic_sd=epistemic, aleatoric_sd=aleatoric)


def _draws_of_first(
    model: Any, data_dir: str | Path, split: str, fitted: Recalibration, **options: Any
) -> NDArray[np.float32]:
    """Draws whose standard deviation is the recalibrated epistemic one. [S, P, T]."""
    first = next(iter(dataset.open_split(data_dir, split, batch_size=1).batches()))
    x = first["sequence"].numpy()
    found = posterior.sample_posterior(
        model, x, quantiles=(), keep_draws=True, recalibration=fitted, **options
    )
    assert found.draws is not None
    return found.draws[:, 0]
