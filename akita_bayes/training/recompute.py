"""Computes the blocks of a network again in the backward pass instead of storing their arrays.

A training step stores every array that its gradients need. The largest are those of the first
blocks, which have a row for each base or every second base, and those of the 2-D head, which hold
all pairs of bins. Here each block stores its input only, and is computed a second time when its
gradient is due (Chen et al. 2016, "Training deep nets with sublinear memory cost"). Random draws of
a block, as of dropout, are the same in both computations, and statistics of batch normalisation are
updated once.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from akita_bayes import errors
from akita_bayes.layers import augmentation, pairwise, pooling
from akita_bayes.models.passes import cut

_AUGMENTATIONS = (augmentation.StochasticReverseComplement, augmentation.StochasticShift)
_ENDS = (
    keras.layers.Add,
    keras.layers.MaxPooling1D,
    keras.layers.MaxPooling2D,
    pairwise.Symmetrize2D,
    pooling.SoftmaxPool1D,
)
"""Layers that end a block: the sum of a residual block, a pooling, a symmetric map."""


class Recomputed:
    """Runs a network in training with its blocks computed again for their gradients.

    Args:
        model: Network from sequence to one output.

    Raises:
        SpecError: The network has no block whose end alone leads to the rest of the network.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        edges = block_edges(model)
        if len(edges) < 2:
            raise errors.SpecError(
                "train.recompute: needs a network with blocks that end in a pooling, in the sum of "
                "a residual block or in symmetrize_2d; leave it out."
            )
        self._blocks = [keras.Model(*pair) for pair in itertools.pairwise(edges)]
        bypass = _bypassing(model, edges[0])
        self._before = keras.Model(model.input, [edges[0], *bypass])
        self._behind = keras.Model([edges[-1], *bypass], model.output)

    @property
    def losses(self) -> list[Any]:
        """Returns the regularisation and added losses of the network."""
        return list(self._model.losses)

    def __call__(self, sequence: Any, training: bool = False) -> Any:
        """Computes the output. [B, L, 4] -> [B, P, T]."""
        if not training:
            return self._model(sequence, training=False)
        # Keras returns a single output without its list.
        x, *bypass = keras.tree.flatten(self._before(sequence, training=True))
        for block in self._blocks:
            # Posterior layers report their divergence while they run, which must happen once.
            x = block(x, training=True) if cut.posteriors(block) else _recomputed(block, x)
        return self._behind([x, *bypass], training=True)


def block_edges(model: keras.Model) -> list[Any]:
    """Returns the augmented sequence and the ends of blocks, in the order of the network.

    Everything behind an edge depends on that tensor alone, apart from the strand of the sequence,
    which the last layers read.
    """
    operations = [operation for operation in model.operations if operation._inbound_nodes]
    last_reader: dict[int, int] = {}
    for index, operation in enumerate(operations):
        last_reader |= {id(tensor): index for tensor in _inputs(operation)}
    strands: set[int] = set()
    open_tensors: set[int] = set()
    edges = [model.inputs[0]]
    for index, operation in enumerate(operations):
        first, *strand = keras.tree.flatten(operation.output)
        if isinstance(operation, augmentation.StochasticReverseComplement):
            strands.update(id(tensor) for tensor in strand)
        open_tensors.update(id(tensor) for tensor in (first, *strand))
        open_tensors = {key for key in open_tensors if last_reader.get(key, index + 1) > index}
        if open_tensors - strands != {id(first)}:
            continue
        if isinstance(operation, _AUGMENTATIONS):
            edges = [first]
        elif isinstance(operation, _ENDS):
            # A sum that is made symmetric ends one block and not two.
            edges = [*(edges[:-1] if operation.input is edges[-1] else edges), first]
    return edges


def _inputs(operation: Any) -> list[Any]:
    return list(keras.tree.flatten(operation.input))


def _bypassing(model: keras.Model, edge: Any) -> list[Any]:
    """Returns the tensors that layers behind an edge read and that do not depend on it."""
    behind = {id(edge)}
    bypass: dict[int, Any] = {}
    for operation in model.operations:
        if not operation._inbound_nodes:
            continue
        inputs = keras.tree.flatten(operation.input)
        if any(id(tensor) in behind for tensor in inputs):
            behind.update(id(tensor) for tensor in keras.tree.flatten(operation.output))
            bypass |= {id(tensor): tensor for tensor in inputs if id(tensor) not in behind}
    return [tensor for key, tensor in bypass.items() if key not in behind]


def _recomputed(block: keras.Model, x: tf.Tensor) -> tf.Tensor:
    """Runs a block whose gradient computes it again, from its input and its weights."""
    weights, states = block.trainable_variables, block.non_trainable_variables
    # Both computations start from these states of random draws and of normalisation.
    before = [tf.identity(state.value) for state in states]
    after: list[Any] = []

    def compute(x: tf.Tensor, values: Sequence[tf.Tensor]) -> tf.Tensor:
        mapping = [*zip(weights, values, strict=True), *zip(states, before, strict=True)]
        with keras.StatelessScope(mapping) as scope:
            y = block(x, training=True)
        if not after:
            after.extend(scope.get_current_value(state) for state in states)
        return y

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(x: tf.Tensor, *values: tf.Tensor) -> Any:
        def gradient(upstream: tf.Tensor) -> list[tf.Tensor]:
            # The second computation waits for its gradient; otherwise both would be merged.
            with tf.control_dependencies([upstream]):
                copies = [tf.identity(argument) for argument in (x, *values)]
            with tf.GradientTape() as tape:
                tape.watch(copies)
                y = compute(copies[0], copies[1:])
            zero = tf.UnconnectedGradients.ZERO
            return list(tape.gradient(y, copies, upstream, unconnected_gradients=zero))

        return compute(x, values), gradient

    y = run(x, *(weight.value for weight in weights))
    for state, old, new in zip(states, before, after, strict=True):
        if new is not None and new is not old:
            state.assign(new)
    return y
