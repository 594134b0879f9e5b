"""Keras layers that a spec may name as Keras does, with Keras' own arguments."""

import inspect
from typing import Any

import keras

from akita_bayes.blocks import registry
from akita_bayes.specs import geometry_rules as rules
from akita_bayes.specs.geometry import Traits

ALLOWED = {
    "Activation": Traits(rules.keep),
    "AveragePooling1D": Traits(rules.pool),
    "AveragePooling2D": Traits(rules.pool),
    "Conv1D": Traits(rules.Convolution(unpadded=("kernel",)), output=True),
    "Conv2D": Traits(rules.Convolution(unpadded=("kernel",))),
    "Cropping1D": Traits(rules.crop),
    "Cropping2D": Traits(rules.crop),
    "Dense": Traits(rules.dense, output=True),
    "Dropout": Traits(rules.keep),
    "Flatten": Traits(rules.whole),
    "GaussianNoise": Traits(rules.keep),
    "GlobalAveragePooling1D": Traits(rules.whole),
    "GlobalAveragePooling2D": Traits(rules.whole),
    "LayerNormalization": Traits(rules.keep),
    "MaxPooling1D": Traits(rules.pool),
    "MaxPooling2D": Traits(rules.pool),
    "Reshape": Traits(rules.reshape),
    "SeparableConv1D": Traits(rules.Convolution(unpadded=("kernel",))),
    "UpSampling1D": Traits(rules.upsample),
    "UpSampling2D": Traits(rules.upsample),
    "ZeroPadding1D": Traits(rules.pad),
}
"""Name of each layer -> what a spec has to know of it."""

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
    return registry.Word(block, defaults, dict.fromkeys(defaults, Any), ALLOWED[name])


for _name in ALLOWED:
    registry.add(_name, _word(_name))
