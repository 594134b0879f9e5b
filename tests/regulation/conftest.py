"""Two small mechanisms and a simulated experiment, shared by the tests of this folder."""

import copy
from typing import Any

import numpy as np
import pytest

from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import simulated_assay as simulator

TWO_SITES = {
    "kind": "thermodynamic",
    "name": "two_sites",
    "sequence_length": 10,
    "wild_type": "ACGTACGTAC",
    "energies": {
        "a": {"site": [0, 4]},
        "b": {"site": [5, 10], "neighbours": False},
        "ab": {},
    },
    "states": {
        "free": {},
        "a": {"energies": ["a"]},
        "b": {"energies": ["b"], "activity": 1},
        "ab": {"energies": ["a", "b", "ab"], "activity": 1},
    },
    "measurement": {"kind": "bins", "hidden": 4},
    "truth": {"a": {"constant": 0.5}, "b": {"constant": 0.5}, "ab": {"constant": -2.5}},
}
CYCLE = {
    "kind": "kinetic",
    "name": "cycle",
    "sequence_length": 10,
    "wild_type": "ACGTACGTAC",
    "species": ["unbound", "closed", "open"],
    "rates": {
        "k1": {"from": "unbound", "to": "closed", "site": [0, 4]},
        "k-1": {"from": "closed", "to": "unbound", "site": [5, 10]},
        "k2": {"from": "closed", "to": "open"},
        "k3": {"from": "open", "to": "unbound", "value": 1.0},
    },
    "product": ["k3"],
    "measurement": {"kind": "bins", "hidden": 4},
}
DESIGN = simulator.Design(sequences=3000, mutation_rate=0.3, reads=60_000, bins=4, noise=0.4)


def merged(spec: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy with nested keys replaced."""
    spec = copy.deepcopy(spec)
    for key, value in changes.items():
        nested = isinstance(value, dict) and isinstance(spec.get(key), dict)
        spec[key] = merged(spec[key], value) if nested else value
    return spec


@pytest.fixture(scope="session")
def two_sites():
    """Makes the thermodynamic mechanism, with changes."""
    return lambda **changes: mechanism_spec.parse(merged(TWO_SITES, changes))


@pytest.fixture(scope="session")
def cycle():
    """Makes the kinetic mechanism, with changes."""
    return lambda **changes: mechanism_spec.parse(merged(CYCLE, changes))


@pytest.fixture(scope="session")
def experiment():
    """Simulates a mechanism."""

    def make(mechanism, seed=0, **design):
        import dataclasses

        return simulator.simulate(mechanism, dataclasses.replace(DESIGN, **design), seed=seed)

    return make


@pytest.fixture(scope="session")
def arbitrary_fit():
    """Makes a fit with arbitrary parameters, where no test needs those that the data determine."""

    def make(mechanism, table, seed=0):
        from akita_bayes.regulation.assay import assay_table
        from akita_bayes.regulation.fits import fitting, information
        from akita_bayes.regulation.model import likelihood

        model = likelihood.Likelihood(mechanism, table)
        rng = np.random.default_rng(seed)
        size = model.parameters.size
        root = 0.1 * rng.normal(size=(size, size))
        binned = mechanism.measurement.kind.endswith("bins")
        bits = information.Information(0.5, 0.01) if binned else None
        return fitting.Fit(
            parameters=model.parameters,
            theta=rng.normal(0.0, 0.5, size),
            covariance=root @ root.T + 0.01 * np.eye(size),
            frequencies=table.frequencies(),
            fitted_digests=fitting.fitted_digests(table, assay_table.sides(table)),
            likelihood=model,
            side=assay_table.sides(table),
            held_out=fitting.HeldOut(-100.0, 10, 100.0, bits),
            converged=True,
            gain=0.1,
            evaluations=10,
            mirrored=False,
            method="quasi-newton",
            seed=seed,
            seconds=1.5,
        )

    return make
