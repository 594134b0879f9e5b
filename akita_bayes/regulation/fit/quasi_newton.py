"""Quasi-Newton ascent of a log-posterior, in coordinates that its curvature makes round.

L-BFGS moves in z, theta = theta_0 + root z, with root root^T the inverse of a metric: the exact
Hessian of a sample of the sequences, with the absolute values of its eigenvalues. An ascent has
arrived where half the Newton decrement, g^T A^-1 g / 2, the gain still expected, is negligible.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import scipy.optimize
import threadpoolctl
from numpy.typing import NDArray

from akita_bayes.regulation.fit import initial
from akita_bayes.regulation.model import curvature
from akita_bayes.regulation.model import likelihood as likelihoods

logger = logging.getLogger(__name__)

Density = Callable[[NDArray[np.float64]], likelihoods.ValueAndGradient]

STEPS = 60
"""Steps of L-BFGS in one set of coordinates."""
ROUNDS = 6
"""Most sets of coordinates from the Hessian of a sample."""
EXACT_ROUNDS = 5
"""Most sets of coordinates from the Hessian of all sequences."""
ARRIVED = 0.25
"""Expected gain in nats below which an ascent has converged."""
SAMPLE, PER_PARAMETER = 8192, 24
"""Sequences, and sequences per parameter, of the sample on which random starts compete, and whose
Hessian guides the ascent of the best: the larger of the two."""
FINALISTS = 2
OVERFLOW = 1e12
"""Largest number of nats that an ascent is told of: a first step that goes much too far can leave
the range of float32, and must look like a very bad one for the line search to come back."""

one_thread = threadpoolctl.threadpool_limits.wrap(limits=1, user_api="blas")
"""Linear algebra this small loses ten times more to threads than it gains."""


class Ascent(NamedTuple):
    """Where an ascent ended.

    Attributes:
        theta: [D].
        value: Log-posterior in nats.
        evaluations: Gradients taken.
    """

    theta: NDArray[np.float64]
    value: float
    evaluations: int


class Optimum(NamedTuple):
    """The best of several starts, and the shape of the posterior there.

    Attributes:
        theta: [D].
        hessian: [D, D] of the log-posterior.
        gain: Expected gain of a further Newton step, in nats; under `ARRIVED` it has converged.
        evaluations: Gradients of the whole table taken.
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
    """L-BFGS from theta [D] over theta + root z, z of any length."""
    evaluations = 0

    def descend(z: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        nonlocal evaluations
        evaluations += 1
        value, gradient = density((theta + root @ z)[None])
        slope = np.nan_to_num(gradient[0], nan=0.0, posinf=OVERFLOW, neginf=-OVERFLOW)
        found = max(float(np.nan_to_num(value[0], nan=-OVERFLOW)), -OVERFLOW)
        return -found, -root.T @ np.clip(slope, -OVERFLOW, OVERFLOW)

    found = scipy.optimize.minimize(
        descend,
        np.zeros(root.shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": steps, "maxfun": 3 * steps, "maxcor": 30, "ftol": 1e-9, "gtol": 0.02},
    )
    return Ascent(theta + root @ found.x, -float(found.fun), evaluations)


@one_thread
def root_of(precision: NDArray[np.float64], prior_sd: NDArray[np.float64]) -> NDArray[np.float64]:
    """root with root root^T = precision^-1; no direction is wider than the prior. [D, D]."""
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
    """Maximises the posterior of train and validation from the start that validates best.

    Random starts compete on a sample of the training sequences; the finalists climb on all of
    them, once no library of theirs gains by the constants of the others (`reconsider`); the one
    with the best validation likelihood climbs to the optimum of both sides.

    Args:
        likelihood: Of the whole table.
        side: [N] 0 train, 1 validation, 2 test (never looked at, but for the unit of a read-out).
        starts: Number of random starts.
        seed: Of the starts and of the sample.
    """
    train = (side == 0).astype(float)
    validation = (side == 1).astype(float)
    both = train + validation
    sample, chosen = _sample(likelihood, side, seed)
    rough = curvature.of(sample)
    competitors = sorted(_compete(sample, chosen, starts, seed), key=lambda found: -found.value)
    finalists = competitors[:FINALISTS]
    climbed = []
    for finalist in finalists:
        agreed = reconsider(sample, chosen, finalist, seed=seed)
        ascent = _climb_all(likelihood, train, rough, agreed.theta, rounds=2)
        held_out = float(likelihood.log_likelihood(ascent.theta, validation))
        climbed.append((held_out, ascent))
    climbed.sort(key=lambda pair: -pair[0])
    evaluations = sum(ascent.evaluations for _, ascent in climbed)

    theta = climbed[0][1].theta
    ascent = _climb_all(likelihood, both, rough, theta, rounds=ROUNDS)
    theta, evaluations = ascent.theta, evaluations + ascent.evaluations
    exact = curvature.of(likelihood)
    for last in [False] * EXACT_ROUNDS + [True]:
        hessian = exact(theta, both)
        root = root_of(-hessian, likelihood.parameters.prior_sd)
        gain = _gain(likelihood, both, theta, root)
        if gain < ARRIVED or last:
            break
        found = climb(lambda at: likelihood.value_and_gradient(at, both), theta, root)
        theta, evaluations = found.theta, evaluations + found.evaluations
    return Optimum(theta, hessian, gain, evaluations, tuple(value for value, _ in climbed))


def reconsider(
    likelihood: likelihoods.Likelihood,
    weight: NDArray[np.float64],
    reached: Ascent,
    *,
    seed: int = 0,
) -> Ascent:
    """Leaves an optimum in which one library is unlike the others for no reason.

    A factor that is always bound in a library, or never, has nothing to say there: p(bin | t) of
    that library makes up for it, and no small step leads back. So each library in turn is given
    the constants that the others have in the median and a p(bin | t) of its own anew; where all
    parameters together then climb higher, that is kept.

    Args:
        likelihood: Of the sequences, or of a sample of them.
        weight: [N] of each sequence.
        reached: Where an ascent ended.
        seed: Of the new p(bin | t).
    """
    parameters = likelihood.parameters
    constants = {name: parameters.own(name, "constant") for name in parameters.libraries}
    if len(constants) < 2 or not len(constants[parameters.libraries[0]]):
        return reached

    def density(theta: NDArray[np.float64]) -> likelihoods.ValueAndGradient:
        return likelihood.value_and_gradient(theta, weight)

    unit = np.diag(np.minimum(parameters.prior_sd, 1.0))
    for name, generator in zip(constants, _generators(seed, len(constants)), strict=True):
        read_out = np.setdiff1d(parameters.own(name), constants[name])
        others = [reached.theta[at] for other, at in constants.items() if other != name]
        theta = reached.theta.copy()
        theta[constants[name]] = np.median(others, axis=0)
        theta[read_out] = parameters.start(generator)[read_out]
        theta = climb(density, theta, unit[:, read_out]).theta
        found = climb(density, theta, unit, steps=2 * STEPS)
        if found.value > reached.value + ARRIVED:
            gain = found.value - reached.value
            logger.info("%s gains %.1f nats by the constants of other libraries.", name, gain)
            reached = found
    return reached


def _climb_all(
    likelihood: likelihoods.Likelihood,
    weight: NDArray[np.float64],
    rough: curvature.Hessian,
    theta: NDArray[np.float64],
    *,
    rounds: int,
) -> Ascent:
    """Climbs on weighted sequences, in the coordinates of a sample's Hessian, until it arrives."""
    small = rough.likelihood is likelihood
    scale = 1.0 if small else weight.sum() / rough.likelihood.rows
    prior = np.diag(likelihood.parameters.prior_sd**-2.0)
    evaluations = 0
    for _ in range(rounds):
        precision = scale * (-rough(theta, weight if small else None) - prior) + prior
        root = root_of(precision, likelihood.parameters.prior_sd)
        if _gain(likelihood, weight, theta, root) < ARRIVED:
            break
        found = climb(lambda at: likelihood.value_and_gradient(at, weight), theta, root)
        theta, evaluations = found.theta, evaluations + found.evaluations
    value = float(likelihood.value_and_gradient(theta[None], weight).value[0])
    return Ascent(theta, value, evaluations)


def _gain(
    likelihood: likelihoods.Likelihood,
    weight: NDArray[np.float64],
    theta: NDArray[np.float64],
    root: NDArray[np.float64],
) -> float:
    """What a Newton step would still gain, in nats."""
    slope = root.T @ likelihood.value_and_gradient(theta[None], weight).gradient[0]
    return float(slope @ slope) / 2


def _sample(
    likelihood: likelihoods.Likelihood, side: NDArray[np.int64], seed: int
) -> tuple[likelihoods.Likelihood, NDArray[np.float64]]:
    """The likelihood of some training sequences, and a weight of each; all when they are few."""
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
