"""The parameters of a mechanism as one flat vector theta with names, units and priors.

A term that reads a site of W bases has 3 W + 1 parameters (and 9 (W - 1) more with neighbours):

    dG(x) = dG(wild type) + sum_l z_l . (c(x_l) - c(wt_l)),

where c are three orthonormal contrasts of the four bases. So no parameter moves along the gauge
that shifts a position against the chemical potential, the energy matrix z c is always centred, and
every prior is in physical units: the constant of a term is the energy of the wild type. Log rates
have a minus sign before the sum, whose entries are then activation energies.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna, errors
from akita_bayes.mechanisms import declarations, mechanism_spec
from akita_bayes.regulation.assay import assay_table
from akita_bayes.regulation.layers import measurement
from akita_bayes.regulation.layers.measurement_process import MeasurementProcess

CONTRASTS = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 2.0
"""[4, 3] orthonormal and centred: A,C against G,T; A,G against C,T; A,T against C,G."""


MOST_HINTS = 6
"""Largest number of parameter names in an error message."""


class Block(NamedTuple):
    """Describes a named slice of theta.

    Attributes:
        owner: Name of the energy, rate or activity, or "measurement".
        part: `bases`, `pairs`, `constant`, `log_activity`, or the name of a weight.
        library: Library that the slice belongs to; None when all libraries share it.
    """

    owner: str
    part: str
    library: str | None
    shape: tuple[int, ...]
    start: int
    unit: str
    prior: declarations.Normal

    @property
    def stop(self) -> int:
        """Returns one past the last index of the slice of theta."""
        return self.start + int(np.prod(self.shape))

    @property
    def name(self) -> str:
        """Returns a unique name, for example `crp.bases`, or `crp[full-wt]` for a constant."""
        label = self.owner if self.part == "constant" else f"{self.owner}.{self.part}"
        return f"{label}[{self.library}]" if self.library else label


class TermValues(NamedTuple):
    """Holds a term in physical units.

    Attributes:
        matrix: [W, 4] contribution of each base in kT, each position centred; None for constants.
        pairs: [W - 1, 4, 4] contribution of adjacent bases in addition to the matrix, or None.
        constant: Per library, the term of the wild type, or the constant itself.
        potential: Per library, the chemical potential: the term of a sequence minus its matrix and
            pairs. Equal to `constant` for a constant.
    """

    matrix: NDArray[np.float64] | None
    pairs: NDArray[np.float64] | None
    constant: dict[str, float]
    potential: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Parameters:
    """Describes the layout of theta for a mechanism that was measured on some libraries.

    Attributes:
        mechanism: Declared mechanism.
        wild_type: Sequence to which the constants of terms refer.
        columns: Name and number of bins of each library.
        read_outs: Origin and unit of the continuous read-out of each library; empty for other data.
    """

    mechanism: mechanism_spec.Mechanism
    wild_type: str
    columns: tuple[tuple[str, int], ...]
    read_outs: tuple[tuple[float, float], ...] = ()

    @classmethod
    def of(cls, mechanism: mechanism_spec.Mechanism, table: assay_table.Table) -> "Parameters":
        """Returns the layout for a mechanism and a table.

        Raises:
            DataError: The sequences do not have the length that the mechanism declares, or the
                table holds another kind of measurement.
        """
        if table.sequence_length != mechanism.sequence_length:
            raise errors.DataError(
                f"The sequences have {table.sequence_length} bases, but the mechanism "
                f'"{mechanism.name}" declares sequence_length {mechanism.sequence_length}; '
                "make them agree."
            )
        kind = mechanism.measurement.kind
        for library in table.libraries:
            if kind.endswith("bins") != (len(library.columns) > 1):
                raise errors.DataError(
                    f'The measurement is declared as "{kind}", but the table has '
                    f"{len(library.columns)} column(s) of data ({', '.join(library.columns)}); "
                    f"declare {_kinds(library)}."
                )
        columns = tuple((lib.name, len(lib.columns)) for lib in table.libraries)
        shared = mechanism.measurement.shared
        if shared and len({number for _, number in columns}) > 1:
            raise errors.DataError(
                f"The libraries have different numbers of bins "
                f"({', '.join(f'{name}: {number}' for name, number in columns)}), and "
                "measurement.shared says that they share one measurement; drop shared."
            )
        groups = [table.libraries] * len(columns) if shared else [(lib,) for lib in table.libraries]
        read_outs: tuple[tuple[float, float], ...] = ()
        if mechanism.measurement.is_continuous:
            read_outs = tuple(_origin_and_unit(group) for group in groups)
        return cls(mechanism, mechanism.wild_type or table.wild_type(), columns, read_outs)

    @property
    def libraries(self) -> tuple[str, ...]:
        """Returns the names of the libraries."""
        return tuple(name for name, _ in self.columns)

    @functools.cached_property
    def processes(self) -> dict[str, MeasurementProcess]:
        """Returns the measurement process of each library."""
        spec = self.mechanism.measurement
        units = self.read_outs or [(0.0, 1.0)] * len(self.columns)
        return {
            name: measurement.process(spec, columns, origin=origin, unit=unit)
            for (name, columns), (origin, unit) in zip(self.columns, units, strict=True)
        }

    @functools.cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Returns every block of theta, in order."""
        blocks: list[Block] = []

        def add(
            owner: str,
            part: str,
            shape: tuple[int, ...],
            unit: str,
            prior: declarations.Normal,
            library: str | None = None,
        ) -> None:
            start = blocks[-1].stop if blocks else 0
            blocks.append(Block(owner, part, library, shape, start, unit, prior))

        for name, term in self.mechanism.terms.items():
            centred = declarations.Normal(mean=0.0, sd=term.base_prior.sd)
            if term.site is not None:
                add(name, "bases", (term.width, 3), "kT", centred)
            if term.neighbours:
                add(name, "pairs", (term.width - 1, 9), "kT", centred)
            for library in self.libraries if term.per_library else (None,):
                if term.known(library or "") is None:
                    add(name, "constant", (), self.mechanism.unit, term.prior, library)
        if isinstance(self.mechanism, mechanism_spec.Thermodynamic):
            for name, activity in self.mechanism.activities.items():
                add(name, "log_activity", (), "ln(activity)", activity.prior)
        declared = self.mechanism.measurement
        for library in self.libraries[:1] if declared.shared else self.libraries:
            process = self.processes[library]
            for part, shape in process.shapes.items():
                prior = process.priors.get(part, declared.weight_prior)
                add("measurement", part, shape, "1", prior, None if declared.shared else library)
        return tuple(blocks)

    @property
    def size(self) -> int:
        """Returns the number of parameters D."""
        return self.blocks[-1].stop

    @property
    def physical(self) -> int:
        """Returns the number of parameters of the mechanism; those of the measurement follow."""
        return min(block.start for block in self.blocks if block.owner == "measurement")

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Returns D unique names."""
        names = []
        for block in self.blocks:
            for position in np.ndindex(*block.shape):
                names.append(block.name + (f"[{','.join(map(str, position))}]" if position else ""))
        return tuple(names)

    def index(self, name: str) -> int:
        """Returns the position in theta of a parameter of `names`.

        Raises:
            SpecError: There is no such parameter.
        """
        if name in self.names:
            return self.names.index(name)
        hint = errors.did_you_mean(name, self.names)
        if entries := [entry for entry in self.names if entry.startswith(f"{name}[")]:
            more = ", ..." if len(entries) > MOST_HINTS else ""
            hint = f" There are {', '.join(entries[:MOST_HINTS])}{more}."
        raise errors.SpecError(f'{self.mechanism.name}: unknown parameter "{name}".{hint}')

    @functools.cached_property
    def units(self) -> tuple[str, ...]:
        """Returns D units."""
        return tuple(block.unit for block in self.blocks for _ in range(block.stop - block.start))

    @functools.cached_property
    def prior_mean(self) -> NDArray[np.float64]:
        """Returns the prior means. [D]."""
        return np.concatenate([np.full(b.stop - b.start, b.prior.mean) for b in self.blocks])

    @functools.cached_property
    def prior_sd(self) -> NDArray[np.float64]:
        """Returns the prior standard deviations. [D]."""
        return np.concatenate([np.full(b.stop - b.start, b.prior.sd) for b in self.blocks])

    @functools.cached_property
    def natural_factor(self) -> NDArray[np.float64]:
        """Returns the factor from deviations of theta to the unit of the data. [D]."""
        return self._natural[1]

    def natural(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Converts theta to the unit of the data, for reports. [..., D] -> [..., D]."""
        shift, factor = self._natural
        return shift + factor * theta

    @functools.cached_property
    def _natural(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        shift, factor = np.zeros(self.size), np.ones(self.size)
        for block in self.blocks:
            if block.owner == "measurement":
                entries = slice(block.start, block.stop)
                process = self.processes[block.library or self.libraries[0]]
                shift[entries], factor[entries] = process.natural(block.part)
        return shift, factor

    def find(self, owner: str, part: str, library: str | None = None) -> Block:
        """Finds the block of a library, or else the block that all libraries share."""
        for block in self.blocks:
            if (block.owner, block.part) == (owner, part) and block.library in (None, library):
                return block
        raise KeyError(f"no parameter {owner}.{part} for library {library!r}")

    def own(self, library: str | None, part: str | None = None) -> NDArray[np.int64]:
        """Returns indices of a library's own parameters (None: the shared ones), or of a part."""
        blocks = [b for b in self.blocks if b.library == library and part in (None, b.part)]
        return np.concatenate(
            [np.zeros(0, np.int64), *(np.arange(b.start, b.stop) for b in blocks)]
        )

    def design(self, name: str, index: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Builds the design matrix of a term's bases (and pairs): contrasts minus the wild type's.

        [N, L] bases 0..3 -> [N, 3 W], or [N, 3 W + 9 (W - 1)] with neighbours.
        """
        term = self.mechanism.terms[name]
        wild = _features(term, dna.to_index(self.wild_type)[None])
        return (_features(term, index) - wild).astype(np.float32)

    def term(self, theta: NDArray[np.float64], name: str) -> TermValues:
        """Returns one term of one theta [D] in physical units."""
        spec = self.mechanism.terms[name]
        matrix = pairs = None
        shift = 0.0
        wild = dna.to_one_hot(self.wild_type).astype(float)
        if spec.site is not None:
            wild = wild[spec.bases]
            block = self.find(name, "bases")
            matrix = theta[block.start : block.stop].reshape(block.shape) @ CONTRASTS.T
            shift = float((matrix * wild).sum())
        if spec.neighbours:
            block = self.find(name, "pairs")
            pairs = pair_tables(theta[block.start : block.stop].reshape(block.shape))
            shift += float(np.einsum("wab,wa,wb->", pairs, wild[:-1], wild[1:]))
        # A term is potential + sign * (matrix . x), and its constant is the term at the wild type.
        sign = -1.0 if isinstance(self.mechanism, mechanism_spec.Kinetic) else 1.0
        constant = {library: self._constant(theta, name, library) for library in self.libraries}
        potential = {library: value - sign * shift for library, value in constant.items()}
        return TermValues(matrix, pairs, constant, potential)

    def _constant(self, theta: NDArray[np.float64], name: str, library: str) -> float:
        value = self.mechanism.terms[name].known(library)
        if value is None:
            return float(theta[self.find(name, "constant", library).start])
        return float(np.log(value)) if isinstance(self.mechanism, mechanism_spec.Kinetic) else value

    def pack(
        self,
        matrices: Mapping[str, NDArray[np.float64]],
        constants: Mapping[str, float | Mapping[str, float]],
        *,
        block_values: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> NDArray[np.float64]:
        """Builds theta from physical values; all other parameters get their prior means.

        Args:
            matrices: Per term, [W, 4] contributions of bases in any gauge.
            constants: Per term, its value for the wild type, or one per library.
            block_values: Values of whole blocks by `Block.name`.
        """
        theta = self.prior_mean.copy()
        for block in self.blocks:
            entries = slice(block.start, block.stop)
            if block_values and block.name in block_values:
                theta[entries] = np.asarray(block_values[block.name], float).reshape(-1)
            elif block.part == "bases" and block.owner in matrices:
                theta[entries] = (np.asarray(matrices[block.owner]) @ CONTRASTS).reshape(-1)
            elif block.part == "constant" and block.owner in constants:
                value = constants[block.owner]
                if isinstance(value, Mapping):
                    value = value[block.library or self.libraries[0]]
                theta[entries] = value
        return theta

    def weights(self, theta: NDArray[np.float64], library: str) -> dict[str, NDArray[np.float64]]:
        """Returns the weights of a library's measurement process, each [..., *shape]."""
        return {
            block.part: theta[..., block.start : block.stop].reshape(
                (*theta.shape[:-1], *block.shape)
            )
            for block in self.blocks
            if block.owner == "measurement" and block.library in (None, library)
        }

    def start(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draws theta [D] for the start of a fit: the wild type binds better than its mutants."""
        theta = np.zeros(self.size)
        wild = dna.to_one_hot(self.wild_type).astype(float)
        for block in self.blocks:
            entries = slice(block.start, block.stop)
            if block.part == "bases":
                site = self.mechanism.terms[block.owner].bases
                matrix = rng.normal(0.0, 0.2, (block.shape[0], 4)) - 0.5 * wild[site]
                theta[entries] = (matrix @ CONTRASTS).reshape(-1)
            elif block.part in ("constant", "log_activity"):
                theta[entries] = block.prior.mean + rng.normal(0.0, min(1.0, block.prior.sd))
            elif block.part == "pairs":
                theta[entries] = rng.normal(0.0, 0.05, block.stop - block.start)
        for library, process in self.processes.items():
            for part, value in process.start(rng).items():
                block = self.find("measurement", part, library)
                theta[block.start : block.stop] = value.reshape(-1)
        return theta


def _kinds(library: assay_table.Library) -> str:
    """Returns the kinds of measurement that suit the columns of a library, for a message."""
    if len(library.columns) > 1:
        return '"bins", or one of the other kinds of bins'
    if library.columns[0] in assay_table.COUNT:
        return '"poisson"'
    return '"gaussian", "skewed" or "outliers"'


def _origin_and_unit(libraries: Sequence[assay_table.Library]) -> tuple[float, float]:
    """Returns mean and sd of a read-out over all rows, so that they do not depend on the split."""
    read_out = np.concatenate([library.observed[:, 0] for library in libraries])
    weight = np.concatenate([library.weight for library in libraries])
    mean = np.average(read_out, weights=weight)
    deviation = np.sqrt(np.average((read_out - mean) ** 2, weights=weight))
    return float(mean), float(deviation) or 1.0


def pair_tables(contrasts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expands contrasts of adjacent bases to centred tables. [..., W-1, 9] -> [..., W-1, 4, 4]."""
    tables = contrasts @ np.kron(CONTRASTS, CONTRASTS).T
    return tables.reshape(*contrasts.shape[:-1], 4, 4)


def _features(term: declarations.Term, index: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Computes contrasts of a site's bases, and products of those of adjacent bases. [N, F]."""
    bases = CONTRASTS[index[:, term.bases]]
    flat: Sequence[NDArray[np.float64]] = [bases.reshape(len(index), -1)]
    if term.neighbours:
        pairs = bases[:, :-1, :, None] * bases[:, 1:, None, :]
        flat = [*flat, pairs.reshape(len(index), -1)]
    return np.concatenate(flat, axis=1)
