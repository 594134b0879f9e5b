"""Compares the read-out that a fit expects with the measured one, on sequences it did not use.

The measured read-out of a sequence is its value, its count per exposure, or the mean number of the
bin of its reads; the expected one is the mean of the fitted distribution in the same unit. A
sequence weighs as many reads, replicates or exposures as it has.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes.regulation.assay import assay_table
from akita_bayes.regulation.fits import fitted_mechanism, information, library_information
from akita_bayes.regulation.model import likelihood as likelihoods

FEWEST = 10
"""Fewest held-out sequences for which accuracy is stated."""


class Accuracy(NamedTuple):
    """Holds how well a fit predicts the sequences of a library that it did not use.

    Attributes:
        library: Name of the library.
        sequences: Number of held-out rows N.
        fitted: Number of rows that the fit used, which are not judged.
        r: Pearson's correlation between expected and measured read-out.
        r2: Share of the variance of the measured read-out that the expected one explains: 1 minus
            the mean squared error over the variance.
        predictive: Information of the activity about the measurement, per read or read-out.
        variational: Information of the whole model, noise included; None for counts with exposures
            and for few read-outs.
        expected: [N] expected read-out.
        measured: [N] measured read-out.
        weight: [N] weight of each row.
    """

    library: str
    sequences: int
    fitted: int
    r: float
    r2: float
    predictive: information.Information
    variational: information.Information | None
    expected: NDArray[np.float64]
    measured: NDArray[np.float64]
    weight: NDArray[np.float64]


def expected_read_out(kind: str, measurement: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the mean read-out of each fitted distribution. [N, outputs] -> [N].

    Args:
        kind: Kind of the measurement.
        measurement: `Prediction.measurement`: probabilities of bins, or parameters.

    Returns:
        The mean of a value, the count per exposure, or the mean number of the bin from 0.
    """
    if kind.endswith("bins"):
        return measurement @ np.arange(measurement.shape[1])
    if kind == "skewed":
        mode, below, above = measurement.T
        # The mean of a two-piece normal lies sqrt(2 / pi) (above - below) from its mode.
        return np.asarray(mode + np.sqrt(2 / np.pi) * (above - below))
    return measurement[:, 0]


def assess(
    fit: fitted_mechanism.FittedMechanism, library: assay_table.Library, *, name: str | None = None
) -> Accuracy | None:
    """Compares a fit with the rows of a library whose sequences it did not use.

    Args:
        fit: A fit.
        library: Measured sequences, with the columns that were fitted.
        name: Library of the fit whose measurement is used; the one of the same name when None.

    Returns:
        The accuracy; None with fewer than `FEWEST` such rows.
    """
    used = fit.was_fitted(library.index)
    unseen = library.take(~used)
    if len(unseen.index) < FEWEST:
        return None
    kind = fit.mechanism.measurement.kind
    prediction = fit.predict(unseen.sequences, library=library.name if name is None else name)
    expected = expected_read_out(kind, prediction.measurement)
    if kind.endswith("bins"):
        weight = unseen.observed.sum(1)
        measured = unseen.observed @ np.arange(unseen.observed.shape[1]) / weight
        predictive = information.predictive(prediction.activity, unseen.observed)
    else:
        weight = unseen.weight
        measured = unseen.observed[:, 0]
        if kind == "poisson":
            measured = measured / weight
        predictive = information.predictive_of_values(prediction.activity, measured)
    share = weight / weight.sum()
    residual = share @ (measured - expected) ** 2
    covariance = np.cov(expected, measured, aweights=weight, ddof=0)
    r = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    return Accuracy(
        library.name,
        len(expected),
        int(used.sum()),
        float(r),
        float(1 - residual / covariance[1, 1]),
        predictive,
        _variational(fit, unseen, library.name if name is None else name),
        expected,
        measured,
        weight,
    )


def _variational(
    fit: fitted_mechanism.FittedMechanism, unseen: assay_table.Library, name: str
) -> information.Information | None:
    """Returns the information of the model about a library, measured as the library `name`."""
    measured = assay_table.Table((dataclasses.replace(unseen, name=name),))
    likelihood = likelihoods.Likelihood(
        fit.mechanism, measured, parameters=fit.parameters, dtype="float64"
    )
    (of_library,) = library_information.by_library(likelihood, fit.theta)
    return of_library
