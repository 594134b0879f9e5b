"""Compiles the inference pass of a network, which needs less time and memory than its layers.

The pass has four parts, each of which falls back to the layers of Keras where a graph is not known:
the convolution tower in tiles, with normalisations folded into convolutions (`tower`); the layers
from there to the track of bins; the head of an Akita on the upper triangle of its maps
(`head_rectangles`); and the layers behind it. Kernels are folded in the graph at every call, from
the variables, so a compiled pass follows new weights.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from akita_bayes import errors
from akita_bayes.layers import pairwise
from akita_bayes.models.passes import compiled_graphs, find_head, folding, tower

PRECISIONS = ("float32", "bfloat16")

Graph = Callable[..., Any]


def compiled(model: keras.Model, heads: tuple[str, ...], precision: str = "float32") -> Graph:
    """Returns the inference pass of a network, compiled once for all batch sizes.

    Args:
        model: The network.
        heads: Names of the heads to compute.
        precision: Precision of the convolutions of tower and head.

    Returns:
        A function from sequences, uint8 indices 0..4 [B, L] or one-hot rows [B, L, 4], to a dict
        of tensors by head.

    Raises:
        DataError: `precision` is unknown.
    """

    def compile_graph() -> Graph:
        part = InferencePass(forward_network(model, heads), precision=precision)
        return of_sequences(part.sequences, int(model.inputs[0].shape[1]))

    return compiled_graphs.compiled(model, ("inference", heads, precision), compile_graph)


def of_sequences(function: Graph, length: int) -> Graph:
    """Compiles a function of sequences for indices [B, `length`] and for rows [B, `length`, 4].

    Further arguments of the function are scalars of int32, or vectors of float32.
    """
    graphs: dict[Any, Graph] = {}

    def call(sequence: Any, *arguments: Any) -> Any:
        shape: tuple[int | None, ...] = (None, length)
        dtype = tf.uint8
        if sequence.ndim == 3:
            shape, dtype = (None, length, 4), tf.float32
        key = (shape, *(argument.dtype for argument in arguments))
        if key not in graphs:
            signature = [tf.TensorSpec(shape, dtype)]
            signature += [tf.TensorSpec(argument.shape, argument.dtype) for argument in arguments]
            graphs[key] = tf.function(function, input_signature=signature, autograph=False)
        return graphs[key](tf.cast(sequence, dtype), *arguments)

    return call


def knows_convolutions(network: keras.Model) -> bool:
    """Returns True when a pass computes some convolutions itself, in the precision asked for."""
    steps, _ = tower.prefix(network)
    in_tower = any(isinstance(step, tower.Convolution) for step in steps)
    return in_tower or find_head.find(network) is not None


def forward_network(model: keras.Model, heads: tuple[str, ...]) -> keras.Model:
    """Returns the part of a network that inference needs for some of its heads.

    The layers that undo augmentation do nothing in inference and are left out.

    Args:
        model: A network of one head, or of several by name.
        heads: Names of the required heads.

    Returns:
        A model from sequences [B, L, 4] to a dict of outputs by head.
    """
    outputs = folding.forward_output(model)
    if not isinstance(outputs, dict):
        outputs = {heads[0]: outputs}
    return keras.Model(model.inputs[0], {head: outputs[head] for head in heads})


class InferencePass:
    """Computes a part of a network in inference; to be called inside a `tf.function`.

    Args:
        part: The part, such as `forward_network` returns.
        precision: Precision of the convolutions of tower and head, 'float32' or 'bfloat16'.

    Raises:
        DataError: `precision` is unknown.
    """

    def __init__(self, part: keras.Model, *, precision: str = "float32") -> None:
        if precision not in PRECISIONS:
            raise errors.DataError(
                f"precision: expected {' or '.join(PRECISIONS)}, got {precision!r}."
            )
        self._part, self._precision = part, precision

    def sequences(self, sequence: tf.Tensor) -> Any:
        """Computes the outputs of sequences, uint8 indices 0..4 [B, L] or rows [B, L, 4]."""
        table = tf.constant(tower.rows(0), self._precision)

        def encode(stretch: tf.Tensor) -> tf.Tensor:
            if len(sequence.shape) == 3:
                return tf.cast(stretch, self._precision)
            return tf.gather(table, tf.cast(stretch, tf.int32))

        steps, cut = tower.prefix(self._part)
        track = tower.whole(steps, sequence, encode)
        track.set_shape(cut.shape)
        return self.behind(cut, track)

    def behind(self, start: Any, values: Any) -> Any:
        """Computes the outputs from the values of tensors `start` in the graph of the part."""
        outputs = self._part.output
        # (The pairs of a single head are not divided further.)
        if isinstance(outputs, dict) and len(outputs) > 1 and _count_pairs(self._part) > 1:
            # Heads with pairs of their own: one after the other, each on its upper triangle.
            parts = {name: keras.Model(self._part.input, {name: outputs[name]}) for name in outputs}
            return {
                name: InferencePass(part, precision=self._precision).behind(start, values)[name]
                for name, part in parts.items()
            }
        located = find_head.find(self._part, self._precision)
        if (
            located is None
            or not _separates(start, located.track)
            or not _separates(located.output, outputs)
        ):
            return _run(start, outputs, values)
        track = _run(start, located.track, values)
        maps = tower.one_by_one(located.head.output, track)
        maps.set_shape(located.output.shape)
        return _run(located.output, outputs, maps)


def _count_pairs(part: keras.Model) -> int:
    return sum(isinstance(layer, pairwise.OneToTwo) for layer in part.operations)


def _run(start: Any, end: Any, values: Any) -> Any:
    """Runs the layers between two sets of tensors in inference."""
    if start is end:
        return values
    return keras.Model(start, end)(values, training=False)


def _separates(tensor: Any, outputs: Any) -> bool:
    """Returns True when outputs depend on the input through a tensor, or several, alone."""
    try:
        if tensor is not outputs:
            keras.Model(tensor, outputs)
    except ValueError:
        return False
    return True
