"""Checks that packages are installed which only some uses need, without importing them."""

import importlib.util

from akita_bayes import errors

PIP = {
    "cooltools": "'akita_bayes[cooltools]' (pip builds it with a C compiler and Python's headers)",
    "tensorflow_probability": '"tensorflow-probability[tf]"',
}
"""Module -> what to install by pip."""


def is_installed(module: str) -> bool:
    """Returns True when a module can be imported."""
    return importlib.util.find_spec(module) is not None


def advice(module: str) -> str:
    """Returns how to install a module, as the end of a sentence."""
    return f"install it by pip install {PIP[module]}"


def check(module: str, use: str) -> None:
    """Checks that a module is installed.

    Args:
        module: Name of the module, one of `PIP`.
        use: What needs it, the beginning of the sentence.

    Raises:
        RunError: It is not installed; the message says how to install it.
    """
    if not is_installed(module):
        raise errors.RunError(f"{use} needs the package {module}; {advice(module)}.")
