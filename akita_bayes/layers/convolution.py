"""Convolution of long tracks whose gradients take a fraction of the time on a processor.

The tower of Akita convolves half a million positions. TensorFlow's kernel for the gradient of the
weights divides its work by batch and channels and not by positions, so that it takes eight times
the forward pass there (oneDNN, 96 channels). Here the positions are divided into pieces, and the
pieces are examples of a larger batch. The gradient of the input is itself a convolution, with the
kernel reversed and its channels exchanged.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras

from akita_bayes import layers

if TYPE_CHECKING:
    import tensorflow as tf

PIECE = 512
"""Positions of a piece. 256 to 2048 take the same time."""


@keras.saving.register_keras_serializable("akita_bayes")
class Conv1D(keras.layers.Conv1D):
    """Convolves a track as `keras.layers.Conv1D` does, with faster gradients of long tracks.

    The output has the same bits as that of Keras. In training on processors, the gradients of a
    track of at least LONG_TRACK positions are computed in pieces, and agree but for rounding. The
    kernel must cover an odd number of strides: widths 5 of stride 1, and 12 of stride 4. Other
    widths, other backends, GPUs, dilation, groups and "valid" padding take the gradients of Keras.
    [B, L, C] -> [B, L / stride, filters].
    """

    def call(self, x: Any, training: bool | None = None) -> Any:
        if not training or not self._divides(x):
            return super().call(x)
        y = _convolve(x, keras.ops.convert_to_tensor(self.kernel), self.strides[0])
        if self.use_bias:
            y = keras.ops.add(y, keras.ops.convert_to_tensor(self.bias))
        return y if self.activation is None else self.activation(y)

    def _divides(self, x: Any) -> bool:
        strides, rest = divmod(self.kernel_size[0], self.strides[0])
        length = x.shape[1] or 0
        return (
            keras.backend.backend() == "tensorflow"
            and length >= layers.LONG_TRACK
            and length % self.strides[0] == 0
            and self.padding == "same"
            and (strides % 2, rest) == (1, 0)
            and strides <= PIECE  # a kernel sees no farther than the neighbouring pieces
            and self.dilation_rate == (1,)
            and self.groups == 1
            and self.data_format == "channels_last"
            and not _has_gpu()
        )


def _has_gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def _convolve(x: "tf.Tensor", kernel: Any, stride: int) -> "tf.Tensor":
    """Convolves a track with a kernel of an odd number of strides, which may be a variable."""
    import tensorflow as tf

    def convolve(x: "tf.Tensor", kernel: "tf.Tensor") -> Any:
        def gradients(upstream: "tf.Tensor") -> tuple["tf.Tensor", "tf.Tensor"]:
            # Width 12 and stride 4 are width 3 and stride 1 on rows of four positions.
            rows, weights = _folded(x, stride), _folded(kernel[None], stride)[0]
            reverse = tf.transpose(weights[::-1], [0, 2, 1])
            by_input = tf.nn.conv1d(upstream, reverse, 1, "SAME")
            by_kernel = kernel_gradient(rows, upstream, int(weights.shape[0]))
            return tf.reshape(by_input, tf.shape(x)), tf.reshape(by_kernel, kernel.shape)

        return tf.nn.conv1d(x, kernel, stride, "SAME"), gradients

    differentiable: Callable[..., tf.Tensor] = tf.custom_gradient(convolve)
    # A custom gradient takes tensors only.
    return differentiable(x, tf.identity(kernel))


def _folded(x: "tf.Tensor", stride: int) -> "tf.Tensor":
    """Joins neighbouring positions into channels. [B, L, C] -> [B, L / s, s C]; a kernel too."""
    import tensorflow as tf

    length, channels, *filters = x.shape[1:]
    return tf.reshape(x, (-1, length // stride, stride * channels, *filters))


def kernel_gradient(x: "tf.Tensor", upstream: "tf.Tensor", width: int) -> "tf.Tensor":
    """Computes the gradient of a kernel from pieces of a track. -> [width, C, filters].

    Args:
        x: Input of the convolution, zeros beyond its ends. [B, L, C].
        upstream: Gradient of the output. [B, L, filters].
        width: Positions of the kernel, odd.
    """
    import tensorflow as tf

    channels, filters = int(x.shape[2]), int(upstream.shape[2])
    x, upstream = _pieces(x), _pieces(upstream)
    reach = width // 2
    # Each piece between the end of the piece before and the start of the next: 2 + 512 + 2.
    before = tf.pad(x[:, :-1, PIECE - reach :], [[0, 0], [1, 0], [0, 0], [0, 0]])
    behind = tf.pad(x[:, 1:, :reach], [[0, 0], [0, 1], [0, 0], [0, 0]])
    rows = tf.reshape(tf.concat([before, x, behind], axis=2), (-1, 1, PIECE + 2 * reach, channels))
    gradient = tf.compat.v1.nn.conv2d_backprop_filter(
        rows,
        [1, width, channels, filters],
        tf.reshape(upstream, (-1, 1, PIECE, filters)),
        strides=[1, 1, 1, 1],
        padding="VALID",
    )
    return gradient[0]


def _pieces(x: "tf.Tensor") -> "tf.Tensor":
    """Divides a track into pieces, with zeros at its end. [B, L, C] -> [B, pieces, PIECE, C]."""
    import tensorflow as tf

    filling = -int(x.shape[1]) % PIECE
    x = tf.pad(x, [[0, 0], [0, filling], [0, 0]]) if filling else x
    return tf.reshape(x, (-1, x.shape[1] // PIECE, PIECE, x.shape[2]))
