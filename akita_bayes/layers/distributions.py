"""TensorFlow Probability's distributions for the Keras backend in use, imported when first used.

A network without a posterior layer then does not need the library and does not wait for it.
"""

import importlib
from typing import Any

import keras

from akita_bayes.origins import optional


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    jax = keras.backend.backend() == "jax"
    package = "tensorflow_probability" + (".substrates.jax" if jax else "")
    return getattr(importlib.import_module(package).distributions, name)


def check_installed() -> None:
    """Checks that the library is installed, without importing it.

    Raises:
        RunError: It is not installed.
    """
    optional.check("tensorflow_probability", "a layer with a posterior")
