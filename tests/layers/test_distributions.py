import importlib
import types

import keras
import pytest
import tensorflow_probability as tfp

from akita_bayes.layers import distributions


def test_names_are_those_of_tensorflow_probability():
    assert distributions.Normal is tfp.distributions.Normal
    with pytest.raises(AttributeError, match="Norml"):
        _ = distributions.Norml


@pytest.mark.parametrize(("backend", "package"), [("jax", ".substrates.jax"), ("tensorflow", "")])
def test_the_library_of_the_backend_is_imported_when_first_needed(monkeypatch, backend, package):
    """And not for the names that Python itself looks up in a module."""
    asked = []

    def imported(name):
        asked.append(name)
        return types.SimpleNamespace(distributions=types.SimpleNamespace(Normal="normal"))

    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    monkeypatch.setattr(importlib, "import_module", imported)
    assert not hasattr(distributions, "__path__")
    assert not asked
    assert distributions.Normal == "normal"
    assert asked == [f"tensorflow_probability{package}"]
