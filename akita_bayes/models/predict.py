"""Predictions in batches, averaged over strands, shifts and the members of an ensemble."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import dna, errors, triangle
from akita_bayes.models.ensemble import Ensemble
from akita_bayes.specs.spec import Spec

BATCH_BASES = 2**21
"""Bases that a batch holds unless its size is given: two windows of a megabase."""

BATCH_WINDOWS = 64
"""Windows that a batch holds at most unless its size is given."""

Outputs = dict[str, NDArray[np.float32]]


def predict(
    model: Any,
    x: NDArray | Iterable[NDArray],
    *,
    rc: bool = False,
    shifts: Sequence[int] = (0,),
    head: str | int | None = None,
    batch_size: int | None = None,
) -> Any:
    """Predicts every sequence.

    Args:
        model: What `build` or `load_model` returns.
        x: One-hot sequences, zero rows for N, [B, L, 4]; or batches of them, one after another.
        rc: Average the predictions of both strands, read in the forward direction.
        shifts: Average over the window moved by so many bases, right for positive; predictions
            are not moved back. (0,) is the window as it is.
        head: One head of several, by name or number.
        batch_size: Sequences computed at a time; None takes what fits two megabase windows.

    Returns:
        float32 [B, P, T] for maps, [B, N, T] for tracks; for several heads and none chosen, a
        dict of them by name.

    Raises:
        DataError: `x` is not of the model's shape.
    """
    name = head_name(model, head)
    batches = list(stream(model, x, rc=rc, shifts=shifts, head=name, batch_size=batch_size))
    if not batches:
        raise errors.DataError("x: there is no sequence to predict.")
    joined = {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}
    return joined if name is None else joined[name]


def stream(
    model: Any,
    x: NDArray | Iterable[NDArray],
    *,
    rc: bool = False,
    shifts: Sequence[int] = (0,),
    head: str | int | None = None,
    batch_size: int | None = None,
) -> Iterator[Outputs]:
    """As `predict`, batch by batch: yields heads by name, and holds one batch at a time."""
    spec: Spec = model.spec
    name = head_name(model, head)
    if not shifts:
        raise errors.DataError("shifts: at least one is needed; (0,) is the window as it is.")
    check_shifts(shifts, spec.model.seq_length)
    names = (name,) if name else spec.head_names
    members = model.members if isinstance(model, Ensemble) else (model,)
    views = [(shift, turned) for shift in shifts for turned in ((False, True) if rc else (False,))]
    for batch in batches(x, spec.model.seq_length, batch_size):
        total: dict[str, Any] = dict.fromkeys(names, np.float32(0))
        for shift, turned in views:
            view = dna.shift_one_hot(batch, shift)
            if turned:
                view = dna.reverse_complement_one_hot(view)
            for member in members:
                outputs = forward(member, view)
                for key in names:
                    y = unturned(spec, key, outputs[key]) if turned else outputs[key]
                    total[key] = total[key] + y
        yield {key: value / np.float32(len(views) * len(members)) for key, value in total.items()}


def forward(model: Any, x: NDArray) -> Outputs:
    """One inference pass, compiled once for all batch sizes. [B, L, 4] -> heads by name."""
    compiled = getattr(model, "_forward", None)
    if compiled is None:
        shape = tf.TensorSpec((None, model.spec.model.seq_length, 4), tf.float32)
        function = tf.function(lambda sequence: model(sequence, training=False))
        compiled = model._forward = function.get_concrete_function(shape)
    outputs = compiled(tf.cast(x, tf.float32))
    if not isinstance(outputs, dict):
        outputs = {model.spec.head_names[0]: outputs}
    return {name: np.asarray(y, np.float32) for name, y in outputs.items()}


def unturned(spec: Spec, head: str, y: NDArray) -> NDArray:
    """Predictions of reverse complements, read in the forward direction. [B, P or N, T]."""
    place = spec.geometry(head)
    if place.diagonal_offset is not None:
        return y[:, triangle.reverse_order(place.bins, place.diagonal_offset)]
    if place.pairwise:
        return y[:, ::-1, ::-1]
    pairs = spec.model.strand_pair[spec.head_names.index(head)] if spec.model.strand_pair else ()
    return y[:, ::-1, list(pairs) or slice(None)]


def head_name(model: Any, head: str | int | None) -> str | None:
    """The name of a chosen head, or of the only one; None for all of several.

    Raises:
        SpecError: There is no such head.
    """
    if head is None and len(model.spec.head_names) > 1:
        return None
    return model.spec.head(head).name


def check_shifts(shifts: Iterable[int], length: int) -> None:
    """Refuses shifts that move a whole window of so many bases away.

    Raises:
        DataError: One is as long as the window.
    """
    for shift in shifts:
        if abs(shift) >= length:
            raise errors.DataError(
                f"a shift of {shift:,} leaves nothing of a window of {length:,} bases; give "
                "shifts of a few bases."
            )


def batch_size(length: int) -> int:
    """Windows of so many bases that are computed at a time: what fits two of a megabase."""
    return max(1, min(BATCH_WINDOWS, BATCH_BASES // length))


def batches(x: NDArray | Iterable[NDArray], length: int, size: int | None) -> Iterator[NDArray]:
    """Cuts sequences [B, `length`, 4] into batches of `size`; None takes `batch_size`.

    Raises:
        DataError: `x` has another shape, or a number that is none.
    """
    size = size or batch_size(length)
    for block in [x] if hasattr(x, "shape") else x:
        block = np.asarray(block)
        if block.ndim != 3 or block.shape[1:] != (length, 4):
            raise errors.DataError(
                f"x: the model reads one-hot sequences [B, {length}, 4]; got {list(block.shape)}."
            )
        for start in range(0, len(block), size):
            batch = block[start : start + size]
            if batch.dtype.kind == "f" and not np.isfinite(batch).all():
                raise errors.DataError(
                    "x: holds NaN or infinity; give one-hot rows, zeros for an unknown base."
                )
            yield batch
