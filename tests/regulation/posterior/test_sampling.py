"""Which modes are sought, which are sampled, and what is said of several."""

import dataclasses
from typing import NamedTuple

import numpy as np
import pytest

from akita_bayes.cli import mpra_posterior
from akita_bayes.regulation.fits import fitting
from akita_bayes.regulation.model import likelihood
from akita_bayes.regulation.posterior import bridge, laplace, mode_posterior, modes, sampling
from akita_bayes.regulation.posterior.sampling_options import SamplingOptions

SHARES = {"odds": (0.2, 0.6), "log odds": (0.05, 0.15)}
"""Of the posterior, that the two modes of each read-out hold, in the order in which their fits were
made."""
BEHIND = 100.0
"""Nats by which the log odds are behind where they are to be rejected."""


class Settled(NamedTuple):
    likelihood: likelihood.Likelihood
    gaussian: laplace.Laplace
    apart: bool


class Followed(NamedTuple):
    """What a run did."""

    run: sampling.MechanismPosterior
    fits: list
    sampled: list
    refitted: list
    progress: list


def read_out(data_likelihood):
    return {"activity": "odds", "log_activity": "log odds"}[
        data_likelihood.mechanism.measurement.read_out
    ]


def follow(mechanism, table, cache, *, weigh=True, rejected=False):
    """A run whose two fits of a read-out are modes apart, with draws of Gaussians for chains.

    The draws of each mode lie ten units above those of the one before. The fits and their curvature
    are those of all runs, from `cache`.
    """
    fits, sampled, refitted, progress = [], [], [], []
    fit, curved = fitting.fit, laplace.laplace

    def recorded(mechanism, *arguments, **options):
        fits.append((mechanism, options["seed"]))
        key = (mechanism.model_dump_json(), *options.items())
        if key not in cache:
            cache[key] = fit(mechanism, *arguments, **options)
        return cache[key]

    def gaussian_of(data_likelihood, theta, newton_steps):
        assert newton_steps == laplace.NEWTON_STEPS
        if data_likelihood not in cache:
            cache[data_likelihood] = curved(data_likelihood, theta)
        return cache[data_likelihood]

    def laplace_evidence(data_likelihood, theta):
        return -(BEHIND if rejected else 5.0) * (read_out(data_likelihood) == "log odds")

    def settle(data_likelihood, gaussians, options, *, advance):
        assert (options.chains, options.burn_in, len(progress) > 0) == (2, 60, True)
        return Settled(data_likelihood, gaussians[0], len(gaussians) > 1)

    def sample(settled, options, *, advance):
        assert (options.effective, options.most_draws) == (400, 70)
        data_likelihood, gaussian, _ = settled
        theta = gaussian.draws(1000, seed=0).reshape(2, 500, -1) + 10.0 * len(sampled)
        label = read_out(data_likelihood)
        turn = sum(read_out(sampled_likelihood) == label for sampled_likelihood, _ in sampled)
        sampled.append((data_likelihood, gaussian))
        root = np.full((theta.shape[-1],) * 2, SHARES[label][turn])
        return mode_posterior.ModePosterior(
            data_likelihood.parameters, theta, theta[..., 0], 0.8, 0.0, 7.0, 0.3, root, 1.0
        )

    def evidence(log_density, theta, values, root, *, seed):
        assert (values == theta[..., 0]).all()
        return bridge.Evidence(np.log(root[0, 0]), 0.01)

    def bootstrap(data_likelihood, gaussian, *, replicates, seed, cluster):
        refitted.append((data_likelihood, gaussian))
        return laplace.Bootstrap(gaussian.draws(replicates, seed=seed), 1.0)

    def distinct(gaussians, evidence):
        return tuple(modes.Mode(gaussian, max(evidence), 1) for gaussian in gaussians)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "fit", recorded)
        patch.setattr(laplace, "laplace", gaussian_of)
        patch.setattr(mode_posterior, "settle", settle)
        patch.setattr(mode_posterior, "sample", sample)
        patch.setattr(modes, "distinct", distinct)
        patch.setattr(modes, "log_evidence", laplace_evidence)
        patch.setattr(bridge, "log_evidence", evidence)
        patch.setattr(laplace, "bootstrap", bootstrap)
        run = sampling.sample_mechanism(
            mechanism,
            table,
            options=SamplingOptions(knots=4, starts=1, chains=2, burn_in=60, most_draws=70),
            weigh=weigh,
            replicates=3,
            seed=5,
            advance=lambda steps, **fields: progress.append((steps, fields)),
        )
    return Followed(run, fits, sampled, refitted, progress)


@pytest.fixture(scope="module")
def table(two_sites, experiment):
    return experiment(two_sites(), sequences=150, reads=3000).table


@pytest.fixture(scope="module")
def cache():
    return {}


@pytest.fixture(scope="module")
def followed(two_sites, table, cache):
    return follow(two_sites(), table, cache)


def test_every_read_out_is_fitted_with_declared_and_with_wide_priors(followed):
    settings = [
        (mechanism.measurement.read_out, mechanism.energies["a"].base_prior.sd, seed)
        for mechanism, seed in followed.fits
    ]
    assert settings == [
        ("activity", 2.0, 5),
        ("activity", 5.0, 6),
        ("log_activity", 2.0, 5),
        ("log_activity", 5.0, 6),
    ]
    assert followed.run.read_outs == {"odds": 0.0, "log odds": -5.0}


def test_every_near_mode_of_every_read_out_is_sampled_under_the_declared_prior(followed):
    assert len(followed.run.components) == len(followed.sampled) == 4
    for data_likelihood, _ in followed.sampled:
        assert data_likelihood.mechanism.energies["a"].base_prior.sd == 2.0
    first, second, *_ = (gaussian.mode for _, gaussian in followed.sampled)
    assert np.abs(first - second).max() > 0
    # Of each mode 50 draws for each half of the burn-in, and 100 after it; of each read-out one
    # burn-in from both modes before.
    assert followed.progress == [(0, {"total": 4 * 200 + 2 * 100})]


@pytest.mark.parametrize(("weigh", "rejected", "behind"), [(True, True, 100), (False, False, 5)])
def test_a_read_out_of_less_evidence_is_sampled_only_where_it_may_matter_and_that_is_asked_for(
    two_sites, table, cache, capsys, weigh, rejected, behind
):
    followed = follow(two_sites(), table, cache, weigh=weigh, rejected=rejected)
    assert [read_out(data_likelihood) for data_likelihood, _ in followed.sampled] == [
        "odds",
        "odds",
    ]
    assert followed.run.labels == ["mode 1", "mode 2"]
    assert followed.progress == [(0, {"total": 2 * 200 + 100})]
    mpra_posterior._print_summary(followed.run)
    sentence = (
        f"p(bin) as smooth curves of the log odds was not sampled: {behind}.0 nats less evidence"
    )
    assert sentence in capsys.readouterr().out


def test_the_mode_of_the_largest_share_comes_first_with_its_fit(followed):
    run, (_, second), first = followed.run, followed.sampled[1], followed.run.components[0]
    assert first.mode.gaussian is second
    assert run.labels == [
        "mode 1 (odds)",
        "mode 2 (odds)",
        "mode 3 (log odds)",
        "mode 4 (log odds)",
    ]
    shares = [component.share.mean for component in run.components]
    np.testing.assert_allclose(shares, [0.6, 0.2, 0.15, 0.05], atol=0.01)
    assert run.left_out == ()
    # The bootstrap refits under the prior of the fit that ended there.
    ((data_likelihood, gaussian),) = followed.refitted
    assert gaussian is second
    assert data_likelihood is run.fit.likelihood
    assert run.fit.seed == followed.fits[1][1]


def test_intervals_are_of_the_whole_posterior_and_of_each_mode(followed, capsys):
    run = followed.run
    labels = [f"NUTS, {label}" for label in run.labels]
    assert list(run.tables) == ["NUTS", *labels, "Laplace", "bootstrap"]
    rows = {name: frame.set_index("name").loc["ab"] for name, frame in run.tables.items()}
    whole, per_mode = rows["NUTS"], [rows[label] for label in labels]
    # Modes lie ten units above the one that was sampled before: the second share lowest.
    assert per_mode[1]["upper"] < per_mode[0]["lower"] < per_mode[0]["upper"] < per_mode[3]["lower"]
    assert per_mode[1]["lower"] < whole["lower"] < per_mode[1]["upper"]
    assert per_mode[2]["lower"] < whole["upper"] < per_mode[2]["upper"]
    expected = np.dot([0.6, 0.2, 0.15, 0.05], [row["mean"] for row in per_mode])
    np.testing.assert_allclose(whole["mean"], expected, atol=0.1)
    assert whole["r_hat"] == max(row["r_hat"] for row in per_mode)
    assert whole["ess"] == min(row["ess"] for row in per_mode)
    summary = run.summary()
    mode_shares = [(mode["read_out"], round(mode["share"], 1)) for mode in summary["modes"][:2]]
    assert mode_shares == [("odds", 0.6), ("odds", 0.2)]
    assert summary["convergence"]["draws_per_chain"] == [500] * 4
    assert summary["convergence"]["chains"] == 8
    mpra_posterior._print_summary(run)
    stdout = capsys.readouterr().out
    assert (
        f"NUTS: ab {whole['mean']:.2f} ({whole['lower']:.2f} to {whole['upper']:.2f}) kT" in stdout
    )
    assert "NUTS, mode 3 (log odds): ab" in stdout
    assert "NUTS combines the draws of all modes, weighted by the share of each mode." in stdout
    assert "Mode 1 (odds), found by 1 of the fits, holds 60% (5" in stdout
    assert "of the posterior: log evidence -0.5 +- 0.0." in stdout
    assert "not sampled" not in stdout


def test_a_mode_is_left_out_for_what_it_is_behind_within_its_read_out(
    two_sites, table, cache, monkeypatch
):
    monkeypatch.setattr(modes, "near", lambda candidates: tuple(candidates[:1]))
    run = follow(two_sites(), table, cache).run
    assert [component.read_out for component in run.components] == ["odds", "log odds"]
    # Both modes of a read-out have its evidence here, and the log odds 5 nats less than the odds.
    assert [left_out.mode.log_evidence for left_out in run.left_out] == [0.0, -5.0]
    assert [mode["behind"] for mode in run.summary()["left_out"]] == [0.0, 0.0]


def test_a_mode_that_was_left_out_is_told(followed, capsys):
    # Behind the best of its own read-out, whichever that of the largest share is.
    behind = sampling.LeftOut(followed.run.components[2].mode, 12.0)
    mpra_posterior._print_summary(dataclasses.replace(followed.run, left_out=(behind,)))
    stdout = capsys.readouterr().out
    assert "A mode found by 1 of the fits was left out: 12 nats less evidence by Laplace" in stdout
