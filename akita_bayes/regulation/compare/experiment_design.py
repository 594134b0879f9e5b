"""Predicts the interval widths of an experiment before it is done.

An experiment is simulated from the mechanism's truth and its declared measurement. The measurement
process is fitted to the simulated data while the mechanism keeps its true values. Fisher's
information at this point is the sum over sequences of the outer products of their scores. Together
with the precision of the priors it gives the covariance of an estimate (the Cramer-Rao bound, which
the posterior approaches). The mechanism itself is not fitted, so a design takes seconds.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import errors, progress
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import simulated_assay as simulator
from akita_bayes.regulation.fits import information, quasi_newton
from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.regulation.model import parameters as layout
from akita_bayes.regulation.model import smooth_bins
from akita_bayes.regulation.posterior import physical_units

DIRECTIONS = 32
"""Directions whose scores are computed at once."""
WIDTH = 2 * 1.959964
"""Width of a central 95 % interval in standard deviations."""
SHOWN = ("reads", "bins", "mutation_rate", "sequences", "noise")
"""Properties of an experiment that a sweep lists."""


class Expected(NamedTuple):
    """Describes the expected result of one experiment.

    Attributes:
        widths: Width of the 95 % interval of every constant, and of every matrix as the mean over
            its entries, in the unit of the term.
        bits: Predictive information of the true activity about the bin of a read; NaN for
            read-outs.
    """

    widths: dict[str, float]
    bits: float


def true_theta(
    parameters: layout.Parameters, truth: simulator.Truth, start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Returns a theta [D] with the true mechanism and the measurement of `start`."""
    theta = parameters.pack(truth.matrices, truth.constants)
    for name, level in truth.activities.items():
        theta[parameters.find(name, "log_activity").start] = np.log(level)
    theta[parameters.physical :] = start[parameters.physical :]
    return theta


def expect(
    mechanism: mechanism_spec.Mechanism,
    design: simulator.Design,
    *,
    truth: simulator.Truth | None = None,
    seed: int = 0,
) -> Expected:
    """Predicts the interval widths of one experiment by simulating its data once.

    Bins that the mechanism leaves out are sorted and read, but not fitted.
    """
    simulated = simulator.simulate(mechanism, design, truth=truth, seed=seed)
    table = simulated.table.used_by(mechanism)
    likelihood = likelihoods.Likelihood(smooth_bins.bins(mechanism), table)
    parameters = likelihood.parameters
    theta = true_theta(parameters, simulated.truth, parameters.start(np.random.default_rng(seed)))
    theta = fit_measurement(likelihood, theta)
    deviation = standard_deviations(likelihood, theta)
    grouped: dict[str, list[float]] = {}
    for name, sd in deviation.items():
        grouped.setdefault(f"{name.split('[')[0]}.matrix" if "," in name else name, []).append(sd)
    bits = [
        information.predictive(
            simulator.activity(mechanism, simulated.truth, library.index, library.name),
            library.observed,
        ).bits
        for library in table.libraries
        if len(library.columns) > 1
    ]
    widths = {name: WIDTH * float(np.mean(sds)) for name, sds in grouped.items()}
    return Expected(widths, float(np.mean(bits)) if bits else float("nan"))


def fit_measurement(
    likelihood: likelihoods.Likelihood, theta: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Fits the measurement process while the mechanism keeps its values. [D]."""
    parameters = likelihood.parameters
    measured = np.eye(parameters.size)[:, parameters.physical :]
    value = -np.inf
    for _ in range(20):
        optimum = quasi_newton.climb(likelihood.value_and_gradient, theta, measured, steps=300)
        theta, gain, value = optimum.theta, optimum.value - value, optimum.value
        if gain < 0.01:
            break
    return theta


def fisher_information(
    likelihood: likelihoods.Likelihood, theta: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sums score score^T over sequences; its mean at the truth is Fisher's information. [D, D]."""
    size = len(theta)
    point = tf.constant(np.tile(theta, (DIRECTIONS, 1)), tf.float64)

    @tf.function(jit_compile=True)
    def along(vectors: tf.Tensor) -> tf.Tensor:
        with tf.autodiff.ForwardAccumulator(point, vectors) as forward:
            per_sequence = likelihood.per_sequence(point)
        return forward.jvp(per_sequence)

    # Row d holds the derivative of every sequence's log-likelihood along parameter d. The last
    # batch of directions goes beyond the last parameter; its surplus rows are zero and are cut off.

    rows = [
        along(tf.constant(np.eye(DIRECTIONS, size, first))).numpy()
        for first in range(0, size, DIRECTIONS)
    ]
    scores = np.concatenate(rows)[:size].astype(float)
    return scores @ scores.T


def standard_deviations(
    likelihood: likelihoods.Likelihood, theta: NDArray[np.float64]
) -> dict[str, float]:
    """Returns the standard deviation that information and prior allow, by physical parameter."""
    parameters = likelihood.parameters
    precision = fisher_information(likelihood, theta) + np.diag(parameters.prior_sd**-2.0)
    root = quasi_newton.root_of(precision, parameters.prior_sd)
    # Physical values are linear in theta, so their covariance follows from the rows of the root.
    zero = physical_units.physical(parameters, np.zeros((1, parameters.size)))
    moved = physical_units.physical(parameters, root.T)
    return {name: float(np.sqrt(((moved[name] - zero[name]) ** 2).sum())) for name in zero}


def sweep(
    mechanism: mechanism_spec.Mechanism,
    designs: Sequence[simulator.Design],
    *,
    seed: int = 0,
    advance: progress.Advance = progress.ignore,
) -> pd.DataFrame:
    """Predicts the interval widths of several experiments with the same truth.

    Args:
        mechanism: Mechanism with its measurement.
        designs: Experiments to compare.
        seed: Seed of the truth and of the simulations.
        advance: Callback, called as advance(1) after each experiment.

    Returns:
        One row per experiment: reads, bins, mutation_rate, sequences, noise, bits, and the interval
        width of every constant and site, in kT (or ln(1/s)).

    Raises:
        SpecError: The measurement does not depend on the swept property, or a term has the name of
            a column.
    """
    for name in (*mechanism.terms, *getattr(mechanism, "activities", {})):
        if name in (*SHOWN, "bits"):
            raise errors.SpecError(
                f'{name}: a sweep already has a column "{name}"; give the term a different name.'
            )
    kind = mechanism.measurement.kind
    for name in simulator.idle(kind):
        if len({getattr(design, name) for design in designs}) > 1:
            raise errors.SpecError(
                f"{name}: a measurement of kind {kind} does not depend on this property; sweep a "
                "different property of the experiment, for example the mutation rate."
            )
    truth = simulator.draw_truth(mechanism, seed=seed)
    rows = []
    for design in designs:
        expected = expect(mechanism, design, truth=truth, seed=seed)
        shown = {name: getattr(design, name) for name in SHOWN}
        rows.append({**shown, "bits": expected.bits, **expected.widths})
        advance(1)
    return pd.DataFrame(rows)
