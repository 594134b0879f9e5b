"""TensorFlow Probability's distributions for the Keras backend in use, imported when first used.

A network without a posterior layer then does not need the library and does not wait for it.
"""

import importlib
import importlib.util
from typing import Any

import keras

from akita_bayes import errors


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
    if importlib.util.find_spec("tensorflow_probability") is None:
        raise errors.RunError(
            "tensorflow-probability is not installed, which layers with a posterior need; install "
            'it: pip install "tensorflow-probability[tf]".'
        )
