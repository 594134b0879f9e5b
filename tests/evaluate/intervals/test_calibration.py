"""Calibration statistics against closed forms, Monte Carlo and their own definitions."""

import tracemalloc
import types

import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from akita_bayes import regions, triangle
from akita_bayes.evaluate import strata
from akita_bayes.evaluate.intervals import calibrate, calibration, spread_factors

BINS, OFFSET, TARGETS = 24, 2, 2
STRATA = strata.log_spaced(BINS, OFFSET, 4)
PIXELS = triangle.length(BINS, OFFSET)


def windows(count, seed=0, inflate=1.0):
    """Gaussian data whose true sd differs by pixel; `inflate` is what the model claims too much."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        sd = generator.uniform(0.2, 2.0, (PIXELS, TARGETS))
        mean = generator.normal(size=sd.shape)
        target = mean + sd * generator.normal(size=sd.shape)
        yield target, mean, sd * inflate, np.ones(sd.shape, bool)


def collect(data):
    accumulator = calibration.Calibration(STRATA, TARGETS)
    for window in data:
        accumulator.update(*window)
    return accumulator.summary(bootstrap=50)


def test_every_pixel_has_the_stratum_of_its_distance():
    distance = triangle.distances(BINS, OFFSET)
    assert STRATA.edges[0] == OFFSET
    assert STRATA.edges[-1] == BINS
    for d, (low, high) in enumerate(zip(STRATA.edges, STRATA.edges[1:], strict=False)):
        np.testing.assert_array_equal(STRATA.index == d, (distance >= low) & (distance < high))


def test_nll_and_crps_agree_with_scipy_and_monte_carlo():
    generator = np.random.default_rng(1)
    residual, sd = np.array([-1.3, 0.0, 2.2]), np.array([0.5, 1.0, 3.0])
    np.testing.assert_allclose(
        calibration.nll(residual, sd), -scipy.stats.norm.logpdf(residual * sd, scale=sd)
    )
    draws = generator.normal(size=(400_000, 2)) * sd[:, None, None]
    expected = np.abs(draws[..., 0] - (residual * sd)[:, None]).mean(1) - (
        np.abs(draws[..., 0] - draws[..., 1]).mean(1) / 2
    )
    np.testing.assert_allclose(calibration.crps(residual, sd), expected, rtol=0.01)


def test_sparsification_compares_two_orders_of_dropping():
    error = np.arange(1.0, 21)
    assert calibration.sparsification_error(error, error**2) == 0
    assert calibration.sparsification_error(np.zeros(20), error) == 0
    counts = 20 - np.arange(20)  # of which each share of 1/20 drops one more
    best = np.array([error[:k].mean() for k in counts])
    worst = np.array([error[-k:].mean() for k in counts])
    expected = scipy.integrate.trapezoid((worst - best) / error.mean(), dx=0.05)
    assert calibration.sparsification_error(error, -error) == pytest.approx(expected)


def test_a_true_sd_is_found_calibrated_and_its_interval_holds_the_level():
    summary = collect(windows(60))
    for level in spread_factors.LEVELS:
        assert abs(summary["overall"][f"coverage_{level:.0%}"]["estimate"] - level) < 0.01
        for target in summary["strata"]:
            for stratum in target:
                assert abs(stratum[f"coverage_{level:.0%}"]["estimate"] - level) < 0.06
    assert summary["overall"]["calibration_error"]["estimate"] < 0.005
    np.testing.assert_allclose(summary["pit"], 1 / calibration.PIT_BINS, atol=0.005)
    interval = summary["overall"]["coverage_90%"]
    assert interval["lower"] < interval["estimate"] < interval["upper"]
    # error ranks with sd, but noise keeps it from doing so perfectly
    assert 0.3 < summary["overall"]["error_sd_spearman"]["estimate"] < 0.9
    assert 0 < summary["overall"]["ause"]["estimate"] < 0.5


def test_sharpness_is_the_width_of_the_90_percent_interval():
    mean, sd = np.zeros((PIXELS, TARGETS)), np.full((PIXELS, TARGETS), 2.0)
    overall = collect([(mean, mean, sd, sd > 0)])["overall"]
    assert overall["sharpness"]["estimate"] == pytest.approx(2 * 1.6448536 * 2)


def test_every_target_and_stratum_has_a_pit_and_a_ranking():
    """One stratum of one target is claimed too sure and ranked backwards; another is unmeasured."""
    accumulator = calibration.Calibration(STRATA, TARGETS)
    bad, empty = STRATA.index == 1, STRATA.index == 2
    pairs = []
    for target, mean, sd, mask in windows(40, seed=6):
        sd[bad, 0] = 0.02 / sd[bad, 0]
        mask[empty, 1] = False
        accumulator.update(target, mean, sd, mask)
        pairs.append((np.abs(target - mean)[bad, 0], sd[bad, 0]))
    summary = accumulator.summary(bootstrap=20)
    pit = summary["pit_by_stratum"]
    assert [len(row) for row in pit] == [STRATA.count] * TARGETS
    assert pit[0][1][0] + pit[0][1][-1] > 0.9
    np.testing.assert_allclose(pit[0][0], 1 / calibration.PIT_BINS, atol=0.03)
    np.testing.assert_allclose(summary["pit_by_target"][1], 1 / calibration.PIT_BINS, atol=0.01)
    assert pit[1][2] is None
    backwards, forwards = (summary["strata"][0][d]["error_sd_spearman"] for d in (1, 0))
    assert backwards["upper"] < 0 < forwards["lower"]
    expected = [scipy.stats.spearmanr(*pair).statistic for pair in pairs]
    assert backwards["estimate"] == pytest.approx(np.mean(expected))
    expected = [calibration.sparsification_error(*pair) for pair in pairs]
    assert summary["strata"][0][1]["ause"]["estimate"] == pytest.approx(np.mean(expected))
    assert summary["strata"][1][2]["ause"] is None


def test_every_target_is_described_as_if_it_were_alone():
    data = list(windows(4, seed=8))
    both = collect(data)
    for t in range(TARGETS):
        accumulator = calibration.Calibration(STRATA, 1)
        for window in data:
            accumulator.update(*(part[:, [t]] for part in window))
        alone = accumulator.summary(bootstrap=50)
        assert both["targets"][t] == alone["overall"] == alone["targets"][0]
        assert both["strata"][t] == alone["strata"][0]


def test_residuals_beyond_all_measure_fill_the_last_bins():
    accumulator = calibration.Calibration(STRATA, 1)
    with pytest.raises(ValueError, match="no window was added"):
        accumulator.summary()
    mean, sd = np.zeros((PIXELS, 1)), np.ones((PIXELS, 1))
    target = np.where(np.arange(PIXELS) < PIXELS // 4, -100.0, 100.0)[:, None]
    accumulator.update(target, mean, sd, np.ones(mean.shape, bool))
    summary = accumulator.summary(bootstrap=0)
    assert len(summary["pit"]) == calibration.PIT_BINS
    assert summary["pit"][0] == pytest.approx(0.25, abs=0.01)
    assert summary["pit"][0] + summary["pit"][-1] == pytest.approx(1)
    assert summary["overall"]["rmse"] == {"estimate": 100, "lower": 100, "upper": 100}


def test_a_target_without_a_ranking_does_not_take_it_from_the_others():
    accumulator = calibration.Calibration(STRATA, TARGETS)
    for target, mean, sd, mask in windows(5, seed=7):
        mask[:, 1] = False
        accumulator.update(target, mean, sd, mask)
    summary = accumulator.summary(bootstrap=5)
    for name in ("error_sd_spearman", "ause"):
        assert summary["targets"][1][name] is None
        assert summary["overall"][name] == summary["targets"][0][name]


def predictions(data, learned=True):
    for target, mean, sd, mask in data:
        parts = (0.6 * sd, 0.8 * sd) if learned else (0 * sd, 0 * sd)
        yield spread_factors.Prediction(target, mask, mean, *parts)


def test_an_overconfident_model_is_found_out_and_recalibration_mends_it():
    before = collect(windows(40, inflate=0.5))
    assert before["overall"]["coverage_90%"]["estimate"] < 0.65
    fitted = spread_factors.fit(list(predictions(windows(40, 1, 0.5))), STRATA, OFFSET)
    assert fitted.noise is None
    factors = fitted.factors(PIXELS)
    mended = np.hypot(0.6 * factors.epistemic, 0.8 * factors.aleatoric)
    np.testing.assert_allclose(mended, 2.0, rtol=0.08)
    after = collect(
        (target, mean, sd * mended, mask) for target, mean, sd, mask in windows(40, inflate=0.5)
    )
    assert abs(after["overall"]["coverage_90%"]["estimate"] - 0.9) < 0.01
    assert after["overall"]["crps"]["estimate"] < before["overall"]["crps"]["estimate"]


FACTORS = np.array([[0.5, 1.0, 1.5, 2.0], [2.0, 1.0, 0.7, 0.4]])[:, : STRATA.count]


def test_a_narrow_posterior_and_a_wide_noise_are_told_apart():
    """The epistemic sd is stated 1 / (5 f), the noise f times as large as it is, f by stratum."""
    generator = np.random.default_rng(2)
    f = FACTORS[:, STRATA.index].T
    data = []
    for _ in range(80):
        epistemic = generator.uniform(0.1, 3.0, (PIXELS, TARGETS))
        target = np.hypot(epistemic, 1.0) * generator.normal(size=epistemic.shape)
        parts = (np.zeros_like(target), epistemic / (5 * f), np.broadcast_to(f, target.shape))
        data.append(spread_factors.Prediction(target, np.ones(target.shape, bool), *parts))
    fitted = spread_factors.fit(data, STRATA, OFFSET)
    np.testing.assert_allclose(np.array(fitted.epistemic), 5 * FACTORS, rtol=0.25)
    np.testing.assert_allclose(np.array(fitted.aleatoric), 1 / FACTORS, rtol=0.25)


def test_without_a_spread_of_draws_the_noise_takes_it_all():
    data = [
        part._replace(epistemic_sd=0 * part.mean, aleatoric_sd=part.sd)
        for part in predictions(windows(40, inflate=0.5))
    ]
    fitted = spread_factors.fit(data, STRATA, OFFSET)
    np.testing.assert_allclose(np.array(fitted.aleatoric), 2.0, rtol=0.08)
    np.testing.assert_allclose(np.array(fitted.epistemic), 1.0, rtol=0.1)


def test_a_model_without_noise_is_given_that_of_its_residuals():
    generator = np.random.default_rng(4)
    sd = FACTORS[:, STRATA.index].T
    data = [
        (sd * generator.normal(size=sd.shape), np.zeros(sd.shape), sd, np.ones(sd.shape, bool))
        for _ in range(60)
    ]
    fitted = spread_factors.fit(list(predictions(data, learned=False)), STRATA, OFFSET)
    np.testing.assert_allclose(fitted.aleatoric_sd(PIXELS), sd, rtol=0.1)
    np.testing.assert_allclose(fitted.factors(PIXELS).aleatoric, 1.0, rtol=0.1)


def test_a_model_without_noise_is_judged_with_that_noise(monkeypatch):
    """Every prediction is 2 off: so is the noise, and intervals of a z above 1 hold all."""
    mean = np.random.default_rng(5).normal(size=(PIXELS, TARGETS))
    stated = spread_factors.Prediction(mean + 2, mean < 9, mean, 0 * mean, 0 * mean)
    geometry = types.SimpleNamespace(
        bins=BINS, diagonal_offset=OFFSET, target_length=PIXELS, bin_width=1, units=TARGETS
    )
    hic = types.SimpleNamespace(name="hic")
    spec = types.SimpleNamespace(geometry=lambda head: geometry, head=lambda head: hic)
    model = types.SimpleNamespace(spec=spec)
    monkeypatch.setattr(calibrate.network_draws, "useful_draws", lambda *_: 4)
    monkeypatch.setattr(calibrate, "predictions", lambda *_, **__: iter([stated, stated]))
    monkeypatch.setattr(calibrate.fingerprint, "origin", lambda *_: {})
    monkeypatch.setattr(calibrate, "_draws_of_first", lambda *_, **__: mean[None])
    monkeypatch.setattr(calibrate, "_first_region", lambda *_: regions.Region("chr1", 0, BINS))
    before = calibrate.calibrate(model, "data").before["overall"]
    assert before["mean_sd"]["estimate"] == pytest.approx(2)
    assert [before[f"coverage_{level}"]["estimate"] for level in ("50%", "90%")] == [0, 1]


def test_that_noise_is_what_the_spread_of_the_mean_leaves():
    generator = np.random.default_rng(9)
    data = []
    for _ in range(80):
        mean = generator.normal(5, 1, (PIXELS, TARGETS))
        epistemic = generator.uniform(0.5, 2, mean.shape)
        target = mean + np.hypot(epistemic, 1.5) * generator.normal(size=mean.shape)
        parts = (np.ones(mean.shape, bool), mean, epistemic, np.zeros_like(mean))
        data.append(spread_factors.Prediction(target, *parts))
    fitted = spread_factors.fit(data, STRATA, OFFSET)
    np.testing.assert_allclose(np.array(fitted.noise), 1.5, rtol=0.1)


def test_a_spread_beyond_all_residuals_leaves_a_hundredth_of_their_variance():
    data = [
        part._replace(epistemic_sd=np.full(part.mean.shape, 9.0), target=part.mean + 2)
        for part in predictions(windows(3), learned=False)
    ]
    fitted = spread_factors.fit(data, STRATA, OFFSET)
    np.testing.assert_allclose(np.array(fitted.noise), 0.2)


def test_factors_are_the_most_probable_ones():
    """Of few measurements, beside a search over all pairs of factors."""
    generator = np.random.default_rng(10)
    squared, epistemic, noise = generator.gamma(1.0, [[4.0], [1.0], [2.0]], (3, 50))
    centre, spread, count = np.array([0.9, -0.8]), 0.5, 6.0
    cells = np.stack([np.ones(50), squared, epistemic, noise])
    factors = spread_factors._factors(cells, count, centre, spread)
    twice = np.concatenate([2 * cells[:, :20], cells[:, 20:], cells[:, 20:]], axis=1)
    np.testing.assert_allclose(spread_factors._factors(twice, count, centre, spread), factors, 1e-4)
    grid = np.linspace(-2, 2, 401)
    a, b = np.meshgrid(grid, grid, indexing="ij")
    loss = ((a - centre[0]) ** 2 + (b - centre[1]) ** 2) / (2 * spread**2)
    for r, e, n in zip(squared, epistemic, noise, strict=True):
        variance = np.exp(2 * a) * e + np.exp(2 * b) * n
        loss += count / 50 * (np.log(variance) + r / variance) / 2
    best = np.unravel_index(loss.argmin(), loss.shape)
    np.testing.assert_allclose(factors, grid[list(best)], atol=0.01)
    assert np.abs(factors - centre).max() > 0.1


def test_a_stratum_of_eight_bins_counts_as_one_measurement():
    """Of noise 1, where log b is likeliest 0 over both strata and 0.1 in the first: from
    1 - q / b^2 + 4 log b = 0, its mean r^2 is q = b^2 (1 + 4 log b), the other's 2 - q.
    """
    q = np.exp(0.2) * 1.4
    cells = [[np.array([[500.0], [500 * r], [0.0], [500.0]]) for r in (q, 2 - q)]]
    assert spread_factors._parts(cells, 8)[1, 0, 0] == pytest.approx(np.exp(0.1), rel=1e-4)


def uneven(windows, pixels=PIXELS, spread=0.5):
    """Predictions whose epistemic sd and noise differ from pixel to pixel, as networks' do."""
    generator = np.random.default_rng(0)
    shape = (pixels, TARGETS)
    for _ in range(windows):
        epistemic, noise = np.exp(generator.normal([[[-2.0]], [[-1.5]]], spread, (2, *shape)))
        error = np.hypot(2 * epistemic, 0.8 * noise) * generator.standard_t(6, shape)
        parts = (generator.random(shape) > 0.1, np.zeros(shape), epistemic, noise)
        yield spread_factors.Prediction(error, *parts)


def test_pixels_that_are_alike_give_the_factors_of_all_one_by_one():
    data = list(uneven(30))
    every = [[[] for _ in range(STRATA.count)] for _ in range(TARGETS)]
    for part in data:
        for pixel, t in zip(*np.nonzero(part.mask), strict=True):
            squares = [part[k][pixel, t] ** 2 for k in (0, 3, 4)]
            every[t][STRATA.index[pixel]].append([1.0, *squares])
    one_by_one = [[np.array(stratum).T for stratum in target] for target in every]
    cells = spread_factors._cells(data, STRATA)
    for few, many in zip(cells, one_by_one, strict=True):
        for cell, pixels in zip(few, many, strict=True):
            np.testing.assert_allclose(cell.sum(1), pixels.sum(1))
    assert sum(part.shape[1] for part in cells[0]) < sum(part.shape[1] for part in one_by_one[0])
    bins = 30 * BINS
    expected = spread_factors._parts(one_by_one, bins)
    assert np.abs(expected - 1).max() > 0.1
    np.testing.assert_allclose(spread_factors._parts(cells, bins), expected, rtol=5e-4)


def test_memory_does_not_grow_with_windows():
    wide = strata.log_spaced(128, OFFSET, 4)

    def peak(count):
        tracemalloc.start()
        windows_on_disk = calibrate.on_disk(uneven(count, len(wide.index), 0.1))
        spread_factors.fit(windows_on_disk, wide, OFFSET)
        most_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most_bytes

    window = sum(values.nbytes for values in next(uneven(1, len(wide.index))))
    few, many = peak(8), peak(24)
    assert many - few < 0.1 * 16 * window


def test_windows_on_disk_are_those_that_were_given():
    in_memory = list(uneven(3))
    for on_disk, expected_window in zip(calibrate.on_disk(iter(in_memory)), in_memory, strict=True):
        for values, expected in zip(on_disk, expected_window, strict=True):
            assert values.dtype == expected.dtype
            np.testing.assert_array_equal(values, expected)
    assert calibrate.on_disk([]) == []


def test_a_window_without_data_counts_nowhere():
    *data, last = predictions(windows(21))
    nothing = np.full_like(last.target, np.nan)
    fitted = spread_factors.fit(
        [*data, last._replace(target=nothing, mask=np.isfinite(nothing))], STRATA, OFFSET
    )
    mended = np.hypot(0.6 * np.array(fitted.epistemic), 0.8 * np.array(fitted.aleatoric))
    np.testing.assert_allclose(mended, 1, rtol=0.15)


def test_a_stratum_without_data_takes_the_value_of_its_target():
    data = list(predictions(windows(30, inflate=0.5)))
    for part in data:
        part.mask[STRATA.index == 1, 0] = False
        part.mask[:, 1] = False
        part.target[~part.mask] = np.nan
    fitted = spread_factors.fit(data, STRATA, OFFSET)
    mended = np.hypot(0.6 * np.array(fitted.epistemic), 0.8 * np.array(fitted.aleatoric))
    np.testing.assert_allclose(mended, 2.0, rtol=0.15)


def test_a_target_that_is_predicted_without_error_gets_the_least_factors():
    data = [
        part._replace(mean=np.where(np.arange(TARGETS) == 0, part.target, part.mean))
        for part in predictions(windows(20))
    ]
    fitted = spread_factors.fit(data, STRATA, OFFSET)
    assert (np.array([fitted.epistemic, fitted.aleatoric])[:, 0] < 1e-4).all()
    mended = np.hypot(0.6 * np.array(fitted.epistemic), 0.8 * np.array(fitted.aleatoric))[1]
    np.testing.assert_allclose(mended, 1.0, rtol=0.15)


def test_masked_pixels_count_nowhere():
    (target, mean, sd, mask) = next(windows(1))
    mask[::3, 0] = False
    broken = np.where(mask, target, np.nan)
    accumulator = calibration.Calibration(STRATA, TARGETS)
    accumulator.update(broken, mean, sd, mask)
    overall = accumulator.summary(bootstrap=5)["overall"]
    residual = ((target - mean) / sd)[mask]
    assert overall["coverage_90%"]["estimate"] == pytest.approx(np.mean(np.abs(residual) < 1.6449))
    assert overall["nll"]["estimate"] == pytest.approx(
        -scipy.stats.norm.logpdf(target, mean, sd)[mask].mean()
    )


def test_sparsification_error_is_zero_for_a_perfect_ranking_and_large_for_a_reversed_one():
    error = np.random.default_rng(3).exponential(size=500)
    assert calibration.sparsification_error(error, error) == 0
    assert calibration.sparsification_error(error, -error) > 0.5
