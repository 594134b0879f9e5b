"""Predicts in batches, averaged over strands, shifts and the members of an ensemble."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.models.passes import compiled_graphs, views
from akita_bayes.models.protocol import Member, Model
from akita_bayes.specs.spec import Spec

BATCH_BASES = 2**21
"""Bases of a batch without a given size: two windows of a megabase."""

BATCH_WINDOWS = 64
"""Largest number of windows of a batch without a given size."""

Outputs = dict[str, NDArray[np.float32]]


def predict(
    model: Model,
    x: NDArray | Iterable[NDArray],
    *,
    rc: bool = False,
    shifts: Sequence[int] = (0,),
    head: str | int | None = None,
    batch_size: int | None = None,
) -> Any:
    """Predicts every sequence.

    Args:
        model: Model from `build` or `load_model`.
        x: One-hot sequences, zero rows for N, [B, L, 4]; or an iterable of such batches.
        rc: True to average the predictions of both strands, in the forward direction.
        shifts: Bases by which the window moves, to the right for positive ones; predictions are
            averaged over shifts and are not moved back. (0,) predicts the window itself.
        head: One head of several, by name or number.
        batch_size: Sequences computed at a time; None takes as many as fill two megabases.

    Returns:
        float32 [B, P, T] for maps, [B, N, T] for tracks; with several heads and no `head`, a dict
        of predictions by name.

    Raises:
        DataError: `x` does not have the model's shape.
    """
    name = head_name(model, head)
    batches = list(stream(model, x, rc=rc, shifts=shifts, head=name, batch_size=batch_size))
    if not batches:
        raise errors.DataError("x: holds no sequences; give at least one.")
    joined = {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}
    return joined if name is None else joined[name]


def stream(
    model: Model,
    x: NDArray | Iterable[NDArray],
    *,
    rc: bool = False,
    shifts: Sequence[int] = (0,),
    head: str | int | None = None,
    batch_size: int | None = None,
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
            x_view = view.apply(batch)
            for member in model.members:
                outputs = forward(member, x_view)
                for key, mean in means.items():
                    mean.add(view.undo(outputs[key], spec, key))
        yield {key: mean.value() for key, mean in means.items()}


def forward(model: Member, x: NDArray) -> Outputs:
    """Runs one inference pass, compiled once for all batch sizes. [B, L, 4] -> heads by name."""

    def compile_graph() -> Callable[[tf.Tensor], Any]:
        shape = tf.TensorSpec((None, model.spec.model.seq_length, 4), tf.float32)
        function = tf.function(lambda sequence: model(sequence, training=False))
        return function.get_concrete_function(shape)

    graph = compiled_graphs.compiled(model, "forward", compile_graph)
    outputs = graph(tf.cast(x, tf.float32))
    if not isinstance(outputs, dict):
        outputs = {model.spec.head_names[0]: outputs}
    # A copy: the memory of a tensor is read-only.
    return {name: np.array(y, np.float32) for name, y in outputs.items()}


def head_name(model: Model, head: str | int | None) -> str | None:
    """Returns the name of a head, or of the only head; None when all of several are meant.

    Raises:
        SpecError: The model has no such head.
    """
    if head is None and len(model.spec.head_names) > 1:
        return None
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


def batches(x: NDArray | Iterable[NDArray], length: int, size: int | None) -> Iterator[NDArray]:
    """Yields batches of `size` sequences of [B, `length`, 4]; None takes `batch_size(length)`.

    Raises:
        DataError: `x` has another shape, or holds NaN or infinity.
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
