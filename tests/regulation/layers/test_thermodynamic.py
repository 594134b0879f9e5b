import itertools

import numpy as np
import pytest

from akita_bayes import dna
from akita_bayes.regulation.layers import thermodynamic

RNG = np.random.default_rng(0)


def one_hot(*sequences):
    return np.stack([dna.to_one_hot(sequence) for sequence in sequences]).astype("float32")


def test_energies_are_sums_over_the_letters_of_a_site():
    layer = thermodynamic.BindingEnergies(
        [(1, 4), None, (0, 2)], ["a", "i", "b"], neighbours=[True, False, False]
    )
    sequences = ["ACGTA", "TTTTT", "GATCA"]
    x = one_hot(*sequences)
    layer.build(x.shape)
    for weight in layer.weights:
        weight.assign(RNG.normal(size=weight.shape))
    weights = {weight.name: np.asarray(weight) for weight in layer.weights}

    def naive(sequence):
        letters = ["ACGT".index(letter) for letter in sequence]
        a = weights["a_chemical_potential"]
        for row, position in enumerate(range(1, 4)):
            a = a + weights["a_matrix"][row, letters[position]]
        for row, position in enumerate(range(1, 3)):
            a = a + weights["a_pairs"][row, letters[position], letters[position + 1]]
        b = weights["b_chemical_potential"]
        b = b + sum(weights["b_matrix"][row, letters[row]] for row in range(2))
        return [a, weights["i"], b]

    np.testing.assert_allclose(
        np.asarray(layer(x)), [naive(sequence) for sequence in sequences], rtol=1e-5
    )
    assert layer.units == dict.fromkeys(weights, "kT")


def test_a_fixed_energy_is_not_trained():
    layer = thermodynamic.BindingEnergies([None, None], ["i", "j"], fixed=[-2.0, None])
    layer.build((None, 4, 4))
    assert [weight.name for weight in layer.trainable_weights] == ["j"]
    np.testing.assert_allclose(np.asarray(layer(one_hot("ACGT")))[0], [-2, 0])


@pytest.mark.parametrize("site", [(2, 6), (-1, 3), (3, 3), (4, 2)])
def test_a_site_outside_the_sequence_is_refused(site):
    layer = thermodynamic.BindingEnergies([site], ["a"])
    message = rf"Energy a: site {site[0]}\.\.{site[1]} lies outside a sequence of 5"
    with pytest.raises(ValueError, match=message):
        layer.build((None, 5, 4))


def test_a_site_may_be_the_whole_sequence():
    layer = thermodynamic.BindingEnergies([(0, 5)], ["a"])
    layer.build((None, 5, 4))
    assert [weight.shape for weight in layer.weights] == [(), (5, 4)]


def test_arguments_must_be_one_per_site():
    with pytest.raises(ValueError, match="one name, neighbours and fixed per site"):
        thermodynamic.BindingEnergies([None], ["a", "b"])


def test_probabilities_are_boltzmann_s_by_enumeration():
    """Two sites that touch: a state per subset, its weight a product of factors e^-energy."""
    energies = RNG.normal(0, 2, (5, 3))
    occupancy = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 1]]
    probabilities = np.asarray(thermodynamic.BoltzmannStates(occupancy)(energies.astype("float32")))
    for row, (a, b, ab) in zip(probabilities, energies, strict=True):
        weights = []
        for bound_b, bound_a in itertools.product((0, 1), repeat=2):
            weight = np.exp(-a) ** bound_a * np.exp(-b) ** bound_b
            weights.append(weight * (np.exp(-ab) if bound_a and bound_b else 1.0))
        np.testing.assert_allclose(row, np.array(weights) / sum(weights), rtol=1e-5)


def test_probabilities_sum_to_one_and_ignore_a_shift_of_all_states():
    energies = RNG.normal(0, 30, (7, 2)).astype("float32")
    probabilities = np.asarray(thermodynamic.boltzmann(energies, [[1, 0], [0, 1], [1, 1]]))
    np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-6)
    shifted = np.concatenate([energies, np.full((7, 1), 3.0, "float32")], axis=1)
    again = np.asarray(thermodynamic.boltzmann(shifted, [[1, 0, 1], [0, 1, 1], [1, 1, 1]]))
    np.testing.assert_allclose(again, probabilities, atol=1e-6)


def test_relative_activity_is_a_share_of_odds():
    activities = np.array([0.0, 1.0, 0.25])
    probabilities = RNG.dirichlet(np.ones(3), 5)
    t = probabilities @ activities
    odds = t / (1 - t)
    np.testing.assert_allclose(thermodynamic.log_odds(probabilities, activities), np.log(odds))
    layer = thermodynamic.RelativeActivity(activities, dtype="float64")
    # Even odds until there is a reference: the share is then the activity itself.
    np.testing.assert_allclose(layer(probabilities), t[:, None])
    layer.reference.assign(np.log(odds[2]))
    shares = np.asarray(layer(probabilities))[:, 0]
    np.testing.assert_allclose(shares, odds / (odds + odds[2]))
    assert shares[2] == pytest.approx(0.5)
    assert layer.units == {"reference": "ln(odds)"}


def test_odds_near_0_and_1_keep_their_digits():
    probabilities = np.float32([[1.0, 1e-12], [1e-12, 1.0]])
    log_odds = thermodynamic.log_odds(probabilities, [0.0, 1.0])
    np.testing.assert_allclose(log_odds, np.log([1e-12, 1e12]), rtol=1e-6)


def test_states_that_share_an_activity_share_its_weight():
    layer = thermodynamic.Activity([0, "on", 0.5, "on"])
    probabilities = np.array([[0.1, 0.2, 0.3, 0.4]], "float32")
    layer.build(probabilities.shape)
    assert [weight.name for weight in layer.weights] == ["on_log_activity"]
    layer.weights[0].assign(np.log(3.0))
    np.testing.assert_allclose(
        np.asarray(layer(probabilities)), [[0.2 * 3 + 0.3 * 0.5 + 0.4 * 3]], rtol=1e-6
    )
