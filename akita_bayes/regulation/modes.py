"""The modes of a posterior that fits have found, and which of them start chains.

A mode is weighed by Laplace's evidence under the prior that is sampled (`hierarchy`), which is not
that of the fit: a higher optimum may be a narrower one and hold less of the posterior.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes.regulation import hierarchy, laplace
from akita_bayes.regulation import likelihood as likelihoods

NEAR = 7.0
"""Nats of evidence below the best at which a mode starts no chain: it holds less than a thousandth
of the posterior, and a chain may take long to find out of it."""
SAME = 1.0
"""Standard deviations by which two optima of one mode differ at the most: half a nat."""


class Mode(NamedTuple):
    """A mode of the posterior.

    Attributes:
        gaussian: Laplace's approximation there, under the prior of the fit.
        log_evidence: Laplace's, under the prior that is sampled, in nats.
        fits: How many fits ended there.
    """

    gaussian: laplace.Laplace
    log_evidence: float
    fits: int


def log_evidence(likelihood: likelihoods.Likelihood, gaussian: laplace.Laplace) -> float:
    """Laplace's log evidence of a mode, with the sampler's prior in place of the fit's, in nats."""
    fixed = float(likelihood.log_prior(gaussian.mode))
    shared = float(hierarchy.log_prior(likelihood.parameters, gaussian.mode[None])[0])
    return gaussian.log_evidence - fixed + shared


def distinct(gaussians: Sequence[laplace.Laplace], evidence: Sequence[float]) -> tuple[Mode, ...]:
    """The different modes among the optima of several fits, that of most evidence first."""
    modes: list[Mode] = []
    for i in np.argsort(evidence)[::-1]:
        for number, mode in enumerate(modes):
            apart = gaussians[i].mode - mode.gaussian.mode
            if np.linalg.norm(np.linalg.solve(mode.gaussian.root, apart)) < SAME:
                modes[number] = mode._replace(fits=mode.fits + 1)
                break
        else:
            modes.append(Mode(gaussians[i], float(evidence[i]), 1))
    return tuple(modes)


def where_chains_start(modes: Sequence[Mode]) -> NDArray[np.float64]:
    """Modes that hold a share of the posterior, that of most evidence first. [M, D]."""
    best = modes[0].log_evidence
    return np.array([mode.gaussian.mode for mode in modes if mode.log_evidence > best - NEAR])


def chains(modes: Sequence[Mode], number: int) -> list[int]:
    """How many of so many chains start at each mode, which they take in turn."""
    starting = len(where_chains_start(modes))
    turns = np.bincount(np.arange(number) % starting, minlength=len(modes))
    return [int(count) for count in turns]
