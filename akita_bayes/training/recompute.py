"""Computes the 2-D head of a network again in the backward pass instead of storing its arrays.

A training step stores every array that its gradients need. Those of the 2-D head are the largest:
each block holds several maps of all pairs of bins. Here each block, from one symmetric map to the
next, stores its input only, and is computed a second time when its gradient is due (Chen et al.
2016, "Training deep nets with sublinear memory cost"). Random draws of a block, as of dropout, are
the same in both computations, and statistics of batch normalisation are updated once.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from akita_bayes import errors
from akita_bayes.layers import pairwise
from akita_bayes.models.passes import cut


class Recomputed:
    """Runs a network in training with the blocks of its 2-D head computed again for gradients.

    Args:
        model: Network from sequence to one output.

    Raises:
        SpecError: The network has no blocks that lead from one symmetric map to the next.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        maps = [layer.output for layer in model.layers if isinstance(layer, pairwise.Symmetrize2D)]
        tracks = [layer.input for layer in model.layers if isinstance(layer, pairwise.OneToTwo)]
        edges = [*tracks, *maps]
        try:
            if len(tracks) != 1 or not maps:
                raise ValueError("there is no 2-D head, or there are several")
            self._blocks = [keras.Model(*pair) for pair in itertools.pairwise(edges)]
            other = _other_tensors(model, edges[0])
            self._before = keras.Model(model.input, [edges[0], *other])
            self._behind = keras.Model([edges[-1], *other], model.output)
        except ValueError as error:
            raise errors.SpecError(
                "train.recompute: needs a network with one 2-D head, from one_to_two over blocks "
                f"that end in symmetrize_2d; leave it out ({error})."
            ) from None

    @property
    def losses(self) -> list[Any]:
        """Returns the regularisation and added losses of the network."""
        return self._model.losses

    def __call__(self, sequence: Any, training: bool = False) -> Any:
        """Computes the output. [B, L, 4] -> [B, P, T]."""
        if not training:
            return self._model(sequence, training=False)
        # Keras returns a single output without its list.
        x, *other = keras.tree.flatten(self._before(sequence, training=True))
        for block in self._blocks:
            # Posterior layers report their divergence while they run, which must happen once.
            x = block(x, training=True) if cut.posteriors(block) else _recomputed(block, x)
        return self._behind([x, *other], training=True)


def _other_tensors(model: keras.Model, edge: Any) -> list[Any]:
    """Returns the tensors that layers behind an edge read and that do not depend on it."""
    behind, other = {id(edge)}, {}
    for operation in model.operations:
        if not operation._inbound_nodes:
            continue
        inputs = keras.tree.flatten(operation.input)
        if any(id(tensor) in behind for tensor in inputs):
            behind.update(id(tensor) for tensor in keras.tree.flatten(operation.output))
            other |= {id(tensor): tensor for tensor in inputs if id(tensor) not in behind}
    return [tensor for key, tensor in other.items() if key not in behind]


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

    @tf.custom_gradient
    def run(x: tf.Tensor, *values: tf.Tensor) -> Any:
        def gradient(upstream: tf.Tensor) -> list[tf.Tensor]:
            # The second computation waits for its gradient; otherwise both would be merged.
            with tf.control_dependencies([upstream]):
                copies = [tf.identity(argument) for argument in (x, *values)]
            with tf.GradientTape() as tape:
                tape.watch(copies)
                y = compute(copies[0], copies[1:])
            return tape.gradient(
                y, copies, upstream, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )

        return compute(x, values), gradient

    y = run(x, *(weight.value for weight in weights))
    for state, old, new in zip(states, before, after, strict=True):
        if new is not None and new is not old:
            state.assign(new)
    return y
