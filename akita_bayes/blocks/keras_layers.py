"""Keras layers that a spec may name as Keras does, with Keras' own arguments."""

import inspect
from typing import Any

import keras

from akita_bayes.blocks import registry

ALLOWED = (
    "Activation",
    "AveragePooling1D",
    "AveragePooling2D",
    "Conv1D",
    "Conv2D",
    "Cropping1D",
    "Cropping2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "LayerNormalization",
    "MaxPooling1D",
    "MaxPooling2D",
    "Reshape",
    "SeparableConv1D",
    "UpSampling1D",
    "UpSampling2D",
    "ZeroPadding1D",
)


# The build sets these, not a spec.
_WITHHELD = ("self", "name", "dtype", "data_format")


def _word(name: str) -> registry.Word:
    # A function of its own for each layer: a closure in the loop below would see the last name.
    layer = getattr(keras.layers, name)

    def block(x: Any, **arguments: Any) -> Any:
        return layer(**arguments)(x)

    parameters = [
        parameter
        for parameter in inspect.signature(layer.__init__).parameters.values()
        if parameter.name not in _WITHHELD and parameter.kind is not parameter.VAR_KEYWORD
    ]
    defaults = {parameter.name: parameter.default for parameter in parameters}
    return registry.Word(block, defaults, dict.fromkeys(defaults, Any))


for _name in ALLOWED:
    registry.add(_name, _word(_name))
