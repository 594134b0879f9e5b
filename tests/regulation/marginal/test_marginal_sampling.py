"""A whole posterior whose curves are integrated out, from the table to the files."""

import json

import numpy as np
import pytest

from akita_bayes.regulation.marginal import marginal_likelihood, marginal_parameters
from akita_bayes.regulation.posterior import sampling
from akita_bayes.regulation.posterior.sampling_options import SamplingOptions
from akita_bayes.regulation.results import posterior_files


@pytest.fixture(scope="module")
def posterior(two_sites, experiment):
    options = SamplingOptions(
        optima=1,
        starts=1,
        chains=2,
        burn_in=2,
        most_draws=50,
        replicates=3,
        max_tree_depth=3,
    )
    mechanism = two_sites(
        measurement={"kind": "spline_bins", "hidden": 4, "read_out": "log_activity"}
    )
    table = experiment(mechanism, sequences=150, reads=3000).table
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(marginal_likelihood, "FEWEST_WEIGHTS", 1)
        return sampling.sample_mechanism(mechanism, table, options=options)


def test_chains_hold_energies_and_no_weights_of_curves(posterior):
    draws = posterior.components[0].draws
    assert isinstance(draws.parameters, marginal_parameters.MarginalParameters)
    assert draws.theta.shape == (2, 50, draws.parameters.size)
    assert np.isfinite(draws.log_density).all()
    assert draws.theta.std(axis=(0, 1)).min() > 0
    assert np.isfinite(posterior.components[0].evidence.value)


def test_every_method_states_every_constant(posterior):
    energies = posterior.summary()["energies"]
    assert set(energies) == {"NUTS", "Laplace", "bootstrap"}
    for constants in energies.values():
        assert set(constants) == {"a", "b", "ab"}
        assert all(row["lower"] < row["mean"] < row["upper"] for row in constants.values())


def test_files_name_the_parameters_of_the_chains(posterior, tmp_path):
    posterior_files.write(posterior, tmp_path)
    with np.load(tmp_path / "draws.npz") as arrays:
        names = list(arrays["names_1"])
        assert arrays["chains_1"].shape == (2, 50, len(names))
    assert any("log_roughness" in name for name in names)
    assert not any("bend" in name or "line" in name for name in names)
    summary = json.loads((tmp_path / "posterior.json").read_text(encoding="utf-8"))
    assert summary["convergence"]["chains"] == 2
