"""Which modes are sought, which are sampled, and what is said of several."""

import numpy as np
import pytest

from akita_bayes.cli import mpra_posterior
from akita_bayes.regulation import bridge, fitting, laplace, modes, posterior, posterior_run


@pytest.fixture(scope="module")
def followed(two_sites, experiment):
    """A run whose two fits are taken for two modes, with draws of their Gaussians for chains."""
    table = experiment(two_sites(), sequences=150, reads=3000).table
    fits, sampled, refitted, told, seeds = [], [], [], [], []
    fit = fitting.fit

    def recorded(mechanism, *arguments, **options):
        fits.append((mechanism, options["seed"]))
        return fit(mechanism, *arguments, **options)

    def sample(likelihood, gaussian, *, chains, seed, **options):
        sampled.append((likelihood, gaussian))
        seeds.append(seed)
        theta = gaussian.draws(chains * 500, seed=0).reshape(chains, 500, -1)
        shifted = theta + 10.0 * (len(sampled) - 1)
        root = np.full((theta.shape[-1],) * 2, float(len(sampled)))
        return posterior.Posterior(
            likelihood.parameters, shifted, shifted[..., 0], 0.8, 0.0, 7.0, 0.3, root, 1.0
        )

    def evidence(log_density, theta, values, root, *, seed):
        """A quarter of the posterior is in the mode that was sampled first."""
        assert (values == theta[..., 0]).all()
        return bridge.Evidence(np.log([0.25, 0.75])[int(root[0, 0]) - 1], 0.01)

    def bootstrap(likelihood, gaussian, *, replicates, seed):
        refitted.append((likelihood, gaussian))
        return laplace.Bootstrap(gaussian.draws(replicates, seed=seed), 1.0)

    def distinct(gaussians, evidence):
        order = np.argsort(evidence)[::-1]
        return tuple(modes.Mode(gaussians[i], evidence[order[0]], 1) for i in order)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "fit", recorded)
        patch.setattr(posterior, "sample", sample)
        patch.setattr(modes, "distinct", distinct)
        patch.setattr(bridge, "log_evidence", evidence)
        patch.setattr(laplace, "bootstrap", bootstrap)
        run = posterior_run.sample_posterior(
            two_sites(),
            table,
            knots=4,
            starts=1,
            chains=2,
            burn_in=60,
            most_draws=70,
            replicates=3,
            seed=5,
            report=lambda steps, **fields: told.append((steps, fields)),
        )
    assert len(set(seeds)) == 2  # chains of one seed, of modes that are one, would be copies
    return run, fits, sampled, refitted, told


def test_every_read_out_is_fitted_with_declared_and_with_wide_priors(followed):
    run, fits, *_ = followed
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
    run, _, sampled, _, told = followed
    assert len(run.modes) == len(sampled) == 2
    for likelihood, _ in sampled:
        assert likelihood.mechanism.energies["a"].base_prior.sd == 2.0
    one, other = (gaussian.mode for _, gaussian in sampled)
    assert np.abs(one - other).max() > 0
    # Of each mode 50 draws for each third of the burn-in, and 100 after it.
    assert told == [(0, {"total": 2 * 250})]


def test_the_mode_of_the_largest_share_comes_first_with_its_fit(followed):
    run, _, sampled, refitted, _ = followed
    (_, second), first = sampled[1], run.modes[0]
    assert first.mode.gaussian is second
    assert (first.share.mean > 0.7, run.left_out) == (True, ())
    # The bootstrap refits under the prior of the fit that ended there.
    ((likelihood, gaussian),) = refitted
    assert gaussian is second
    assert likelihood is run.fit.likelihood
    distance = np.abs(run.fit.theta - second.mode).max()
    assert distance < np.abs(run.fit.theta - run.modes[1].mode.gaussian.mode).max()


def test_intervals_are_of_the_whole_posterior_and_of_each_mode(followed, capsys):
    run, *_ = followed
    tables = run.tables()
    assert list(tables) == ["NUTS", "NUTS, mode 1", "NUTS, mode 2", "Laplace", "bootstrap"]
    whole, first, second = (tables[name].set_index("name").loc["ab"] for name in list(tables)[:3])
    # The mode that was sampled second lies ten units higher, and holds three quarters.
    assert second["upper"] < first["lower"]
    assert second["lower"] < whole["lower"] < second["upper"]
    assert first["lower"] < whole["upper"] < first["upper"]
    expected = 0.75 * first["mean"] + 0.25 * second["mean"]
    np.testing.assert_allclose(whole["mean"], expected, atol=0.05)
    assert whole["r_hat"] == max(first["r_hat"], second["r_hat"])
    assert whole["ess"] == min(first["ess"], second["ess"])
    summary = run.summary()
    np.testing.assert_allclose(
        [mode["share"] for mode in summary["modes"]], [0.75, 0.25], atol=0.01
    )
    assert summary["convergence"]["draws_per_chain"] == [500, 500]
    assert summary["convergence"]["chains"] == 4
    mpra_posterior._tell(run)
    said = capsys.readouterr().out
    assert f"NUTS: ab {whole['mean']:.2f} ({whole['lower']:.2f} to {whole['upper']:.2f}) kT" in said
    assert "NUTS, mode 2: ab" in said
    assert "NUTS is the posterior of all modes, each by its share." in said
    assert "Mode 1, found by 1 of the fits, holds 75% (7" in said
    assert "of the posterior: log evidence -0.3 +- 0.0." in said


def test_a_mode_that_was_left_out_is_told(followed, capsys):
    run, *_ = followed
    behind = run.modes[1].mode._replace(log_evidence=run.modes[0].mode.log_evidence - 12)
    mpra_posterior._tell(run._replace(left_out=(behind,)))
    said = capsys.readouterr().out
    assert "A mode found by 1 of the fits was left out: 12 nats less evidence by Laplace" in said


def test_draws_are_kept_of_the_posterior_and_of_the_chains_of_every_mode(followed, tmp_path):
    run, *_ = followed
    mpra_posterior.write(run, tmp_path)
    draws = np.load(tmp_path / "draws.npz")
    size = len(draws["names"])
    assert draws["theta"].shape == (len(run.theta), size)
    for number, one in enumerate(run.modes, start=1):
        assert draws[f"chains_{number}"].shape == (2, 500, size)
        np.testing.assert_array_equal(draws[f"log_density_{number}"], one.draws.log_density)
