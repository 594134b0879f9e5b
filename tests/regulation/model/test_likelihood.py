import itertools

import numpy as np
import pytest
import tensorflow as tf

from akita_bayes import dna, errors
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import assay_table
from akita_bayes.regulation.model import curvature, likelihood, parameters, priors


def softmax(logits):
    weights = np.exp(logits - np.max(logits))
    return weights / weights.sum()


def naive(data_likelihood, theta, library):
    """Log-likelihood of each row of one library, in Python and in the words of the spec."""
    layout, mechanism = data_likelihood.parameters, data_likelihood.mechanism
    terms = {name: layout.term(theta, name) for name in mechanism.terms}
    weights = layout.weights(theta, library.name)
    result = []
    for sequence, counts in zip(library.sequences, library.observed, strict=True):
        energies = {}
        for name, spec in mechanism.terms.items():
            energies[name] = terms[name].potential[library.name]
            if spec.site:
                letters = sequence[slice(*spec.site)]
                for row, letter in zip(terms[name].matrix, letters, strict=True):
                    energies[name] += row[dna.ALPHABET.index(letter)]
                if spec.neighbours:
                    for table, pair in zip(
                        terms[name].pairs, itertools.pairwise(letters), strict=True
                    ):
                        row, column = (dna.ALPHABET.index(letter) for letter in pair)
                        energies[name] += table[row, column]
        boltzmann = np.array(
            [
                np.exp(-sum(energies[name] for name in state.energies))
                for state in mechanism.states.values()
            ]
        )
        activities = [state.activity for state in mechanism.states.values()]
        t = boltzmann @ activities / boltzmann.sum()
        hidden = softmax(weights["hidden_slope"] * t + weights["hidden_bias"])
        p = softmax(hidden @ weights["bin_weight"] + weights["bin_bias"])
        result.append(counts @ np.log(p))
    return np.array(result)


@pytest.fixture(scope="module")
def joint(two_sites, experiment):
    """Two libraries with shared sites, an own potential of `a`, and own measurements."""
    mechanism = two_sites(
        libraries=["low", "high"],
        energies={"a": {"per_library": True, "neighbours": False}},
        truth={"a": {"constant": {"low": 0.5, "high": -1.0}}},
    )
    table = experiment(mechanism, sequences=50, reads=500).table
    return mechanism.model_copy(
        update={
            "energies": {
                **mechanism.energies,
                "b": mechanism.energies["b"].model_copy(update={"neighbours": True}),
            }
        }
    ), table


def test_the_likelihood_is_that_of_its_naive_twin(joint):
    mechanism, table = joint
    data_likelihood = likelihood.Likelihood(mechanism, table, dtype="float64")
    theta = data_likelihood.parameters.start(np.random.default_rng(0))
    expected = np.concatenate(
        [naive(data_likelihood, theta, library) for library in table.libraries]
    )
    np.testing.assert_allclose(
        np.asarray(data_likelihood.per_sequence(theta[None]))[0], expected, rtol=1e-9
    )
    assert float(data_likelihood.log_likelihood(theta)) == pytest.approx(expected.sum())
    weight = np.random.default_rng(1).integers(0, 3, data_likelihood.rows)
    assert float(data_likelihood.log_likelihood(theta, weight)) == pytest.approx(weight @ expected)


def test_libraries_share_what_is_shared_and_own_what_is_theirs(joint):
    mechanism, table = joint
    data_likelihood = likelihood.Likelihood(mechanism, table)
    names = [block.name for block in data_likelihood.parameters.blocks]
    assert names.count("a.bases") == names.count("b.pairs") == names.count("ab") == 1
    assert {"a[low]", "a[high]", "b", "measurement.bin_bias[low]"} <= set(names)
    assert (
        len(set(data_likelihood.parameters.names))
        == data_likelihood.parameters.size
        == len(data_likelihood.parameters.units)
    )
    theta = data_likelihood.parameters.start(np.random.default_rng(0))
    before = np.asarray(data_likelihood.per_sequence(theta[None]))[0]
    theta[data_likelihood.parameters.find("a", "constant", "high").start] += 1.0
    changed = np.asarray(data_likelihood.per_sequence(theta[None]))[0] != before
    low = len(table.libraries[0].index)
    assert not changed[:low].any()
    assert changed[low:].all()


def test_single_precision_agrees_with_double(joint):
    mechanism, table = joint
    exact = likelihood.Likelihood(mechanism, table, dtype="float64")
    theta = exact.parameters.start(np.random.default_rng(0))
    quick = likelihood.Likelihood(mechanism, table).log_likelihood(theta)
    assert float(quick) == pytest.approx(float(exact.log_likelihood(theta)), rel=1e-6)


def test_the_gradient_is_that_of_differences_and_batches_are_independent(joint):
    mechanism, table = joint
    data_likelihood = likelihood.Likelihood(mechanism, table, dtype="float64")
    rng = np.random.default_rng(0)
    thetas = np.stack([data_likelihood.parameters.start(rng) for _ in range(3)])
    log_posterior = data_likelihood.value_and_gradient(thetas)
    direction = rng.normal(size=data_likelihood.parameters.size)
    step = 1e-5
    up, down = (
        data_likelihood.value_and_gradient(thetas + sign * step * direction).value
        for sign in (1, -1)
    )
    np.testing.assert_allclose(
        log_posterior.gradient @ direction, (up - down) / (2 * step), rtol=1e-5
    )
    for theta, value in zip(thetas, log_posterior.value, strict=True):
        assert float(data_likelihood.log_posterior_fixed_scale(theta)) == pytest.approx(value)


def test_the_hessian_is_that_of_differences(two_sites, experiment):
    table = experiment(two_sites(), sequences=50, reads=500).table
    data_likelihood = likelihood.Likelihood(two_sites(), table, dtype="float64")
    theta = data_likelihood.parameters.start(np.random.default_rng(0))
    weight = np.random.default_rng(1).integers(0, 2, data_likelihood.rows).astype(float)
    hessian = curvature.Hessian(data_likelihood)(theta, weight)
    step = 1e-5
    for i in (0, 13, data_likelihood.parameters.physical - 1, data_likelihood.parameters.size - 1):
        offset = step * np.eye(data_likelihood.parameters.size)[i]
        gradient = data_likelihood.value_and_gradient(
            np.stack([theta + offset, theta - offset]), weight
        )
        expected = (gradient.gradient[0] - gradient.gradient[1]) / (2 * step)
        np.testing.assert_allclose(hessian[i], expected, atol=1e-4)


def test_hessian_of_libraries_is_exact_with_directions_that_they_share(joint):
    mechanism, table = joint
    data_likelihood = likelihood.Likelihood(mechanism, table, dtype="float64")
    theta = data_likelihood.parameters.start(np.random.default_rng(0))
    hessian = curvature.Hessian(data_likelihood)
    calls = []
    products = hessian.products
    hessian.products = lambda *args: calls.append(args) or products(*args)
    matrix = hessian(theta)
    owners = (None, *data_likelihood.parameters.libraries)
    assert len(table.libraries) == len(owners) - 1 == 2
    parts = [data_likelihood.parameters.own(owner) for owner in owners]
    assert all(map(len, parts))
    assert sorted(np.concatenate(parts)) == list(range(len(theta)))
    (constant,) = data_likelihood.parameters.own("low", "constant")
    assert data_likelihood.parameters.names[constant] == "a[low]"
    assert len(calls) < -(-len(theta) // curvature.BATCH)
    step = 1e-5
    for i in range(0, len(theta), 5):
        offset = step * np.eye(len(theta))[i]
        gradient = data_likelihood.value_and_gradient(
            np.stack([theta + offset, theta - offset])
        ).gradient
        np.testing.assert_allclose(matrix[i], (gradient[0] - gradient[1]) / (2 * step), atol=1e-3)


def test_the_prior_is_gaussian_in_physical_units(two_sites, experiment):
    mechanism = two_sites(energies={"ab": {"prior": {"mean": -1.0, "sd": 2.0}}})
    data_likelihood = likelihood.Likelihood(
        mechanism, experiment(mechanism, sequences=20, reads=200).table
    )
    mean = data_likelihood.parameters.prior_mean
    index = data_likelihood.parameters.find("ab", "constant").start
    assert mean[index] == -1.0
    moved = mean.copy()
    moved[index] += 3.0
    drop = float(priors.fixed_scale(data_likelihood.parameters, mean)) - float(
        priors.fixed_scale(data_likelihood.parameters, moved)
    )
    assert drop == pytest.approx(0.5 * (3 / 2) ** 2)
    # Integrated over one parameter alone, the density is that of the others.
    grid = np.tile(mean, (4001, 1))
    grid[:, index] = np.linspace(-41, 39, 4001)
    density = np.exp(
        np.asarray(priors.fixed_scale(data_likelihood.parameters, grid))
        - float(priors.fixed_scale(data_likelihood.parameters, mean))
    )
    assert density.sum() * 0.02 == pytest.approx(2 * np.sqrt(2 * np.pi), rel=1e-6)


def test_it_is_traceable_with_a_changing_theta(two_sites, experiment):
    data_likelihood = likelihood.Likelihood(
        two_sites(), experiment(two_sites(), sequences=20, reads=200).table
    )
    traced = tf.function(data_likelihood.log_posterior_fixed_scale, jit_compile=True)
    for seed in (0, 1):
        theta = tf.constant(data_likelihood.parameters.start(np.random.default_rng(seed))[None])
        np.testing.assert_allclose(
            traced(theta), data_likelihood.log_posterior_fixed_scale(theta), rtol=1e-5
        )


@pytest.mark.parametrize("kind", ["gaussian", "skewed", "outliers", "poisson"])
def test_read_outs_and_counts_have_their_own_likelihood(two_sites, experiment, kind):
    mechanism = two_sites(measurement={"kind": kind})
    table = experiment(mechanism, sequences=30).table
    data_likelihood = likelihood.Likelihood(mechanism, table, dtype="float64")
    theta = data_likelihood.parameters.start(np.random.default_rng(0))
    t = np.asarray(data_likelihood.activity(theta[None]))
    process = data_likelihood.parameters.processes[""]
    weights = data_likelihood.parameters.weights(theta[None], "")
    (library,) = table.libraries
    expected = process.log_prob(weights, t, library.observed.T, library.weight)
    np.testing.assert_allclose(data_likelihood.per_sequence(theta[None]), expected, rtol=1e-9)


def test_packing_is_undone_by_reading(two_sites, experiment):
    table = experiment(two_sites(), sequences=20, reads=200).table
    layout = parameters.Parameters.of(two_sites(), table)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(4, 4)), rng.normal(size=(5, 4))
    theta = layout.pack({"a": a, "b": b}, {"a": 0.1, "b": 0.2, "ab": -3.0})
    np.testing.assert_allclose(layout.term(theta, "a").matrix, a - a.mean(1, keepdims=True))
    assert layout.term(theta, "b").constant == {"": pytest.approx(0.2)}
    assert layout.term(theta, "ab").potential == {"": -3.0}
    wild = dna.to_one_hot(layout.wild_type)[:4]
    centred = a - a.mean(1, keepdims=True)
    potential = layout.term(theta, "a").potential[""]
    assert (wild * centred).sum() + potential == pytest.approx(0.1)


def test_a_table_that_does_not_suit_the_mechanism_is_refused(two_sites, experiment):
    table = experiment(two_sites(), sequences=20, reads=200).table
    with pytest.raises(errors.DataError, match=r"have 10 bases, but .* declares sequence_length 4"):
        parameters.Parameters.of(
            mechanism_spec.parse(
                {
                    "kind": "thermodynamic",
                    "name": "short",
                    "sequence_length": 4,
                    "energies": {"a": {"site": [0, 4]}},
                    "states": {"free": {}, "a": {"energies": ["a"], "activity": 1}},
                }
            ),
            table,
        )
    with pytest.raises(errors.DataError, match='declared as "gaussian", but the table has 5 col'):
        parameters.Parameters.of(two_sites(measurement={"kind": "gaussian"}), table)
    read_out = assay_table.Library(
        "", np.zeros((3, 10), np.uint8), np.ones((3, 1)), ("y",), np.ones(3)
    )
    with pytest.raises(errors.DataError, match='declared as "bins", but the table has 1 column'):
        parameters.Parameters.of(two_sites(), assay_table.Table((read_out,)))


@pytest.mark.parametrize("shift", [-20.0, -3.0, 0.5, 20.0])
def test_relative_bins_do_not_see_a_factor_of_the_odds(two_sites, experiment, shift):
    """The energy of the promoter scales the odds of every sequence and of the wild type alike."""
    mechanism = two_sites(measurement={"relative": True})
    table = experiment(two_sites(), sequences=60, reads=600).table
    data_likelihood = likelihood.Likelihood(mechanism, table)
    theta = data_likelihood.parameters.start(np.random.default_rng(0))
    moved = theta.copy()
    moved[data_likelihood.parameters.find("b", "constant").start] += shift
    signal, moved_signal = np.asarray(data_likelihood.signal(np.stack([theta, moved])))
    np.testing.assert_allclose(moved_signal, signal, rtol=2e-5)
    assert (
        np.ptp(np.asarray(data_likelihood.activity(np.stack([theta, moved]))), axis=0).max() > 0.05
    )
    gradient = data_likelihood.value_and_gradient(moved[None]).gradient
    assert np.isfinite(gradient).all()


def test_relative_bins_see_odds_against_the_wild_type(two_sites, experiment):
    mechanism = two_sites(measurement={"relative": True})
    table = experiment(two_sites(), sequences=60, reads=600).table
    data_likelihood = likelihood.Likelihood(mechanism, table, dtype="float64")
    theta = data_likelihood.parameters.start(np.random.default_rng(0))
    t = np.asarray(data_likelihood.activity(theta[None]))[0]
    a, b, ab = (
        theta[data_likelihood.parameters.find(name, "constant").start] for name in ("a", "b", "ab")
    )
    odds = np.exp(-b) * (1 + np.exp(-a - ab)) / (1 + np.exp(-a))
    signal = np.asarray(data_likelihood.signal(theta[None]))[0]
    np.testing.assert_allclose(signal, t / (1 - t) / (t / (1 - t) + odds), rtol=1e-6)
