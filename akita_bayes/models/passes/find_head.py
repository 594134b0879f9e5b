"""Finds the head of an Akita in a network's graph, so that `head_rectangles` can run it."""

import functools
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from akita_bayes.layers import pairwise
from akita_bayes.models.passes import folding, head_blocks, head_rectangles


class LocatedHead(NamedTuple):
    """Holds a head and its first and last tensor in the network.

    Attributes:
        head: Computes `output` from `track`.
        track: Keras tensor that the head reads. [B, N, C].
        output: Keras tensor that the head ends with: a symmetric map, cropped, [B, M, M, F], or
            its triangle, [B, P, F].
    """

    head: head_rectangles.Head
    track: Any
    output: Any


def find(model: keras.Model, precision: str = "float32") -> LocatedHead | None:
    """Finds the head of a network; returns None when its blocks are not those of an Akita.

    Args:
        model: The network.
        precision: Precision of the head's convolutions.
    """
    pairs = [layer for layer in model.operations if isinstance(layer, pairwise.OneToTwo)]
    if len(pairs) != 1 or pairs[0].operation != "mean" or pairs[0].compute_dtype != "float32":
        return None
    following = folding.readers(model)
    track, tensor = pairs[0].input, pairs[0].output
    next_layer = _only_reader(tensor, following)
    distance = isinstance(next_layer, pairwise.ConcatDist2D)
    if next_layer is not None and distance:
        tensor = next_layer.output
    blocks: list[head_blocks.Block] = []
    while True:
        block_and_map = _block(tensor, following)
        if block_and_map is None:
            break
        block, tensor = block_and_map
        blocks.append(block)
    if not blocks or blocks[0].residual:
        return None
    # (x_i + x_j) / 2 of values >= 0 passes ReLU unchanged, so the first convolution acts on it
    # linearly and separates into rows and columns.
    separable = (
        _never_negative(track)
        and blocks[0].dilation == 1
        and all(_keeps_positive(layer) for layer in blocks[0].before)
    )
    bins = int(track.shape[1])
    margin, offset, tensor = _crop_and_triangle(tensor, following)
    head = head_rectangles.Head(
        tuple(blocks),
        bins,
        distance=distance,
        separable=separable,
        margin=margin,
        offset=offset,
        precision=precision,
    )
    return LocatedHead(head, track, tensor)


def _crop_and_triangle(tensor: Any, following: dict[int, list[Any]]) -> tuple[int, int | None, Any]:
    """Returns cropped bins and diagonal offset behind the last map, and the tensor after both."""
    margin, layer = 0, _only_reader(tensor, following)
    if isinstance(layer, keras.layers.Cropping2D):
        sides = {side for axis in layer.cropping for side in axis}
        if len(sides) > 1:
            return 0, None, tensor
        (margin,), tensor = sides, layer.output
        layer = _only_reader(tensor, following)
    if isinstance(layer, pairwise.UpperTri):
        return margin, layer.diagonal_offset, layer.output
    return margin, None, tensor


def _only_reader(tensor: Any, following: dict[int, list[Any]]) -> Any | None:
    """Returns the layer that reads a tensor; None when there are several or none."""
    readers = following.get(id(tensor), [])
    return readers[0] if len(readers) == 1 else None


def _block(tensor: Any, following: dict[int, list[Any]]) -> tuple[head_blocks.Block, Any] | None:
    """Returns the block that reads a symmetric map, and its output map; None for other layers."""
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
    after, layer = _pointwise(_only_reader(layer.output, following), add, following)
    if add is not None:
        if layer is not add:
            return None
        layer = _only_reader(add.output, following)
    if layer is None or not isinstance(layer, pairwise.Symmetrize2D):
        return None
    # `_pointwise` leaves a 1 x 1 convolution as partial(_mix, kernel, bias).
    mix = after[-1].args if after and isinstance(after[-1], functools.partial) else None
    after = after if mix is None else after[:-1]
    block = head_blocks.Block(before, kernel, bias, dilation, after, mix, add is not None)
    return block, layer.output


def _pointwise(
    layer: Any, stop: Any, following: dict[int, list[Any]]
) -> tuple[tuple[Any, ...], Any]:
    """Returns the pointwise layers from `layer` on, and the first layer of another kind.

    1 x 1 convolutions are folded; dropout is skipped, because it does nothing in inference.
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
        layer = _only_reader(layer.output, following)
    return tuple(chain), layer


def _mix(kernel: tf.Tensor, bias: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    y = tf.nn.conv2d(x, tf.cast(kernel, x.dtype), 1, "SAME")
    return tf.nn.bias_add(y, tf.cast(bias, x.dtype))


def _square(layer: keras.layers.Conv2D) -> bool:
    size, dilation = layer.kernel_size, layer.dilation_rate
    square = size[0] == size[1] and dilation[0] == dilation[1]
    return square and size[0] % 2 == 1 and folding.same_convolution(layer)


def _keeps_positive(layer: Any) -> bool:
    """Returns True for a layer that does not change numbers of 0 or more."""
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
