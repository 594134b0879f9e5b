"""Finding an Akita's head in a network's graph, to run it by `strips`."""

import functools
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from akita_bayes.layers import pairwise
from akita_bayes.models.incremental import folding, head_rectangles


class Plan(NamedTuple):
    """A head and where it lies in its network.

    Attributes:
        head: Runs the part between the two tensors.
        track: The Keras tensor that the head reads. [B, N, C].
        output: The Keras tensor that it ends with: a symmetric map, cropped, [B, M, M, F], or the
            triangle of it, [B, P, F].
    """

    head: head_rectangles.Head
    track: Any
    output: Any


def find(model: keras.Model) -> Plan | None:
    """The head of a network, or None when its blocks are not those of an Akita."""
    pairs = [layer for layer in model.operations if isinstance(layer, pairwise.OneToTwo)]
    if len(pairs) != 1 or pairs[0].operation != "mean" or pairs[0].compute_dtype != "float32":
        return None
    following = folding.readers(model)
    track, tensor = pairs[0].input, pairs[0].output
    joined = _only(tensor, following)
    distance = isinstance(joined, pairwise.ConcatDist2D)
    if joined is not None and distance:
        tensor = joined.output
    blocks: list[head_rectangles.Block] = []
    while True:
        found = _block(tensor, following)
        if found is None:
            break
        block, tensor = found
        blocks.append(block)
    if not blocks or blocks[0].residual:
        return None
    separable = (
        _never_negative(track)
        and blocks[0].dilation == 1
        and all(_keeps_positive(layer) for layer in blocks[0].before)
    )
    bins = int(track.shape[1])
    margin, offset, tensor = _shown(tensor, following)
    head = head_rectangles.Head(
        tuple(blocks),
        bins,
        distance=distance,
        separable=separable,
        margin=margin,
        offset=offset,
    )
    return Plan(head, track, tensor)


def _shown(tensor: Any, following: dict[int, list[Any]]) -> tuple[int, int | None, Any]:
    """Cropping and diagonal offset of what is read of the last map, and where they end."""
    margin, layer = 0, _only(tensor, following)
    if isinstance(layer, keras.layers.Cropping2D):
        sides = {side for axis in layer.cropping for side in axis}
        if len(sides) > 1:
            return 0, None, tensor
        (margin,), tensor = sides, layer.output
        layer = _only(tensor, following)
    if isinstance(layer, pairwise.UpperTri):
        return margin, layer.diagonal_offset, layer.output
    return margin, None, tensor


def _only(tensor: Any, following: dict[int, list[Any]]) -> Any | None:
    found = following.get(id(tensor), [])
    return found[0] if len(found) == 1 else None


def _block(
    tensor: Any, following: dict[int, list[Any]]
) -> tuple[head_rectangles.Block, Any] | None:
    """The block that reads a symmetric map, and the map that it ends with."""
    readers = following.get(id(tensor), [])
    add = next((layer for layer in readers if isinstance(layer, keras.layers.Add)), None)
    branch = [layer for layer in readers if layer is not add]
    if len(branch) != 1:
        return None
    before, layer = _pointwise(branch[0], add, following)
    if not isinstance(layer, keras.layers.Conv2D) or not _square(layer):
        return None
    dilation = layer.dilation_rate[0]
    kernel, bias, layer = folding.folded(layer, following)
    after, layer = _pointwise(_only(layer.output, following), add, following)
    if add is not None:
        if layer is not add:
            return None
        layer = _only(add.output, following)
    if layer is None or not isinstance(layer, pairwise.Symmetrize2D):
        return None
    mix = after[-1].args if after and isinstance(after[-1], functools.partial) else None
    after = after if mix is None else after[:-1]
    block = head_rectangles.Block(before, kernel, bias, dilation, after, mix, add is not None)
    return block, layer.output


def _pointwise(
    layer: Any, stop: Any, following: dict[int, list[Any]]
) -> tuple[tuple[Any, ...], Any]:
    """Pointwise layers from `layer` on, 1 x 1 convolutions folded, and the first other one.

    Dropout, which does nothing in inference, is left out.
    """
    chain: list[Any] = []
    while layer is not None and layer is not stop:
        if isinstance(layer, keras.layers.Dropout):
            pass
        elif folding.pointwise(layer):
            chain.append(layer)
        elif (
            isinstance(layer, keras.layers.Conv2D)
            and layer.kernel_size == (1, 1)
            and folding.same_convolution(layer)
        ):
            kernel, bias, layer = folding.folded(layer, following)
            chain.append(functools.partial(_mix, kernel, bias))
        else:
            break
        layer = _only(layer.output, following)
    return tuple(chain), layer


def _mix(kernel: tf.Tensor, bias: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), bias)


def _square(layer: keras.layers.Conv2D) -> bool:
    size, dilation = layer.kernel_size, layer.dilation_rate
    alike = size[0] == size[1] and dilation[0] == dilation[1]
    return alike and size[0] % 2 == 1 and folding.same_convolution(layer)


def _keeps_positive(layer: Any) -> bool:
    """True for a layer that leaves numbers of 0 or more as they are."""
    if isinstance(layer, keras.layers.ReLU):
        return True
    return isinstance(layer, keras.layers.Activation) and layer.activation in (
        keras.activations.relu,
        keras.activations.linear,
    )


def _never_negative(tensor: Any) -> bool:
    layer = tensor._keras_history.operation
    return isinstance(layer, keras.layers.ReLU) or (
        isinstance(layer, keras.layers.Activation) and layer.activation is keras.activations.relu
    )
