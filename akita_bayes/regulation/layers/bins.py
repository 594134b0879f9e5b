"""Layers from the activity of a sequence to the bin of a read, p(bin | t).

bins      hidden = softmax(slope t + bias), p = softmax(hidden V + c)  (Tareen and Kinney 2019)
monotone  the same hidden units with rising slopes; their upper sums S_j(t) = sum_{i>=j} h_i
          rise with t, and so does every adjacent log odds log p_b / p_{b-1} = c_b + S . V_b,
          V >= 0: the bins are ordered by monotone likelihood ratio.
spline    log p_b / p_0 is a natural cubic spline of t or log(1 + t / t0); it has no hidden
          units that could trade places, so a sampler meets one mode and not ten factorial.

Reads of one sequence are independent given t, or resemble each other: overdispersed counts n_b are
Dirichlet-multinomial with a concentration k (Mosimann 1962),

    log p(n | t) = log G(k) / G(k + n) + sum_b log G(k p_b + n_b) / G(k p_b),

so that two reads of one sequence come from the same draw with the probability 1 / (1 + k).
"""

from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from akita_bayes.mechanisms.declarations import Normal
from akita_bayes.regulation.layers.measurement_process import TINY, MeasurementProcess, Weights


class Bins(MeasurementProcess):
    """Models counts of reads in bins by p(bin | t). [B, 1] -> [B, M].

    Args:
        overdispersed: True for Dirichlet-multinomial counts, False for multinomial ones.
        **kwargs: Arguments of `MeasurementProcess`.
    """

    def __init__(self, overdispersed: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.overdispersed = bool(overdispersed)

    @property
    def curve_shapes(self) -> dict[str, tuple[int, ...]]:
        """Returns the shape of every weight of p(bin | t) by name."""
        raise NotImplementedError

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        concentration: dict[str, tuple[int, ...]] = (
            {"log_concentration": ()} if self.overdispersed else {}
        )
        return {**self.curve_shapes, **concentration}

    def start(self, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        weights = self.start_curves(rng)
        return {**weights, "log_concentration": np.asarray(1.0)} if self.overdispersed else weights

    def start_curves(self, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        """Draws random weights of p(bin | t)."""
        return {name: rng.normal(0.0, 0.5, shape) for name, shape in self.curve_shapes.items()}

    def log_bins(self, weights: Weights, activity: Any) -> Any:
        """Computes log p(bin | t). [..., N] -> [..., M, N]."""
        raise NotImplementedError

    def log_multinomial(self, weights: Weights, activity: Any, observed: Any) -> Any:
        """Computes sum_b n_b log p_b. [..., N], [M, N] -> [..., N]."""
        return ops.sum(self.log_bins(weights, activity) * observed, axis=-2)

    def outputs(self, weights: Weights, activity: Any) -> Any:
        return ops.exp(self.log_bins(weights, activity))

    def log_prob(self, weights: Weights, activity: Any, observed: Any, weight: Any) -> Any:
        if not self.overdispersed:
            return self.log_multinomial(weights, activity, observed)
        log_concentration = weights["log_concentration"][..., None]
        log_parts = self.log_bins(weights, activity) + log_concentration[..., None]
        by_bin = log_rising_factorial(ops.exp(log_parts) + TINY, observed)
        reads = ops.sum(observed, axis=-2)
        total = log_rising_factorial(ops.exp(log_concentration), reads)
        return ops.sum(by_bin, axis=-2) - total

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (input_shape[0], self.columns)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "overdispersed": self.overdispersed}


@keras.saving.register_keras_serializable("akita_bayes")
class SoftmaxBins(Bins):
    """Computes p(bin | t) by a dense network with one softmax hidden layer. [B, 1] -> [B, M]."""

    kind = "bins"

    @property
    def curve_shapes(self) -> dict[str, tuple[int, ...]]:
        return {
            "hidden_slope": (self.hidden,),
            "hidden_bias": (self.hidden,),
            "bin_weight": (self.hidden, self.columns),
            "bin_bias": (self.columns,),
        }

    def start_curves(self, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        weights = super().start_curves(rng)
        low, high = (0.0, 1.0) if self.read_out == "activity" else (-8.0, 0.0)
        slope = rng.normal(0.0, 4.0 / (high - low), self.hidden)
        bend = rng.uniform(low, high, self.hidden)
        return {**weights, "hidden_slope": slope, "hidden_bias": -slope * bend}

    def log_bins(self, weights: Weights, activity: Any) -> Any:
        hidden = _softmax(self._hidden_logits(weights["hidden_slope"], weights, activity))
        mix = ops.swapaxes(weights["bin_weight"], -1, -2)
        return _log_softmax(ops.matmul(mix, hidden) + weights["bin_bias"][..., None])

    def _hidden_logits(self, slope: Any, weights: Weights, activity: Any) -> Any:
        signal = ops.log(activity + TINY) if self.read_out == "log_activity" else activity
        bias = weights["hidden_bias"]
        return slope[..., None] * ops.expand_dims(signal, -2) + bias[..., None]


@keras.saving.register_keras_serializable("akita_bayes")
class MonotoneBins(SoftmaxBins):
    """Computes p(bin | t) whose adjacent log odds all rise with t. [B, 1] -> [B, M].

    The bins must be in the order of the signal.
    """

    kind = "monotone_bins"

    @property
    def curve_shapes(self) -> dict[str, tuple[int, ...]]:
        return {
            "log_slope_step": (self.hidden,),
            "hidden_bias": (self.hidden + 1,),
            "log_odds_weight": (self.hidden, self.columns - 1),
            "odds_bias": (self.columns - 1,),
        }

    def start_curves(self, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        weights = Bins.start_curves(self, rng)
        low, high = (0.0, 1.0) if self.read_out == "activity" else (-8.0, 0.0)
        step = np.full(self.hidden, 4.0 / (high - low))
        bends = np.sort(rng.uniform(low, high, self.hidden))
        bias = -np.concatenate([[0.0], np.cumsum(step * bends)])
        return {**weights, "log_slope_step": np.log(step), "hidden_bias": bias}

    def log_bins(self, weights: Weights, activity: Any) -> Any:
        # Steps > 0 make slopes that rise from 0; sums of the hidden units from j on, for j = 1, 2,
        # ..., then rise with t, and positive weights keep the log odds of adjacent bins rising.
        slope = ops.cumsum(ops.exp(weights["log_slope_step"]), axis=-1)
        slope = ops.concatenate([ops.zeros_like(slope[..., :1]), slope], axis=-1)
        hidden = _softmax(self._hidden_logits(slope, weights, activity))
        upper = ops.flip(ops.cumsum(ops.flip(hidden, axis=-2), axis=-2), axis=-2)[..., 1:, :]
        rise = ops.swapaxes(ops.exp(weights["log_odds_weight"]), -1, -2)
        odds = ops.matmul(rise, upper) + weights["odds_bias"][..., None]
        logits = ops.cumsum(odds, axis=-2)
        return _log_softmax(ops.concatenate([ops.zeros_like(logits[..., :1, :]), logits], axis=-2))


@keras.saving.register_keras_serializable("akita_bayes")
class SplineBins(Bins):
    """Computes p(bin | t) whose log odds are natural cubic splines. [B, 1] -> [B, M].

    log p_b / p_0 = s_b(u),  with `hidden` knots evenly spaced over u = 0..1 and a straight line
    beyond (Hastie, Tibshirani and Friedman 2009, section 5.2.1), written in B-splines, whose sums
    lose no digits in float32. u is the activity t, or, where the read-out is `log_activity`,

    u = log(1 + t / t0) / log(1 + 1 / t0),  t0 the background signal of a promoter that is off,

    which is also 0 without transcription and 1 at t = 1, and leans towards small activities.

    The weights are `line`, the log odds of a straight line at u = 0 and 1, and `bend`, the second
    differences of the log odds from knot to knot in units of `ROUGHNESS` step^1.5. Independent
    bends make a random walk of second order (Rue and Held 2005, section 3.4), whose curves are as
    smooth with few knots as with many. Independent values at the knots would not have this
    property: the fit of a curve would then depend on where its turns lie between two knots, and
    the posterior would have one mode for each arrangement of the turns. With too few knots it has
    these modes anyway, since every turn needs a knot.
    """

    kind = "spline_bins"
    ROUGHNESS: ClassVar[float] = 30.0
    """Roughness of the curves, in log odds per u^1.5. Of 5, 15 and 45, Laplace's evidence favours
    15 for the lac reads of Kinney et al. (2010) and 45 for simulated cells; the value lies between
    them. A sampler draws a value of its own.
    """
    priors: ClassVar[dict[str, Normal]] = {
        "log_background": Normal(mean=-4.0, sd=3.0),
        "line": Normal(mean=0.0, sd=10.0),
        "bend": Normal(mean=0.0, sd=1.0),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.hidden < 3:
            raise ValueError(f"SplineBins needs at least 3 knots; got hidden={self.hidden}.")
        knots = np.linspace(0.0, 1.0, self.hidden)
        self._step = 1.0 / (self.hidden - 1)
        to_second = np.diff(np.eye(self.hidden), 2, axis=0)
        scale = self.ROUGHNESS * self._step**1.5
        line = np.stack([1.0 - knots, knots], axis=-1)
        at_knots = np.concatenate([line, np.linalg.pinv(to_second) * scale], axis=-1)
        self._centres = np.linspace(-self._step, 1.0 + self._step, self.hidden + 2)
        self._curves = self._coefficients(at_knots)

    @property
    def curve_shapes(self) -> dict[str, tuple[int, ...]]:
        odds: dict[str, tuple[int, ...]] = {
            "line": (2, self.columns - 1),
            "bend": (self.hidden - 2, self.columns - 1),
        }
        return {"log_background": (), **odds} if self._logarithmic else odds

    @property
    def _logarithmic(self) -> bool:
        return self.read_out == "log_activity"

    def start_curves(self, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        odds = {
            "line": np.outer([-3.0, 3.0], np.linspace(0.0, 0.5, self.columns - 1)),
            "bend": rng.normal(0.0, 0.1, (self.hidden - 2, self.columns - 1)),
        }
        if not self._logarithmic:
            return odds
        return {"log_background": np.asarray(rng.normal(-4.0, 0.5)), **odds}

    def log_bins(self, weights: Weights, activity: Any) -> Any:
        odds = self._log_odds(weights, activity)
        total = _log_one_and(odds)
        return ops.concatenate([-total, odds - total], axis=-2)

    def log_multinomial(self, weights: Weights, activity: Any, observed: Any) -> Any:
        odds = self._log_odds(weights, activity)
        # With odds o_b = log p_b / p_0: sum_b n_b log p_b = sum_b n_b o_b - n log(1 + sum_b e^o_b).
        reads = ops.sum(observed, axis=-2)
        return ops.sum(odds * observed[1:], axis=-2) - reads * _log_one_and(odds)[..., 0, :]

    def position(self, weights: Weights, activity: Any) -> Any:
        """Computes u, the position of each sequence on the axis of the curves. [..., N]."""
        if not self._logarithmic:
            return activity
        inverse = ops.exp(-weights["log_background"])[..., None]
        return ops.log1p(activity * inverse) / ops.log1p(inverse)

    def design(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """Computes the log odds that one unit of each weight adds at u. [G] -> [G, hidden]."""
        basis = ops.convert_to_numpy(self._basis(ops.convert_to_tensor(u, "float64")))
        return np.asarray(basis.T @ self._curves)

    def _log_odds(self, weights: Weights, activity: Any) -> Any:
        """Computes log p_b / p_0 of every bin but the first. [..., N] -> [..., M - 1, N]."""
        u = self.position(weights, activity)
        odds = ops.concatenate([weights["line"], weights["bend"]], axis=-2)
        curves = ops.matmul(ops.cast(self._curves, u.dtype), odds)
        return ops.matmul(ops.swapaxes(curves, -1, -2), self._basis(u))

    def _basis(self, u: Any) -> Any:
        """Evaluates cubic B-splines and the excess over u = 1. [..., N] -> [..., hidden + 3, N].

        With a = |u - centre| / step, a B-spline is ((2 - a)+^3 - 4 (1 - a)+^3) / 6: 4/6 at its
        centre, 1/6 at the two next knots, and 0 from a = 2 on.
        """
        u = u[..., None, :]
        beyond = ops.relu(u - 1.0)
        centres = ops.cast(self._centres[:, None], u.dtype)
        away = ops.absolute(u - beyond - centres) * (1.0 / self._step)
        far, near = ops.relu(2.0 - away), ops.relu(1.0 - away)
        inside = far * far * far * (1 / 6) - near * near * near * (4 / 6)
        return ops.concatenate([inside, beyond], axis=-2)

    def _coefficients(self, at_knots: NDArray[np.float64]) -> NDArray[np.float64]:
        """Solves for the coefficients of the basis of curves with given values at the knots.

        [hidden, C] -> [hidden + 3, C]: B-splines, then the slope of the line beyond u = 1.
        """
        # The value at knot k is (c_{k-1} + 4 c_k + c_{k+1}) / 6; two more rows set the curvature at
        # both ends to 0. The derivative at the last knot is (c_{k+1} - c_{k-1}) / (2 step).
        size = self.hidden
        to_values = np.zeros((size + 2, size + 2))
        for offset, weight in enumerate((1 / 6, 4 / 6, 1 / 6)):
            to_values[np.arange(1, size + 1), np.arange(size) + offset] = weight
        to_values[0, :3] = to_values[-1, -3:] = 1.0, -2.0, 1.0
        inside = np.linalg.solve(to_values, np.pad(at_knots, ((1, 1), (0, 0))))
        slope = (inside[-1:] - inside[-3:-2]) / (2 * self._step)
        return np.concatenate([inside, slope])


def log_rising_factorial(start: Any, count: Any) -> Any:
    """Computes log G(start + count) / G(start) for start > 0 and count >= 0, elementwise.

    Stirling's series at start + 4, whose terms are differences of order `count`: a difference of
    two log gamma functions would lose all digits in float32 where start is large.
    """
    first = start + 4.0
    last = first + count
    ratio = ops.log1p(count / first)
    tail = _stirling(last) - _stirling(first)
    shifted = count * (ops.log(first) - 1.0) + (last - 0.5) * ratio + tail
    # G(a + n) / G(a) = G(a + n + 4) / G(a + 4) / prod_k (1 + n / (a + k)), k = 0 ... 3.
    return shifted - sum(ops.log1p(count / (start + step)) for step in range(4))


def _stirling(z: Any) -> Any:
    """Computes Stirling's correction of log G(z); for z >= 4 its error is below 4e-8."""
    square = 1.0 / (z * z)
    return (1 / 12 - square * (1 / 360 - square / 1260)) / z


def _softmax(logits: Any) -> Any:
    """Computes softmax over the second last axis, written out since XLA is slow at middle axes."""
    shifted = ops.exp(logits - ops.stop_gradient(ops.max(logits, axis=-2, keepdims=True)))
    return shifted / ops.sum(shifted, axis=-2, keepdims=True)


def _log_one_and(logits: Any) -> Any:
    """Computes log(1 + sum of exp logits over the second last axis), and keeps that axis.

    The largest of 0 and the logits is taken out first, so that no exponential overflows.
    """
    top = ops.stop_gradient(ops.relu(ops.max(logits, axis=-2, keepdims=True)))
    return top + ops.log(ops.exp(-top) + ops.sum(ops.exp(logits - top), axis=-2, keepdims=True))


def _log_softmax(logits: Any) -> Any:
    """Computes the logarithm of a softmax over the second last axis."""
    shifted = logits - ops.stop_gradient(ops.max(logits, axis=-2, keepdims=True))
    return shifted - ops.log(ops.sum(ops.exp(shifted), axis=-2, keepdims=True))
