import json

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import simulated_assay as simulator
from akita_bayes.regulation.compare import experiment_design
from akita_bayes.regulation.fits import quasi_newton
from akita_bayes.regulation.model import likelihood
from akita_bayes.regulation.posterior import laplace, physical_units

TOY = mechanism_spec.parse(
    {
        "kind": "thermodynamic",
        "name": "toy",
        "sequence_length": 6,
        "wild_type": "ACGTAC",
        "energies": {"a": {"site": [0, 3]}, "b": {"site": [3, 6]}, "ab": {"prior": {"sd": 2.0}}},
        "states": {
            "free": {},
            "a": {"energies": ["a"]},
            "b": {"energies": ["b"], "activity": 1},
            "ab": {"energies": ["a", "b", "ab"], "activity": 1},
        },
        "measurement": {"kind": "gaussian"},
        "truth": {"a": {"constant": 0.5}, "b": {"constant": 0.0}, "ab": {"constant": -2.5}},
    }
)


def setup(**changes):
    settings = {"sequences": 800, "mutation_rate": 0.4, "noise": 0.3, "background": 0.01}
    return simulator.Design(**{**settings, **changes})


@pytest.mark.slow
def test_half_the_noise_halves_the_intervals_and_more_sequences_narrow_them():
    designs = [setup(noise=0.1), setup(noise=0.05), setup(noise=0.1, sequences=3200)]
    table = experiment_design.sweep(TOY, designs, seed=1)
    base, quiet, many = (table.iloc[i] for i in range(3))
    assert list(table["noise"]) == [0.1, 0.05, 0.1]
    for name in ("a", "b", "ab", "a.matrix", "b.matrix"):
        assert abs(quiet[name] / base[name] - 0.5) < 0.08
        assert many[name] / base[name] < 0.85


@pytest.mark.slow
def test_bins_of_a_sort_are_counted_in_bits_and_no_spread_is_wider_than_its_prior():
    bins = mechanism_spec.parse({**TOY.model_dump(by_alias=True), "measurement": {"kind": "bins"}})
    expected = experiment_design.expect(bins, setup(reads=4000, bins=3), seed=2)
    assert 0.05 < expected.bits < np.log2(4)
    assert 0 < expected.widths["ab"] < experiment_design.WIDTH * 2.0 * 1.001


@pytest.mark.slow
def test_bins_that_are_left_out_tell_nothing():
    bins = {"kind": "bins", "hidden": 4}
    some = {**bins, "leave_out": ["0", "1", "3"]}
    every, fewer = (
        experiment_design.expect(
            mechanism_spec.parse({**TOY.model_dump(by_alias=True), "measurement": measured}),
            setup(reads=8000, bins=4),
            seed=2,
        )
        for measured in (bins, some)
    )
    assert fewer.bits < 0.9 * every.bits  # of a read that is not left out
    assert fewer.widths["a.matrix"] > 2 * every.widths["a.matrix"]


@pytest.mark.slow
@pytest.mark.parametrize("experiments", [4, 20])
def test_expected_widths_are_the_spread_of_estimates_over_experiments(experiments):
    truth = simulator.draw_truth(TOY, seed=0)
    z = []
    for seed in range(experiments):
        simulated = simulator.simulate(TOY, setup(), truth=truth, seed=seed)
        data_likelihood = likelihood.Likelihood(TOY, simulated.table)
        start = data_likelihood.parameters.start(np.random.default_rng(seed))
        theta = experiment_design.fit_measurement(
            data_likelihood,
            experiment_design.true_theta(data_likelihood.parameters, simulated.truth, start),
        )
        stated = experiment_design.standard_deviations(data_likelihood, theta)
        unit = np.eye(data_likelihood.parameters.size)
        mode = laplace.laplace(
            data_likelihood,
            quasi_newton.climb(data_likelihood.value_and_gradient, theta, unit).theta,
        ).mode
        estimate = physical_units.physical(data_likelihood.parameters, mode[None])
        exact = physical_units.physical(data_likelihood.parameters, theta[None])
        z.append([(estimate[name][0] - exact[name][0]) / stated[name] for name in stated])
    assert 0.7 < np.sqrt(np.mean(np.square(z))) < 1.35


@pytest.mark.parametrize(
    ("kind", "name"),
    [("gaussian", "reads"), ("skewed", "reads"), ("gaussian", "bins"), ("poisson", "bins")],
)
def test_what_plays_no_part_is_not_swept(kind, name):
    spec = mechanism_spec.parse({**TOY.model_dump(by_alias=True), "measurement": {"kind": kind}})
    with pytest.raises(errors.SpecError, match=f"{name}: a measurement of kind {kind} does not"):
        experiment_design.sweep(spec, [setup(**{name: 20}), setup(**{name: 40})])


@pytest.mark.parametrize("name", ["reads", "bins", "noise", "bits", "sequences", "mutation_rate"])
def test_a_term_does_not_overwrite_a_column_of_the_experiment(name):
    spec = json.loads(TOY.model_dump_json(by_alias=True).replace('"ab"', json.dumps(name)))
    with pytest.raises(errors.SpecError, match=f'{name}: a sweep already has a column "{name}"'):
        experiment_design.sweep(mechanism_spec.parse(spec), [setup()])
