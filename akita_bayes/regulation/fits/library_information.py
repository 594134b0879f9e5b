"""Computes the information of a fitted model about measurements that it did not use."""

import numpy as np
from numpy.typing import NDArray

from akita_bayes.regulation.fits import information
from akita_bayes.regulation.model import likelihood as likelihoods


def by_library(
    likelihood: likelihoods.Likelihood, theta: NDArray[np.float64]
) -> list[information.Information | None]:
    """Returns I_var of each library of a likelihood, per read or read-out.

    Args:
        likelihood: Measurements that were not fitted.
        theta: Fitted parameters. [D].

    Returns:
        For each library its information; None for counts with exposures, and for fewer than 20
        read-outs or equal ones.
    """
    kind = likelihood.mechanism.measurement.kind
    libraries = likelihood.table.libraries
    if kind == "poisson":
        return [None] * len(libraries)
    if kind.endswith("bins"):
        distributions = likelihood.outputs(theta[None])
        return [
            information.variational(
                np.log(np.asarray(distributions[library.name])[0].T), library.observed
            )
            for library in libraries
        ]
    densities = np.asarray(likelihood.per_sequence(theta[None]))[0]
    ends = np.cumsum([len(library.index) for library in libraries])
    return [
        information.variational_of_values(part, library.observed[:, 0])
        for part, library in zip(np.split(densities, ends[:-1]), libraries, strict=True)
    ]
