"""Coordinates in which the ridge of a factor's energy and its interaction is straight.

A factor of energy e binds with F = exp(-e). Its interaction g with a second factor multiplies the
weight of the second factor's states by

    (1 + F exp(-g)) / (1 + F) = 1 + p (exp(-g) - 1),    p = F / (1 + F),

and measurements fix this number. Where p is small, a weaker factor with a stronger interaction
gives the same number: e and g move together along a curved ridge that chains cross slowly. The
sampler therefore replaces g by

    y = w              for w >= 0,    w = ln(1 + p (exp(-g) - 1)),
    y = L ln(1 + w/L)  for w < 0,     L = -ln(1 - p).

w lies above -L, so y takes all real values, and the slope of y(w) is continuous. Along the ridge y
is nearly constant. How all entries still change with e is known from conditional modes
(`ridge_paths`); this bend is subtracted.

The background of a logarithm, which a read-out adds to the odds before it takes the logarithm, is a
position on a second ridge: with a lower background all energies have a smaller scale, and the read-
out is steeper. Its bend is subtracted too.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.regulation.model import parameters as layout
from akita_bayes.regulation.posterior import ridge_paths

CLEAR = 2.0
"""Least w at the mode, in its standard deviations, where the coordinates are used. A w that may be
zero says nothing of g, whose prior would have a different width in y for every e."""


class Ridge(NamedTuple):
    """Holds the entries of theta that lie along a ridge.

    Attributes:
        factor: Entries of the factor's energy, of which the mean counts: one, or one per library.
        interaction: Entry of the interaction.
    """

    factor: tuple[int, ...]
    interaction: int


def declared(parameters: layout.Parameters) -> tuple[Ridge, ...]:
    """Finds the ridges of a mechanism: at most one for each fitted interaction of a library.

    A state with factors a and b and their interaction must stand beside the state with b alone, and
    both must have one activity. Then binding of a changes only the weight of the activity.
    """
    mechanism = parameters.mechanism
    if not isinstance(mechanism, mechanism_spec.Thermodynamic):
        return ()
    ridges = {}
    for name in mechanism.energies:
        factor = _factor(mechanism, name)
        if factor is None:
            continue
        for entry, libraries in _constants(parameters, name).items():
            own = _constants(parameters, factor)
            entries = tuple(start for start, shared in own.items() if shared & libraries)
            if entries:
                ridges[entry] = Ridge(entries, entry)
    return tuple(ridges.values())


def _factor(mechanism: mechanism_spec.Thermodynamic, interaction: str) -> str | None:
    """Returns the factor whose binding brings an interaction without a change of activity."""
    if mechanism.energies[interaction].site is not None:
        return None
    activities = {
        tuple(sorted(state.energies)): state.activity for state in mechanism.states.values()
    }
    for energies, activity in activities.items():
        if energies.count(interaction) != 1:
            continue
        for factor in energies:
            rest = list(energies)
            rest.remove(interaction)
            if factor == interaction:
                continue
            rest.remove(factor)
            if activity not in (0, 0.0) and activities.get(tuple(rest)) == activity:
                return factor
    return None


def _constants(parameters: layout.Parameters, name: str) -> dict[int, frozenset[str]]:
    """Returns the libraries of each fitted constant of an energy, by its entry in theta."""
    return {
        block.start: frozenset(parameters.libraries if block.library is None else [block.library])
        for block in parameters.blocks
        if (block.owner, block.part) == (name, "constant")
    }


class Coordinates:
    """Converts theta to phi and back. Some interactions g become y, and bends are subtracted.

    Args:
        ridges: Ridges of which g becomes y.
        bends: Bends, which are 0 for the entries of all axes.
    """

    def __init__(self, ridges: Sequence[Ridge], bends: Sequence[ridge_paths.Bend] = ()) -> None:
        self.ridges = tuple(ridges)
        self.bends = tuple(bends)

    @classmethod
    def at(
        cls,
        likelihood: likelihoods.Likelihood,
        mode: NDArray[np.float64],
        root: NDArray[np.float64],
    ) -> Self:
        """Returns the coordinates at a mode. Only where w is clearly positive, g becomes y.

        Args:
            likelihood: Likelihood, whose conditional modes show the bends.
            mode: The mode. [D]
            root: Matrix that whitens at the mode; root root^T is Laplace's covariance. [D, D]
        """
        clear = []
        for ridge in declared(likelihood.parameters):
            energy, interaction = mode[list(ridge.factor)].mean(), mode[ridge.interaction]
            slope = cls([ridge]).slopes(mode)[ridge.interaction]
            if _w(energy, interaction) > CLEAR * np.linalg.norm(slope @ root):
                clear.append(ridge)
        unbent = cls(clear)
        factors = dict.fromkeys(ridge.factor for ridge in clear)
        axes = [*factors, *_backgrounds(likelihood.parameters)]
        straight = [entry for axis in axes for entry in axis]
        bends = []
        for axis in axes:
            fixed = [second for second in axes if second != axis]
            path = ridge_paths.path(likelihood, mode, root, axis, fixed)
            values = unbent.straighten(path.thetas)
            bends.append(ridge_paths.Bend.fit(axis, path.positions, values, straight))
        return cls(clear, bends)

    def straighten(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Converts theta to phi. [..., D] -> [..., D]."""
        phi = theta.copy()
        for ridge in self.ridges:
            energy = theta[..., list(ridge.factor)].mean(-1)
            w = _w(energy, theta[..., ridge.interaction])
            bound = np.logaddexp(0.0, -energy)
            below = bound * np.log1p(np.minimum(w, 0.0) / bound)
            phi[..., ridge.interaction] = np.where(w < 0, below, w)
        # Positions are the same in theta and in phi.
        return phi - sum(bend.at(theta) for bend in self.bends)

    def theta(self, phi: Any) -> tuple[Any, Any]:
        """Converts phi to theta, with ln |d theta / d phi|. [S, D] -> [S, D], [S].

        With s = w + L follows exp(-g) = (exp(s) - 1) exp(e), without a difference of large numbers.
        """
        # All entries change by a function of entries that stay, so that volumes stay too.
        phi += sum(bend.tensor(phi) for bend in self.bends)
        theta, log_jacobian = phi, tf.zeros_like(phi[:, 0])
        for ridge in self.ridges:
            energy = tf.reduce_mean(tf.gather(phi, ridge.factor, axis=1), axis=1)
            y, bound = phi[:, ridge.interaction], tf.math.softplus(-energy)
            below = tf.minimum(y, 0.0) / bound
            s = tf.maximum(y, 0.0) + bound * tf.exp(below)
            # exp(s) - 1 = exp(s) (1 - exp(-s)), which neither overflows nor cancels.
            log_share = tf.math.log(-tf.math.expm1(-s))
            column = tf.one_hot(ridge.interaction, phi.shape[-1], dtype=phi.dtype)
            theta += (-(energy + s + log_share) - y)[:, None] * column
            log_jacobian += below - log_share
        return theta, log_jacobian

    def slopes(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns d phi / d theta at a theta. [D] -> [D, D]."""
        slopes = np.eye(len(theta))
        for ridge in self.ridges:
            energy, interaction = theta[list(ridge.factor)].mean(), theta[ridge.interaction]
            bound, w = np.logaddexp(0.0, -energy), _w(energy, interaction)
            share = -np.expm1(-bound)  # p
            by_interaction = -share * np.exp(-interaction - w)
            by_energy = -share * np.exp(-bound - w) * np.expm1(-interaction)
            if w < 0:
                ratio = w / bound
                by_bound = np.log1p(ratio) - ratio / (1 + ratio)
                by_interaction /= 1 + ratio
                by_energy = by_energy / (1 + ratio) - share * by_bound
            slopes[ridge.interaction] = 0.0
            slopes[ridge.interaction, ridge.interaction] = by_interaction
            slopes[ridge.interaction, list(ridge.factor)] = by_energy / len(ridge.factor)
        for bend in self.bends:
            slopes -= bend.slopes(theta)
        return slopes

    def directions(self) -> NDArray[np.float64]:
        """Returns the straight lines along which the ridges lie in phi. [D, ridges]."""
        return np.stack([bend.line for bend in self.bends], axis=1)


def _backgrounds(parameters: layout.Parameters) -> list[ridge_paths.Axis]:
    """Returns the axis of the ridge of backgrounds, one for all libraries, if there are any."""
    blocks = [block for block in parameters.blocks if block.part == "log_background"]
    return [tuple(block.start for block in blocks)] if blocks else []


def _w(energy: Any, interaction: Any) -> Any:
    """Computes ln((1 + exp(-e - g)) / (1 + exp(-e)))."""
    return np.logaddexp(0.0, -energy - interaction) - np.logaddexp(0.0, -energy)
