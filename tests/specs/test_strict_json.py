"""The same mistake is refused by the same words in every kind of file."""

import copy
import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.simulate import design_json, designs
from akita_bayes.specs import spec, strict_json
from tests.mechanism_json import CYCLE, TWO_SITES
from tests.spec_json import VOCABULARY, raw

DESIGN = {"version": "1", "seed": 3, "design": dataclasses.asdict(designs.Design())}
KINDS = {
    "network": (raw(), lambda path: spec.load(path, VOCABULARY)),
    "training": (raw(), lambda path: spec.load(path, VOCABULARY)),
    "thermodynamic": (TWO_SITES, mechanism_spec.load),
    "kinetic": (CYCLE, mechanism_spec.load),
    "design": (DESIGN, lambda path: design_json.read(path.parent)),
}
"""Kind of file -> a valid value, and the function that reads it."""

VALUES = {
    "network": {
        "integer": "model.trunk[1].filters",
        "number": "model.trunk[0].dropout",
        "boolean": "model.augment_rc",
        "text": "model.trunk[0].padding",
        "list": "model.strand_pair",
    },
    "training": {
        "integer": "train.batch_size",
        "number": "train.learning_rate",
        "choice": "train.loss",
        "object": "train.swa",
        "text": "model.activation",
    },
    "thermodynamic": {
        "integer": "sequence_length",
        "number": "temperature",
        "boolean": "measurement.relative",
        "choice": "measurement.kind",
        "text": "name",
        "object": "energies.ab",
        "list": "states.ab.energies",
        "pair": "energies.a.site",
    },
    "kinetic": {
        "integer": "measurement.hidden",
        "number": "rates.k3.value",
        "text": "species[1]",
        "object": "rates.k1.prior",
        "list": "product",
        "pair": "rates.k1.site",
    },
    "design": {
        "integer": "design.physics.bin_size",
        "number": "design.depth",
        "text": "design.physics.cell_types[1]",
        "object": "design.landscape",
        "list": "design.physics.corepressors",
        "pair": "design.physics.corepressors[0].gap",
    },
}
"""Kind of file -> kind of value -> path of such a value."""

MISTAKES = [
    ("integer", "8", 'expected a whole number, got "8".'),
    ("integer", 8.5, "expected a whole number, got 8.5."),
    ("integer", 8.0, "expected a whole number, got 8.0."),
    ("integer", True, "expected a whole number, got true."),
    ("integer", float("nan"), "expected a finite number below 1e+300, got NaN."),
    ("number", "310", 'expected a number, got "310".'),
    ("number", False, "expected a number, got false."),
    ("number", [1.0], "expected a number, got [1.0]."),
    ("number", float("nan"), "expected a finite number below 1e+300, got NaN."),
    ("number", float("inf"), "expected a finite number below 1e+300, got Infinity."),
    ("number", -float("inf"), "expected a finite number below 1e+300, got -Infinity."),
    ("number", 1e300, "expected a finite number below 1e+300, got 1e+300."),
    ("boolean", 1, "expected true or false, got 1."),
    ("boolean", "true", 'expected true or false, got "true".'),
    ("text", 3, "expected text in quotes, got 3."),
    ("text", ["a"], 'expected text in quotes, got ["a"].'),
    ("list", "k3", 'expected a list, got "k3".'),
    ("list", {}, "expected a list, got {}."),
    ("object", [], "expected an object, got []."),
    ("object", 3, "expected an object, got 3."),
    ("pair", [1], "expected a list of 2, got [1]."),
    ("pair", [1, 2, 3], "expected a list of 2, got [1, 2, 3]."),
]
ROWS = [
    (kind, VALUES[kind][value], wrong, message)
    for value, wrong, message in MISTAKES
    for kind in VALUES
    if value in VALUES[kind]
]
KEYS = {
    "network": ("model.trunk[1]", "filters", "filtres", " in conv_tower"),
    "training": ("train", "batch_size", "batch_sise", ""),
    "thermodynamic": ("energies.a", "site", "sites", ""),
    "kinetic": ("rates.k1", "from", "form", ""),
    "design": ("design.physics.corepressors[0].motif", "consensus", "concensus", ""),
}
"""Kind of file -> path of an object, a key that it has, a misspelling, and the block's name."""


def changed(content: Any, path: str, value: Any) -> Any:
    """A copy with one value set, or removed where it is `...`; `path` as in error messages."""
    content = json.loads(json.dumps(content))
    *steps, last = path.replace("[", ".").replace("]", "").split(".")
    inner = content
    for step in steps:
        inner = inner[int(step)] if step.isdigit() else inner.setdefault(step, {})
    if value is ...:
        inner.pop(last, None)
    else:
        inner[int(last) if last.isdigit() else last] = value
    return content


def refusal(kind: str, text: str, folder: Any) -> str:
    """The message for a file, without the name of the file and without the last advice."""
    path = folder / design_json.FILE
    path.write_text(text, encoding="utf-8")
    with pytest.raises(errors.AkitaBayesError) as caught:
        KINDS[kind][1](path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ").removesuffix(" Simulate again, with this version.")


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_are_valid_before_the_mistake(kind, tmp_path):
    path = tmp_path / design_json.FILE
    path.write_text(json.dumps(KINDS[kind][0]), encoding="utf-8")
    assert KINDS[kind][1](path) is not None


@pytest.mark.parametrize(("kind", "path", "wrong", "message"), ROWS, ids=str)
def test_a_value_of_another_type_is_refused_in_the_same_words(kind, path, wrong, message, tmp_path):
    text = json.dumps(changed(KINDS[kind][0], path, wrong))
    assert refusal(kind, text, tmp_path) == f"{path}: {message}"


@pytest.mark.parametrize("kind", KEYS)
def test_a_misspelt_key_is_refused_with_the_nearest_word(kind, tmp_path):
    path, key, wrong, owner = KEYS[kind]
    content = changed(KINDS[kind][0], f"{path}.{wrong}", 1)
    message = refusal(kind, json.dumps(content), tmp_path)
    assert message == f'{path}.{wrong}: no such key{owner}. Did you mean "{key}"?'


@pytest.mark.parametrize(
    ("kind", "path", "owner"),
    [
        ("network", "model.trunk[1].filters", "conv_tower needs it"),
        ("network", "model", "add it"),
        ("network", "model.trunk", "add it"),
        ("thermodynamic", "sequence_length", "add it"),
        ("kinetic", "rates.k1.from", "add it"),
        ("kinetic", "kind", "add it"),
        ("design", "design.physics.site.consensus", "add it"),
    ],
)
def test_a_missing_key_is_named(kind, path, owner, tmp_path):
    text = json.dumps(changed(KINDS[kind][0], path, ...))
    assert refusal(kind, text, tmp_path) == f"{path}: is missing; {owner}."


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_given_twice_is_named_by_its_path(kind, tmp_path):
    path, key, _, _ = KEYS[kind]
    text = json.dumps(changed(KINDS[kind][0], f"{path}.{key}", "first"))
    twice = text.replace(f'"{key}": "first"', f'"{key}": "first", "{key}": "second"')
    assert twice != text
    assert refusal(kind, twice, tmp_path) == f"{path}.{key}: is given twice; keep one."


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_that_json_cannot_write_are_refused_by_their_path(kind, tmp_path):
    path = VALUES[kind]["number"]
    text = json.dumps(changed(KINDS[kind][0], path, "x")).replace('"x"', "1e999")
    message = f"{path}: expected a finite number below 1e+300, got Infinity."
    assert refusal(kind, text, tmp_path) == message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [[], 3, "text", None])
def test_a_file_without_an_object_is_refused(kind, value, tmp_path):
    message = f"spec: expected an object, got {json.dumps(value)}."
    assert refusal(kind, json.dumps(value), tmp_path) == message


def test_alternatives_are_listed_and_the_nearest_one_is_followed():
    two = copy.deepcopy(TWO_SITES)
    two["states"]["b"]["activity"] = [1]
    message = r"^states\.b\.activity: expected a number or text in quotes, got \[1\]\.$"
    with pytest.raises(errors.SpecError, match=message):
        mechanism_spec.parse(two)
    two = copy.deepcopy(TWO_SITES)
    two["truth"] = {"ab": {"constant": {"x": "1"}}}
    message = r'^truth\.ab\.constant\.x: expected a number, got "1"\.$'
    with pytest.raises(errors.SpecError, match=message):
        mechanism_spec.parse(two)
    two["truth"] = {"ab": {"constant": "1"}}
    message = r'^truth\.ab\.constant: expected a number or an object, got "1"\.$'
    with pytest.raises(errors.SpecError, match=message):
        mechanism_spec.parse(two)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [np.int64(3)]}, r"^a\[0\]: expected a value of JSON, got a int64\.$"),
        ({"a": {3: 1}}, r"^a: the key 3 is not text"),
        ({"a": {"b": "\udc00"}}, r"^a\.b: expected text, got"),
        ({"a": 10**400}, r"^a: expected a finite number below 1e\+300, got 1000.*\.\.\.\.$"),
    ],
)
def test_a_value_that_is_not_json_is_refused(value, message):
    with pytest.raises(errors.SpecError, match=message):
        strict_json.check(value)
    strict_json.check({"a": [1, 2.5, True, None, {"b": (1, "é")}]})
