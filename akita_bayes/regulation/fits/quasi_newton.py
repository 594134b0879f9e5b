"""Quasi-Newton ascent of a log-posterior, in coordinates in which its curvature is about 1.

L-BFGS moves in z, theta = theta_0 + root z, with root root^T the inverse of a metric: the exact
Hessian of a sample of the sequences, with the absolute values of its eigenvalues. An ascent has
converged where half the Newton decrement, g^T A^-1 g / 2, the expected further gain, is negligible.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import scipy.optimize
import threadpoolctl
from numpy.typing import NDArray

from akita_bayes.regulation.fits import initial
from akita_bayes.regulation.model import curvature
from akita_bayes.regulation.model import likelihood as likelihoods

_log = logging.getLogger(__name__)

Density = Callable[[NDArray[np.float64]], likelihoods.ValueAndGradient]

STEPS = 60
"""Maximum number of L-BFGS steps in one set of coordinates."""
ROUNDS = 6
"""Maximum number of sets of coordinates from the Hessian of a sample."""
EXACT_ROUNDS = 5
"""Maximum number of sets of coordinates from the Hessian of all sequences."""
ARRIVED = 0.25
"""Expected gain in nats below which an ascent has converged."""
SAMPLE, PER_PARAMETER = 8192, 24
"""Sequences, and sequences per parameter, of the sample on which random starts compete and whose
Hessian gives the coordinates for the best; the larger of the two numbers counts."""
FINALISTS = 2
OVERFLOW = 1e12
"""Largest number of nats that L-BFGS receives: a first step that goes much too far can leave the
range of float32, and a very low finite value makes the line search come back."""

one_thread = threadpoolctl.threadpool_limits.wrap(limits=1, user_api="blas")
"""Limits BLAS to one thread, which is about ten times faster for matrices this small."""


class Ascent(NamedTuple):
    """Holds the end point of an ascent.

    Attributes:
        theta: [D] parameters.
        value: Log-posterior in nats.
        evaluations: Number of gradients.
    """

    theta: NDArray[np.float64]
    value: float
    evaluations: int


class Optimum(NamedTuple):
    """Holds the best of several starts, and the curvature of the posterior there.

    Attributes:
        theta: [D] parameters.
        hessian: [D, D] Hessian of the log-posterior.
        gain: Expected gain of a further Newton step, in nats; below `ARRIVED` it has converged.
        evaluations: Number of gradients of the whole table.
        starts: Held-out log-likelihood of the finalists, best first.
    """

    theta: NDArray[np.float64]
    hessian: NDArray[np.float64]
    gain: float
    evaluations: int
    starts: tuple[float, ...]


@one_thread
def climb(
    density: Density,
    theta: NDArray[np.float64],
    root: NDArray[np.float64],
    *,
    steps: int = STEPS,
) -> Ascent:
    """Climbs by L-BFGS from theta [D] over theta + root z, z of any length."""
    evaluations = 0

    def descend(z: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        nonlocal evaluations
        evaluations += 1
        value, gradient = density((theta + root @ z)[None])
        slope = np.nan_to_num(gradient[0], nan=0.0, posinf=OVERFLOW, neginf=-OVERFLOW)
        log_posterior = max(float(np.nan_to_num(value[0], nan=-OVERFLOW)), -OVERFLOW)
        return -log_posterior, -root.T @ np.clip(slope, -OVERFLOW, OVERFLOW)

    result = scipy.optimize.minimize(
        descend,
        np.zeros(root.shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": steps, "maxfun": 3 * steps, "maxcor": 30, "ftol": 1e-9, "gtol": 0.02},
    )
    return Ascent(theta + root @ result.x, -float(result.fun), evaluations)


@one_thread
def root_of(precision: NDArray[np.float64], prior_sd: NDArray[np.float64]) -> NDArray[np.float64]:
    """Computes root with root root^T = precision^-1, at most as wide as the prior. [D, D]."""
    # In units of the prior its precision is 1: smaller eigenvalues are raised to it.
    scaled = precision * np.outer(prior_sd, prior_sd)
    values, vectors = np.linalg.eigh((scaled + scaled.T) / 2)
    return prior_sd[:, None] * vectors / np.sqrt(np.maximum(np.abs(values), 1.0))


def maximise(
    likelihood: likelihoods.Likelihood,
    side: NDArray[np.int64],
    *,
    starts: int = 6,
    seed: int = 0,
) -> Optimum:
    """Maximises the posterior of train and validation from the start with the best validation.

    Random starts compete on a sample of the training sequences. `reconsider` tries the constants of
    other libraries in the finalists, which then climb on all training sequences. The finalist with
    the best validation likelihood climbs to the optimum of train and validation together.

    Args:
        likelihood: Likelihood of the whole table.
        side: [N] 0 train, 1 validation, 2 test (used only for the unit of a read-out).
        starts: Number of random starts.
        seed: Seed of the starts and of the sample.
    """
    train = (side == 0).astype(float)
    validation = (side == 1).astype(float)
    both = train + validation
    sample, sample_weight = _sample(likelihood, side, seed)
    rough = curvature.hessian_of(sample)
    competitors = sorted(
        _compete(sample, sample_weight, starts, seed), key=lambda ascent: -ascent.value
    )
    finalists = competitors[:FINALISTS]
    validated = []
    for finalist in finalists:
        agreed = reconsider(sample, sample_weight, finalist, seed=seed)
        ascent = _climb_all(likelihood, train, rough, agreed.theta, rounds=2)
        held_out = float(likelihood.log_likelihood(ascent.theta, validation))
        validated.append((held_out, ascent))
    validated.sort(key=lambda pair: -pair[0])
    evaluations = sum(ascent.evaluations for _, ascent in validated)

    theta = validated[0][1].theta
    ascent = _climb_all(likelihood, both, rough, theta, rounds=ROUNDS)
    theta, evaluations = ascent.theta, evaluations + ascent.evaluations
    exact = curvature.hessian_of(likelihood)
    optimum = arrive(
        lambda point: likelihood.value_and_gradient(point, both),
        lambda point: exact(point, both),
        theta,
        likelihood.parameters.prior_sd,
    )
    return optimum._replace(
        evaluations=evaluations + optimum.evaluations,
        starts=tuple(value for value, _ in validated),
    )


def arrive(
    density: Density,
    hessian_at: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    theta: NDArray[np.float64],
    prior_sd: NDArray[np.float64],
) -> Optimum:
    """Climbs to an optimum near theta [D], in coordinates of the exact Hessian at its points.

    Args:
        density: Log-posterior with its gradient.
        hessian_at: Hessian of the log-posterior at a point.
        theta: Start.
        prior_sd: Standard deviations of the prior, the largest widths of the coordinates. [D]
    """
    evaluations = 0
    for is_last in [False] * EXACT_ROUNDS + [True]:
        hessian = hessian_at(theta)
        root = root_of(-hessian, prior_sd)
        gain = _expected_gain(density(theta[None]).gradient[0], root)
        if gain < ARRIVED or is_last:
            break
        ascent = climb(density, theta, root)
        theta, evaluations = ascent.theta, evaluations + ascent.evaluations
    return Optimum(theta, hessian, gain, evaluations, ())


def reconsider(
    likelihood: likelihoods.Likelihood,
    weight: NDArray[np.float64],
    best: Ascent,
    *,
    seed: int = 0,
) -> Ascent:
    """Leaves an optimum in which one library differs from the others for no reason.

    A factor that is always bound in a library, or never bound, has no effect there: p(bin | t) of
    that library compensates for it, and no small step leads back. So each library in turn gets the
    median constants of the others and a new random p(bin | t); if all parameters together then
    climb higher, the new optimum replaces the old one.

    Args:
        likelihood: Likelihood of the sequences, or of a sample of them.
        weight: [N] weight of each sequence.
        best: End point of an ascent.
        seed: Seed of the new p(bin | t).

    Returns:
        The end point with the highest log-posterior.
    """
    parameters = likelihood.parameters
    constants = {name: parameters.own(name, "constant") for name in parameters.libraries}
    if len(constants) < 2 or not len(constants[parameters.libraries[0]]):
        return best

    def density(theta: NDArray[np.float64]) -> likelihoods.ValueAndGradient:
        return likelihood.value_and_gradient(theta, weight)

    unit = np.diag(np.minimum(parameters.prior_sd, 1.0))
    for name, generator in zip(constants, _generators(seed, len(constants)), strict=True):
        read_out = np.setdiff1d(parameters.own(name), constants[name])
        other_constants = [
            best.theta[entries] for library, entries in constants.items() if library != name
        ]
        theta = best.theta.copy()
        theta[constants[name]] = np.median(other_constants, axis=0)
        theta[read_out] = parameters.start(generator)[read_out]
        theta = climb(density, theta, unit[:, read_out]).theta
        candidate = climb(density, theta, unit, steps=2 * STEPS)
        if candidate.value > best.value + ARRIVED:
            gain = candidate.value - best.value
            _log.info("%s gains %.1f nats from the constants of other libraries.", name, gain)
            best = candidate
    return best


def _climb_all(
    likelihood: likelihoods.Likelihood,
    weight: NDArray[np.float64],
    rough: curvature.Hessian,
    theta: NDArray[np.float64],
    *,
    rounds: int,
) -> Ascent:
    """Climbs on weighted sequences, in coordinates of a sample's Hessian, until it converges."""
    same_likelihood = rough.likelihood is likelihood
    # Curvature of the likelihood grows with the number of sequences; that of the prior does not.
    scale = 1.0 if same_likelihood else weight.sum() / rough.likelihood.rows
    prior = np.diag(likelihood.parameters.prior_sd**-2.0)
    evaluations = 0
    for _ in range(rounds):
        precision = scale * (-rough(theta, weight if same_likelihood else None) - prior) + prior
        root = root_of(precision, likelihood.parameters.prior_sd)
        if _gain(likelihood, weight, theta, root) < ARRIVED:
            break
        ascent = climb(lambda point: likelihood.value_and_gradient(point, weight), theta, root)
        theta, evaluations = ascent.theta, evaluations + ascent.evaluations
    value = float(likelihood.value_and_gradient(theta[None], weight).value[0])
    return Ascent(theta, value, evaluations)


def _gain(
    likelihood: likelihoods.Likelihood,
    weight: NDArray[np.float64],
    theta: NDArray[np.float64],
    root: NDArray[np.float64],
) -> float:
    """Computes the expected gain of a further Newton step, in nats."""
    return _expected_gain(likelihood.value_and_gradient(theta[None], weight).gradient[0], root)


def _expected_gain(gradient: NDArray[np.float64], root: NDArray[np.float64]) -> float:
    slope = root.T @ gradient
    return float(slope @ slope) / 2


def _sample(
    likelihood: likelihoods.Likelihood, side: NDArray[np.int64], seed: int
) -> tuple[likelihoods.Likelihood, NDArray[np.float64]]:
    """Returns the likelihood of at most `SAMPLE` training sequences, and their weights."""
    train = np.flatnonzero(side == 0)
    enough = max(SAMPLE, PER_PARAMETER * likelihood.parameters.size)
    if len(train) <= enough:
        return likelihood, (side == 0).astype(float)
    rows = np.sort(np.random.default_rng(seed).permutation(train)[:enough])
    sample = likelihoods.Likelihood(
        likelihood.mechanism,
        likelihood.table.take(rows),
        parameters=likelihood.parameters,
        dtype=likelihood.dtype,
    )
    return sample, np.ones(enough)


def _compete(
    sample: likelihoods.Likelihood, weight: NDArray[np.float64], starts: int, seed: int
) -> Iterator[Ascent]:
    """Climbs from random starts on a sample: first the measurement alone, then everything."""
    parameters = sample.parameters
    effects = initial.additive(parameters, sample.table.take(np.flatnonzero(weight)))
    unit = np.diag(np.minimum(parameters.prior_sd, 1.0))

    def density(theta: NDArray[np.float64]) -> likelihoods.ValueAndGradient:
        return sample.value_and_gradient(theta, weight)

    for generator in _generators(seed, starts):
        theta = initial.draw(parameters, effects, generator)
        theta = climb(density, theta, unit[:, parameters.physical :]).theta
        yield climb(density, theta, unit, steps=2 * STEPS)


def _generators(seed: int, number: int) -> Sequence[np.random.Generator]:
    return [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(number)]
