"""The public API: every name resolves, is documented, and is where `__init__` says."""

import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import akita_bayes


@pytest.mark.parametrize("name", akita_bayes.__all__)
def test_a_public_name_resolves_and_is_documented(name: str):
    value = getattr(akita_bayes, name)
    assert inspect.getdoc(value), name


@pytest.mark.parametrize("name", sorted(akita_bayes._PUBLIC))
def test_a_public_function_takes_keywords_after_its_second_argument(name: str):
    function = getattr(akita_bayes, name)
    assert function.__module__ == akita_bayes._PUBLIC[name]
    positional = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind not in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD)
    ]
    assert len(positional) <= 2
    hints = inspect.signature(function)
    assert hints.return_annotation is not inspect.Signature.empty
    assert all(p.annotation is not p.empty for p in hints.parameters.values())


def test_a_genome_is_a_path_as_text_or_as_an_object():
    signatures = [inspect.signature(getattr(akita_bayes, name)) for name in akita_bayes._PUBLIC]
    genomes = [s.parameters["fasta"].annotation for s in signatures if "fasta" in s.parameters]
    assert len(genomes) >= 4
    assert set(genomes) == {str | Path}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'utils'"):
        akita_bayes.utils  # noqa: B018


@pytest.mark.parametrize(
    "room", ["akita_bayes", *(f"akita_bayes.{m}" for m in akita_bayes._MODULES)]
)
def test_no_module_hides_a_public_name(room: str):
    """Python binds an imported module `a.b` to the name b in a, over a function of that name."""
    package = importlib.import_module(room)
    modules = {module.name for module in pkgutil.iter_modules(getattr(package, "__path__", []))}
    assert not modules & set(getattr(package, "_PUBLIC", ()))
