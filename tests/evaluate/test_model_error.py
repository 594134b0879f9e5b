"""Intervals of the map hold the truth, although only noisy measurements were seen."""

import numpy as np
import pytest
from scipy import ndimage

from akita_bayes import errors, triangle
from akita_bayes.data import noise_table
from akita_bayes.evaluate import (
    calibrate,
    map_intervals,
    model_error,
    spread_factors,
    strata,
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
    judge = map_intervals.MapIntervals(STRATA, model_error.value_borders(windows, STRATA))
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


@pytest.mark.parametrize("case", CASES)
def test_intervals_of_the_map_hold_the_truth_in_every_stratum(case):
    windows, _, noise = simulate(80, seed=1, **CASES[case])
    fitted = model_error.fit(windows, STRATA, OFFSET, noise, draws=DRAWS)
    summary = judged(fitted, *simulate(80, seed=2, **CASES[case])[:2])
    coverage = shares(summary, "strata")
    print(
        case,
        coverage.round(3),
        shares(summary, "values").round(3),
        shares(summary, "values", "measurement_coverage").round(3),
        fitted.map_error,
    )
    assert ((coverage > 0.87) & (coverage < 0.94)).all(), coverage
