"""Kinetic models of promoters as layers: log rates, King-Altman diagrams, occupancies.

A network of K species and R transitions has the steady state (King and Altman 1956; Tareen and
Kinney 2019, figure 3)

    P_i = sum_{trees T to i} prod_{e in T} k_e / sum_{j, T to j} prod_{e in T} k_e.

In logarithms the products are sums with weights 0 and 1, and the sums are log-sum-exps, so the
layer neither overflows nor underflows, however far apart the rates are.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from akita_bayes.mechanisms import trees

ABSENT = -1e4
"""Log rate of a transition that the network does not have: e^-10000 is 0 in every float."""


@keras.saving.register_keras_serializable("akita_bayes")
class TransitionRates(keras.layers.Layer):
    """Computes log transition rates, constant or log-linear in the bases of a site.

    log k = log k0 - sum_{l, b} theta_lb x_lb, theta an activation energy in kT, k0 in 1/time.
    [B, L, 4] -> [B, R].

    Args:
        sites: Per rate, (start, stop) of the site that determines it, or None for a constant rate.
        names: Name of each rate, for its weights; k0, k1, ... when None.
        fixed: Per rate, a log rate that is not fitted, or None. One fixed rate sets the unit of
            time, since a steady state does not change when all rates double.
    """

    def __init__(
        self,
        sites: Sequence[Sequence[int] | None],
        names: Sequence[str] | None = None,
        fixed: Sequence[float | None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sites = [None if site is None else (int(site[0]), int(site[1])) for site in sites]
        self.names = [f"k{i}" for i in range(len(sites))] if names is None else list(names)
        self.fixed = [None] * len(sites) if fixed is None else list(fixed)
        if not len(self.names) == len(self.fixed) == len(self.sites):
            raise ValueError(
                f"TransitionRates needs one name and one fixed value (or None) per rate; got "
                f"{len(self.sites)} sites, {len(self.names)} names, {len(self.fixed)} fixed values."
            )
        self.units: dict[str, str] = {}

    def build(self, input_shape: tuple[int, ...]) -> None:
        length = input_shape[1]
        self.log_rates, self.matrices = [], []
        for name, site, fixed in zip(self.names, self.sites, self.fixed, strict=True):
            start = 0.0 if fixed is None else fixed
            self.units[f"{name}_log_rate"] = "ln(1/time)"
            log_rate = self.add_weight(
                shape=(),
                initializer=keras.initializers.Constant(start),
                trainable=fixed is None,
                name=f"{name}_log_rate",
            )
            matrix = None
            if site is not None:
                if not 0 <= site[0] < site[1] <= length:
                    raise ValueError(
                        f"Rate {name}: site {site[0]}..{site[1]} lies outside a sequence of "
                        f"{length} bases; give 0 <= start < stop <= {length}."
                    )
                self.units[f"{name}_activation_energy"] = "kT"
                matrix = self.add_weight(
                    shape=(site[1] - site[0], 4),
                    initializer="zeros",
                    name=f"{name}_activation_energy",
                )
            self.log_rates.append(log_rate)
            self.matrices.append(matrix)

    def call(self, x: Any) -> Any:
        columns = []
        x = ops.cast(x, self.compute_dtype)
        for log_rate, matrix, site in zip(self.log_rates, self.matrices, self.sites, strict=True):
            if matrix is None or site is None:
                columns.append(ops.broadcast_to(log_rate, (ops.shape(x)[0],)))
            else:
                bases = x[:, site[0] : site[1]]
                columns.append(log_rate - ops.sum(bases * matrix, axis=(1, 2)))
        return ops.stack(columns, axis=-1)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (input_shape[0], len(self.sites))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {**config, "sites": self.sites, "names": self.names, "fixed": self.fixed}


@keras.saving.register_keras_serializable("akita_bayes")
class KingAltman(keras.layers.Layer):
    """Computes steady-state occupancies of a strongly connected network. [B, R] -> [B, K].

    The input is log rates. With `fluxes`, the output is the flux k_r P_source(r) through every
    transition: [B, R] -> [B, R].

    Args:
        species: Number of species K.
        edges: (source, target) of each rate, in the order of the input.
        route: "trees" sums the King-Altman diagrams; "elimination" is a linear solve without
            subtractions (Grassmann, Taksar and Heyman 1985), of cost K^3; "auto" takes the trees
            up to 8 species while there are at most `MOST_TREES` of them, else the elimination.
        fluxes: True for fluxes of transitions in place of occupancies of species.
    """

    MOST_TREES = 4096

    def __init__(
        self,
        species: int,
        edges: Sequence[Sequence[int]],
        route: str = "auto",
        fluxes: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.fluxes = bool(fluxes)
        self.species = int(species)
        self.edges = [(int(source), int(target)) for source, target in edges]
        self.route = route
        if route not in ("auto", "trees", "elimination"):
            raise ValueError(
                f'KingAltman route "{route}" is unknown; give "auto", "trees" or "elimination".'
            )
        if not trees.strongly_connected(self.species, self.edges):
            raise ValueError(
                f"KingAltman needs a strongly connected network; of {self.species} species with "
                f"edges {self.edges}, some cannot be reached from another."
            )
        few = trees.count(self.species, self.edges) <= self.MOST_TREES
        self._diagrams = None
        if route == "trees" or (route == "auto" and self.species <= 8 and few):
            self._diagrams = trees.diagrams(self.species, self.edges)

    def call(self, log_rates: Any) -> Any:
        log = self.log_fluxes if self.fluxes else self.log_occupancies
        return ops.exp(log(log_rates))

    def log_fluxes(self, log_rates: Any) -> Any:
        """Computes the log flux through each transition. [..., R] log rates -> [..., R]."""
        sources = [source for source, _ in self.edges]
        return log_rates + ops.take(self.log_occupancies(log_rates), sources, axis=-1)

    def log_occupancies(self, log_rates: Any) -> Any:
        """Computes log occupancies. [..., R] log rates -> [..., K]."""
        log_rates = ops.convert_to_tensor(log_rates)
        if self._diagrams is None:
            weights = self._eliminate(log_rates)
        else:
            weights = self._sum(self._diagrams, log_rates)
        return weights - ops.logsumexp(weights, axis=-1, keepdims=True)

    def _sum(self, diagrams: trees.Diagrams, log_rates: Any) -> Any:
        """Sums the diagrams: 0/1 weights, then a log-sum-exp per species (layer 2 of the paper)."""
        incidence = np.zeros((len(diagrams.trees), len(self.edges)))
        incidence[np.arange(len(incidence))[:, None], diagrams.trees] = 1.0
        weights = ops.matmul(log_rates, ops.cast(incidence.T, log_rates.dtype))
        # Trees are sorted by root: those of species i are the columns bounds[i] to bounds[i + 1].
        bounds = np.searchsorted(diagrams.root, np.arange(self.species + 1))
        return ops.stack(
            [ops.logsumexp(weights[..., i:j], axis=-1) for i, j in itertools.pairwise(bounds)], -1
        )

    def _eliminate(self, log_rates: Any) -> Any:
        """Removes species K-1, ..., 1, rerouting their flux; then restores their weights.

        Of flux into the removed species, a share rate(last -> j) / sum of its rates continues to j:
        rate(i -> j) += rate(i -> last) share(j). All is in logarithms, and nothing is subtracted.
        """
        size = self.species
        leaving = [
            [
                _log_sum([log_rates[..., e] for e, edge in enumerate(self.edges) if edge == (i, j)])
                for j in range(size)
            ]
            for i in range(size)
        ]
        absent = ops.full_like(log_rates[..., 0], ABSENT)
        rate = ops.stack(
            [ops.stack([absent if k is None else k for k in row], -1) for row in leaving], -2
        )
        arriving = []
        for last in range(size - 1, 0, -1):
            out = rate[..., last, :last]
            share = rate[..., :last, last] - ops.logsumexp(out, axis=-1, keepdims=True)
            arriving.append(share)
            rate = ops.logaddexp(rate[..., :last, :last], share[..., :, None] + out[..., None, :])
        weights = ops.zeros_like(log_rates[..., :1])
        for share in reversed(arriving):
            restored = ops.logsumexp(weights + share, axis=-1, keepdims=True)
            weights = ops.concatenate([weights, restored], axis=-1)
        return weights

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*input_shape[:-1], len(self.edges) if self.fluxes else self.species)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {
            **config,
            "species": self.species,
            "edges": self.edges,
            "route": self.route,
            "fluxes": self.fluxes,
        }


def _log_sum(logs: list[Any]) -> Any:
    """Adds parallel edges between two species, log(e^a + e^b + ...); None when there are none."""
    if len(logs) < 2:
        return logs[0] if logs else None
    return ops.logsumexp(ops.stack(logs, -1), axis=-1)
