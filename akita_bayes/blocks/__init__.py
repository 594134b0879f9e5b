"""The words of a spec: functions from tensor to tensor."""

from akita_bayes.blocks import (
    attention,
    conv,
    dense,
    keras_layers,
    latent,
    nac,
    pairwise,
    registry,
)

__all__ = ["attention", "conv", "dense", "keras_layers", "latent", "nac", "pairwise", "registry"]
