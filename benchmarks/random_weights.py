"""Weights away from their starting values, so that a folded normalisation is not trivial."""

from typing import Any

import numpy as np


def assign(model: Any) -> None:
    """Draws scales, offsets and statistics of all normalisations of a model."""
    random = np.random.default_rng(1)
    for variable in model.variables:
        if "gamma" in variable.path:
            variable.assign(random.normal(1, 0.2, variable.shape))
        elif "beta" in variable.path or "moving_mean" in variable.path:
            variable.assign(random.normal(0, 0.2, variable.shape))
        elif "moving_variance" in variable.path:
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
