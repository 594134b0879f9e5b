"""Regulatory mechanisms as declared in JSON: states or species, energies, measurement.

A thermodynamic mechanism lists states; state s is a multiset of energies, occurring omega_sj times
each, and is active to the degree alpha_s. With energies in thermal units (Tareen and Kinney 2019),

    P_s = exp(-sum_j omega_sj dG_j) / sum_s' exp(-sum_j omega_s'j dG_j),    t = sum_s alpha_s P_s.

A kinetic mechanism lists species and the rates between them; its activity is the flux through the
rates named as product, t = sum_r k_r P_source(r), at the steady state.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydantic
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.mechanisms import declarations, trees
from akita_bayes.mechanisms.common_fields import CommonFields
from akita_bayes.specs import strict_json

SLOWEST, FASTEST = 1e-15, 1e15
"""Limits of a rate in 1/s: once in 30 million years, and faster than a molecular vibration."""


class Thermodynamic(CommonFields):
    """Describes states in equilibrium, weighted by Boltzmann's distribution.

    Attributes:
        energies: Energies by name, in kT.
        states: States by name, at least two.
        activities: Fitted activities by name.
    """

    kind: Literal["thermodynamic"]
    energies: dict[str, declarations.Term]
    states: dict[str, declarations.State]
    activities: dict[str, declarations.Activity] = pydantic.Field(default_factory=dict)

    @property
    def terms(self) -> dict[str, declarations.Term]:
        """Returns the energies, in kT."""
        return self.energies

    @property
    def unit(self) -> str:
        """Returns the unit of the terms."""
        return "kT"

    @property
    def occupancy(self) -> NDArray[np.float64]:
        """Counts how often each energy occurs in each state: omega [K, J]."""
        return np.array(
            [[s.energies.count(name) for name in self.energies] for s in self.states.values()],
            float,
        ).reshape(len(self.states), len(self.energies))

    @property
    def levels(self) -> tuple[float, ...]:
        """Returns the activities when all are numbers in 0..1, so that t / (1 - t) are odds."""
        levels = [state.activity for state in self.states.values()]
        numbers = [level for level in levels if not isinstance(level, str) and 0 <= level <= 1]
        return tuple(numbers) if len(numbers) == len(levels) else ()

    @pydantic.model_validator(mode="after")
    def _check(self) -> "Thermodynamic":
        declarations.check_names(
            energies=self.energies,
            states=self.states,
            activities=self.activities,
            libraries=self.libraries,
        )
        self.check_terms("energies", self.energies)
        self._check_states()
        self._check_activities()
        self._check_identity()
        self.measurement.check(self.levels)
        return self

    def _check_states(self) -> None:
        if len(self.states) < 2:
            raise errors.SpecError("states: a mechanism needs at least 2 states.")
        for state, spec in self.states.items():
            for name in spec.energies:
                if name not in self.energies:
                    raise errors.SpecError(
                        f'states.{state}.energies: unknown energy "{name}".'
                        f"{errors.did_you_mean(name, self.energies)} "
                        f"Known: {', '.join(self.energies)}."
                    )

    def _check_activities(self) -> None:
        used = {spec.activity for spec in self.states.values()}
        for state, spec in self.states.items():
            if isinstance(spec.activity, str) and spec.activity not in self.activities:
                raise errors.SpecError(
                    f'states.{state}.activity: unknown activity "{spec.activity}".'
                    f"{errors.did_you_mean(spec.activity, self.activities)} "
                    "Give a number, or declare the name under activities."
                )
            if not isinstance(spec.activity, str) and not 0 <= spec.activity < np.inf:
                raise errors.SpecError(
                    f"states.{state}.activity: {spec.activity} is not 0 or more."
                )
        for name in self.activities:
            if name not in used:
                raise errors.SpecError(f"activities.{name}: no state has this activity.")
        if len(used) == 1:
            raise errors.SpecError(
                f"states: the activities are all equal ({used.pop()}), so no sequence can change "
                "the activity; give at least one state another."
            )

    def _check_identity(self) -> None:
        by_energies: dict[tuple[str, ...], str] = {}
        for state, spec in self.states.items():
            twin = by_energies.setdefault(tuple(sorted(spec.energies)), state)
            if twin != state:
                raise errors.SpecError(
                    f'states.{state}: cannot be distinguished from "{twin}": both have the '
                    f"energies {list(spec.energies)}; merge them or give one its own energy."
                )
        occupancy = self.occupancy
        for name, column in zip(self.energies, occupancy.T, strict=True):
            if not column.any():
                raise errors.SpecError(f"energies.{name}: no state has this energy.")
            if (column == column[0]).all():
                raise errors.SpecError(
                    f"energies.{name}: occurs equally in every state and cancels; leave it out."
                )
        # Adding c to an energy in every state cancels in P_s: only differences between states
        # count. If the centred columns are dependent, a combination of constants changes no P_s.
        free = [
            name
            for name, term in self.energies.items()
            if any(term.known(library) is None for library in self.libraries or ("",))
        ]
        columns = occupancy[:, [list(self.energies).index(name) for name in free]]
        if np.linalg.matrix_rank(columns - columns.mean(0)) < len(free):
            raise errors.SpecError(
                f"energies: the constants of {', '.join(free)} occur in the states only in fixed "
                "combinations, so data cannot determine each of them; give one of them a value."
            )


class Kinetic(CommonFields):
    """Describes species that turn into each other at rates, at the steady state.

    Attributes:
        species: Names of the species, at least two.
        rates: Rate constants by name, in 1/s.
        product: Names of the rates whose flux is the activity.
    """

    kind: Literal["kinetic"]
    species: tuple[str, ...]
    rates: dict[str, declarations.Rate]
    product: tuple[str, ...]

    @property
    def terms(self) -> dict[str, declarations.Rate]:
        """Returns the rates that are not fixed at 0; the terms are their logs."""
        return {name: rate for name, rate in self.rates.items() if rate.value != 0}

    @property
    def unit(self) -> str:
        """Returns the unit of the terms: the log of a rate in 1/s."""
        return "ln(1/s)"

    @property
    def edges(self) -> list[trees.Edge]:
        """Returns the (source, target) species of each of `terms`."""
        index = {name: i for i, name in enumerate(self.species)}
        return [(index[rate.source], index[rate.target]) for rate in self.terms.values()]

    @pydantic.model_validator(mode="after")
    def _check(self) -> "Kinetic":
        declarations.check_names(rates=self.rates, species=self.species, libraries=self.libraries)
        self.check_terms("rates", self.rates)
        self._check_species()
        self._check_network()
        self._check_product()
        self.measurement.check(self.levels)
        return self

    def _check_species(self) -> None:
        if len(self.species) < 2 or len(set(self.species)) < len(self.species):
            raise errors.SpecError("species: give at least 2 different names.")
        for name, rate in self.rates.items():
            for end, species in (("from", rate.source), ("to", rate.target)):
                if species not in self.species:
                    raise errors.SpecError(
                        f'rates.{name}.{end}: unknown species "{species}".'
                        f"{errors.did_you_mean(species, self.species)}"
                    )
            if rate.source == rate.target:
                raise errors.SpecError(
                    f'rates.{name}: leads from "{rate.source}" to itself and changes nothing.'
                )
            if rate.neighbours:
                raise errors.SpecError(f"rates.{name}: only energies can have neighbours.")
            if rate.value and not SLOWEST <= rate.value <= FASTEST:
                raise errors.SpecError(
                    f"rates.{name}.value: {rate.value:g} per second is not a rate of a molecule; "
                    f"give {SLOWEST:g} to {FASTEST:g}, or 0 when it does not occur."
                )

    def _check_network(self) -> None:
        ends = {end for edge in self.edges for end in edge}
        for index, species in enumerate(self.species):
            if index not in ends:
                raise errors.SpecError(
                    f'species: "{species}" is disconnected; no rate leads to it or from it.'
                )
        for index, species in enumerate(self.species):
            reachable = trees.reachable(len(self.species), self.edges, index)
            missing = [name for i, name in enumerate(self.species) if i not in reachable]
            if missing:
                products = [self.rates[name].source for name in self.product if name in self.rates]
                if set(products) & set(missing):
                    raise errors.SpecError(
                        f'rates: there is no path from "{species}" to the product '
                        f'("{next(name for name in missing if name in products)}"); add a rate.'
                    )
                raise errors.SpecError(
                    f'rates: "{missing[0]}" cannot be reached from "{species}", so there is no '
                    "unique steady state; add a rate that leads back."
                )

    def _check_product(self) -> None:
        if not self.product:
            raise errors.SpecError("product: name the rate, or rates, whose flux is the activity.")
        for name in self.product:
            if self.product.count(name) > 1:
                raise errors.SpecError(f'product: "{name}" is named twice; name it once.')
            if name not in self.rates:
                raise errors.SpecError(
                    f'product: unknown rate "{name}".{errors.did_you_mean(name, self.rates)}'
                )
            if self.rates[name].value == 0:
                raise errors.SpecError(
                    f'product: the rate "{name}" is 0, so there is no path to the product.'
                )
        if all(rate.value is not None and rate.site is None for rate in self.rates.values()):
            raise errors.SpecError("rates: all have a value; leave one out, so that it is fitted.")


Mechanism = Thermodynamic | Kinetic

_KINDS: dict[str, type[Thermodynamic] | type[Kinetic]] = {
    "thermodynamic": Thermodynamic,
    "kinetic": Kinetic,
}


class _Kind(pydantic.BaseModel):
    """Reads the kind of a mechanism, whatever its other keys."""

    kind: Literal["thermodynamic", "kinetic"]


def parse(raw: Any) -> Mechanism:
    """Validates a mechanism, as read from JSON.

    Raises:
        SpecError: The JSON is not a mechanism; names the JSON path of the first bad value.
    """
    kind = strict_json.read(_Kind, raw).kind
    foreign_kind = "kinetic" if kind == "thermodynamic" else "thermodynamic"
    for key in raw:
        if key in _KINDS[foreign_kind].model_fields and key not in _KINDS[kind].model_fields:
            raise errors.SpecError(
                f"{key}: belongs to a {foreign_kind} mechanism, and this one is {kind}; drop it."
            )
    return strict_json.read(_KINDS[kind], raw)


def load(path: str | Path) -> Mechanism:
    """Reads and validates a mechanism from a JSON file.

    Raises:
        DataError: The file is missing or is not JSON.
        SpecError: As `parse`; the message begins with the name of the file.
    """
    return strict_json.load(path, _parse_file)


def _parse_file(raw: Any) -> Mechanism:
    if isinstance(raw, dict) and "model" in raw and "kind" not in raw:
        raise errors.SpecError("is a network, not a mechanism; akita_train.py takes it.")
    return parse(raw)
