"""Blocks that a spec names: functions from tensor to tensor."""

from akita_bayes.blocks import (
    bayesian,
    conv,
    dense,
    keras_layers,
    nac,
    registry,
    transformers,
    two_dimensional,
)

__all__ = [
    "bayesian",
    "conv",
    "dense",
    "keras_layers",
    "nac",
    "registry",
    "transformers",
    "two_dimensional",
]
