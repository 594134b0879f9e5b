"""Fields and checks that both kinds of mechanism have."""

from collections.abc import Mapping
from typing import Literal

import pydantic

from akita_bayes import dna, errors
from akita_bayes.mechanisms import declarations
from akita_bayes.specs.frozen import Frozen

GAS_CONSTANT = 8.314462618 / 4184.0
"""Molar gas constant in kcal / (mol K): CODATA 2018, thermochemical calorie."""

Gauge = Literal["centred", "consensus", "empirical"]


class CommonFields(Frozen):
    """Declares the fields of both kinds of mechanism.

    Attributes:
        kind: Kind of mechanism.
        name: Name in tables and figures.
        sequence_length: Bases of every sequence of the assay.
        wild_type: Sequence to which energies are reported; None for the consensus of the data.
        temperature: Temperature in kelvin, for the conversion of kT to kcal/mol.
        libraries: Names of libraries that are fitted together; empty for a single library.
        measurement: How activity becomes data.
        gauge: Convention by which a matrix and its constant are separated.
        truth: True values by the name of the term, in simulated data.
    """

    name: str
    sequence_length: int = pydantic.Field(ge=1)
    wild_type: str | None = None
    temperature: float = pydantic.Field(310.15, gt=0)
    libraries: tuple[str, ...] = ()
    measurement: declarations.Measurement = declarations.Measurement()
    gauge: Gauge = "centred"
    truth: dict[str, declarations.Truth] = pydantic.Field(default_factory=dict)

    @property
    def kcal_per_kt(self) -> float:
        """Returns one kT in kcal/mol at the mechanism's temperature in kelvin; 0.616 at 37 C."""
        return GAS_CONSTANT * self.temperature

    @property
    def levels(self) -> tuple[float, ...]:
        """Returns the activities of the states when all are numbers in 0..1; otherwise empty."""
        return ()

    @pydantic.field_validator("wild_type")
    @classmethod
    def _as_dna(cls, wild_type: str | None) -> str | None:
        """Converts a wild type of RNA to DNA; `check_terms` refuses a mixture of T and U."""
        return (
            wild_type if wild_type is None or "T" in wild_type.upper() else dna.from_rna(wild_type)
        )

    def check_terms(self, section: str, terms: Mapping[str, declarations.Term]) -> None:
        """Raises a SpecError for a term, a wild type or a truth that does not fit the others.

        Args:
            section: Key that holds the terms, "energies" or "rates".
            terms: Terms by name.
        """
        if not terms:
            raise errors.SpecError(f"{section}: there are none; name at least one.")
        for name, term in terms.items():
            if isinstance(term.value, dict):
                self._check_values(f"{section}.{name}", term, term.value)
            if term.site is None:
                if term.neighbours:
                    raise errors.SpecError(f"{section}.{name}: neighbours need a site.")
                continue
            if term.base_prior.mean:
                raise errors.SpecError(
                    f"{section}.{name}.base_prior.mean: the contributions of the bases of a "
                    "position have the mean 0, whatever their prior; drop it, and give its sd only."
                )
            if term.value is not None:
                raise errors.SpecError(
                    f"{section}.{name}: a term with a site is always fitted; drop value or site."
                )
            start, stop = term.site
            if not 0 <= start < stop <= self.sequence_length:
                raise errors.SpecError(
                    f"{section}.{name}.site: bases {start} to {stop} lie outside the sequence of "
                    f"{self.sequence_length} bases; give 0 <= start < stop <= "
                    f"{self.sequence_length}."
                )
            if term.neighbours and term.width < 2:
                raise errors.SpecError(f"{section}.{name}: neighbours need a site of 2 bases.")
        self._check_truth(terms)
        if self.wild_type is not None:
            if len(self.wild_type) != self.sequence_length:
                raise errors.SpecError(
                    f"wild_type: {len(self.wild_type)} bases, but sequence_length is "
                    f"{self.sequence_length}; make them agree."
                )
            if not self.wild_type.isascii() or (dna.to_index(self.wild_type) == dna.UNKNOWN).any():
                raise errors.SpecError("wild_type: has letters beyond A, C, G and T (or U).")

    def _check_values(
        self, path: str, term: declarations.Term, values: Mapping[str, float]
    ) -> None:
        if not term.per_library:
            raise errors.SpecError(
                f"{path}.value: has values by library, but all libraries share the constant; give "
                "one number, or set its per_library."
            )
        for library in values:
            if library not in self.libraries:
                raise errors.SpecError(
                    f'{path}.value: no library is called "{library}".'
                    f"{errors.did_you_mean(library, self.libraries)} "
                    f"libraries names: {', '.join(self.libraries) or 'none'}."
                )

    def _check_truth(self, terms: Mapping[str, declarations.Term]) -> None:
        parameters = {**terms, **getattr(self, "activities", {})}
        for name, truth in self.truth.items():
            if name not in parameters:
                raise errors.SpecError(
                    f"truth.{name}: no term has this name.{errors.did_you_mean(name, parameters)}"
                )
            width = terms[name].width if name in terms else 0
            if truth.matrix is not None and not width:
                raise errors.SpecError(
                    f"truth.{name}.matrix: {name} has no site; give its constant only."
                )
            if truth.matrix is not None and len(truth.matrix) != width:
                raise errors.SpecError(
                    f"truth.{name}.matrix: has {len(truth.matrix)} positions, but the site has "
                    f"{width}."
                )
            shared = not getattr(parameters[name], "per_library", False)
            if isinstance(truth.constant, dict) and shared:
                raise errors.SpecError(
                    f"truth.{name}.constant: all libraries share it; give one number"
                    + (", or set its per_library." if name in terms else ".")
                )
            libraries = set(truth.constant) if isinstance(truth.constant, dict) else None
            if libraries is not None and (libraries != set(self.libraries) or not libraries):
                raise errors.SpecError(
                    f"truth.{name}.constant: give one number, or one for each of the libraries "
                    f"{list(self.libraries)}."
                )
