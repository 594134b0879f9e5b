import json

import pytest

from akita_bayes import errors
from akita_bayes.blocks import registry
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.models import zoo
from akita_bayes.specs import spec
from tests import tiny


def test_the_vocabulary_is_every_registered_block():
    words = zoo.vocabulary()
    assert words is registry.words()
    assert {"conv_block", "upper_tri", "final", "Cropping1D"} <= set(words)


def test_a_network_is_told_from_a_mechanism(tmp_path, repository):
    path = tmp_path / "params.json"
    path.write_text(json.dumps(tiny.spec_json()))
    assert isinstance(zoo.load_spec(path), spec.Spec)
    assert zoo.load_network(path) == zoo.load_spec(path) == zoo.parse_spec(tiny.spec_json())
    lac = repository / "models" / "json" / "lac_thermodynamic.json"
    assert isinstance(zoo.load_spec(lac), mechanism_spec.Thermodynamic)
    with pytest.raises(errors.SpecError, match=rf"^{lac}: is a mechanism, not .*; mpra_fit\.py"):
        zoo.load_network(lac)
    with pytest.raises(errors.SpecError, match=rf"^{path}: is a network, .*; akita_train\.py"):
        mechanism_spec.load(path)


def test_a_typo_is_told_with_the_nearest_word_of_this_package(tmp_path):
    raw = tiny.spec_json()
    raw["model"]["trunk"][0]["kernel_sise"] = 5
    path = tmp_path / "params.json"
    path.write_text(json.dumps(raw))
    with pytest.raises(
        errors.SpecError,
        match=rf"^{path}: model\.trunk\[0\]\.kernel_sise: no such key in conv_block\. "
        r'Did you mean "kernel_size"\?$',
    ):
        zoo.load_spec(path)


def test_what_is_neither_is_refused(tmp_path):
    path = tmp_path / "params.json"
    path.write_text('{"layers": []}')
    with pytest.raises(errors.SpecError, match=rf"^{path}: layers: no such key"):
        zoo.load_spec(path)
    path.write_text("[]")
    with pytest.raises(errors.SpecError, match=rf"^{path}: spec: expected an object, got \[\]"):
        zoo.load_spec(path)
