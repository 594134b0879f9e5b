import json
import math

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.mechanisms import mechanism_spec
from tests.mechanism_json import CYCLE, TWO_SITES, changed


def test_occupancy_counts_how_often_each_energy_occurs():
    twice = changed(TWO_SITES, states__ab={"energies": ["a", "a", "b", "ab"], "activity": 1})
    mechanism = mechanism_spec.parse(twice)
    np.testing.assert_array_equal(mechanism.occupancy, [[0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 1, 1]])


def test_one_kt_at_37_degrees_is_the_gas_constant_times_temperature():
    mechanism = mechanism_spec.parse(TWO_SITES)
    # R = 1.987204 cal / (mol K), so 0.616 kcal/mol; the paper rounds to 0.62.
    assert mechanism.kcal_per_kt == pytest.approx(1.987204e-3 * 310.15, rel=1e-6)


def test_a_mechanism_is_frozen_and_survives_json():
    for spec in (TWO_SITES, CYCLE):
        mechanism = mechanism_spec.parse(spec)
        again = mechanism_spec.parse(json.loads(mechanism.model_dump_json(by_alias=True)))
        assert again == mechanism
        with pytest.raises(Exception, match="frozen"):
            mechanism.name = "other"


def test_rates_of_zero_are_no_terms():
    mechanism = mechanism_spec.parse(CYCLE)
    assert list(mechanism.terms) == ["k1", "k-1", "k2", "k3"]
    assert mechanism.edges == [(0, 1), (1, 0), (1, 2), (2, 0)]


BINS = {"kind": "bins", "relative": True}
EACH = {"constant": {"low": 1.0, "high": 2.0}}
WRONG = [
    (
        TWO_SITES,
        {"measurement": {"kind": "spline_bins", "hidden": 2}},
        "measurement.hidden: 2 knots are too few for a spline",
    ),
    (
        TWO_SITES,
        {"energies__ab__per_library": True, "truth": {"ab": {"constant": {}}}},
        r"truth\.ab\.constant: give one number, or one for each of the libraries",
    ),
    (
        TWO_SITES,
        {"libraries": ["low", "high"], "truth": {"ab": EACH}},
        r"truth\.ab\.constant: all libraries share it; give one number, or set its per_library",
    ),
    (
        TWO_SITES,
        {
            "libraries": ["low", "high"],
            "activities": {"on": {}},
            "states__ab__activity": "on",
            "truth": {"on": EACH},
        },
        r"truth\.on\.constant: all libraries share it; give one number\.$",
    ),
    (TWO_SITES, {"measurement": {**BINS, "kind": "gaussian"}}, r"relative: is for bins, not for"),
    (TWO_SITES, {"measurement": {"kind": "bins", "log_base": 2}}, r"log_base: .* not for \"bins\""),
    (TWO_SITES, {"measurement": {"kind": "gaussian", "log_base": 3}}, r"measurement.log_base"),
    (
        TWO_SITES,
        {"measurement": {"kind": "poisson", "leave_out": ["0"]}},
        r'^measurement\.leave_out: is for bins, not for "poisson"; drop it\.',
    ),
    (
        TWO_SITES,
        {"measurement": {"kind": "gaussian", "read_out": "log_activity"}},
        r'^measurement\.read_out: is for bins, not for "gaussian"; drop it\.',
    ),
    (
        TWO_SITES,
        {"measurement": {"kind": "spline_bins", "weight_prior": {"sd": 1}}},
        r"^measurement\.weight_prior: splines have their own priors; drop it",
    ),
    (
        TWO_SITES,
        {"energies__a__base_prior": {"mean": 1}},
        r"^energies\.a\.base_prior\.mean: the contributions of the bases of a position have",
    ),
    (
        TWO_SITES,
        {"truth": {"ab": {"matrix": [[0, 1, 2, 3]]}}},
        r"^truth\.ab\.matrix: ab has no site; give its constant only\.",
    ),
    (TWO_SITES, {"measurement": BINS, "states__ab__activity": 2}, "measurement.relative: odds of"),
    (CYCLE, {"measurement": BINS}, "measurement.relative: odds of activity need states"),
    (TWO_SITES, {"states__b__energies": ["bb"]}, r'states\.b\.energies: unknown energy "bb"\. Did'),
    (TWO_SITES, {"states__b__activity": 0, "states__ab__activity": 0}, "activities are all equal"),
    (TWO_SITES, {"states__b__activity": "on"}, r'states\.b\.activity: unknown activity "on"'),
    (TWO_SITES, {"states__b__activity": -1}, "-1.* is not 0 or more"),
    (TWO_SITES, {"activities": {"on": {}}}, "activities.on: no state has this activity"),
    (TWO_SITES, {"energies__a__site": [6, 9]}, r"energies\.a\.site: bases 6 to 9 lie outside"),
    (TWO_SITES, {"energies__a__site": [3, 3]}, "bases 3 to 3 lie outside"),
    (
        TWO_SITES,
        {"states__twin": {"energies": ["a"]}},
        'states.twin: cannot be distinguished from "a"',
    ),
    (TWO_SITES, {"energies__c": {}}, "energies.c: no state has this energy"),
    (
        TWO_SITES,
        {
            "states__free__energies": ["ab"],
            "states__a__energies": ["a", "ab"],
            "states__b__energies": ["b", "ab"],
        },
        "energies.ab: occurs equally in every state and cancels",
    ),
    (
        TWO_SITES,
        {"energies__c": {}, "states__ab__energies": ["a", "b", "ab", "c"]},
        "so data cannot determine each of them; give one of them a value",
    ),
    (TWO_SITES, {"energies__ab__neighbours": True}, "energies.ab: neighbours need a site"),
    (TWO_SITES, {"energies__a__value": 1.0}, "energies.a: a term with a site is always fitted"),
    (TWO_SITES, {"energies__a__width": 3}, r"energies\.a\.width: no such key"),
    (
        TWO_SITES,
        {"energies__a__prior": {"sd": 0}},
        r"energies\.a\.prior\.sd: expected a number above 0, got 0",
    ),
    (TWO_SITES, {"wild_type": "ACGT"}, "wild_type: 4 bases, but sequence_length is 8"),
    (TWO_SITES, {"wild_type": "ACGTNCGT"}, "wild_type: has letters beyond"),
    (TWO_SITES, {"states": {"free": {}}}, "at least 2 states"),
    (TWO_SITES, {"energies": ...}, "energies: is missing; add it"),
    (TWO_SITES, {"kind": "static"}, 'kind: expected "thermodynamic" or "kinetic", got "static"'),
    (CYCLE, {"rates__k1__to": "close"}, r'rates\.k1\.to: unknown species "close"\. Did you mean'),
    (CYCLE, {"species": ["unbound", "closed", "open", "dead"]}, '"dead" is disconnected'),
    (CYCLE, {"rates__k2__value": 0}, "no path from .* to the product"),
    (CYCLE, {"rates__k3__value": 0}, "cannot be reached from|no path|is 0"),
    (CYCLE, {"product": ["k4"]}, 'product: unknown rate "k4"'),
    (CYCLE, {"product": ["k-2"]}, r'the rate "k-2" is 0, so there is no path to the product'),
    (CYCLE, {"product": []}, "product: name the rate"),
    (CYCLE, {"rates__k1__neighbours": True}, "only energies can have neighbours"),
    (CYCLE, {"rates__k1__from": "closed"}, "leads from .* to itself"),
    (CYCLE, {"species": ["unbound"]}, "at least 2 different names"),
    (CYCLE, {"product": ["k3", "k3"]}, 'product: "k3" is named twice'),
    (CYCLE, {"rates__k3__value": 1e-300}, r"rates\.k3\.value: 1e-300 per second is not a rate"),
    (
        TWO_SITES,
        {"truth": {"a": {"matrix": [[0, math.nan, 0, 0]] * 3}}},
        r"matrix\[0\]\[1\]: expected a finite",
    ),
    (TWO_SITES, {"libraries": ["y", "y"]}, 'libraries: "y" is named twice'),
    (TWO_SITES, {"libraries": [""]}, "libraries: a name is empty"),
    (TWO_SITES, {"energies__a__hidden": 3}, r"energies\.a\.hidden: no such key\.$"),
    (TWO_SITES, {"product": ["k3"]}, "product: belongs to a kinetic mechanism, and this one is"),
    (CYCLE, {"states": {}}, "^states: belongs to a thermodynamic mechanism, and this one is kin"),
    (
        CYCLE,
        {"rates__measurement": {"from": "open", "to": "closed"}},
        'rates: "measurement" is the',
    ),
]
NAMES = [
    "",
    " ",
    "../zz",
    "a/b",
    "a\\b",
    "x,y",
    "a[0]",
    "a]",
    "a\n",
    ".a",
    "a ",
    "a" * 101,
]


@pytest.mark.parametrize(("spec", "changes", "message"), WRONG, ids=[row[2] for row in WRONG])
def test_what_says_no_mechanism_is_refused_in_the_words_of_the_spec(spec, changes, message):
    with pytest.raises(errors.SpecError, match=message):
        mechanism_spec.parse(changed(spec, **changes))


@pytest.mark.parametrize("section", ["energies", "states", "activities", "libraries"])
@pytest.mark.parametrize("name", NAMES)
def test_names_are_those_that_columns_and_files_can_bear(section, name):
    energies = name if section == "energies" else "ab"
    activity = name if section == "activities" else "on"
    spec = changed(TWO_SITES, libraries=[name if section == "libraries" else "full-wt"])
    spec["energies"][energies] = spec["energies"].pop("ab")
    spec["states"][name if section == "states" else "ab"] = {
        **spec["states"].pop("ab"),
        "energies": ["a", "b", energies],
        "activity": activity,
    }
    spec["activities"] = {activity: {}}
    with pytest.raises(errors.SpecError, match=f"^{section}: ") as caught:
        mechanism_spec.parse(spec)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(("old", "name"), [("k2", "../k"), ("open", "o,p")])
def test_names_of_rates_and_species_are_checked_alike(old, name):
    text = json.dumps(CYCLE).replace(f'"{old}"', json.dumps(name))
    with pytest.raises(errors.SpecError, match=f"^(rates|species): '{name}' cannot name a column"):
        mechanism_spec.parse(json.loads(text))


@pytest.mark.parametrize("name", ["full-wt", "k_1", "k+1", "LB 37 C", "é", "v1.2", "k2'"])
def test_other_names_are_as_free_as_before(name):
    assert mechanism_spec.parse(changed(TWO_SITES, libraries=[name])).libraries == (name,)


def test_half_a_surrogate_pair_is_not_text():
    for spec, path in (
        (changed(TWO_SITES, libraries=["\ud800"]), r"libraries\[0\]: expected text"),
        (changed(TWO_SITES, activities={"\ud800": {}}), "activities: the key .* is not text"),
    ):
        with pytest.raises(errors.SpecError, match=f"^{path}"):
            mechanism_spec.parse(spec)


def test_the_error_of_a_file_begins_with_its_name(tmp_path):
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(changed(TWO_SITES, energies__a__site=[6, 9])))
    with pytest.raises(errors.SpecError, match=r"wrong\.json: energies\.a\.site"):
        mechanism_spec.load(path)


def test_a_constant_that_is_given_needs_no_identity():
    """A known energy that always goes with another is no redundancy: only one is fitted."""
    spec = changed(
        TWO_SITES, energies__c={"value": -1.0}, states__ab__energies=["a", "b", "ab", "c"]
    )
    assert mechanism_spec.parse(spec).energies["c"].value == -1.0


@pytest.mark.parametrize(
    ("measurement", "message"),
    [
        (
            {"kind": "bins", "absolute": True},
            r"^measurement\.absolute: is for a continuous read-out",
        ),
        ({"kind": "gaussian", "overdispersed": True}, r"^measurement\.overdispersed: is for bins"),
        ({"kind": "gaussian", "absolute": True, "log_base": 2}, "either t itself or a log"),
    ],
)
def test_options_of_another_read_out_are_refused(measurement, message):
    with pytest.raises(errors.SpecError, match=message):
        mechanism_spec.parse(changed(TWO_SITES, measurement=measurement))
