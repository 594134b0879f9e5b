"""Intervals of fits that know nothing of the truth, over many simulated experiments."""

import numpy as np
import pytest

from akita_bayes.regulation.compare import experiment_design
from akita_bayes.regulation.fits import fitting
from akita_bayes.regulation.posterior import laplace, physical_units

EXPERIMENTS = 20


@pytest.mark.slow
def test_intervals_of_fits_hold_the_truth_at_the_nominal_rate(two_sites, experiment):
    mechanism = two_sites(measurement={"kind": "gaussian", "log_base": "e"})
    covered = {}
    for seed in range(EXPERIMENTS):
        simulated = experiment(mechanism, seed=seed, sequences=2000, noise=0.3)
        fit = fitting.fit(mechanism, simulated.table, starts=1, seed=seed)
        layout = fit.parameters
        truth = experiment_design.true_theta(layout, simulated.truth, fit.theta)
        true = physical_units.physical(layout, truth[None])
        draws = laplace.laplace(fit.likelihood, fit.theta).draws(2000, seed=seed)
        table = physical_units.summarise(layout, draws)
        for name, lower, upper in zip(table["name"], table["lower"], table["upper"], strict=True):
            covered.setdefault(name, []).append(lower <= true[name][0] <= upper)
    constants = [covered[name] for name in ("a", "b", "ab")]
    # Entries of a matrix are correlated, so the count scatters more than a binomial one.
    assert 0.92 <= np.mean(list(covered.values())) <= 0.99, np.mean(list(covered.values()))
    assert 0.88 <= np.mean(constants) <= 1.0, np.mean(constants, axis=1)
