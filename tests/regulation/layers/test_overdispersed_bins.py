import keras
import numpy as np
import pytest
import scipy.stats
from keras import ops

from akita_bayes.mechanisms import declarations
from akita_bayes.regulation.layers import bins, measurement

RNG = np.random.default_rng(0)
COUNTS = np.concatenate([RNG.poisson(0.4, (4, 60)), RNG.poisson(30.0, (4, 20))], axis=1)
ACTIVITY = RNG.uniform(0.01, 1, COUNTS.shape[1])
KINDS = ["bins", "monotone_bins", "spline_bins"]


def layer_of(kind, overdispersed):
    spec = declarations.Measurement(kind=kind, hidden=4, overdispersed=overdispersed)
    return measurement.process(spec, 4)


def weights_of(layer, concentration):
    weights = {name: value[None] for name, value in layer.start(RNG).items()}
    return {**weights, "log_concentration": np.log([concentration])}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("concentration", [0.02, 1.0, 50.0, 1e5])
def test_counts_are_dirichlet_multinomial(kind, concentration):
    layer = layer_of(kind, True)
    weights = weights_of(layer, concentration)
    counts = COUNTS.astype(float)
    log_prob = np.asarray(layer.log_prob(weights, ACTIVITY[None], counts, None))[0]
    shares = np.asarray(layer.outputs(weights, ACTIVITY[None]))[0].astype(float)
    shares /= shares.sum(0)
    for n, row in enumerate(COUNTS.T):
        expected = 0.0  # the probability of no reads is 1; older SciPy refuses their number
        if row.sum():
            expected = scipy.stats.dirichlet_multinomial.logpmf(
                row, concentration * shares[:, n], row.sum()
            )
        expected -= scipy.special.gammaln(row.sum() + 1) - scipy.special.gammaln(row + 1).sum()
        # SciPy takes differences of log gamma functions, which lose digits at 1e5.
        assert log_prob[n] == pytest.approx(expected, rel=1e-6, abs=1e-7 * concentration + 1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_concentration_makes_reads_independent_and_a_small_one_makes_copies(kind):
    overdispersed, independent = layer_of(kind, True), layer_of(kind, False)
    weights = weights_of(overdispersed, 1e9)
    counts = COUNTS.astype(float)
    args = (ACTIVITY[None], counts, None)
    multinomial = np.asarray(independent.log_prob(weights, *args))
    np.testing.assert_allclose(overdispersed.log_prob(weights, *args), multinomial, rtol=1e-5)
    # With a concentration of almost 0, n reads of one bin are as probable as one read.
    weights["log_concentration"] = np.log([1e-9])
    single_reads = np.asarray(
        overdispersed.log_prob(weights, ACTIVITY[None], np.eye(4)[:, [1] * 80], None)
    )
    copies = np.asarray(
        overdispersed.log_prob(weights, ACTIVITY[None], 7 * np.eye(4)[:, [1] * 80], None)
    )
    np.testing.assert_allclose(copies, single_reads, atol=1e-6)


def test_a_rising_factorial_keeps_its_digits_in_float32():
    start = np.geomspace(1e-6, 1e7, 40)[:, None]
    count = np.array([0.0, 1.0, 2.0, 7.0, 300.0])
    exact = np.array(
        [[np.log(a + np.arange(int(n), dtype=float)).sum() for n in count] for a in start[:, 0]]
    )
    single = bins.log_rising_factorial(start.astype("float32"), count.astype("float32"))
    np.testing.assert_allclose(np.asarray(single), exact, rtol=3e-6, atol=3e-6)
    assert (np.asarray(single)[:, 0] == 0).all()


def test_the_concentration_is_a_weight_that_a_saved_layer_keeps():
    layer = layer_of("spline_bins", True)
    assert layer.shapes["log_concentration"] == ()
    assert "log_concentration" not in layer_of("spline_bins", False).shapes
    again = bins.SplineBins.from_config(layer.get_config())
    assert again.overdispersed
    model = keras.Sequential([keras.Input((1,)), again])
    shares = ops.sum(model(np.linspace(0, 1, 5)[:, None]), axis=-1)
    np.testing.assert_allclose(shares, 1, rtol=1e-5)
