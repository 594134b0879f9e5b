"""Starts of a fit: random parameters around the additive effects of the bases.

The additive effects are the leading canonical direction between the bases of the sites and the
measurement: the weights of bases that correlate best with any score of the bins (or with the
read-out). Each site takes its own entries, with the sign for which the wild type binds better than
its mutants. This also keeps starts away from the mirror solution with inverted binding.
"""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from akita_bayes import dna, errors
from akita_bayes.regulation.assay import assay_table
from akita_bayes.regulation.model import parameters as layout

ENERGY_SPREAD = 2.0
"""Typical standard deviation, in kT, of a site's energy over a library, at the start of a fit."""

MOST_ROWS = 20_000
"""Largest number of sequences of a library from which additive effects are computed."""


def additive(
    parameters: layout.Parameters, table: assay_table.Table, *, seed: int = 0
) -> dict[str, NDArray[np.float64]]:
    """Estimates additive effects of bases as [W, 3] contrasts, per term with a site.

    The scale gives a site's energy a standard deviation of 1 over the table.

    Raises:
        SpecError: No term reads a site.
        DataError: A library's measurements are all equal, or of another kind than declared.
    """
    rng = np.random.default_rng(seed)
    sites = [name for name, term in parameters.mechanism.terms.items() if term.site]
    if not sites:
        raise errors.SpecError(
            f"{parameters.mechanism.name}: no term has a site, so no sequence can change the "
            "activity; give at least one term a site."
        )
    width = {name: 3 * parameters.mechanism.terms[name].width for name in sites}
    size = sum(width.values())
    bases = np.zeros((size, size))
    effects = []
    for library in table.libraries:
        if parameters.mechanism.measurement.kind == "poisson":
            _check_counts(library)
        rows = rng.permutation(len(library.index))[:MOST_ROWS]
        subset = library.take(rows)
        x = np.concatenate(
            [parameters.design(name, subset.index)[:, : width[name]] for name in sites], axis=1
        ).astype(float)
        y, reads = _responses(subset, parameters.mechanism.measurement.kind)
        x -= np.average(x, axis=0, weights=reads)
        bases += x.T @ (x * reads[:, None])
        sum_of_squares = (y**2 * reads[:, None]).sum()
        y -= np.average(y, axis=0, weights=reads)
        spread = y.T @ (y * reads[:, None])
        scores, directions = np.linalg.eigh(spread)
        informative = scores > 1e-9 * scores[-1]
        if not scores[-1] > 1e-24 * sum_of_squares:  # the variance is only rounding, or NaN
            raise errors.DataError(
                f"{library.label}: the measurement is the same for all {len(library.index)} "
                f"sequences ({', '.join(library.columns)}) and has no information on activity; "
                "correct it, or leave the library out."
            )
        effects.append(
            x.T @ (y * reads[:, None]) @ directions[:, informative] / np.sqrt(scores[informative])
        )
    ridge = 1e-3 * np.trace(bases) / size * np.eye(size)
    lower = np.linalg.cholesky(bases + ridge)
    white = scipy.linalg.solve_triangular(lower, np.concatenate(effects, axis=1), lower=True)
    # With bases = L L^T, the leading left singular vector of L^-1 X^T Y maximises the correlation;
    # solving L^T a = v turns it back into weights of bases.
    leading = np.linalg.svd(white, full_matrices=False)[0][:, 0]
    slopes = np.split(
        scipy.linalg.solve_triangular(lower.T, leading), np.cumsum([width[name] for name in sites])
    )
    return {
        name: _oriented(parameters, name, slope.reshape(-1, 3), table)
        for name, slope in zip(sites, slopes, strict=False)
    }


def _responses(
    library: assay_table.Library, kind: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns shares of bins (or read-outs, or log rates of counts) [N, M], and weights [N]."""
    if len(library.columns) > 1:
        reads = library.observed.sum(1)
        return library.observed / reads[:, None], reads
    if kind == "poisson":
        return np.log((library.observed + 0.5) / library.weight[:, None]), library.weight
    return library.observed.copy(), library.weight


def _check_counts(library: assay_table.Library) -> None:
    invalid = (library.observed < 0) | (library.observed != np.round(library.observed))
    if invalid.any():
        raise errors.DataError(
            f"{library.label}: {library.columns[0]} {library.observed[invalid][0]:g} is not a "
            'count, but the measurement is declared as "poisson"; declare another kind.'
        )


def _oriented(
    parameters: layout.Parameters, name: str, slope: NDArray[np.float64], table: assay_table.Table
) -> NDArray[np.float64]:
    """Returns effects with the sign that favours the wild type, scaled to unit variance."""
    site = parameters.mechanism.terms[name].bases
    matrix = slope @ layout.CONTRASTS.T
    wild = dna.to_one_hot(parameters.wild_type)[site]
    sign = 1.0 if (matrix * wild).sum() <= 0 else -1.0
    frequencies = table.frequencies()[site]
    variance = (frequencies * matrix**2).sum(1) - (frequencies * matrix).sum(1) ** 2
    return sign * slope / np.sqrt(max(variance.sum(), 1e-12))


def draw(
    parameters: layout.Parameters,
    effects: dict[str, NDArray[np.float64]],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draws theta [D]: additive effects of a random scale, all else from `Parameters.start`."""
    theta = parameters.start(rng)
    for name, effect in effects.items():
        block = parameters.find(name, "bases")
        scale = ENERGY_SPREAD * np.exp(rng.normal(0.0, 0.3))
        noise = rng.normal(0.0, 0.05, effect.shape)
        theta[block.start : block.stop] = (scale * effect + noise).reshape(-1)
    return theta
