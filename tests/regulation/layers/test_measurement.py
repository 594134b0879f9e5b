import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from akita_bayes.mechanisms import declarations
from akita_bayes.regulation.layers import measurement

RNG = np.random.default_rng(0)
ACTIVITY = RNG.uniform(0.001, 1, 40)


def random_weights(layer, sd=1.0, rng=RNG):
    return {name: rng.normal(0, sd, shape) for name, shape in layer.shapes.items()}


def batched(weights):
    return {name: np.asarray(value)[None] for name, value in weights.items()}


def softmax(logits):
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


@pytest.mark.parametrize("read_out", ["activity", "log_activity"])
def test_bins_are_the_paper_s_two_softmax_layers(read_out):
    layer = measurement.SoftmaxBins(columns=4, hidden=3, read_out=read_out)
    weights = random_weights(layer)
    outputs = np.asarray(layer.outputs(batched(weights), ACTIVITY[None]))[0]
    for n, t in enumerate(ACTIVITY):
        signal = np.log(t) if read_out == "log_activity" else t
        hidden = softmax(weights["hidden_slope"] * signal + weights["hidden_bias"])
        expected = softmax(hidden @ weights["bin_weight"] + weights["bin_bias"])
        np.testing.assert_allclose(outputs[:, n], expected, rtol=1e-9)


@pytest.mark.parametrize(("read_out", "low"), [("activity", 0.0), ("log_activity", -8.0)])
def test_bins_start_with_bends_all_over_the_activities(read_out, low):
    """A hidden unit turns on where its logit is even: to 1/2, or to that of the unit before it."""
    high = low + (1.0 if read_out == "activity" else 8.0)
    arguments = {"columns": 4, "hidden": 300, "read_out": read_out}
    start = measurement.SoftmaxBins(**arguments).start(np.random.default_rng(0))
    bends = -start["hidden_bias"] / start["hidden_slope"]
    assert low < bends.min() < low + 0.05 * (high - low)
    assert high - 0.05 * (high - low) < bends.max() < high
    # From one end of the activities to the other a unit changes its logit by about 4.
    assert (start["hidden_slope"] * (high - low)).std() == pytest.approx(4, rel=0.15)
    start = measurement.MonotoneBins(**arguments).start(np.random.default_rng(0))
    step = np.exp(start["log_slope_step"])
    np.testing.assert_allclose(step * (high - low), 4)
    bends = -np.diff(start["hidden_bias"]) / step
    assert (np.diff(bends) > 0).all()
    assert low < bends[0] < low + 0.05 * (high - low)
    assert high - 0.05 * (high - low) < bends[-1] < high


@pytest.mark.parametrize("kind", ["bins", "monotone_bins", "spline_bins"])
@pytest.mark.parametrize("read_out", ["activity", "log_activity"])
def test_counts_weight_the_likelihood(kind, read_out):
    layer = measurement.PROCESSES[kind](columns=4, hidden=3, read_out=read_out)
    weights = batched(random_weights(layer))
    counts = RNG.poisson(2.0, (4, len(ACTIVITY))).astype(float)
    log_pmf = np.asarray(layer.log_prob(weights, ACTIVITY[None], counts, np.ones(len(ACTIVITY))))[0]
    p = np.asarray(layer.outputs(weights, ACTIVITY[None]))[0]
    for n in range(len(ACTIVITY)):
        reads = counts[:, n].astype(int)
        coefficient = scipy.stats.multinomial.logpmf(reads, reads.sum(), [0.25] * 4)
        coefficient -= reads.sum() * np.log(0.25)
        expected = scipy.stats.multinomial.logpmf(reads, reads.sum(), p[:, n]) - coefficient
        assert log_pmf[n] == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("read_out", ["activity", "log_activity"])
@pytest.mark.parametrize("seed", range(5))
def test_monotone_bins_are_ordered_by_likelihood_ratio(read_out, seed):
    layer = measurement.MonotoneBins(columns=6, hidden=4, read_out=read_out)
    weights = random_weights(layer, sd=2.0, rng=np.random.default_rng(seed))
    activity = np.linspace(0.001, 1, 200)
    log_p = np.asarray(layer.log_bins(batched(weights), activity[None]))[0]
    odds = np.diff(log_p, axis=0)
    assert (np.diff(odds, axis=1) >= -1e-9).all()
    mean_bin = np.arange(6) @ np.exp(log_p)
    assert (np.diff(mean_bin) >= -1e-9).all()
    assert mean_bin[-1] > mean_bin[0]
    # The free network is not ordered, or the test above would prove nothing.
    free = measurement.SoftmaxBins(columns=6, hidden=4, read_out=read_out)
    weights = batched(random_weights(free, sd=2.0, rng=np.random.default_rng(seed)))
    odds = np.diff(np.asarray(free.log_bins(weights, activity[None]))[0], axis=0)
    assert (np.diff(odds, axis=1) < -1e-6).any()


def test_gaussian_noise_is_the_normal_density_of_the_log_read_out():
    layer = measurement.GaussianNoise()
    weights = random_weights(layer)
    y, replicates = RNG.normal(size=(1, 40)), RNG.integers(1, 4, 40).astype(float)
    log_prob = np.asarray(layer.log_prob(batched(weights), ACTIVITY[None], y, replicates))[0]
    mean = weights["offset"] + np.exp(weights["log_slope"]) * np.log(
        ACTIVITY + np.exp(weights["log_background"])
    )
    sd = np.exp(weights["log_sd"]) / np.sqrt(replicates)
    expected = scipy.stats.norm.logpdf(y[0], mean, sd)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-9)
    outputs = np.asarray(layer.outputs(batched(weights), ACTIVITY[None]))[0]
    np.testing.assert_allclose(outputs, [mean, np.full(40, np.exp(weights["log_sd"]))])


@pytest.mark.parametrize(("base", "slope"), [("e", 1.0), (2, 1 / np.log(2)), (10, 1 / np.log(10))])
def test_the_base_of_a_log_ratio_is_its_slope(base, slope):
    spec = declarations.Measurement(kind="gaussian", log_base=base)
    fixed = measurement.process(spec, 1, origin=2.0, unit=3.0)
    assert list(fixed.shapes) == ["offset", "log_background", "log_sd"]
    fitted = measurement.GaussianNoise(origin=2.0, unit=3.0)
    weights = random_weights(fixed)
    same = batched({**weights, "log_slope": np.log(slope / 3.0)})
    outputs = fixed.outputs(batched(weights), ACTIVITY[None])
    np.testing.assert_allclose(outputs, fitted.outputs(same, ACTIVITY[None]), rtol=1e-9)
    again = measurement.GaussianNoise.from_config(fixed.get_config())
    np.testing.assert_allclose(again.outputs(batched(weights), ACTIVITY[None]), outputs, rtol=1e-9)


@pytest.mark.parametrize("kind", ["gaussian", "skewed", "outliers"])
def test_origin_and_unit_of_a_read_out_are_a_change_of_weights(kind):
    spec = declarations.Measurement(kind=kind)
    plain, scaled = (measurement.process(spec, 1, origin=7.0 * s, unit=100.0**s) for s in (0, 1))
    assert (scaled.origin, scaled.unit) == (7.0, 100.0)
    weights = random_weights(plain)
    natural = {}
    for name, value in weights.items():
        shift, factor = scaled.natural(name)
        natural[name] = shift + factor * value
    y, replicates = RNG.normal(7, 100, size=(1, 40)), RNG.integers(1, 4, 40).astype(float)
    for method, data in (("log_prob", (y, replicates)), ("outputs", ())):
        expected = getattr(plain, method)(batched(natural), ACTIVITY[None], *data)
        actual = getattr(scaled, method)(batched(weights), ACTIVITY[None], *data)
        np.testing.assert_allclose(actual, expected, rtol=1e-9)


def test_noise_with_outliers_is_a_mixture_of_two_normals():
    layer = measurement.OutlierNoise()
    weights = random_weights(layer)
    y, replicates = RNG.normal(size=(1, 40)), RNG.integers(1, 4, 40).astype(float)
    log_prob = np.asarray(layer.log_prob(batched(weights), ACTIVITY[None], y, replicates))[0]
    mean, sd, wide, share = np.asarray(layer.outputs(batched(weights), ACTIVITY[None]))[0]
    np.testing.assert_allclose(wide, sd * (1 + np.exp(weights["log_excess"])))
    np.testing.assert_allclose(share, 1 / (1 + np.exp(-weights["logit_share"])))
    usual, outlying = (
        scipy.stats.norm.pdf(y[0], mean, scale / np.sqrt(replicates)) for scale in (sd, wide)
    )
    np.testing.assert_allclose(log_prob, np.log((1 - share) * usual + share * outlying), rtol=1e-9)
    # Draws have the variance of the mixture.
    draws = layer.draw(weights, np.full(200_000, 0.2), np.ones(200_000), np.random.default_rng(1))
    expected = np.sqrt((1 - share[0]) * sd[0] ** 2 + share[0] * wide[0] ** 2)
    assert draws.std() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("skew", [-0.7, 0.0, 0.4])
def test_skewed_noise_is_a_density_of_two_half_normals(skew):
    layer = measurement.SkewedNoise()
    weights = {"offset": 0.3, "log_slope": 0.1, "log_background": -3.0, "log_sd": -0.5}
    weights["log_skew"] = skew
    mode, below, above = np.asarray(layer.outputs(batched(weights), np.array([[0.2]])))[0, :, 0]
    assert above / below == pytest.approx(np.exp(2 * skew))
    y = np.linspace(mode - 12, mode + 12, 40_001)
    activity = np.full((1, len(y)), 0.2)

    def density_of(replicates):
        weight = np.full(len(y), replicates)
        return np.exp(np.asarray(layer.log_prob(batched(weights), activity, y[None], weight))[0])

    density, of_mean = density_of(1.0), density_of(4.0)
    assert scipy.integrate.trapezoid(density, y) == pytest.approx(1, abs=1e-6)
    assert scipy.integrate.trapezoid(of_mean, y) == pytest.approx(1, abs=1e-6)
    assert of_mean.max() == pytest.approx(2 * density.max(), rel=1e-3)
    assert y[density.argmax()] == pytest.approx(mode, abs=1e-3)
    side = y > mode
    spread = np.sqrt(np.average((y[side] - mode) ** 2, weights=density[side]))
    assert spread == pytest.approx(above, rel=1e-3)
    if skew == 0:
        np.testing.assert_allclose(density, scipy.stats.norm.pdf(y, mode, np.exp(-0.5)), atol=1e-12)


def test_poisson_counts_up_to_the_factorial():
    layer = measurement.PoissonCounts()
    weights = random_weights(layer)
    counts, exposure = RNG.poisson(3.0, (1, 40)).astype(float), RNG.uniform(1, 9, 40)
    log_prob = np.asarray(layer.log_prob(batched(weights), ACTIVITY[None], counts, exposure))[0]
    mean = exposure * np.exp(weights["log_scale"]) * (ACTIVITY + np.exp(weights["log_background"]))
    expected = scipy.stats.poisson.logpmf(counts[0], mean)
    expected += scipy.special.gammaln(counts[0] + 1)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-9)


@pytest.mark.parametrize("kind", sorted(measurement.PROCESSES))
def test_several_sets_of_weights_are_evaluated_at_once(kind):
    spec = declarations.Measurement(kind=kind, hidden=4)
    layer = measurement.process(spec, 5 if kind.endswith("bins") else 1)
    rng = np.random.default_rng(1)
    many = [layer.start(rng) for _ in range(3)]
    observed = rng.poisson(2.0, (layer.columns, 40)).astype(float)
    stacked = {name: np.stack([weights[name] for weights in many]) for name in layer.shapes}
    activity = rng.uniform(0.01, 1, (3, 40))
    together = np.asarray(layer.log_prob(stacked, activity, observed, np.ones(40)))
    for weights, t, row in zip(many, activity, together, strict=True):
        alone = np.asarray(layer.log_prob(batched(weights), t[None], observed, np.ones(40)))[0]
        np.testing.assert_allclose(row, alone, rtol=1e-9)
        assert set(weights) == set(layer.shapes)


@pytest.mark.parametrize("kind", sorted(measurement.PROCESSES))
def test_a_layer_says_the_name_and_unit_of_every_weight(kind):
    spec = declarations.Measurement(kind=kind, hidden=4, read_out="log_activity")
    layer = measurement.process(spec, 3)
    assert (layer.kind, layer.columns, layer.hidden, layer.read_out) == (kind, 3, 4, spec.read_out)
    layer.build((None, 1))
    assert {weight.name for weight in layer.weights} == set(layer.units) == set(layer.shapes)
    of_known = {"hidden_bias": "1", "line": "1", "offset": "1", "log_scale": "ln(scale)"}
    of_known |= {"log_sd": "ln(sd)", "log_slope_step": "ln(slope_step)"}
    shared = set(of_known) & set(layer.units)
    assert shared
    assert all(layer.units[name] == of_known[name] for name in shared)
    # Where the read-out has no unit of its own, weights are what they are held as.
    assert all(layer.natural(name) == (0.0, 1.0) for name in layer.shapes)


@pytest.mark.parametrize("kind", ["gaussian", "skewed", "outliers"])
def test_an_absolute_read_out_is_the_activity(kind):
    spec = declarations.Measurement(kind=kind, absolute=True)
    layer = measurement.process(spec, 1, origin=2.0, unit=3.0)
    assert not {"offset", "log_slope", "log_background"} & set(layer.shapes)
    assert set(layer.start(np.random.default_rng(0))) == set(layer.shapes)
    outputs = np.asarray(layer.outputs(batched(random_weights(layer)), ACTIVITY[None]))[0]
    np.testing.assert_allclose(outputs[0], ACTIVITY, rtol=1e-9)
    again = type(layer).from_config(layer.get_config())
    assert again.absolute
