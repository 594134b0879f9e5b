"""Intervals of the map hold the truth, although only noisy measurements were seen."""

import numpy as np
import pytest
from scipy import ndimage

from akita_bayes import errors, triangle
from akita_bayes.data import noise_table
from akita_bayes.evaluate import strata
from akita_bayes.evaluate.intervals import (
    calibrate,
    calibration,
    error_tails,
    model_error,
    spread_factors,
)

BINS, OFFSET, TARGETS, DRAWS = 40, 2, 2, 8
STRATA = strata.log_spaced(BINS, OFFSET, 4)
ROWS, COLUMNS = triangle.indices(BINS, OFFSET)
DISTANCES = COLUMNS - ROWS
PIXELS = len(DISTANCES)
# As in a Hi-C map: noise grows with distance. The error of the model is as large in the middle.
NOISE = np.array([0.05, 0.1, 0.2, 0.4])
ERROR = np.array([0.1, 0.2, 0.3, 0.2])


def smooth(generator):
    """A random map with errors that neighbouring pixels share. [P, T]."""
    field = generator.normal(size=(TARGETS, BINS, BINS))
    field = ndimage.gaussian_filter(field, (0, 2, 2), mode="wrap")
    return (field / field.std())[:, ROWS, COLUMNS].T


def simulate(count, *, seed, slope=0.0, degrees=np.inf, spread=0.3, by_value=0.0):
    """Windows, their truths, and the noise table that two replicates give.

    Draws show the share `spread` of the error's sd; the rest is common to all draws. With
    `degrees`, noise has the tails of Student's t with the same variance. The log sd of the error
    changes by `by_value` per unit of the prediction.
    """
    generator = np.random.default_rng(seed)
    sums = noise_table.NoiseSums(TARGETS, BINS, OFFSET)
    windows, truths = [], []

    def noise(sd):
        if np.isinf(degrees):
            return sd * generator.normal(size=sd.shape)
        return sd * generator.standard_t(degrees, sd.shape) * np.sqrt((degrees - 2) / degrees)

    for _ in range(count):
        mean = 0.7 * smooth(generator)
        sd = ERROR[STRATA.index][:, None] * np.exp(by_value * mean)
        # The true spread differs from pixel to pixel; S draws estimate it, much too small.
        shown = sd * np.exp(0.3 * smooth(generator))
        truth = mean + np.sqrt(0.5) * (sd * smooth(generator) + shown * smooth(generator))
        estimate = spread * shown * np.sqrt(generator.chisquare(DRAWS - 1, sd.shape) / (DRAWS - 1))
        noise_sd = NOISE[STRATA.index][:, None] * np.exp(slope * truth / 2)
        replicates = truth + np.stack([noise(np.sqrt(2) * noise_sd) for _ in range(2)])
        target = replicates.mean(0)
        mask = generator.random(mean.shape) > 0.05
        sums.add((replicates[0] - replicates[1]) ** 2 / 4, target, mask)
        windows.append(spread_factors.Prediction(target, mask, mean, estimate, np.zeros_like(mean)))
        truths.append(truth)
    return windows, truths, sums.table("2 replicates")


def judged(fitted, windows, truths):
    judge = calibration.MapIntervals(STRATA, error_tails.value_borders(windows, STRATA))
    for window, truth in zip(windows, truths, strict=True):
        judge.update(*calibrate.apply(window, fitted, draws=DRAWS), truth)
    return judge.summary(noise_known=True)


def shares(summary, kind, name="truth_coverage"):
    return np.array([[group[name] for group in groups] for groups in summary[kind]])


CASES = {
    "normal noise": {},
    "overdispersed noise": {"degrees": 3.5},
    "noise by value": {"slope": -1.0},
    "error by value": {"slope": -1.0, "by_value": -0.4},
    "no spread of draws": {"spread": 0.0},
}


@pytest.mark.parametrize(
    "case",
    [
        "normal noise",
        *(pytest.param(case, marks=pytest.mark.slow) for case in list(CASES)[1:]),
    ],
)
def test_intervals_of_the_map_hold_the_truth_in_every_stratum(case):
    windows, _, noise = simulate(80, seed=1, **CASES[case])
    fitted = model_error.fit(windows, STRATA, OFFSET, noise, draws=DRAWS)
    summary = judged(fitted, *simulate(80, seed=2, **CASES[case])[:2])
    coverage = shares(summary, "strata")
    assert ((coverage > 0.87) & (coverage < 0.94)).all(), coverage
    measured = shares(summary, "values", "measurement_coverage")
    assert ((measured > 0.87) & (measured < 0.93)).all(), measured
    # Without the truth, the moments of the tested windows show the same.
    error = shares(summary, "strata", "error_by_moments")
    # (Noise of heavy tails moves the moments of 80 windows by up to 17 %.)
    np.testing.assert_allclose(error, shares(summary, "strata", "true_error"), rtol=0.2)


def test_factors_on_residuals_alone_do_not_hold_the_truth():
    """Two factors take error that draws share for noise; known noise tells them apart."""
    windows, _, noise = simulate(80, seed=1)
    tested = simulate(80, seed=2)[:2]
    plain = [
        window._replace(aleatoric_sd=np.broadcast_to(np.float32(0.2), window.mean.shape))
        for window in windows
    ]
    factors = spread_factors.fit(plain, STRATA, OFFSET)
    before = judged(
        factors,
        [w._replace(aleatoric_sd=np.float32(0.2) + 0 * w.mean) for w in tested[0]],
        tested[1],
    )
    after = judged(model_error.fit(windows, STRATA, OFFSET, noise, draws=DRAWS), *tested)
    assert abs(before["overall"]["measurement_coverage"] - 0.9) < 0.02
    assert shares(before, "strata").min() < 0.8
    assert shares(after, "strata").min() > 0.87


def test_a_spread_that_knows_where_is_used_and_one_that_does_not_is_not():
    """The likelihood gives draws that rank the errors a share, and random ones none."""
    windows, _, noise = simulate(80, seed=1, spread=0.3)
    shown = model_error.fit(windows, STRATA, OFFSET, noise, draws=DRAWS).map_error
    generator = np.random.default_rng(3)
    blind = [
        window._replace(epistemic_sd=generator.permutation(window.epistemic_sd))
        for window in windows
    ]
    unseen = model_error.fit(blind, STRATA, OFFSET, noise, draws=DRAWS).map_error
    total = np.mean([w.epistemic_sd**2 for w in windows])
    share, blind_share = (
        np.mean(np.array(error.epistemic) ** 2)
        * total
        / (np.mean(np.array(error.epistemic) ** 2) * total + np.mean(np.array(error.constant) ** 2))
        for error in (shown, unseen)
    )
    assert share > 0.3 > 0.15 > blind_share


def test_an_error_that_depends_on_the_prediction_is_covered_where_it_is_large():
    case = {"slope": -1.0, "by_value": -0.5}
    windows, _, noise = simulate(80, seed=1, **case)
    tested = simulate(80, seed=2, **case)[:2]
    fitted, constant = (
        model_error.fit(windows, STRATA, OFFSET, noise, draws=DRAWS, constant=constant)
        for constant in (False, True)
    )
    by_value, flat = (shares(judged(fit, *tested), "values") for fit in (fitted, constant))
    assert ((by_value > 0.86) & (by_value < 0.94)).all(), by_value
    assert flat.min() < 0.8
    assert flat.max() > 0.95
    stated = shares(judged(fitted, *tested), "values", "stated_error")
    stated /= np.median(stated, axis=1, keepdims=True)
    assert (stated[:, 0] > 1.2).all()
    assert (stated[:, -1] < 0.85).all()


def test_rounds_make_the_coverage_of_small_and_large_values_more_equal(monkeypatch):
    """Some errors are tiny, more often where the prediction is large: the tails are heavy there.

    The coverage of the fitted windows themselves is meant.
    """
    windows, truths, noise = simulate(80, seed=1, spread=0.0)
    generator = np.random.default_rng(6)
    mixed = []
    for window, truth in zip(windows, truths, strict=True):
        tiny = generator.random(truth.shape) < 1 / (1 + np.exp(-1.5 * window.mean))
        removed = np.where(tiny, 0.8 * (truth - window.mean), 0.0)
        mixed.append(window._replace(target=window.target - removed))
    spreads, shapes = [], []
    for rounds in (1, error_tails.ROUNDS):
        monkeypatch.setattr(error_tails, "ROUNDS", rounds)
        fitted = model_error.fit(mixed, STRATA, OFFSET, noise, draws=DRAWS)
        summary = judged(fitted, mixed, [None] * len(mixed))
        spreads.append(shares(summary, "values", "measurement_coverage").std())
        shapes.append([shape.feature for shape in fitted.map_error.shapes])
    assert spreads[1] < 0.95 * spreads[0]
    assert shapes[0] == shapes[1]


def test_functions_of_features_that_do_not_help_are_left_out():
    windows, _, noise = simulate(10, seed=4)
    shapes = model_error.fit(windows, STRATA, OFFSET, noise, draws=DRAWS).map_error.shapes
    factors = np.concatenate([row for shape in shapes for row in shape.factors])
    assert np.abs(np.log(factors)).max() < 0.2


def test_more_noise_than_residuals_leaves_the_least_error():
    windows, _, noise = simulate(5, seed=1)
    noise.variance[...] = 100.0
    fitted = model_error.fit(windows, STRATA, OFFSET, noise, draws=DRAWS)
    summary = judged(fitted, windows, [None] * 5)
    assert 0.85 < summary["overall"]["measurement_coverage"] < 0.95
    assert summary["overall"]["truth_coverage"] is None
    ratio = shares(summary, "strata", "stated_error") / shares(summary, "strata", "residual")
    np.testing.assert_allclose(ratio, 0.1, rtol=0.1)


def test_an_unmeasured_stratum_takes_the_values_of_its_target():
    windows, truths, noise = simulate(30, seed=1)
    for window in windows:
        window.mask[STRATA.index == 1, 0] = False
        window.target[~window.mask] = np.nan
    error = model_error.fit(windows, STRATA, OFFSET, noise, draws=DRAWS).map_error
    for table in (error.epistemic, error.constant, error.noise):
        assert np.isfinite(table).all()
    sd = np.hypot(error.constant[0][1], error.epistemic[0][1] * 0.3 * 0.2)
    assert 0.1 < sd < 0.4
    assert len(truths) == 30


def test_a_stratum_without_any_error_has_neither_error_nor_noise():
    windows, _, noise = simulate(4, seed=1)
    exact = STRATA.index == 0
    for window in windows:
        window.target[exact] = window.mean[exact]
    fitted = model_error.fit(windows, STRATA, OFFSET, noise, draws=DRAWS)
    for window in windows:
        spread = fitted.apply(window.epistemic_sd, None, mean=window.mean, draws=DRAWS)
        np.testing.assert_array_equal(spread.epistemic[exact], 0)
        np.testing.assert_array_equal(spread.aleatoric[exact], 0)
        assert (spread.epistemic[~exact] > 0).all()


def test_a_split_without_measured_pixels_is_refused():
    windows, _, noise = simulate(2, seed=1)
    empty = [window._replace(mask=np.zeros_like(window.mask)) for window in windows]
    with pytest.raises(errors.DataError, match="no measured pixel"):
        model_error.fit(empty, STRATA, OFFSET, noise, draws=DRAWS)


def test_the_factors_beside_the_map_error_state_the_same_mean_variance():
    """Programs that know only of factors read these."""
    windows, _, noise = simulate(40, seed=1)
    fitted = model_error.fit(windows, STRATA, OFFSET, noise, draws=DRAWS)
    spread = fitted.factors(PIXELS)
    by_factors = np.mean([(w.epistemic_sd * spread.epistemic) ** 2 for w in windows])
    by_error = np.mean(
        [calibrate.apply(w, fitted, draws=DRAWS)[0].epistemic_sd ** 2 for w in windows]
    )
    assert by_factors == pytest.approx(by_error, rel=0.1)
    np.testing.assert_array_equal(fitted.aleatoric, 1.0)
