"""Weights of AkitaPT, the PyTorch version of Akita v2 (github.com/PSmaruj/akita_pytorch).

Its checkpoints list modules in the order in which Akita v2 applies them, so that layers pair by
order, as those of Keras 2 do. Three facts differ from Akita v2, and `models/json/akita_pt.json` and
this module follow them: dilations are rounded after each growth (1, 2, 3, 5, 8, 13, ...), no ReLU
acts on the pixels before the last layer, and the normalisations of the tower have PyTorch's
epsilon of 1e-5 where the others have 1e-3.
"""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.files import torch_reader
from akita_bayes.models.checkpoints.stored_layer import StoredLayer

EPSILON, TOWER_EPSILON = 1e-3, 1e-5
"""Added to variances by the normalisations of Keras, and by those of AkitaPT's tower."""

_TOWER = "conv_tower."
_AXES = {2: (1, 0), 3: (2, 1, 0), 4: (2, 3, 1, 0)}
"""Axes of a dense, 1-D or 2-D kernel in the order of Keras, outputs last."""

_NORMALISATION = ("weight", "bias", "running_mean", "running_var")


def read(path: str | Path) -> list[StoredLayer]:
    """Reads the layers of a checkpoint, with arrays in the order and the axes of Keras.

    Args:
        path: What `torch.save(model.state_dict(), path)` wrote.

    Raises:
        RunError: The file is damaged, is not a checkpoint of weights, or has a module that is
            neither a convolution, a dense layer nor a batch normalisation.
    """
    state = torch_reader.read(path, error=errors.RunError)
    modules = []
    for module, names in itertools.groupby(state, lambda name: name.rpartition(".")[0]):
        weights = {name.rpartition(".")[2]: state[name] for name in names}
        modules.append((module, _arrays(module, weights, Path(path))))
    layers = []
    # The three modules of squeeze_excite are one layer of Keras.
    for layer, group in itertools.groupby(modules, lambda entry: _layer_of(entry[0])):
        parts = list(group)
        trainable, rest = (
            [array for _, arrays in parts for array in arrays[index]] for index in (0, 1)
        )
        arrays = [*trainable, *rest]
        layers.append(
            StoredLayer(layer, [f"{layer}/{index}" for index in range(len(arrays))], arrays)
        )
    return layers


def _layer_of(module: str) -> str:
    return module.rpartition(".")[0] if module.startswith("squeeze_excite.") else module


def _arrays(
    module: str, weights: dict[str, NDArray[Any]], path: Path
) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """Returns the trainable and the other arrays of a module."""
    kernel, bias = weights.get("weight"), weights.get("bias")
    if set(_NORMALISATION) <= set(weights):
        gamma, beta, mean, variance = (weights[name] for name in _NORMALISATION)
        if module.startswith(_TOWER):
            # gamma / sqrt(v + 1e-5) = gamma' / sqrt(v + 1e-3)
            gamma = gamma * np.sqrt((variance + EPSILON) / (variance + TOWER_EPSILON))
        return [gamma, beta], [mean, variance]
    if kernel is None or kernel.ndim not in _AXES:
        raise errors.RunError(
            f"{path}: {module or 'its first entry'} is neither a convolution, a dense layer nor a "
            f"batch normalisation (it has {', '.join(weights)}); only AkitaPT is read."
        )
    return [kernel.transpose(_AXES[kernel.ndim]), *([] if bias is None else [bias])], []
