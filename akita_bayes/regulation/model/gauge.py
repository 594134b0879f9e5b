"""Directions along which a likelihood cannot change, and the choice along each of them.

Gauge. A constant per position of an energy matrix trades against the chemical potential, and a row
or column of a pair table against the matrix. With weights p_l over the bases of each position

    centred    p_lb = 1/4            entries of a position sum to 0
    consensus  p_lb = [b = wt_l]     the wild type's entries are 0, its energy is the constant
    empirical  p_lb = library's      the constant is the mean energy of the library

every p-weighted mean over a base is moved to the next lower order; the energy of every sequence
stays the same.

Mirrors. Linear maps A of the energies that permute the states of equal activity, Omega A = P Omega
up to a constant per column, leave t unchanged: for two factors that touch, "bound" and "unbound" of
one can change places. Where the measurement absorbs t -> a + b t, states of different activity may
change places too. The hidden units of bins absorb every such map; splines with even knots over 0..1
absorb only t -> 1 - t; so do bins that see u = o / (o + o_wt), because 1 / o in place of the odds o
turns u into 1 - u. The image in which the wild type binds best is the one that is reported.
"""

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna
from akita_bayes.mechanisms import common_fields, mechanism_spec
from akita_bayes.regulation.model import parameters as layout

MOST_STATES = 8
"""Largest number of states whose permutations are searched for mirrors."""
TINY = 1e-9
"""Numbers below this are zeros up to rounding."""


def base_weights(
    gauge: common_fields.Gauge, wild_type: str, frequencies: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Returns p [L, 4] of a gauge; `frequencies` are those of the library."""
    if gauge == "centred":
        return np.full((len(wild_type), 4), 0.25)
    if gauge == "consensus":
        return dna.to_one_hot(wild_type).astype(float)
    return frequencies


def fix(
    values: layout.TermValues, weights: NDArray[np.float64], *, sign: float = 1.0
) -> layout.TermValues:
    """Transforms a term into the gauge of weights [W, 4] over the bases of its site.

    Args:
        values: Term in any gauge.
        weights: Weights p, whose rows sum to 1.
        sign: -1 for a log rate, from which the matrix is subtracted.
    """
    if values.matrix is None:
        return values
    matrix, pairs, shift = values.matrix.copy(), values.pairs, 0.0
    # Adds and subtracts the same means, p = 1/4: a table of all 1s becomes 0, its left and right
    # matrices get 1 - 1 = 0, and the constant gets 1.
    if pairs is not None:
        left = np.einsum("wab,wb->wa", pairs, weights[1:])
        right = np.einsum("wab,wa->wb", pairs, weights[:-1])
        both = np.einsum("wa,wa->w", left, weights[:-1])
        pairs = pairs - left[:, :, None] - right[:, None, :] + both[:, None, None]
        matrix[:-1] += left - both[:, None]
        matrix[1:] += right - both[:, None]
        shift += both.sum()
    means = (matrix * weights).sum(1)
    matrix -= means[:, None]
    shift += means.sum()
    potential = {name: value + sign * shift for name, value in values.potential.items()}
    return layout.TermValues(matrix, pairs, values.constant, potential)


class Mirror(NamedTuple):
    """Describes an image of the parameters with the same likelihood.

    Attributes:
        energies: Matrix A [J, J] from the energies of the original to those of the image.
        offset: Offset a of t' = a + b t, which the measurement absorbs.
        slope: Slope b of the same.
    """

    energies: NDArray[np.float64]
    offset: float
    slope: float


def mirrors(mechanism: mechanism_spec.Mechanism) -> list[Mirror]:
    """Lists the images of a mechanism, identity first; a kinetic one has only the identity."""
    identity = Mirror(np.eye(len(mechanism.terms)), 0.0, 1.0)
    if isinstance(mechanism, mechanism_spec.Kinetic) or len(mechanism.states) > MOST_STATES:
        return [identity]
    occupancy = mechanism.occupancy - mechanism.occupancy.mean(0)
    inverse = np.linalg.pinv(occupancy)
    activities = [state.activity for state in mechanism.states.values()]
    images = [identity]
    for order in itertools.permutations(range(len(activities))):
        affine = _affine(activities, [activities[i] for i in order], mechanism)
        if affine is None:
            continue
        # A is the least-squares solution of Omega A = P Omega, checked below for being exact.
        permuted = occupancy[np.argsort(order)]
        image = inverse @ permuted
        image[np.abs(image) < TINY] = 0.0
        is_duplicate = any(np.allclose(image, mirror.energies) for mirror in images)
        if (
            not is_duplicate
            and np.allclose(occupancy @ image, permuted)
            and _allowed(image, mechanism)
        ):
            images.append(Mirror(image, *affine))
    return images


def _affine(
    before: list[float | str], after: list[float | str], mechanism: mechanism_spec.Thermodynamic
) -> tuple[float, float] | None:
    """Returns (a, b) with after = a + b before, or None if the measurement cannot absorb it."""
    if before == after:
        return 0.0, 1.0
    measurement = mechanism.measurement
    if measurement.kind not in ("bins", "spline_bins") or measurement.read_out != "activity":
        return None
    if any(isinstance(activity, str) for activity in before):
        return None
    x, y = np.array(before, float), np.array(after, float)
    slope = float(np.cov(x, y)[0, 1] / np.var(x, ddof=1))
    offset = float(y.mean() - slope * x.mean())
    is_reversal = np.allclose((offset, slope), (1.0, -1.0))
    if not is_reversal and (measurement.relative or measurement.kind == "spline_bins"):
        return None
    return (offset, slope) if np.allclose(y, offset + slope * x) else None


def _allowed(image: NDArray[np.float64], mechanism: mechanism_spec.Thermodynamic) -> bool:
    """Returns True if images of sites are linear in the same bases, and fixed values stay."""
    terms = list(mechanism.terms.values())
    for row, term in zip(image, terms, strict=True):
        for factor, source in zip(row, terms, strict=True):
            if factor == 0.0:
                continue
            if source.site is not None and (source.site, source.neighbours) != (
                term.site,
                term.neighbours,
            ):
                return False
            if source.per_library and not term.per_library:
                return False
        if term.value is not None and not np.allclose(row, [source is term for source in terms]):
            return False
    return True


def apply(
    mirror: Mirror, parameters: layout.Parameters, theta: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Returns the image of theta [D]."""
    image = theta.copy()
    names = list(parameters.mechanism.terms)
    for block in parameters.blocks:
        entries = slice(block.start, block.stop)
        if block.part in ("bases", "pairs"):
            row = mirror.energies[names.index(block.owner)]
            image[entries] = 0.0
            for name, factor in zip(names, row, strict=True):
                if parameters.mechanism.terms[name].site and factor != 0.0:
                    source = parameters.find(name, block.part)
                    image[entries] += factor * theta[source.start : source.stop]
        elif block.part == "constant":
            row = mirror.energies[names.index(block.owner)]
            library = block.library or parameters.libraries[0]
            constants = [parameters.term(theta, name).constant[library] for name in names]
            image[entries] = row @ np.array(constants)
        elif (mirror.offset, mirror.slope) == (0.0, 1.0):
            continue
        elif block.part in ("line", "bend"):  # t -> 1 - t reverses the order of the knots
            image[entries] = theta[entries].reshape(block.shape)[::-1].reshape(-1)
        # With t' = a + b t, slope' = slope / b and bias' = bias - slope a / b give
        # slope' t' + bias' = slope t + bias.
        elif block.part == "hidden_slope":
            image[entries] = theta[entries] / mirror.slope
        elif block.part == "hidden_bias":
            slopes = parameters.find("measurement", "hidden_slope", block.library)
            shift = theta[slopes.start : slopes.stop] * mirror.offset / mirror.slope
            image[entries] = theta[entries] - shift
    return image


def binding(parameters: layout.Parameters, theta: NDArray[np.float64]) -> dict[str, float]:
    """Returns per site how much better the wild type binds than random bases, in kT."""
    wild = dna.to_one_hot(parameters.wild_type)
    advantage = {}
    for name, term in parameters.mechanism.terms.items():
        matrix = parameters.term(theta, name).matrix
        if matrix is not None:
            advantage[name] = -float((matrix * wild[term.bases]).sum())
    return advantage


def resolve(
    parameters: layout.Parameters, theta: NDArray[np.float64]
) -> tuple[NDArray[np.float64], bool]:
    """Returns the image of theta [D] in which the wild type binds best, and True if mirrored."""
    images = [apply(mirror, parameters, theta) for mirror in mirrors(parameters.mechanism)]
    scores = [sum(binding(parameters, image).values()) for image in images]
    best = int(np.argmax(scores))
    # The identity is image 0: it wins ties, so that rounding never replaces theta.
    if scores[best] <= scores[0] + TINY:
        return theta, False
    return images[best], True
