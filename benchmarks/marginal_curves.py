"""Tests the integral over the curves of the five lac libraries, and the waves that knots make.

    akita_download.py lac_libraries
    python -m benchmarks.marginal_curves data/lac_libraries

At draws of Laplace's approximation of the marginal posterior: the integral over the weights of each
curve by importance sampling, minus that by Laplace's approximation (error), and the effective share
of the importance weights. And the waves of the evidence while ln t0 of a library moves by 1.2 at
constant energies: the standard deviation from a polynomial of fourth degree, for curves with knots
and for as many smooth modes.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import scipy.linalg
import scipy.special
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import assay_files
from akita_bayes.regulation.fits import fitting
from akita_bayes.regulation.marginal import (
    curve_evidence,
    curve_grid,
    marginal_likelihood,
    marginal_mode,
)
from akita_bayes.regulation.model import smooth_bins
from akita_bayes.regulation.posterior import laplace
from benchmarks import environment, run

RESULT = Path(__file__).with_name("results") / "marginal_curves.json"
SPEC = Path(__file__).resolve().parents[1] / "models" / "json" / "lac_joint.json"
READ_OUT = "log odds"
THETAS = 8
DRAWS = 300
"""Draws of weights for each theta."""
SHIFTS = np.linspace(-0.6, 0.6, 41)
DEGREE = 4


def main(argv: Sequence[str] | None = None) -> None:
    """Fits the libraries, and writes `results/marginal_curves.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, help="the five libraries")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    mechanism = smooth_bins.curves(mechanism_spec.load(SPEC))[READ_OUT]
    fit = fitting.fit(mechanism, assay_files.read(options.data), starts=2)
    likelihood, mode = marginal_mode.start(fit.likelihood, fit.theta)
    gaussian = laplace.laplace(likelihood, mode, newton_steps=0)
    errors: dict[str, list[float]] = {}
    shares: dict[str, list[float]] = {}
    for number, theta in enumerate(gaussian.draws(THETAS, seed=0)):
        for curve in likelihood.curves(theta):
            ratios = _log_ratios(curve, seed=number)
            name = ",".join(curve.libraries)
            errors.setdefault(name, []).append(
                float(scipy.special.logsumexp(ratios) - np.log(len(ratios)))
            )
            weights = np.exp(ratios - ratios.max())
            shares.setdefault(name, []).append(
                float(weights.sum() ** 2 / (weights**2).sum() / len(ratios))
            )
    waves = {"knots": _waves(likelihood, mode, 1), "modes": _waves(likelihood, mode, None)}
    result = {
        **environment.describe(),
        "curves": {
            name: {
                "error": errors[name],
                "effective_share": shares[name],
                **{basis: waves[basis][name] for basis in waves},
            }
            for name in errors
        },
    }
    run.write(options.result, result)
    print(table(result))


def _log_ratios(curve: marginal_likelihood.CurveAt, *, seed: int) -> NDArray[np.float64]:
    """Draws weights from Laplace's Gaussian; returns log density minus log Gaussian. [DRAWS]."""
    best = curve.evidence.curve(*curve.arguments, curve.start)
    root, weights = best.root.numpy(), best.weights.numpy()
    z = np.random.default_rng(seed).standard_normal((DRAWS, len(root)))
    steps = scipy.linalg.solve_triangular(root, z.T, lower=True, trans="T").T
    moved = weights + steps.reshape(DRAWS, *weights.shape[::-1]).swapaxes(1, 2)
    points = tf.constant(np.concatenate([weights[None], moved]))
    u, log_roughness, log_concentration = curve.arguments
    density = curve.evidence.log_density(u, log_roughness, log_concentration, points).numpy()
    return np.asarray(density[1:] - density[0] + 0.5 * (z**2).sum(axis=1))


def _waves(
    likelihood: marginal_likelihood.MarginalLikelihood,
    theta: NDArray[np.float64],
    fine_knots: int | None,
) -> dict[str, float]:
    """Returns the waves of the evidence in nats, by curve.

    Args:
        likelihood: Marginal likelihood.
        theta: Theta of the energies. [P]
        fine_knots: Number of knots that keep their bends; None for modes.
    """
    waves = {}
    with mock.patch.object(curve_grid, "FINE_KNOTS", fine_knots or curve_grid.FINE_KNOTS):
        for name in likelihood.parameters.libraries:
            library = likelihood.table.libraries[likelihood.parameters.libraries.index(name)]
            evidence = curve_evidence.CurveEvidence(
                likelihood.parameters.processes[name], library.observed, (0.0, 10.0)
            )
            entry = likelihood.parameters.find("measurement", "log_background", name).start
            values = []
            for shift in SHIFTS:
                moved = theta.copy()
                moved[entry] += shift
                (curve,) = (curve for curve in likelihood.curves(moved) if name in curve.libraries)
                start = tf.zeros(evidence.shape, tf.float64)
                values.append(float(evidence.log_evidence(*curve.arguments, start)[0]))
            smooth = np.polynomial.Polynomial.fit(SHIFTS, values, DEGREE)(SHIFTS)
            waves[name] = float(np.std(values - smooth))
    return waves


def table(result: Mapping[str, Any]) -> str:
    """Returns the results of every library as a Markdown table."""
    columns = ["library", "error of Laplace's integral, nats", "effective share"]
    columns += ["waves with knots, nats", "waves with modes, nats"]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name, row in result["curves"].items():
        error = f"{np.mean(row['error']):.2f} ± {np.std(row['error'], ddof=1):.2f}"
        cells = [name, error, f"{np.mean(row['effective_share']):.2f}"]
        lines.append(f"| {' | '.join(cells)} | {row['knots']:.2f} | {row['modes']:.3f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
