"""Predicts in batches, averaged over strands, shifts and the members of an ensemble."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import dna, errors
from akita_bayes.models import build
from akita_bayes.models.passes import inference, views
from akita_bayes.models.protocol import Member, Model
from akita_bayes.specs.spec import Spec

_log = logging.getLogger(__name__)

BATCH_BASES = 2**21
"""Bases of a batch without a given size: two windows of a megabase."""

BATCH_WINDOWS = 64
"""Largest number of windows of a batch without a given size."""

Outputs = dict[str, NDArray[np.float32]]


def predict(
    model: Model,
    x: NDArray[Any] | Iterable[NDArray[Any]],
    *,
    rc: bool = False,
    shifts: Sequence[int] = (0,),
    head: str | int | None = None,
    batch_size: int | None = None,
    precision: str | None = None,
) -> Any:
    """Predicts every sequence.

    Args:
        model: Model from `build` or `load_model`.
        x: One-hot sequences, zero rows for N, [B, L, 4]; or uint8 indices 0..3 of A, C, G and T, 4
            for N, [B, L]; or an iterable of such batches.
        rc: True to average the predictions of both strands, in the forward direction.
        shifts: Bases by which the window moves, to the right for positive ones; predictions are
            averaged over shifts and are not moved back. (0,) predicts the window itself.
        head: One head of several, by name or number.
        batch_size: Sequences computed at a time; None takes as many as fill two megabases.
        precision: Precision of the convolutions of a network: 'float32', or 'bfloat16', which
            takes about half of the time where the processor computes with it; None takes that of
            the saved model.

    Returns:
        float32 [B, P, T] for maps, [B, N, T] for tracks; with several heads and no `head`, a dict
        of predictions by name.

    Raises:
        DataError: `x` does not have the model's shape, or the precision is unknown.
        RunError: The model cannot compute in the precision (`convolution_precision`).
    """
    name = head_name(model, head)
    batches = list(
        stream(
            model, x, rc=rc, shifts=shifts, head=name, batch_size=batch_size, precision=precision
        )
    )
    if not batches:
        raise errors.DataError("x: holds no sequences; give at least one.")
    joined = {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}
    return joined if name is None else joined[name]


def stream(
    model: Model,
    x: NDArray[Any] | Iterable[NDArray[Any]],
    *,
    rc: bool = False,
    shifts: Sequence[int] = (0,),
    head: str | int | None = None,
    batch_size: int | None = None,
    precision: str | None = None,
) -> Iterator[Outputs]:
    """Yields the predictions of `predict` batch by batch, as dicts by head name."""
    spec: Spec = model.spec
    name = head_name(model, head)
    if not shifts:
        raise errors.DataError("shifts: at least one is needed; (0,) predicts the window itself.")
    check_shifts(shifts, spec.model.seq_length)
    names = (name,) if name else spec.head_names
    all_views = views.list_views(shifts, rc=rc)
    for batch in batches(x, spec.model.seq_length, batch_size):
        means = {key: views.Mean() for key in names}
        for view in all_views:
            x_view = view.apply_index(batch) if batch.ndim == 2 else view.apply(batch)
            for member in model.members:
                outputs = forward(member, x_view, names, precision=precision)
                for key, mean in means.items():
                    mean.add(view.undo(outputs[key], spec, key))
        yield {key: mean.value() for key, mean in means.items()}


def forward(
    model: Member,
    x: NDArray[Any],
    heads: Sequence[str] | None = None,
    *,
    precision: str | None = None,
) -> Outputs:
    """Runs one inference pass, compiled once for all batch sizes. -> heads by name.

    Args:
        model: A network or a SavedModel.
        x: One-hot sequences [B, L, 4], or uint8 indices 0..4 [B, L].
        heads: Names of the heads to compute; None computes all.
        precision: Precision of the convolutions, as in `predict`.

    Raises:
        DataError: `precision` is unknown.
        RunError: The model cannot compute in the precision (`convolution_precision`).
    """
    precision = convolution_precision(model, precision)
    heads = tuple(heads or model.spec.head_names)
    if isinstance(model, build.Network):
        outputs = inference.compiled(model, heads, precision)(x)
    else:
        outputs = model(x if x.ndim == 2 else tf.cast(x, tf.float32))
        if not isinstance(outputs, dict):
            outputs = {model.spec.head_names[0]: outputs}
    # A copy: the memory of a tensor is read-only.
    return {name: np.array(outputs[name], np.float32) for name in heads}


def convolution_precision(member: Member, precision: str | None) -> str:
    """Returns the precision in which the inference pass of a member computes convolutions.

    Layers that were saved with half precision keep it, whatever the inference pass does.

    Args:
        member: A network or a SavedModel.
        precision: "float32" or "bfloat16"; None for the precision of the saved model.

    Raises:
        DataError: The precision is unknown.
        RunError: The member is a SavedModel, whose precision is fixed, or a network that was saved
            with another half precision.
    """
    if precision is None:
        return inference.PRECISIONS[0]
    if precision not in inference.PRECISIONS:
        raise errors.DataError(
            f"precision: expected {' or '.join(inference.PRECISIONS)}, got {precision!r}."
        )
    if not isinstance(member, build.Network):
        raise errors.RunError(
            "precision: an exported model keeps the precision of its export; leave the precision "
            "out, or take the run directory of its training."
        )
    if member.precision not in ("float32", f"mixed_{precision}"):
        raise errors.RunError(
            f"precision: the network was saved with {member.precision} and cannot compute in "
            f"{precision}; leave the precision out, or load the pair (params.json, weights)."
        )
    return precision


def check_precision(model: Model, precision: str | None) -> None:
    """Refuses a precision in which a member cannot compute, as `convolution_precision` does.

    Logs a warning for a network on whose convolutions it has no effect.
    """
    for member in model.members:
        convolutions = convolution_precision(member, precision)
        if convolutions == "float32" or not isinstance(member, build.Network):
            continue
        if not inference.knows_convolutions(member):
            _log.warning(
                "precision: %s has no effect on this network; the inference pass knows neither its "
                "first convolutions nor its head, and runs them as they were saved.",
                convolutions,
            )


def head_name(model: Model, head: str | int | None) -> str | None:
    """Returns the name of a head, or of the only head; None when all of several are meant.

    Raises:
        SpecError: The model has no such head.
    """
    if head is None and len(model.spec.head_names) > 1:
        return None
    return one_head(model, head)


def one_head(model: Model, head: str | int | None) -> str:
    """Returns the name of a head, or of the only head.

    Raises:
        SpecError: The model has no such head, or has several and `head` is None.
    """
    return model.spec.head(head).name


def check_shifts(shifts: Iterable[int], length: int) -> None:
    """Refuses shifts that leave nothing of a window of `length` bases.

    Raises:
        DataError: A shift is as long as the window.
    """
    for shift in shifts:
        if abs(shift) >= length:
            raise errors.DataError(
                f"a shift of {shift:,} leaves nothing of a window of {length:,} bases; give "
                "shifts of a few bases."
            )


def batch_size(length: int) -> int:
    """Returns how many windows of `length` bases make a batch: as many as fill two megabases."""
    return max(1, min(BATCH_WINDOWS, BATCH_BASES // length))


def batches(
    x: NDArray[Any] | Iterable[NDArray[Any]], length: int, size: int | None
) -> Iterator[NDArray[Any]]:
    """Yields batches of `size` sequences; None takes `batch_size(length)`.

    A batch is uint8 indices 0..4 [B, `length`], or [B, `length`, 4] when a row is neither one-hot
    nor zero.

    Raises:
        DataError: `x` has another shape, or holds NaN, infinity, or an index above 4.
    """
    size = size or batch_size(length)
    for block in [x] if hasattr(x, "shape") else x:
        block = np.asarray(block)
        indices = block.ndim == 2 and block.dtype == np.uint8 and block.shape[1] == length
        if not indices and (block.ndim != 3 or block.shape[1:] != (length, 4)):
            raise errors.DataError(
                f"x: the model reads one-hot sequences [B, {length}, 4]; got {list(block.shape)}."
            )
        for start in range(0, len(block), size):
            batch = block[start : start + size]
            if indices and batch.max() > dna.UNKNOWN:
                raise errors.DataError(
                    f"x: holds the index {batch.max()}; give 0..3 for A, C, G and T, and 4 for an "
                    "unknown base."
                )
            if batch.dtype.kind == "f" and not np.isfinite(batch).all():
                raise errors.DataError(
                    "x: holds NaN or infinity; give one-hot rows, zeros for an unknown base."
                )
            index = batch if indices else dna.exact_index(batch)
            yield batch if index is None else index
