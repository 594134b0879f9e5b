"""Constants that are known in some libraries, and a measurement that libraries share."""

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import assay_table
from akita_bayes.regulation.assay import simulated_assay as simulator
from akita_bayes.regulation.fits import fitting, identify
from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.regulation.model import network, parameters

LIBRARIES = ["activated", "activated_without_crp", "occluded", "occluded_without_crp"]
TWIN = {
    "kind": "thermodynamic",
    "name": "twin",
    "sequence_length": 6,
    "wild_type": "ACGTAC",
    "libraries": LIBRARIES,
    "energies": {
        "rnap": {"site": [0, 6]},
        "crp": {},
        "interaction": {},
        "absence": {
            "per_library": True,
            "value": dict(zip(LIBRARIES, (0, 30, 0, 30), strict=True)),
        },
        "overlap": {
            "per_library": True,
            "value": dict(zip(LIBRARIES, (0, 0, 30, 30), strict=True)),
        },
    },
    "states": {
        "free": {},
        "crp": {"energies": ["crp", "absence"]},
        "rnap": {"energies": ["rnap"], "activity": 1},
        "both": {"energies": ["crp", "absence", "rnap", "interaction", "overlap"], "activity": 1},
    },
    "measurement": {"kind": "gaussian", "log_base": "e", "shared": True},
    "truth": {
        "rnap": {"constant": 4.0},
        "crp": {"constant": -3.0},
        "interaction": {"constant": -6.0},
    },
}
"""A twin of `lac_pairs`: a factor activates in two libraries, and occludes in two others."""
DESIGN = simulator.Design(sequences=60, mutation_rate=0.4, noise=0.3)


def changed(**changes):
    return mechanism_spec.parse({**TWIN, **changes})


@pytest.fixture(scope="module")
def simulated():
    return simulator.simulate(changed(), DESIGN, seed=0)


def test_known_constants_are_no_parameters_and_a_shared_measurement_is_there_once(simulated):
    layout = parameters.Parameters.of(changed(), simulated.table)
    assert layout.names[-6:] == (
        *("rnap", "crp", "interaction"),
        *("measurement.offset", "measurement.log_background", "measurement.log_sd"),
    )
    assert not [name for name in layout.names if name.startswith(("absence", "overlap"))]
    own = changed(measurement={"kind": "gaussian", "log_base": "e"})
    assert parameters.Parameters.of(own, simulated.table).size == layout.size + 3 * 3
    # One scale has one origin and one unit: those of all values together.
    values = np.concatenate([library.observed[:, 0] for library in simulated.table.libraries])
    assert len(set(layout.read_outs)) == 1
    assert layout.read_outs[0] == pytest.approx((values.mean(), values.std()))


def test_a_constant_may_be_known_in_some_libraries_and_fitted_in_others(simulated):
    some = {**TWIN["energies"], "absence": {"per_library": True, "value": {LIBRARIES[1]: 30.0}}}
    layout = parameters.Parameters.of(
        changed(energies={**some, "crp": {"value": -3.0}}), simulated.table
    )
    assert [name for name in layout.names if name.startswith("absence")] == [
        f"absence[{name}]" for name in (LIBRARIES[0], *LIBRARIES[2:])
    ]
    theta = layout.start(np.random.default_rng(0))
    assert layout.term(theta, "absence").constant[LIBRARIES[1]] == 30.0


def test_activities_follow_the_constants_of_each_library(simulated):
    mechanism = changed()
    likelihood = likelihoods.Likelihood(mechanism, simulated.table, dtype="float64")
    layout = likelihood.parameters
    theta = layout.pack(simulated.truth.matrices, simulated.truth.constants)
    activity = np.asarray(likelihood.activity(theta[None]))[0]
    np.testing.assert_allclose(
        activity, np.concatenate(list(simulated.activity.values())), rtol=1e-6
    )
    # The network of one library has its constants too.
    model = network.build(mechanism)
    for library in simulated.table.libraries:
        network.assign(model, layout, theta, library.name)
        x = np.eye(4)[library.index]
        states = model.get_layer("states")(model.layers[0](x))
        np.testing.assert_allclose(
            model.get_layer("activity")(states)[:, 0], simulated.activity[library.name], rtol=1e-4
        )


@pytest.fixture(scope="module")
def together(simulated):
    return fitting.fit(changed(), simulated.table, starts=1)


def test_occlusion_and_one_scale_determine_an_interaction(together):
    assert together.converged
    for name, truth in (("interaction", -6.0), ("crp", -3.0)):
        interval = together.interval(name)
        assert interval.lower < truth < interval.upper
        assert interval.upper - interval.lower < 1.5


@pytest.mark.slow
def test_profile_and_curvature_agree_with_occlusion_and_not_without(simulated, together):
    """What activates alone leaves open: how much of the factor is bound, so its profile is wide."""
    fit, interval = together, together.interval("interaction")
    profile = identify.profile(fit, "interaction")
    assert profile.lower == pytest.approx(interval.lower, abs=0.15)
    assert profile.upper == pytest.approx(interval.upper, abs=0.15)

    energies = {**TWIN["energies"]}
    del energies["overlap"]
    alone = changed(
        libraries=LIBRARIES[:2],
        energies={
            **energies,
            "absence": {"per_library": True, "value": {"activated": 0, LIBRARIES[1]: 30}},
        },
        states={
            **TWIN["states"],
            "both": {"energies": ["crp", "absence", "rnap", "interaction"], "activity": 1},
        },
    )
    fit = fitting.fit(alone, assay_table.Table(simulated.table.libraries[:2]), starts=1)
    alone_profile = identify.profile(fit, "interaction", depth=5.0)
    width = interval.upper - interval.lower
    open_or_wide = alone_profile.lower is None or alone_profile.lower < interval.lower - 2 * width
    assert open_or_wide
    assert alone_profile.upper > interval.lower


@pytest.mark.parametrize(
    ("energies", "message"),
    [
        ({"crp": {"value": {"activated": 1.0}}}, r"energies\.crp\.value: has values by library"),
        (
            {"absence": {"per_library": True, "value": {"activate": 1.0}}},
            r'absence\.value: no library is called "activate"\. Did you mean',
        ),
    ],
)
def test_values_of_unknown_libraries_are_refused(energies, message):
    with pytest.raises(errors.SpecError, match=message):
        changed(energies={**TWIN["energies"], **energies})


def test_libraries_of_different_bins_share_no_measurement():
    sequences = ["ACGTAC", "ACGTAA"]
    pair = assay_table.Table(
        tuple(
            assay_table.from_counts(sequences, np.ones((2, bins)), name=name)
            for name, bins in (("a", 2), ("b", 3))
        )
    )
    spec = {
        **TWIN,
        "libraries": ["a", "b"],
        "energies": {"rnap": {"site": [0, 6]}},
        "states": {"free": {}, "rnap": {"energies": ["rnap"], "activity": 1}},
        "measurement": {"kind": "bins", "shared": True},
        "truth": {},
    }
    with pytest.raises(errors.DataError, match="a: 2, b: 3"):
        parameters.Parameters.of(mechanism_spec.parse(spec), pair)
