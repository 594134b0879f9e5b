"""A posterior on disk: the files of the command, from draws that no sampler made."""

import numpy as np
import pytest

from akita_bayes.cli import mpra_posterior
from akita_bayes.regulation.posterior import (
    bridge,
    laplace,
    mixture,
    mode_posterior,
    modes,
    sampling,
)
from akita_bayes.regulation.results import posterior_files
from tests.outputs import files_of


@pytest.fixture
def posterior(two_sites, experiment, arbitrary_fit):
    """A posterior of two modes with shares of 0.75 and 0.25."""
    fit = arbitrary_fit(two_sites(), experiment(two_sites(), sequences=60, reads=600).table)
    size = fit.parameters.size
    components = []
    for number, share in enumerate((0.75, 0.25)):
        gaussian = laplace.Laplace(fit.theta + number, np.eye(size), np.eye(size), 0.0)
        theta = gaussian.draws(60, seed=number).reshape(2, 30, size)
        draws = mode_posterior.ModePosterior(
            fit.parameters, theta, theta[..., 0], 0.8, 0.0, 7.0, 0.3, np.eye(size), 1.0
        )
        weight = mixture.Share(share, share, share)
        mode = modes.Mode(gaussian, 0.0, 1)
        components.append(mixture.Component("", mode, draws, bridge.Evidence(0.0, 0.1), weight))
    return sampling.MechanismPosterior(fit, tuple(components), (), None, {})


def test_draws_are_those_of_the_posterior_and_of_the_chains_of_every_mode(posterior, tmp_path):
    posterior_files.write(posterior, tmp_path)
    draws = np.load(tmp_path / "draws.npz")
    assert list(draws["names"]) == list(posterior.table["name"])
    assert list(draws["units"]) == ["kT"] * len(posterior.table)
    assert len(draws["energies"]) == 80  # 60 of the mode of 0.75, and 20
    means = draws["energies"].mean(0)
    np.testing.assert_allclose(means, posterior.table["mean"], rtol=1e-4, atol=1e-4)
    for number, component in enumerate(posterior.components, start=1):
        parameters = component.draws.parameters
        expected = parameters.natural(component.draws.theta)
        np.testing.assert_allclose(draws[f"chains_{number}"], expected, rtol=1e-6)
        assert list(draws[f"names_{number}"]) == list(parameters.names)
        assert list(draws[f"units_{number}"]) == list(parameters.units)
        values = draws[f"log_density_{number}"]
        np.testing.assert_array_equal(values, component.draws.log_density)


def test_a_notebook_writes_the_files_of_the_command(posterior, tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "sample_mechanism", lambda *_, **__: posterior)
    (tmp_path / "spec.json").touch()
    (tmp_path / "data").mkdir()
    arguments = [tmp_path / "spec.json", tmp_path / "data", "-o", tmp_path / "command"]
    assert mpra_posterior.main([*map(str, arguments)]) == 0
    posterior_files.write(posterior, tmp_path / "notebook")
    written, of_command = (files_of(tmp_path / name) for name in ("notebook", "command"))
    assert written == of_command
    assert set(written) == {
        *("posterior.json", "posterior.tsv", "draws.npz"),
        *("summary.png", "chains.png", "intervals.png"),
    }
