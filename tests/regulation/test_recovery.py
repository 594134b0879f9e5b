"""What is simulated is found again by a fit, for every kind of measurement and every base."""

import dataclasses
import functools
import json
import typing

import numpy as np
import pytest

from akita_bayes.cli import mpra_fit, mpra_simulate
from akita_bayes.mechanisms import declarations, mechanism_spec
from akita_bayes.regulation.assay import simulated_assay as simulator
from akita_bayes.regulation.compare import experiment_design
from akita_bayes.regulation.fits import fitting

COSTS = ((0, 1.0, 1.4, 0.6), (1.8, 0, 1.2, 2.0), (1.5, 0.9, 0, 1.2), (1.2, 2.0, 1.6, 0))
SPEC = {
    "kind": "thermodynamic",
    "name": "pair",
    "sequence_length": 8,
    "wild_type": "ACGTACGT",
    "energies": {"a": {"site": [0, 4]}, "b": {"site": [4, 8]}, "ab": {}},
    "states": {
        "free": {},
        "a": {"energies": ["a"]},
        "b": {"energies": ["b"], "activity": 1},
        "ab": {"energies": ["a", "b", "ab"], "activity": 1},
    },
    "truth": {
        "a": {"constant": -1.0, "matrix": COSTS},
        "b": {"constant": 0.5, "matrix": COSTS},
        "ab": {"constant": -3.0},
    },
}
# Between the background and full activity the read-out saturates at both ends, which tells a slope
# that is fitted from the scale of energies.
EXPERIMENT = simulator.Design(
    sequences=2000, mutation_rate=0.35, reads=30_000, bins=6, noise=0.4, background=0.1
)
PRECISE = dataclasses.replace(EXPERIMENT, noise=0.2)
"""An experiment in which no other energies make up for a slope that is wrong."""
BINS = {"hidden": 8, "read_out": "log_activity", "leave_out": ["0"]}
SLOW = pytest.mark.slow


CASES = [
    pytest.param("gaussian", None, marks=SLOW),
    pytest.param("gaussian", "e", marks=SLOW),
    ("gaussian", 2),
    ("gaussian", 10),
    pytest.param("skewed", None, marks=SLOW),
    pytest.param("skewed", "e", marks=SLOW),
    pytest.param("skewed", 2, marks=SLOW),
    ("skewed", 10),
    pytest.param("outliers", None, marks=SLOW),
    pytest.param("outliers", "e", marks=SLOW),
    pytest.param("outliers", 2, marks=SLOW),
    ("outliers", 10),
    ("poisson", None),
    pytest.param("bins", None, marks=SLOW),
    pytest.param("monotone_bins", None, marks=SLOW),
    pytest.param("spline_bins", None, marks=SLOW),
]


def mechanism(**measurement):
    return mechanism_spec.parse({**SPEC, "measurement": measurement})


@functools.cache
def recovered(kind, base):
    """A fit of a simulated experiment, and its deviations from the truth in its own sd."""
    declared = BINS if kind.endswith("bins") else {} if base is None else {"log_base": base}
    experiment = EXPERIMENT if base is None else PRECISE
    simulated = simulator.simulate(mechanism(kind=kind, **declared), experiment, seed=1)
    fit = fitting.fit(mechanism(kind=kind, **declared), simulated.table, starts=1)
    count = fit.parameters.physical
    truth = experiment_design.true_theta(fit.parameters, simulated.truth, fit.theta)
    sd = np.sqrt(np.diag(fit.covariance))
    return fit, ((fit.theta - truth) / sd)[:count], fit.slopes(simulated.truth.matrices)


def test_every_kind_and_base_of_the_declarations_is_in_the_table():
    fields = declarations.Measurement.model_fields
    kinds = set(typing.get_args(fields["kind"].annotation))
    bases = {base for part in typing.get_args(fields["log_base"].annotation)
             for base in typing.get_args(part)}  # fmt: skip
    listed = {case.values if hasattr(case, "values") else case for case in CASES}
    assert {kind for kind, _ in listed} == kinds
    for kind in ("gaussian", "skewed"):
        assert {base for listed_kind, base in listed if listed_kind == kind} == {None, *bases}


@pytest.mark.parametrize(("kind", "base"), CASES)
def test_a_fit_finds_what_was_simulated(kind, base):
    fit, deviations, slopes = recovered(kind, base)
    assert fit.converged
    assert np.sqrt((deviations**2).mean()) < 1.5
    assert abs(deviations).max() < 3.5
    for slope in slopes.values():
        assert 0.8 < slope < 1.25
    if kind in ("gaussian", "skewed"):
        # The noise is 0.4 or 0.2 nats, which a logarithm of base b has in units of 1 / ln(b).
        noise = 0.4 if base is None else 0.2 / np.log(np.e if base == "e" else base)
        assert fit.interval("measurement.log_sd").mean == pytest.approx(np.log(noise), abs=0.08)


@pytest.mark.parametrize("base", [2, pytest.param(10, marks=SLOW)])
def test_a_design_promises_the_widths_that_a_fit_has(base):
    fit, *_ = recovered("gaussian", base)
    promised = experiment_design.expect(fit.mechanism, PRECISE, seed=1).widths
    natural = experiment_design.expect(
        mechanism(kind="gaussian", log_base="e"), PRECISE, seed=1
    ).widths
    constants = {**fit.wild_type, **fit.energies}
    for name, interval in constants.items():
        # A fit is spared a tenth of the sequences, which its intervals are wider for.
        assert 0.85 < (interval.upper - interval.lower) / promised[name] < 1.25
    for name, width in promised.items():
        assert width == pytest.approx(natural[name], rel=0.02)


def test_the_commands_agree_on_the_base(tmp_path):
    spec = {**SPEC, "measurement": {"kind": "gaussian", "log_base": 2}}
    (tmp_path / "params.json").write_text(json.dumps(spec))
    params, data, run = (str(tmp_path / name) for name in ("params.json", "data", "run"))
    options = ["--sequences", "2000", "--mutation_rate", "0.35", "--noise", "0.2"]
    assert mpra_simulate.main([params, "-o", data, *options, "--background", "0.1"]) == 0
    assert mpra_fit.main([params, data, "-o", run, "--starts", "1"]) == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    truth = {"a": -1.0, "b": 0.5, "ab": -3.0}
    for name, interval in {**summary["wild_type"], **summary["energies"]}.items():
        assert interval["lower"] < truth[name] < interval["upper"]
    for slope in summary["slope"].values():
        assert 0.85 < slope["kT"] < 1.15
