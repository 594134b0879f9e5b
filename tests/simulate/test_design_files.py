"""Designs from a file: a preset with some keys replaced, and files of older versions."""

import dataclasses
import json

import pytest

from akita_bayes import errors
from akita_bayes.simulate import design_json, designs

REALISTIC = designs.PRESETS["realistic"]


def _file(tmp_path, content):
    path = tmp_path / "design.json"
    path.write_text(json.dumps(content))
    return path


def test_a_file_replaces_the_keys_that_it_holds(tmp_path):
    path = _file(
        tmp_path,
        {
            "depth": 123.0,
            "measurement": {"dispersion": 0.4, "replicate_r": None},
            "landscape": {"decoy_motifs": []},
            "physics": {"factors": [{"motif": {"consensus": "ACG", "conservation": [0.9] * 3},
                                     "midpoint": 2.0, "stall": 0.1}]},
        },
    )  # fmt: skip
    design = design_json.with_changes(REALISTIC, path)
    assert (design.depth, design.measurement.dispersion) == (123.0, 0.4)
    assert design.measurement.replicate_r is None
    assert design.landscape.decoy_motifs == ()
    assert [factor.motif.consensus for factor in design.physics.factors] == ["ACG"]
    expected = dataclasses.replace(
        REALISTIC,
        depth=123.0,
        measurement=dataclasses.replace(REALISTIC.measurement, dispersion=0.4, replicate_r=None),
        landscape=dataclasses.replace(REALISTIC.landscape, decoy_motifs=()),
        physics=dataclasses.replace(REALISTIC.physics, factors=design.physics.factors),
    )
    assert design == expected


def test_an_empty_file_changes_nothing(tmp_path):
    assert design_json.with_changes(REALISTIC, _file(tmp_path, {})) == REALISTIC


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            {"measurement": {"dispersal": 1}},
            r'measurement\.dispersal: no such key\. Did you mean "di',
        ),
        ({"measurement": {"dispersion": -1}}, r"measurement\.dispersion -1 is out of range"),
        ({"measurement": {"dispersion": "much"}}, r"measurement\.dispersion: expected a number"),
        ({"measurement": {"solve_for": "luck"}}, r"measurement\.solve_for"),
        ({"measurement": 3}, r"measurement: expected an object"),
        ({"landscape": {"weakened": 2}}, r"landscape\.weakened 2 is a share"),
        ({"physics": {"most_occupancy": 0}}, r"most_occupancy is a share above 0"),
        ([1], r"expected an object"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence_that_names_it(tmp_path, content, says):
    path = _file(tmp_path, content)
    with pytest.raises(errors.DataError, match=says) as caught:
        design_json.with_changes(REALISTIC, path)
    assert str(caught.value).startswith(str(path))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", designs.PRESETS)
def test_every_preset_survives_the_disk(tmp_path, name):
    design_json.write(tmp_path, designs.PRESETS[name], seed=3, version="x")
    assert design_json.read(tmp_path) == designs.PRESETS[name]


def test_keys_of_later_versions_are_written_only_where_they_are_used(tmp_path):
    plain = design_json.as_json(designs.Design())
    assert "measurement" not in plain
    assert not {"factors", "most_occupancy"} & set(plain["physics"])
    full = design_json.as_json(REALISTIC)
    assert full["measurement"]["replicate_r"] == 0.9
    assert len(full["physics"]["factors"]) == 2


def test_what_reached_the_correlation_is_written_beside_the_design(tmp_path):
    solved = dataclasses.replace(
        REALISTIC, measurement=dataclasses.replace(REALISTIC.measurement, replicate_bias=0.123)
    )
    design_json.write(tmp_path, REALISTIC, seed=3, version="x", solved=solved)
    content = json.loads((tmp_path / design_json.FILE).read_text())
    assert content["solved"] == {"depth": REALISTIC.depth, "replicate_bias": 0.123}
    assert design_json.read(tmp_path) == REALISTIC
