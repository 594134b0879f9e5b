r"""Normal distributions around an output: the noise of a measurement, and a stated spread.

`ObservationNoise` holds the noise of a Gaussian likelihood, learned together with the mean.
`NormalOutput` states the spread of a prediction, as a network learns it from an ensemble:

    f(x) = m(x) + s(x) z,   z ~ N(0, 1),   one z for all pixels, targets and examples of a draw

All pixels move together in a draw: the spread of a sum of pixels is the sum of their spreads, which
is the largest that it can be. The values of z are not random. Each 8 successive draws take the
medians of the eighths of N(0, 1), scaled such that mean and standard deviation over 8, 16, 24 ...
draws equal m and s exactly.
"""

import math
import statistics
from typing import Any

import keras
import numpy as np
from keras import ops

from akita_bayes import triangle
from akita_bayes.layers import Shape, stochastic

DEPENDENCES = ("target", "target_distance")


@keras.saving.register_keras_serializable("akita_bayes")
class ObservationNoise(keras.layers.Layer):
    """Passes predictions unchanged and holds the standard deviation of measurements around them.

    y ~ N(x, sd^2), with log sd a float32 weight per target, or per target and genomic distance.
    [B, P, T] -> [B, P, T].

    Args:
        per: 'target', or 'target_distance' for a map.
        initial: Initial standard deviation, in units of the target.
        diagonal_offset: First diagonal of the map's triangle; only for 'target_distance'.
    """

    def __init__(
        self,
        per: str = "target",
        initial: float = 1.0,
        diagonal_offset: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if per not in DEPENDENCES:
            raise ValueError(f"ObservationNoise knows {' and '.join(DEPENDENCES)}; got {per!r}.")
        if per == "target_distance" and diagonal_offset is None:
            raise ValueError(
                "ObservationNoise per target_distance needs a map: give its diagonal_offset."
            )
        self.per = per
        self.initial = initial
        self.diagonal_offset = diagonal_offset

    def build(self, input_shape: Shape) -> None:
        _, pixels, targets = input_shape
        # Row of log_sd for each pixel: its distance above the offset, or 0 for all of a target.
        row = np.zeros(1, np.int32)
        if self.per == "target_distance" and self.diagonal_offset is not None:
            bins = triangle.bins(pixels, self.diagonal_offset)
            distance = triangle.distances(bins, self.diagonal_offset)
            row = (distance - self.diagonal_offset).astype(np.int32)
        self._row = row
        self.log_sd = self.add_weight(
            name="log_sd",
            shape=(int(row.max()) + 1, targets),
            initializer=keras.initializers.Constant(math.log(self.initial)),
            dtype="float32",
            autocast=False,
        )

    def call(self, x: Any) -> Any:
        return x

    def sd(self) -> Any:
        """Computes the standard deviation of a measurement, float32. [P, T] or [1, T]."""
        return ops.exp(ops.take(ops.convert_to_tensor(self.log_sd), self._row, axis=0))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "per": self.per,
            "initial": self.initial,
            "diagonal_offset": self.diagonal_offset,
        }


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
