import numpy as np
import pytest

from akita_bayes.regulation.fits import information


def channel(seed, sequences, reads, slope=2.0):
    """Bins drawn from a known p(bin | t), and the exact information between t and bin."""
    rng = np.random.default_rng(seed)
    t = rng.normal(size=sequences)

    def p_of(t):
        logits = slope * t[:, None] * np.linspace(-1, 1, 5) - np.linspace(-1, 1, 5) ** 2
        p = np.exp(logits)
        return p / p.sum(1, keepdims=True)

    p = p_of(t)
    counts = np.stack([rng.multinomial(reads, row) for row in p])
    grid = np.linspace(-6, 6, 4001)
    weight = np.exp(-(grid**2) / 2)
    weight /= weight.sum()
    q = p_of(grid)
    share = weight @ q
    return t, p, counts, float((weight[:, None] * q * np.log2(q / share)).sum())


@pytest.mark.parametrize("slope", [0.0, 1.0, 3.0])
def test_both_informations_find_the_exact_bits_of_a_known_channel(slope):
    t, p, counts, truth = channel(0, 30_000, 1, slope)
    for estimate in (
        information.predictive(t, counts),
        information.variational(np.log(p), counts),
    ):
        assert abs(estimate.bits - truth) < 4 * estimate.standard_error + 0.004
        assert 0 <= estimate.standard_error < 0.01


def test_bits_of_a_table_by_hand():
    """Two classes of predictions, two bins that were seen and one that was not."""
    counts = np.array([[30, 10, 0], [10, 30, 0], [20, 20, 0]])
    joint = np.array([[30, 10], [30, 50]]) / 120
    ratio = np.log2(joint / (joint.sum(1, keepdims=True) * joint.sum(0)))
    estimate = information.predictive([0.1, 0.7, 0.7], counts, classes=2)
    assert estimate.bits == pytest.approx((joint * ratio).sum() - 1 / (2 * 120 * np.log(2)))
    mean = (joint * ratio).sum()
    sums = [(row[:2] * (ratio[k] - mean)).sum() for row, k in zip(counts, (0, 1, 1), strict=True)]
    assert estimate.standard_error == pytest.approx(np.sqrt(np.square(sums).sum()) / 120)
    log_prob = np.log(np.array([[0.6, 0.3, 0.1], [0.3, 0.6, 0.1], [0.5, 0.4, 0.1]]))
    bits = log_prob[:, :2] / np.log(2) + 1
    estimate = information.variational(log_prob, counts)
    mean = (counts[:, :2] * bits).sum() / 120
    assert estimate.bits == pytest.approx(mean + 1 / (2 * 120 * np.log(2)))
    sums = (counts[:, :2] * (bits - mean)).sum(1)
    assert estimate.standard_error == pytest.approx(np.sqrt(np.square(sums).sum()) / 120)


def test_few_reads_make_two_classes():
    estimate = information.predictive(np.arange(4), np.eye(4))
    assert estimate.bits == pytest.approx(1 - 3 / (8 * np.log(2)))


def test_standard_errors_are_the_spread_over_repeated_experiments():
    runs = [channel(seed, 3000, 2) for seed in range(40)]
    predictive = [information.predictive(t, counts) for t, _, counts, _ in runs]
    variational = [information.variational(np.log(p), counts) for _, p, counts, _ in runs]
    for estimates in (predictive, variational):
        spread = np.std([f.bits for f in estimates])
        stated = np.mean([f.standard_error for f in estimates])
        assert 0.7 < stated / spread < 1.4
        assert abs(np.mean([f.bits for f in estimates]) - runs[0][3]) < 0.01


def test_only_the_order_of_predictions_counts():
    t, _, counts, _ = channel(1, 2000, 3)
    assert information.predictive(t, counts) == information.predictive(np.exp(5 * t), counts)
    reverse = information.predictive(-t, counts)
    np.testing.assert_allclose(reverse.bits, information.predictive(t, counts).bits, atol=2e-3)


def test_an_unrelated_prediction_holds_nothing_and_a_constant_exactly_nothing():
    _, _, counts, _ = channel(2, 5000, 2)
    unrelated = information.predictive(np.random.default_rng(3).normal(size=5000), counts)
    assert abs(unrelated.bits) < 4e-3
    assert information.predictive(np.ones(5000), counts).bits == 0


def test_reads_of_one_sequence_are_not_independent():
    t, _, counts, _ = channel(4, 1000, 1)
    once = information.predictive(t, counts, classes=10)
    again = information.predictive(t, 9 * counts, classes=10)
    np.testing.assert_allclose(again.standard_error, once.standard_error)


def test_a_wrong_model_scores_below_the_right_one():
    _, p, counts, truth = channel(5, 20_000, 1)
    blurred = 0.5 * p + 0.5 * p.mean(0)
    assert information.variational(np.log(blurred), counts).bits < truth - 0.02


def test_classes_have_equal_weight():
    rng = np.random.default_rng(0)
    weight = rng.integers(1, 5, 1000)
    group = information.quantiles(rng.normal(size=1000), 10, weight)
    mass = np.bincount(group, weights=weight)
    np.testing.assert_allclose(mass, weight.sum() / 10, atol=weight.max())


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.95])
def test_information_about_a_read_out_is_that_of_a_gaussian(correlation):
    rng = np.random.default_rng(0)
    x = rng.normal(size=4000)
    y = correlation * x + np.sqrt(1 - correlation**2) * rng.normal(size=4000)
    exact = -0.5 * np.log2(1 - correlation**2)
    predictive = information.predictive_of_values(x, 3 + 5 * y)
    assert abs(predictive.bits - exact) < 4 * predictive.standard_error + 0.005
    assert 0.005 < predictive.standard_error < 0.05
    sd = np.sqrt(1 - correlation**2)
    log_density = -0.5 * ((y - correlation * x) / sd) ** 2 - np.log(sd * np.sqrt(2 * np.pi))
    variational = information.variational_of_values(log_density - np.log(5), 3 + 5 * y)
    assert abs(variational.bits - exact) < 4 * variational.standard_error + 0.005
    monotone = information.predictive_of_values(np.exp(x), np.arctan(y))
    assert monotone == information.predictive_of_values(x, y)


def test_equal_predictions_and_read_outs_are_not_informative():
    rng = np.random.default_rng(1)
    x = rng.normal(size=3000)
    nothing = information.predictive_of_values(np.ones(3000), x)
    assert abs(nothing.bits) < 4 * nothing.standard_error
    # A prediction of two values informs 1 bit at most, whatever the read-out.
    two = information.predictive_of_values(x > 0, x)
    assert two.bits == pytest.approx(1.0, abs=0.08)  # 5 neighbours blur the border
    assert information.variational_of_values(np.zeros(19), x[:19]) is None
    assert information.variational_of_values(np.zeros(3000), np.ones(3000)) is None


def test_read_outs_that_repeat_are_as_informative_as_those_that_do_not():
    rng = np.random.default_rng(3)
    x = rng.normal(size=4000)
    y = x + 0.5 * rng.normal(size=4000)
    rounded = np.round(100 * y) / 100  # of 4000 values, many are equal
    fine, coarse = (
        information.variational_of_values(
            -0.5 * ((values - x) / 0.5) ** 2 - np.log(0.5 * np.sqrt(2 * np.pi)), values
        ).bits
        for values in (y, rounded)
    )
    assert coarse == pytest.approx(fine, abs=0.02)


def test_a_poor_density_has_less_variational_information():
    rng = np.random.default_rng(2)
    x = rng.normal(size=4000)
    y = x + 0.5 * rng.normal(size=4000)
    bits = [
        information.variational_of_values(
            -0.5 * ((y - x) / sd) ** 2 - np.log(sd * np.sqrt(2 * np.pi)), y
        ).bits
        for sd in (0.5, 0.8)
    ]
    assert bits[0] == pytest.approx(0.5 * np.log2(5), abs=0.05)
    assert bits[1] < bits[0] - 0.1
