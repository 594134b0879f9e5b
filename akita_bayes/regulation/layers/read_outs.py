"""Layers from the activity of a sequence to one measured number, p(y | t).

    gaussian  y ~ N(a + b log(t + t0), sd^2), b > 0: background t0; absolute: N(t, sd^2).
    skewed    the same with a two-piece normal: sd * g above the mode and sd / g below
              (Fernandez and Steel 1998).
    outliers  the same normal, and a share of read-outs with a larger sd (Tukey 1960).
    poisson   y ~ Poisson(exposure * a (t + t0)).

Where a continuous y is the mean of n replicates, sd is that of one replicate, and the mean has
sd / sqrt(n). `skewed` keeps its shape for every n, although a mean of many would be symmetric.

The unit of a continuous y is free: the layer has a, b and sd relative to an origin and a unit (the
mean and the standard deviation of the data), where their priors are of order 1.

A fit takes the logarithm of these densities and a simulation draws from them: both see one layer.
"""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from akita_bayes.regulation.layers.measurement_process import TINY, MeasurementProcess, Weights


class ReadOut(MeasurementProcess):
    """Models one number per sequence, which is fitted or drawn. [B, 1] -> [B, outputs]."""

    def draw(
        self,
        weights: Weights,
        activity: NDArray[np.float64],
        weight: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Draws the read-out of each sequence. [N] -> [N].

        Args:
            weights: One set of weights, by name.
            activity: [N] activity of each sequence.
            weight: [N] number of replicates behind a mean read-out, or exposure of a count.
            rng: Source of the noise.
        """
        arrays = {name: np.asarray(value, float) for name, value in weights.items()}
        outputs = np.asarray(self.outputs(arrays, np.asarray(activity, float)), float)
        return self._noisy(outputs, weight, rng)

    def _noisy(
        self, outputs: NDArray[np.float64], weight: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Draws from the distributions with these parameters. [outputs, N] -> [N]."""
        raise NotImplementedError


@keras.saving.register_keras_serializable("akita_bayes")
class GaussianNoise(ReadOut):
    """Models a read-out with Gaussian noise. [B, 1] -> [B, 2]: mean and standard deviation.

    Args:
        origin: Value of the read-out at which `offset` is 0.
        unit: Unit of offset, slope and standard deviation, in the unit of the read-out.
        slope: Declared b in the unit of the read-out; None to fit it.
        absolute: True for t itself in place of a + b log(t + t0).
        **kwargs: Arguments of `MeasurementProcess`.
    """

    kind = "gaussian"

    def __init__(
        self,
        origin: float = 0.0,
        unit: float = 1.0,
        slope: float | None = None,
        absolute: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.origin = float(origin)
        self.unit = float(unit)
        self.slope = None if slope is None else float(slope)
        self.absolute = bool(absolute)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        needed = {
            "offset": not self.absolute,
            "log_slope": not self.absolute and self.slope is None,
            "log_background": not self.absolute,
            "log_sd": True,
        }
        return {name: () for name, is_needed in needed.items() if is_needed}

    def start(self, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        weights = super().start(rng)
        if self.absolute:
            return weights
        return {**weights, "log_background": np.asarray(rng.normal(-4.0, 0.5))}

    def natural(self, name: str) -> tuple[float, float]:
        if name == "offset":
            return self.origin, self.unit
        # b_data = unit * b, so that log b_data = log unit + log b.
        return (np.log(self.unit), 1.0) if name in ("log_slope", "log_sd") else (0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {
            **config,
            "origin": self.origin,
            "unit": self.unit,
            "slope": self.slope,
            "absolute": self.absolute,
        }

    def location(self, weights: Weights, activity: Any) -> Any:
        """Computes the mean of y, relative to origin and unit. [..., N] -> [..., N]."""
        if self.absolute:
            return (activity - self.origin) / self.unit
        background = ops.exp(weights["log_background"])[..., None]
        signal = ops.log(activity + background + TINY)
        if self.slope is None:
            slope = ops.exp(weights["log_slope"])[..., None]
        else:
            slope = self.slope / self.unit
        return weights["offset"][..., None] + slope * signal

    def outputs(self, weights: Weights, activity: Any) -> Any:
        location = self.location(weights, activity)
        sd = ops.exp(weights["log_sd"][..., None] + ops.zeros_like(location))
        return ops.stack([self.origin + self.unit * location, self.unit * sd], axis=-2)

    def log_prob(self, weights: Weights, activity: Any, observed: Any, weight: Any) -> Any:
        z = self._deviation(weights, activity, observed, weight)
        return -0.5 * z * z - self._log_scale(weights, weight)

    def _noisy(
        self, outputs: NDArray[np.float64], weight: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        mean, sd = outputs
        return np.asarray(mean + rng.normal(0.0, sd / np.sqrt(weight)))

    def _deviation(self, weights: Weights, activity: Any, observed: Any, weight: Any) -> Any:
        """Computes (y - location) / sd for y the mean of `weight` replicates. [..., N]."""
        standard = (observed[0] - self.origin) / self.unit
        log_sd = weights["log_sd"][..., None] - 0.5 * ops.log(weight)
        return (standard - self.location(weights, activity)) * ops.exp(-log_sd)

    def _log_scale(self, weights: Weights, weight: Any) -> Any:
        """Computes log(sd sqrt(2 pi)), with sd in the unit of the read-out. [..., N]."""
        log_sd = weights["log_sd"][..., None] - 0.5 * ops.log(weight)
        return log_sd + np.log(self.unit) + 0.5 * np.log(2 * np.pi)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (input_shape[0], 2)


@keras.saving.register_keras_serializable("akita_bayes")
class SkewedNoise(GaussianNoise):
    """Models a read-out with two-piece normal noise. [B, 1] -> [B, 3]: mode, sd below, sd above."""

    kind = "skewed"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {**super().shapes, "log_skew": ()}

    def outputs(self, weights: Weights, activity: Any) -> Any:
        mode = self.location(weights, activity)
        zero = ops.zeros_like(mode)
        log_sd, log_skew = weights["log_sd"][..., None], weights["log_skew"][..., None]
        below, above = ops.exp(log_sd - log_skew + zero), ops.exp(log_sd + log_skew + zero)
        mode = self.origin + self.unit * mode
        return ops.stack([mode, self.unit * below, self.unit * above], axis=-2)

    def log_prob(self, weights: Weights, activity: Any, observed: Any, weight: Any) -> Any:
        log_skew = weights["log_skew"][..., None]
        z = self._deviation(weights, activity, observed, weight)
        z = z * ops.exp(-log_skew * ops.sign(z))  # sd g above the mode, sd / g below
        spread = ops.log(0.5 * (ops.exp(log_skew) + ops.exp(-log_skew)))
        return -0.5 * z * z - spread - self._log_scale(weights, weight)

    def _noisy(
        self, outputs: NDArray[np.float64], weight: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        mode, below, above = outputs
        # Both halves have the same height at the mode, so their chances are proportional to their
        # widths: sd 2 above and 0.5 below give chances 4 : 1.
        side = np.where(rng.random(len(mode)) < above / (above + below), above, -below)
        return np.asarray(mode + side * np.abs(rng.normal(0.0, 1.0, len(mode))) / np.sqrt(weight))

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (input_shape[0], 3)


@keras.saving.register_keras_serializable("akita_bayes")
class OutlierNoise(GaussianNoise):
    """Models a read-out of which a share has a larger standard deviation.

    [B, 1] -> [B, 4]: mean, sd, sd of the outliers, and their share. The sd of the outliers is
    sd (1 + e^log_excess), and their share 1 / (1 + e^-logit_share).
    """

    kind = "outliers"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {**super().shapes, "log_excess": (), "logit_share": ()}

    def start(self, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        return {**super().start(rng), "logit_share": np.asarray(rng.normal(-2.0, 0.5))}

    def outputs(self, weights: Weights, activity: Any) -> Any:
        mean = self.location(weights, activity)
        zero = ops.zeros_like(mean)
        sd = ops.exp(weights["log_sd"][..., None] + zero)
        ratio = 1.0 + ops.exp(weights["log_excess"][..., None])
        share = ops.sigmoid(weights["logit_share"][..., None] + zero)
        mean = self.origin + self.unit * mean
        return ops.stack([mean, self.unit * sd, self.unit * sd * ratio, share], axis=-2)

    def log_prob(self, weights: Weights, activity: Any, observed: Any, weight: Any) -> Any:
        z = self._deviation(weights, activity, observed, weight)
        log_ratio = ops.softplus(weights["log_excess"][..., None])  # ln(1 + e^log_excess)
        logit = weights["logit_share"][..., None]
        usual = ops.log_sigmoid(-logit) - 0.5 * z * z
        scaled = z * ops.exp(-log_ratio)
        outlying = ops.log_sigmoid(logit) - 0.5 * scaled * scaled - log_ratio
        return ops.logaddexp(usual, outlying) - self._log_scale(weights, weight)

    def _noisy(
        self, outputs: NDArray[np.float64], weight: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        mean, sd, sd_outliers, share = outputs
        sd = np.where(rng.random(len(mean)) < share, sd_outliers, sd)
        return np.asarray(mean + rng.normal(0.0, sd / np.sqrt(weight)))

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (input_shape[0], 4)


@keras.saving.register_keras_serializable("akita_bayes")
class PoissonCounts(ReadOut):
    """Models counts with mean exposure * a (t + t0). [B, 1] -> [B, 1]: the mean per exposure."""

    kind = "poisson"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"log_scale": (), "log_background": ()}

    def start(self, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        return {**super().start(rng), "log_background": np.asarray(rng.normal(-4.0, 0.5))}

    def log_mean(self, weights: Weights, activity: Any) -> Any:
        """Computes the log of the mean count per exposure. [..., N] -> [..., N]."""
        background = ops.exp(weights["log_background"])[..., None]
        return weights["log_scale"][..., None] + ops.log(activity + background + TINY)

    def outputs(self, weights: Weights, activity: Any) -> Any:
        return ops.expand_dims(ops.exp(self.log_mean(weights, activity)), -2)

    def log_prob(self, weights: Weights, activity: Any, observed: Any, weight: Any) -> Any:
        """Computes the log-likelihood without the log factorial, on which no weight depends."""
        log_mean = self.log_mean(weights, activity) + ops.log(weight)
        return observed[0] * log_mean - ops.exp(log_mean)

    def _noisy(
        self, outputs: NDArray[np.float64], weight: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        return np.asarray(rng.poisson(weight * outputs[0]).astype(float))

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (input_shape[0], 1)
