import keras
import numpy as np
import pytest

from akita_bayes import dna
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.layers import kinetic, measurement, thermodynamic
from akita_bayes.regulation.model import likelihood, network

ACTIVITIES = {
    "activities": {"helped": {}},
    "states": {"ab": {"energies": ["a", "b", "ab"], "activity": "helped"}},
    "energies": {"a": {"neighbours": True}},
}


@pytest.fixture(scope="module")
def tables(two_sites, experiment):
    return experiment(two_sites(), sequences=60, reads=600).table


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("two_sites", {}),
        ("two_sites", ACTIVITIES),
        ("two_sites", {"measurement": {"relative": True}}),
        ("cycle", {}),
    ],
    ids=["thermodynamic", "neighbours and activities", "relative", "kinetic"],
)
def test_the_network_is_the_likelihood(request, tables, kind, changes):
    mechanism = request.getfixturevalue(kind)(**changes)
    data_likelihood = likelihood.Likelihood(mechanism, tables, dtype="float64")
    (library,) = tables.libraries
    theta = data_likelihood.parameters.start(np.random.default_rng(0))
    theta += np.random.default_rng(1).normal(0, 0.3, len(theta))
    model = network.build(mechanism, bins=len(library.columns))
    network.assign(model, data_likelihood.parameters, theta)
    x = dna.index_to_one_hot(library.index).astype("float32")
    predicted = np.asarray(model(x), float)
    np.testing.assert_allclose(
        predicted, np.asarray(data_likelihood.outputs(theta[None])[""])[0].T, atol=2e-6
    )
    per_sequence = np.asarray(data_likelihood.per_sequence(theta[None]))[0]
    np.testing.assert_allclose(
        (library.observed * np.log(predicted)).sum(1), per_sequence, rtol=1e-4
    )
    np.testing.assert_allclose(network.read(model, data_likelihood.parameters), theta, atol=2e-5)


def test_the_network_has_the_unit_of_the_read_out(two_sites, experiment):
    mechanism = two_sites(measurement={"kind": "skewed"})
    data_likelihood = likelihood.Likelihood(
        mechanism, experiment(mechanism, sequences=60).table, dtype="float64"
    )
    theta = data_likelihood.parameters.start(np.random.default_rng(0))
    ((origin, unit),) = data_likelihood.parameters.read_outs
    model = network.build(mechanism, origin=origin, unit=unit)
    network.assign(model, data_likelihood.parameters, theta)
    (library,) = data_likelihood.table.libraries
    predicted = np.asarray(model(dna.index_to_one_hot(library.index).astype("float32")), float)
    np.testing.assert_allclose(
        predicted, np.asarray(data_likelihood.outputs(theta[None])[""])[0].T, rtol=1e-4
    )
    assert origin == pytest.approx(library.observed.mean())


def test_the_layers_are_the_physics(two_sites, cycle):
    thermal = network.build(two_sites(), bins=4)
    assert [type(layer) for layer in thermal.layers] == [
        thermodynamic.BindingEnergies,
        thermodynamic.BoltzmannStates,
        thermodynamic.Activity,
        measurement.SoftmaxBins,
    ]
    assert isinstance(thermal, keras.Sequential)
    assert thermal.output_shape == (None, 4)
    rates = network.build(cycle(), bins=4)
    assert [type(layer) for layer in rates.layers[:2]] == [
        kinetic.TransitionRates,
        kinetic.KingAltman,
    ]


def test_every_weight_has_a_name_and_a_unit(two_sites, cycle):
    model = network.build(two_sites(**ACTIVITIES), bins=4)
    for layer in (*model.layers, *network.build(cycle(), bins=4).layers):
        units = getattr(layer, "units", {})
        assert {weight.name for weight in layer.weights} == set(units), layer.name
        assert all(units.values())
    assert model.layers[0].units["a_matrix"] == "kT"


def test_a_network_survives_being_saved(two_sites, tmp_path):
    mechanism = two_sites()
    model = network.build(mechanism, bins=3)
    x = np.eye(4, dtype="float32")[np.random.default_rng(0).integers(0, 4, (5, 10))]
    expected = np.asarray(model(x))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(np.asarray(loaded(x)), expected, rtol=1e-6)


def test_a_kinetic_model_with_detailed_balance_is_the_thermodynamic_one():
    """Binding and unbinding alone: k_on / k_off = e^-dG, and both networks give k3 P_bound."""
    site = {"site": [0, 5]}
    common = {"sequence_length": 5, "wild_type": "ACGTA", "measurement": {"kind": "poisson"}}
    thermal = mechanism_spec.parse(
        {
            "kind": "thermodynamic",
            "name": "bound",
            "energies": {"dG": site},
            "states": {"free": {}, "bound": {"energies": ["dG"], "activity": 1}},
            **common,
        }
    )
    rates = mechanism_spec.parse(
        {
            "kind": "kinetic",
            "name": "bound",
            "species": ["free", "bound"],
            "rates": {
                "on": {"from": "free", "to": "bound", **site},
                "off": {"from": "bound", "to": "free", "value": 1.0},
            },
            "product": ["off"],
            **common,
        }
    )
    rng = np.random.default_rng(0)
    x = np.eye(4, dtype="float32")[rng.integers(0, 4, (50, 5))]
    matrix, potential = rng.normal(size=(5, 4)), 0.7
    equilibrium, steady = network.build(thermal), network.build(rates)
    equilibrium.layers[0].matrices[0].assign(matrix)
    equilibrium.layers[0].constants[0].assign(potential)
    steady.layers[0].matrices[0].assign(matrix)
    steady.layers[0].log_rates[0].assign(-potential)

    def activity(model):
        tensor = x
        for layer in model.layers[:-1]:
            tensor = layer(tensor)
        return np.asarray(tensor)

    energy = (x * matrix).sum((1, 2)) + potential
    np.testing.assert_allclose(activity(equilibrium)[:, 0], 1 / (1 + np.exp(energy)), rtol=1e-5)
    np.testing.assert_allclose(activity(steady), activity(equilibrium), rtol=1e-5)
