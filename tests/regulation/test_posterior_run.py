"""Which modes are sought, which are sampled, and what is said of several."""

import numpy as np
import pytest

from akita_bayes.cli import mpra_posterior
from akita_bayes.regulation import fitting, modes, posterior, posterior_run


@pytest.fixture(scope="module")
def followed(two_sites, experiment):
    """A run whose two fits are taken for two modes, with draws of their Gaussians for chains."""
    table = experiment(two_sites(), sequences=150, reads=3000).table
    fits, sampled, told = [], [], []
    fit = fitting.fit

    def recorded(mechanism, *arguments, **options):
        fits.append((mechanism, options["seed"]))
        return fit(mechanism, *arguments, **options)

    def sample(likelihood, gaussian, *, chains, **options):
        sampled.append((likelihood, gaussian))
        theta = gaussian.draws(chains * 500, seed=0).reshape(chains, 500, -1)
        shifted = theta + 10.0 * (len(sampled) - 1)
        return posterior.Posterior(
            likelihood.parameters, shifted, shifted[..., 0], 0.8, 0.0, 7.0, 0.3, 1.0
        )

    def distinct(gaussians, evidence):
        order = np.argsort(evidence)[::-1]
        return tuple(modes.Mode(gaussians[i], evidence[order[0]], 1) for i in order)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "fit", recorded)
        patch.setattr(posterior, "sample", sample)
        patch.setattr(modes, "distinct", distinct)
        run = posterior_run.sample_posterior(
            two_sites(),
            table,
            knots=4,
            starts=1,
            chains=2,
            burn_in=60,
            most_draws=70,
            replicates=0,
            seed=5,
            report=lambda steps, **fields: told.append((steps, fields)),
        )
    return run, fits, sampled, told


def test_every_read_out_is_fitted_with_declared_and_with_wide_priors(followed):
    run, fits, _, _ = followed
    seen = [
        (each.measurement.read_out, each.energies["a"].base_prior.sd, seed) for each, seed in fits
    ]
    assert seen == [
        ("activity", 2.0, 5),
        ("activity", 5.0, 6),
        ("log_activity", 2.0, 5),
        ("log_activity", 5.0, 6),
    ]
    assert run.fit.mechanism.measurement.read_out == "log_activity"
    best = max(run.read_outs, key=run.read_outs.get)
    assert (best, len(run.read_outs)) == ("log odds", 2)


def test_every_near_mode_is_sampled_under_the_declared_prior(followed):
    run, _, sampled, told = followed
    assert len(run.sampled) == len(sampled) == 2
    for likelihood, _ in sampled:
        assert likelihood.mechanism.energies["a"].base_prior.sd == 2.0
    one, other = (gaussian.mode for _, gaussian in sampled)
    assert np.abs(one - other).max() > 0
    # Of each mode 50 draws for each half of the burn-in, and 100 after it.
    assert told == [(0, {"total": 2 * 200})]


def test_intervals_are_told_by_mode_and_over_all_of_them(followed, capsys):
    run, *_ = followed
    tables = run.tables()
    assert list(tables) == ["NUTS", "NUTS, mode 2", "Laplace"]
    first, second = (tables[name].set_index("name").loc["ab"] for name in list(tables)[:2])
    summary = run.summary()
    whole = summary["ranges"]["ab"]
    assert (whole["lower"], whole["upper"]) == (first["lower"], second["upper"])
    np.testing.assert_allclose(whole["upper_kcal"], second["upper_kcal"])
    assert first["upper"] < second["lower"]
    assert [mode["sampled"] for mode in summary["modes"]] == [True, True]
    assert summary["convergence"]["draws_per_chain"] == [500, 500]
    assert summary["convergence"]["chains"] == 4
    mpra_posterior._tell(run)
    said = capsys.readouterr().out
    assert f"ab is {first['lower']:.2f} to {second['upper']:.2f} kT over the 2 modes" in said
    assert "NUTS, mode 2: ab" in said
    assert "Mode 2, found by 1 of the fits" in said


def test_draws_of_every_mode_are_kept(followed, tmp_path):
    run, *_ = followed
    mpra_posterior.write(run, tmp_path)
    draws = np.load(tmp_path / "draws.npz")
    assert draws["theta"].shape == draws["theta_mode_2"].shape == (2, 500, len(draws["names"]))
    np.testing.assert_array_equal(draws["log_density_mode_2"], run.sampled[1].log_density)
