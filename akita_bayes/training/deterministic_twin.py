"""Completes the weights of a simpler network to those of the same network with further layers.

The deterministic twin of a model is the same network without its latents, with dense layers in the
place of layers that draw their weights. A posterior that starts at a trained twin predicts the same
maps at its first step, so that its training decides only what to be unsure about:

    normal_latent       mu(x) = x, sigma = its initial scale; needs as many channels as its input
    dense_variational   means = the weights of the dense layer; scales = the initial scale
    observation noise   its initial value, if the twin has none

A twin may also lack attention: branches with a `layer_scale` start with their first weights, which
hardly change the maps where the factor is small.
"""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from akita_bayes.layers import latent, noise, variational
from akita_bayes.models.checkpoints.stored_layer import StoredLayer
from akita_bayes.models.passes import cut, residual_branches


def complete(model: keras.Model, stored: list[StoredLayer]) -> list[StoredLayer]:
    """Returns the stored layers of a model, from those of the model itself or of its twin.

    Layers that neither the twin, a posterior nor a scaled branch explains are returned as they are.

    Args:
        model: The network. Without posterior layers and scaled branches, it has no twin.
        stored: The layers with weights of a trained network, in their order.

    Raises:
        ValueError: A latent of the model has another number of channels than its input.
    """
    remaining = list(stored)
    branches = {layer.name for layer in residual_branches.scaled(model)}
    if not branches and not cut.posteriors(model):
        return remaining
    layers = []
    for layer in model.layers:
        if not layer.weights:
            continue
        shapes = [array.shape for array in _arrays(layer)]
        if remaining and [array.shape for array in remaining[0].arrays] == shapes:
            layers.append(remaining.pop(0))
        elif isinstance(layer, latent.NormalLatent):
            arrays = layer.identity(layer.input.shape[-1])
            layers.append(StoredLayer(layer.name, [], arrays))
        elif isinstance(layer, noise.ObservationNoise) or layer.name in branches:
            layers.append(StoredLayer(layer.name, [], _arrays(layer)))
        elif isinstance(layer, variational.DenseVariational) and remaining:
            layers.append(_drawn(layer, remaining.pop(0)))
        elif remaining:
            layers.append(remaining.pop(0))
    return layers + remaining


def _drawn(layer: variational.DenseVariational, dense: StoredLayer) -> StoredLayer:
    """Returns a dense layer as weights that are drawn: its flat kernel and bias as their means."""
    means = np.concatenate([array.ravel() for array in dense.arrays])
    first, *scales = _arrays(layer)
    return StoredLayer(layer.name, [], [means, *scales] if means.shape == first.shape else [means])


def _arrays(layer: keras.layers.Layer) -> list[NDArray[Any]]:
    return [weight.numpy() for weight in (*layer.trainable_weights, *layer.non_trainable_weights)]
