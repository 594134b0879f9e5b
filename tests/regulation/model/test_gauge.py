import itertools

import numpy as np
import pytest

from akita_bayes.regulation.model import gauge, likelihood, parameters

RNG = np.random.default_rng(0)


def energy(values, letters):
    """Of one sequence, letter by letter."""
    total = values.potential[""]
    total += sum(row[letter] for row, letter in zip(values.matrix, letters, strict=True))
    if values.pairs is not None:
        total += sum(
            table[first, second]
            for table, first, second in zip(values.pairs, letters[:-1], letters[1:], strict=True)
        )
    return total


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("name", ["centred", "consensus", "empirical"])
def test_a_gauge_moves_no_energy_of_any_sequence(name, pairs):
    values = parameters.TermValues(
        RNG.normal(size=(3, 4)),
        RNG.normal(size=(2, 4, 4)) if pairs else None,
        {"": 0.0},
        {"": 1.3},
    )
    frequencies = RNG.dirichlet(np.ones(4), 3)
    weights = gauge.base_weights(name, "GAT", frequencies)
    fixed = gauge.fix(values, weights)
    for letters in itertools.product(range(4), repeat=3):
        assert energy(fixed, letters) == pytest.approx(energy(values, letters))
    np.testing.assert_allclose((fixed.matrix * weights).sum(1), 0, atol=1e-12)
    if pairs:
        np.testing.assert_allclose(
            np.einsum("wab,wa->wb", fixed.pairs, weights[:-1]), 0, atol=1e-12
        )
        np.testing.assert_allclose(np.einsum("wab,wb->wa", fixed.pairs, weights[1:]), 0, atol=1e-12)


def test_the_constant_of_each_gauge_is_what_it_says():
    values = parameters.TermValues(RNG.normal(size=(3, 4)), None, {"": 0.0}, {"": 1.3})
    frequencies = RNG.dirichlet(np.ones(4), 3)
    everyone = list(itertools.product(range(4), repeat=3))
    energies = np.array([energy(values, letters) for letters in everyone])

    def constant(name):
        weights = gauge.base_weights(name, "GAT", frequencies)
        return gauge.fix(values, weights).potential[""]

    assert constant("centred") == pytest.approx(energies.mean())
    assert constant("consensus") == pytest.approx(energy(values, (2, 0, 3)))
    odds = [np.prod([row[i] for row, i in zip(frequencies, s, strict=True)]) for s in everyone]
    assert constant("empirical") == pytest.approx(np.array(odds) @ energies)


def test_constants_have_no_gauge():
    values = parameters.TermValues(None, None, {"": 2.0}, {"": 2.0})
    assert gauge.fix(values, np.zeros((0, 4))) == values


def test_a_log_rate_has_its_matrix_subtracted():
    values = parameters.TermValues(np.full((2, 4), 0.5), None, {"": 0.0}, {"": 1.0})
    fixed = gauge.fix(values, np.full((2, 4), 0.25), sign=-1.0)
    assert fixed.potential[""] == pytest.approx(1.0 - 1.0)


@pytest.mark.parametrize(
    "measurement",
    [
        {"kind": "bins"},
        {"kind": "bins", "relative": True},
        {"kind": "spline_bins", "hidden": 7},
        {"kind": "spline_bins", "hidden": 7, "relative": True},
    ],
)
def test_two_touching_sites_have_four_images_of_equal_likelihood(
    two_sites, experiment, measurement
):
    mechanism = two_sites(measurement=measurement)
    data_likelihood = likelihood.Likelihood(
        mechanism, experiment(mechanism, sequences=80, reads=800).table, dtype="float64"
    )
    rng = np.random.default_rng(0)
    theta = data_likelihood.parameters.start(rng)
    theta += rng.normal(0, 0.3, theta.shape)  # a start's splines look alike from both ends
    mirrors = gauge.mirrors(mechanism)
    assert len(mirrors) == 4
    # The mirror of the field: a bound and unbound change places, b takes the interaction on.
    np.testing.assert_allclose(mirrors[1].energies, [[-1, 0, 0], [0, 1, 1], [0, 0, -1]])
    images = [gauge.apply(mirror, data_likelihood.parameters, theta) for mirror in mirrors]
    for image in images[1:]:
        assert abs(image - theta).max() > 0.1
        assert float(data_likelihood.log_likelihood(image)) == pytest.approx(
            float(data_likelihood.log_likelihood(theta)), abs=1e-8
        )


def test_binding_is_the_energy_of_random_bases_less_the_wild_type_s(two_sites, experiment):
    mechanism = two_sites()
    table = experiment(mechanism, sequences=20, reads=200).table
    layout = parameters.Parameters.of(mechanism, table)
    theta = layout.start(np.random.default_rng(0))
    for name, advantage in gauge.binding(layout, theta).items():
        matrix = layout.term(theta, name).matrix
        np.testing.assert_allclose(matrix.mean(1), 0, atol=1e-12)
        wild = layout.wild_type[mechanism.terms[name].bases]
        energies = [row["ACGT".index(base)] for row, base in zip(matrix, wild, strict=True)]
        assert advantage == pytest.approx(-sum(energies))


def test_the_image_in_which_the_wild_type_binds_is_kept(two_sites, experiment):
    mechanism = two_sites()
    table = experiment(mechanism, sequences=20, reads=200).table
    layout = parameters.Parameters.of(mechanism, table)
    theta = layout.start(np.random.default_rng(0))  # in which the wild type binds
    assert min(gauge.binding(layout, theta).values()) > 0
    for number, mirror in enumerate(gauge.mirrors(mechanism)):
        resolved, replaced = gauge.resolve(layout, gauge.apply(mirror, layout, theta))
        np.testing.assert_allclose(resolved, theta, atol=1e-10)
        assert replaced == (number > 0)


def test_activities_to_be_fitted_are_no_mirror_of_known_ones(two_sites):
    """Two states have the activity t, so that a bound and unbound change places, sides do not."""
    fitted = {"b": {"activity": "t"}, "ab": {"activity": "t"}}
    mechanism = two_sites(activities={"t": {}}, states=fitted)
    assert len(gauge.mirrors(mechanism)) == 2


def test_states_change_sides_only_where_the_measurement_absorbs_it(two_sites):
    assert len(gauge.mirrors(two_sites(measurement={"kind": "gaussian"}))) == 2
    assert len(gauge.mirrors(two_sites(measurement={"kind": "monotone_bins"}))) == 2
    assert len(gauge.mirrors(two_sites(measurement={"read_out": "log_activity"}))) == 2
    splines = {"kind": "spline_bins", "read_out": "log_activity"}
    assert len(gauge.mirrors(two_sites(measurement=splines))) == 2
    # t -> 1/2 - t: knots do not lie alike from both ends, and odds do not turn over.
    half = {"b": {"activity": 0.5}, "ab": {"activity": 0.5}}
    assert len(gauge.mirrors(two_sites(states=half))) == 4
    for measurement in ({"kind": "spline_bins"}, {"relative": True}):
        assert len(gauge.mirrors(two_sites(states=half, measurement=measurement))) == 2


def test_a_known_interaction_breaks_the_mirror_and_a_kinetic_model_has_none(two_sites, cycle):
    fixed = {"energies": {"ab": {"value": -2.0}}, "truth": {"ab": {"constant": None}}}
    assert len(gauge.mirrors(two_sites(**fixed, measurement={"kind": "gaussian"}))) == 1
    # Both factors and both sides at once: the interaction is its own image.
    _, image = gauge.mirrors(two_sites(**fixed))
    np.testing.assert_allclose(image.energies[2], [0, 0, 1])
    assert (image.offset, image.slope) == pytest.approx((1, -1))
    assert len(gauge.mirrors(cycle())) == 1
