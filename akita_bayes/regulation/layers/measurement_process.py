"""The base of every p(measurement | t): a layer, and pure functions of its weights.

Many sets of weights (starts of a fit, chains of a sampler) can be evaluated at once: weights carry
leading axes [...], and the activity is [..., N] with the sequences last.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from akita_bayes.mechanisms.declarations import Normal

TINY = 1e-30
"""Keeps the logarithm of an activity of 0 finite."""

Weights = Mapping[str, Any]


class MeasurementProcess(keras.layers.Layer):
    """Maps activity to the parameters of the data's distribution. [B, 1] -> [B, outputs].

    Args:
        columns: Number of columns M of the table: bins, or 1 for a single read-out.
        hidden: Width H of the hidden layer of the bins.
        read_out: Signal of the bins, `activity` or `log_activity`.
    """

    kind: ClassVar[str]
    priors: ClassVar[dict[str, Normal]] = {}
    """Priors of weights with a scale of their own; the others have the spec's `weight_prior`."""

    def __init__(
        self, columns: int = 1, hidden: int = 10, read_out: str = "activity", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.columns = int(columns)
        self.hidden = int(hidden)
        self.read_out = read_out
        self.units: dict[str, str] = {}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Returns the shape of every weight by name; names with log_ hold logarithms."""
        raise NotImplementedError

    def start(self, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        """Draws random weights for the start of a fit."""
        return {name: rng.normal(0.0, 0.5, shape) for name, shape in self.shapes.items()}

    def natural(self, name: str) -> tuple[float, float]:
        """Returns (s, f) of a weight w; its value in the unit of the data is s + f w."""
        return 0.0, 1.0

    def outputs(self, weights: Weights, activity: Any) -> Any:
        """Computes the parameters of the distribution. [..., N] -> [..., outputs, N]."""
        raise NotImplementedError

    def log_prob(self, weights: Weights, activity: Any, observed: Any, weight: Any) -> Any:
        """Computes the log-likelihood of each sequence's data.

        Args:
            weights: Weights by name, each [..., *shape].
            activity: [..., N] activity of each sequence.
            observed: [M, N] counts per bin, or the read-out.
            weight: [N] number of replicates behind a mean read-out, or exposure of a count.

        Returns:
            [..., N] in nats; the multinomial coefficient of bins is left out.
        """
        raise NotImplementedError

    def build(self, input_shape: tuple[int, ...]) -> None:
        start = self.start(np.random.default_rng(0))
        self.weights_by_name = {
            name: self.add_weight(
                shape=shape, initializer=keras.initializers.Constant(start[name]), name=name
            )
            for name, shape in self.shapes.items()
        }
        self.units = {name: _unit(name) for name in self.shapes}

    def call(self, activity: Any) -> Any:
        return ops.transpose(self.outputs(self.weights_by_name, activity[:, 0]))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {
            **config,
            "columns": self.columns,
            "hidden": self.hidden,
            "read_out": self.read_out,
        }


def _unit(name: str) -> str:
    return f"ln({name.removeprefix('log_')})" if name.startswith("log_") else "1"
