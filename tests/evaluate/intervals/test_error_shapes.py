"""Splines find how an error depends on features, and leave out features that say nothing."""

import numpy as np
import pytest

from akita_bayes.evaluate.intervals import error_shapes


def sample(count, effect, *, seed=0, noise=0.25):
    """Pixels whose log sd changes by `effect` per unit of the first of two features."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(count, 2))
    stratum = np.arange(count) % 3
    base = np.array([0.5, 1.0, 2.0])[stratum]
    error = base * np.exp(2 * effect * features[:, 0])
    squared = (error + noise) * generator.chisquare(1, count)
    fold = np.arange(count) / count
    return error_shapes.Sample(stratum, fold, squared, base, np.full(count, noise), features)


def test_a_function_is_found_and_a_feature_without_effect_stays_flat():
    useful, useless = error_shapes.fit(sample(20_000, 0.4), 5000)
    slope = np.polyfit(useful.values, useful.logarithms, 1)[0]
    # 20,000 pixels: the standard error of the slope is about 0.006.
    assert slope == pytest.approx(0.4, abs=0.03)
    assert np.abs(useless.logarithms).max() < 0.05


def test_features_that_predict_nothing_are_left_out():
    splines = error_shapes.fit(sample(3000, 0.0), 300)
    assert max(np.abs(spline.logarithms).max() for spline in splines) < 0.05


def test_strata_of_other_variance_do_not_bend_the_functions():
    pixels = sample(20_000, 0.4)
    pixels = pixels._replace(base=np.ones(20_000))  # the strata differ, and u does not say so
    useful, _ = error_shapes.fit(pixels, 5000)
    slope = np.polyfit(useful.values, useful.logarithms, 1)[0]
    assert slope == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize("count", [2, 20])
def test_few_pixels_or_a_constant_feature_are_no_problem(count):
    pixels = sample(count, 0.4)
    constant = pixels._replace(features=np.ones((count, 2)))
    for part in (pixels, constant):
        for spline in error_shapes.fit(part, 1):
            assert np.isfinite(spline.logarithms).all()
            assert len(spline.values) == len(spline.logarithms) >= 1
