r"""An output that states its own spread: a normal distribution around each predicted value.

    f(x) = m(x) + s(x) z,   z ~ N(0, 1),   one z for all pixels, targets and examples of a draw

A network learns m and s from the mean and the standard deviation of an ensemble, so its draws have
the ensemble's spread at every pixel. All pixels move together in a draw: the spread of a sum of
pixels is the sum of their spreads, which is the largest that it can be.

The values of z are not random. Each 8 successive draws take the medians of the eighths of N(0, 1),
scaled such that mean and standard deviation over 8, 16, 24 ... draws equal m and s exactly.
"""

import math
import statistics
from typing import Any

import keras
import numpy as np
from keras import ops

from akita_bayes.layers import stochastic
from akita_bayes.layers.shapes import Shape

CYCLE = 8
"""Draws after which mean and standard deviation of all draws are exact."""

_ORDER = (2, 1, 3, 0)  # Few draws, such as 2 or 4, then have a spread near s too.


def _cycles() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Returns z of the draws of the first cycle and of every later cycle. [2, CYCLE]."""
    normal = statistics.NormalDist()
    medians = [normal.inv_cdf((CYCLE + 1 + 2 * rank) / (2 * CYCLE)) for rank in _ORDER]
    z = np.array([sign * median for median in medians for sign in (1, -1)])
    squares = float(np.sum(z**2))
    # The variance of S draws is their sum of squares / (S - 1): the squares of 8 draws add up to 7,
    # those of 16 draws to 15.
    first, later = math.sqrt((CYCLE - 1) / squares), math.sqrt(CYCLE / squares)
    return np.stack([first * z, later * z]).astype(np.float32)


_Z = _cycles()


@keras.saving.register_keras_serializable("akita_bayes")
class NormalOutput(keras.layers.Layer):
    """Passes the mean, or when drawing the mean plus z times the standard deviation.

    Takes [mean, sd], [B, ..., T] both, and returns [B, ..., T]. Training passes the mean.
    """

    def call(self, inputs: Any) -> Any:
        mean, sd = inputs
        number = stochastic.draw_number()
        return mean if number is None else mean + sd * ops.cast(standard(number), sd.dtype)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return tuple(input_shape[0])


def standard(number: Any) -> Any:
    """Returns z of a draw, float32. []."""
    number = ops.cast(number, "int32")
    cycle = ops.minimum(number // CYCLE, 1)
    return ops.take(ops.convert_to_tensor(_Z.ravel()), cycle * CYCLE + number % CYCLE)
