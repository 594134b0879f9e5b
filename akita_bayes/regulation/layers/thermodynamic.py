"""Thermodynamic models of regulation as layers: energies, Boltzmann states, activity.

With energies in thermal units (Tareen and Kinney 2019, equation 1 and figure 1),

    dG_j = theta_j . x + mu_j,    P_s = exp(-sum_j omega_sj dG_j) / Z,    t = sum_s alpha_s P_s.

Negative energies favour binding. theta_j is the energy matrix of a site, mu_j its chemical
potential.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("akita_bayes")
class BindingEnergies(keras.layers.Layer):
    """Computes energies, constant or linear in the bases of a site. [B, L, 4] -> [B, J], in kT.

    Args:
        sites: Per energy, (start, stop) of its site, or None for a constant.
        names: Name of each energy, for its weights.
        neighbours: Per energy, True when adjacent pairs of bases of the site contribute too.
        fixed: Per energy, the value in kT of a constant that is not fitted, or None.
    """

    def __init__(
        self,
        sites: Sequence[Sequence[int] | None],
        names: Sequence[str],
        neighbours: Sequence[bool] | None = None,
        fixed: Sequence[float | None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sites = [None if site is None else (int(site[0]), int(site[1])) for site in sites]
        self.names = list(names)
        self.neighbours = [False] * len(sites) if neighbours is None else list(neighbours)
        self.fixed = [None] * len(sites) if fixed is None else list(fixed)
        if not len(self.names) == len(self.neighbours) == len(self.fixed) == len(self.sites):
            raise ValueError(
                f"BindingEnergies needs one name, neighbours and fixed per site; got "
                f"{len(self.sites)} sites, {len(self.names)} names, {len(self.neighbours)} "
                f"neighbours, {len(self.fixed)} fixed."
            )
        self.units: dict[str, str] = {}

    def build(self, input_shape: tuple[int, ...]) -> None:
        length = input_shape[1]
        self.constants, self.matrices, self.pairs = [], [], []
        for name, site, paired, fixed in zip(
            self.names, self.sites, self.neighbours, self.fixed, strict=True
        ):
            if site is not None and not 0 <= site[0] < site[1] <= length:
                raise ValueError(
                    f"Energy {name}: site {site[0]}..{site[1]} lies outside a sequence of "
                    f"{length} bases; give 0 <= start < stop <= {length}."
                )
            start = keras.initializers.Constant(0.0 if fixed is None else fixed)
            label = name if site is None else f"{name}_chemical_potential"
            self.constants.append(self._add(label, (), start, fixed is None))
            width = site[1] - site[0] if site else 0
            self.matrices.append(self._add(f"{name}_matrix", (width, 4)) if site else None)
            self.pairs.append(self._add(f"{name}_pairs", (width - 1, 4, 4)) if paired else None)

    def _add(
        self, name: str, shape: tuple[int, ...], start: Any = "zeros", trainable: bool = True
    ) -> Any:
        self.units[name] = "kT"
        return self.add_weight(shape=shape, initializer=start, trainable=trainable, name=name)

    def call(self, x: Any) -> Any:
        x = ops.cast(x, self.compute_dtype)
        columns = []
        for constant, matrix, pairs, site in zip(
            self.constants, self.matrices, self.pairs, self.sites, strict=True
        ):
            energy = ops.broadcast_to(constant, (ops.shape(x)[0],))
            if site is not None:
                bases = x[:, site[0] : site[1]]
                energy = energy + ops.sum(bases * matrix, axis=(1, 2))
            if pairs is not None:
                adjacent = ops.expand_dims(bases[:, :-1], 3) * ops.expand_dims(bases[:, 1:], 2)
                energy = energy + ops.sum(adjacent * pairs, axis=(1, 2, 3))
            columns.append(energy)
        return ops.stack(columns, axis=-1)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (input_shape[0], len(self.sites))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {
            **config,
            "sites": self.sites,
            "names": self.names,
            "neighbours": self.neighbours,
            "fixed": self.fixed,
        }


def boltzmann(energies: Any, occupancy: Any) -> Any:
    """Computes state probabilities: [..., J] energies in kT, [K, J] occupancy -> [..., K]."""
    occupancy = np.transpose(np.asarray(occupancy, float))
    return ops.softmax(-ops.matmul(energies, ops.cast(occupancy, energies.dtype)), axis=-1)


@keras.saving.register_keras_serializable("akita_bayes")
class BoltzmannStates(keras.layers.Layer):
    """Computes equilibrium probabilities of the states. [B, J] energies in kT -> [B, K].

    Args:
        occupancy: omega [K, J], how often each energy occurs in each state.
    """

    def __init__(self, occupancy: Sequence[Sequence[float]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.occupancy = [[float(times) for times in row] for row in occupancy]

    def call(self, energies: Any) -> Any:
        return boltzmann(energies, self.occupancy)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*input_shape[:-1], len(self.occupancy))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "occupancy": self.occupancy}


def log_odds(probabilities: Any, activities: Sequence[float]) -> Any:
    """Computes log odds of activity, ln(t / (1 - t)), for activities in 0..1. [..., K] -> [...].

    Both t and 1 - t are sums and not differences, so both are exact even when tiny.
    """
    active, inactive = _shares(probabilities, activities)
    return ops.log(active) - ops.log(inactive)


def relative_activity(probabilities: Any, activities: Sequence[float], reference: Any) -> Any:
    """Compares odds o of activity with those of a reference, as o / (o + o_reference).

    Args:
        probabilities: [..., K] probabilities of the states.
        activities: [K] activities of the states, in 0..1.
        reference: [...] log odds of activity of the reference, e.g. the wild type.

    Returns:
        [...] in 0..1; 1/2 for the reference.
    """
    active, inactive = _shares(probabilities, activities)
    return active / (active + inactive * ops.exp(reference))


def _shares(probabilities: Any, activities: Sequence[float]) -> tuple[Any, Any]:
    """Returns t and 1 - t, each as a sum over the states."""
    alpha = ops.cast(np.asarray(activities, float), probabilities.dtype)
    return ops.sum(probabilities * alpha, axis=-1), ops.sum(probabilities * (1 - alpha), axis=-1)


@keras.saving.register_keras_serializable("akita_bayes")
class RelativeActivity(keras.layers.Layer):
    """Compares odds of activity with a reference, o / (o + o_reference). [B, K] -> [B, 1].

    Args:
        activities: alpha_s of the states, numbers in 0..1.
    """

    def __init__(self, activities: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activities = [float(alpha) for alpha in activities]
        self.units = {"reference": "ln(odds)"}

    def build(self, input_shape: tuple[int, ...]) -> None:
        self.reference = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="reference"
        )

    def call(self, probabilities: Any) -> Any:
        return relative_activity(probabilities, self.activities, self.reference)[..., None]

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*input_shape[:-1], 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activities": self.activities}


@keras.saving.register_keras_serializable("akita_bayes")
class Activity(keras.layers.Layer):
    """Computes activity of a mixture of states, t = sum_s alpha_s P_s. [B, K] -> [B, 1].

    In a kinetic model, transitions take the place of states, and [B, K] are fluxes.

    Args:
        activities: alpha_s as a number, or as the name of an activity that is fitted; states that
            share a name share the weight, which holds the logarithm, so alpha_s is positive.
    """

    def __init__(self, activities: Sequence[float | str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activities = [a if isinstance(a, str) else float(a) for a in activities]
        self.units: dict[str, str] = {}

    def build(self, input_shape: tuple[int, ...]) -> None:
        self.log_activities = {}
        for name in dict.fromkeys(a for a in self.activities if isinstance(a, str)):
            self.units[f"{name}_log_activity"] = "ln(activity)"
            self.log_activities[name] = self.add_weight(
                shape=(), initializer="zeros", name=f"{name}_log_activity"
            )

    def call(self, probabilities: Any) -> Any:
        alpha = [
            ops.exp(self.log_activities[a]) if isinstance(a, str) else ops.convert_to_tensor(a)
            for a in self.activities
        ]
        alpha = ops.stack([ops.cast(a, self.compute_dtype) for a in alpha])
        return ops.sum(probabilities * alpha, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*input_shape[:-1], 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activities": self.activities}
