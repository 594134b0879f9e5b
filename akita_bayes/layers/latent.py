"""A Gaussian latent: q(z | x) = N(mu(x), sigma(x)^2) against the prior N(m, s^2).

    KL(q || p) = log(s / sigma) + (sigma^2 + (mu - m)^2) / (2 s^2) - 1 / 2      per dimension

(Kingma & Welling 2014). mu and sigma are linear in x, sigma through a softplus.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from akita_bayes.layers import Shape, stochastic
from akita_bayes.layers import distributions as tfd

_MIN_SCALE = 1e-6


@keras.saving.register_keras_serializable("akita_bayes")
class NormalLatent(keras.layers.Layer):
    """Passes z ~ q(z | x) in training or when drawing, the mean of q otherwise.

    [B, ..., C] -> [B, ..., Z]. `stochastic` explains how to draw, and how to read the divergence
    per example and dimension. Outside a collector, training adds the divergence, as a mean over
    examples, to `losses`. This fits a log-likelihood that is summed over pixels, not a mean.

    Args:
        units: Latent channels Z.
        prior_mean: Mean m of the prior.
        prior_scale: Standard deviation s of the prior.
        initial_scale: Initial sigma; small, so that the decoder first receives the signal.
        kernel_initializer: Initializer of the kernels of both maps.
        seed: Seed of the generator; None draws a seed.
    """

    def __init__(
        self,
        units: int = 64,
        *,
        prior_mean: float = 0.0,
        prior_scale: float = 1.0,
        initial_scale: float = 0.1,
        kernel_initializer: str = "glorot_uniform",
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.prior_mean = prior_mean
        self.prior_scale = prior_scale
        self.initial_scale = initial_scale
        self.kernel_initializer = kernel_initializer
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Shape) -> None:
        tfd.check_installed()
        self.mean = self._map(0.0, input_shape)
        self.raw_scale = self._map(self._raw_scale_at_start(), input_shape)

    def _raw_scale_at_start(self) -> float:
        """Returns the bias with which sigma is about `initial_scale`: log(expm1(s))."""
        return math.log(math.expm1(self.initial_scale))

    def _map(self, bias: float, input_shape: Shape) -> keras.layers.Dense:
        layer = keras.layers.Dense(
            self.units,
            kernel_initializer=self.kernel_initializer,
            bias_initializer=keras.initializers.Constant(bias),
            dtype=self.dtype_policy,
        )
        layer.build(input_shape)
        return layer

    @property
    def prior(self) -> "tfd.Normal":
        """Returns p(z), the same for every dimension."""
        return tfd.Normal(self.prior_mean, self.prior_scale)

    def posterior(self, x: Any) -> "tfd.Normal":
        """Computes q(z | x), in float32 under any policy; batch shape [B, ..., Z]."""
        scale = ops.softplus(ops.cast(self.raw_scale(x), "float32")) + _MIN_SCALE
        return tfd.Normal(ops.cast(self.mean(x), "float32"), scale)

    def identity(self, channels: int) -> list[NDArray[Any]]:
        """Returns weights for which mu(x) = x and sigma is `initial_scale`, in the order of Keras.

        Args:
            channels: Channels C of the input.

        Raises:
            ValueError: The latent has another number of channels than its input.
        """
        if channels != self.units:
            raise ValueError(
                f"the latent {self.name} has {self.units} channels, but its input has {channels}"
            )
        zeros = np.zeros((channels, channels), np.float32)
        raw_scale = np.full(channels, self._raw_scale_at_start(), np.float32)
        return [np.eye(channels, dtype=np.float32), zeros[0], zeros, raw_scale]

    def call(self, x: Any, training: bool | None = None) -> Any:
        posterior = self.posterior(x)
        z = posterior.mean()
        if stochastic.samples(training):
            shape = (*x.shape[1:-1], self.units)
            z = z + posterior.stddev() * stochastic.noise(x, shape, self.seed_generator)
        if stochastic.reports(training):
            stochastic.report(self, self._divergence(posterior, z))
        return ops.cast(z, self.compute_dtype)

    def _divergence(self, posterior: "tfd.Normal", z: Any) -> stochastic.Divergence:
        dimensions = tuple(range(1, len(z.shape)))
        log_ratio = self.prior.log_prob(z) - posterior.log_prob(z)
        return stochastic.Divergence(
            self.name,
            tfd.kl_divergence(posterior, self.prior),
            ops.sum(log_ratio, axis=dimensions),
            1.0,
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return *input_shape[:-1], self.units

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "prior_mean": self.prior_mean,
            "prior_scale": self.prior_scale,
            "initial_scale": self.initial_scale,
            "kernel_initializer": self.kernel_initializer,
            "seed": self.seed,
        }
