"""Tables of massively parallel reporter assays: sequences and their measurements.

Identical sequences of a library share one row, which has the sum of their counts (replicate
read-outs keep one row each), and a split keeps a sequence on one side in every library.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna, errors
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import published_split

SEQUENCE = ("sequence", "seq", "x")
COUNT = ("count", "ct")
"""Names of a column of counts; a single column of another name is a continuous read-out."""

LARGEST = 1e12
"""Largest count: no sequence is read so often, and the likelihood is in float32."""


@dataclasses.dataclass(frozen=True, eq=False)
class Library:
    """Holds a library of sequences that were measured under one condition.

    Attributes:
        name: Its name; empty where the table has none.
        index: [N, L] bases 0..3 in the order A C G T.
        observed: [N, M] counts per bin, or one read-out or count.
        columns: M names of bins, or of the read-out.
        weight: [N] number of replicates behind a mean read-out, exposure of a count, 1 for bins.
        side: [N] 0 train, 1 validation, 2 test, where the table comes with a split; else None.
    """

    name: str
    index: NDArray[np.uint8]
    observed: NDArray[np.float64]
    columns: tuple[str, ...]
    weight: NDArray[np.float64]
    side: NDArray[np.int64] | None = None

    @property
    def label(self) -> str:
        """Returns the name of the library for messages."""
        return f'library "{self.name}"' if self.name else "the table"

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Library":
        """Returns the library with only these rows."""
        return dataclasses.replace(
            self,
            index=self.index[rows],
            observed=self.observed[rows],
            weight=self.weight[rows],
            side=None if self.side is None else self.side[rows],
        )

    @property
    def reads(self) -> float:
        """Returns the sum of all counts, or the number of continuous read-outs."""
        counted = len(self.columns) > 1 or self.columns[0] in COUNT
        return float(self.observed.sum()) if counted else float(len(self.observed))

    @property
    def sequences(self) -> list[str]:
        """Returns the rows as letters."""
        letters = np.frombuffer(dna.ALPHABET.encode(), np.uint8)[self.index]
        return [row.tobytes().decode("ascii") for row in letters]


class Table(NamedTuple):
    """Holds the libraries of an experiment."""

    libraries: tuple[Library, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the libraries."""
        return tuple(library.name for library in self.libraries)

    @property
    def sequence_length(self) -> int:
        """Returns the number of bases of every sequence.

        Raises:
            DataError: The libraries have sequences of different lengths.
        """
        first = self.libraries[0]
        for library in self.libraries:
            if library.index.shape[1] != first.index.shape[1]:
                raise errors.DataError(
                    f"{first.label} has sequences of {first.index.shape[1]} bases and "
                    f"{library.label} of {library.index.shape[1]}; name those of one length as the "
                    "libraries of the spec."
                )
        return int(first.index.shape[1])

    @property
    def rows(self) -> int:
        """Returns the number of sequences of all libraries together."""
        return sum(len(library.index) for library in self.libraries)

    @property
    def reads(self) -> float:
        """Returns the sum of all counts; a continuous read-out counts as one."""
        return float(sum(library.reads for library in self.libraries))

    def frequencies(self) -> NDArray[np.float64]:
        """Returns how often each base occurs at each position, over all rows. [L, 4]."""
        index = np.concatenate([library.index for library in self.libraries])
        return np.stack([(index == base).mean(0) for base in range(4)], axis=-1)

    def wild_type(self) -> str:
        """Returns the most common base at each position."""
        return dna.from_one_hot(np.eye(4)[self.frequencies().argmax(1)])

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Table":
        """Returns the table with only these rows, numbered through all libraries."""
        first, parts = 0, []
        for library in self.libraries:
            last = first + len(library.index)
            parts.append(library.take(rows[(rows >= first) & (rows < last)] - first))
            first = last
        return Table(tuple(parts))

    def select(self, names: Sequence[str]) -> "Table":
        """Returns only these libraries, in this order; all of them when `names` is empty.

        Raises:
            DataError: The table has no library of one of the names.
        """
        if not names:
            return self
        by_name = dict(zip(self.names, self.libraries, strict=True))
        for name in names:
            if not any(by_name):
                raise errors.DataError(
                    f'The table has no library "{name}": its rows name none. Leave libraries out '
                    "of the spec, or add a column library."
                )
            if name not in by_name:
                raise errors.DataError(
                    f'The table has no library "{name}".{errors.did_you_mean(name, by_name)} '
                    f"It has: {', '.join(map(repr, by_name))}."
                )
        return Table(tuple(by_name[name] for name in names))

    def used_by(self, mechanism: mechanism_spec.Mechanism) -> "Table":
        """Returns the libraries and bins that a mechanism fits.

        Raises:
            DataError: The table lacks one of its libraries, or a bin that it leaves out.
        """
        return self.select(mechanism.libraries).leave_out(mechanism.measurement.leave_out)

    def leave_out(self, columns: Sequence[str]) -> "Table":
        """Returns the table without these bins, and without sequences read in no other bin.

        Raises:
            DataError: No library has one of the bins, or a library keeps fewer than 2 bins.
        """
        libraries = []
        for unknown in set(columns) - {c for library in self.libraries for c in library.columns}:
            raise errors.DataError(f'The table has no bin "{unknown}" to leave out.')
        for library in self.libraries if columns else ():
            keep = [i for i, name in enumerate(library.columns) if name not in columns]
            fewer = dataclasses.replace(
                library,
                observed=library.observed[:, keep],
                columns=tuple(library.columns[i] for i in keep),
            )
            fewer = fewer.take(np.flatnonzero(fewer.observed.any(1)))
            _check_bins(fewer, library.label)
            libraries.append(fewer)
        return Table(tuple(libraries)) if columns else self


class Split(NamedTuple):
    """Holds three tables of different sequences."""

    train: Table
    validation: Table
    test: Table


FRACTIONS = (0.8, 0.1, 0.1)
"""Shares of the sequences in train, validation and test."""


def sides(
    table: Table, *, seed: int = 0, fractions: tuple[float, float, float] = FRACTIONS
) -> NDArray[np.int64]:
    """Assigns every row to a side of a split, libraries one after another. [N] of 0, 1 and 2.

    A sequence is on the same side in every library and every replicate. A split that comes with
    the table is used as it is; where all of its rows are training rows, nothing is held out.

    Raises:
        DataError: A side of a library would be empty, only some libraries come with a split, or
            such a split has no training rows in a library, or test rows in some libraries only, or
            has a sequence in two parts.
    """
    if any(library.side is not None for library in table.libraries):
        return _published_sides(table)
    keys = [_key(library.index) for library in table.libraries]
    unique = np.unique(np.concatenate(keys))
    # Different sequences are shuffled, not rows, so that copies of a sequence stay together.
    order = np.random.default_rng(seed).permutation(len(unique))
    train_end, validation_end = np.cumsum(
        np.round(np.array(fractions[:2]) * len(unique)).astype(int)
    )
    side = np.full(len(unique), 2)
    side[order[:validation_end]] = 1
    side[order[:train_end]] = 0
    for library, key in zip(table.libraries, keys, strict=True):
        if len(np.unique(side[np.searchsorted(unique, key)])) < 3:
            raise errors.DataError(
                f"{library.label} has {len(key)} sequences, too few to split in parts of "
                f"{fractions}."
            )
    return np.concatenate([side[np.searchsorted(unique, key)] for key in keys])


def _published_sides(table: Table) -> NDArray[np.int64]:
    """Returns the sides of the split that comes with a table, checked."""
    parts = []
    required = [(published_split.TRAIN, "training")]
    sides_given = [library.side for library in table.libraries if library.side is not None]
    if (np.concatenate(sides_given) == published_split.TEST).any():
        required.append((published_split.TEST, "test"))
    for library in table.libraries:
        if library.side is None:
            raise errors.DataError(
                f"{library.label} comes without a split, and another library with one; give all "
                "of them one, or none."
            )
        for number, part in required:
            if not (library.side == number).any():
                raise errors.DataError(
                    f"{library.label}: its split has no {part} rows; name some, or remove the "
                    "column."
                )
        parts.append(library.side)
    side = np.concatenate(parts)
    keys = np.concatenate([_key(library.index) for library in table.libraries])
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    letters = np.concatenate([library.sequences for library in table.libraries])[first]
    published_split.of_groups(group.reshape(-1), side, "The table", list(letters))
    return side


def split(
    table: Table, *, seed: int = 0, fractions: tuple[float, float, float] = FRACTIONS
) -> Split:
    """Splits by sequence into three tables, with the sides of `sides`."""
    side = sides(table, seed=seed, fractions=fractions)
    train, validation, test = (table.take(np.flatnonzero(side == part)) for part in range(3))
    return Split(train, validation, test)


def from_counts(
    sequences: Sequence[str],
    counts: NDArray[Any],
    *,
    columns: Sequence[str] | None = None,
    name: str = "",
    where: str = "table",
    side: NDArray[np.int64] | None = None,
) -> Library:
    """Builds a library of counts per bin, and adds up the counts of identical sequences.

    Args:
        sequences: N sequences of one length.
        counts: [N, M] reads per bin.
        columns: Names of the bins; 0, 1, ... when None.
        name: Name of the library.
        where: Source of the data, with which errors begin.
        side: [N] 0 train, 1 validation, 2 test, where the table comes with a split.

    Raises:
        DataError: Sequences of unequal length, letters beyond A, C, G and T, counts that are
            not whole or negative, a bin without counts, only one bin, or a sequence in two parts
            of the split.
    """
    counts = np.asarray(counts, float)
    names = tuple(map(str, range(counts.shape[1]) if columns is None else columns))
    check_counts(counts, where)
    index = to_index(sequences, where=where)
    _, first, group = np.unique(_key(index), return_index=True, return_inverse=True)
    group = group.reshape(-1)
    grouped = np.zeros((len(first), counts.shape[1]))
    np.add.at(grouped, group, counts)
    if side is not None:
        letters = [sequences[row].upper() for row in first]
        side = published_split.of_groups(group, side, where, letters)
    library = Library(name, index[first], grouped, names, np.ones(len(first)), side)
    library = library.take(np.flatnonzero(grouped.any(1)))
    _check_bins(library, where)
    return library


def to_index(
    sequences: Sequence[str], *, where: str, rows: Sequence[int] | None = None
) -> NDArray[np.uint8]:
    """Encodes sequences of one length as bases 0..3. [N, L].

    Args:
        sequences: N sequences, of DNA or of RNA, in letters of either case.
        where: Source of the data, with which errors begin.
        rows: [N] row numbers for errors; 1, 2, ... when None.

    Raises:
        DataError: A sequence has another length or another letter, or some sequences have T and
            others U; the message names the row.
    """
    if not len(sequences):
        raise errors.DataError(f"{where}: has no sequences.")
    rows = range(1, len(sequences) + 1) if rows is None else rows
    lengths = np.array([len(sequence) for sequence in sequences])
    if (lengths != lengths[0]).any():
        row = int(np.argmax(lengths != lengths[0]))
        raise errors.DataError(
            f"{where}: sequences of unequal length: row {rows[row]} has {lengths[row]} bases, "
            f"row {rows[0]} has {lengths[0]}; give one aligned region of equal length."
        )
    # All sequences as one string: one look-up encodes the whole table.
    letters = "".join(sequences).encode("ascii", "replace").decode("ascii")
    index = dna.to_index(dna.from_rna(letters)).reshape(len(lengths), -1)
    if {*letters} & {*"Uu"} and {*letters} & {*"Tt"}:
        uracil, thymine = (
            rows[next(i for i, sequence in enumerate(sequences) if {*sequence} & {*both})]
            for both in ("Uu", "Tt")
        )
        raise errors.DataError(
            f"{where}: row {uracil} has the letter U and row {thymine} the letter T; write all "
            "sequences as RNA, or all as DNA."
        )
    if (index == dna.UNKNOWN).any():
        row, position = np.argwhere(index == dna.UNKNOWN)[0]
        raise errors.DataError(
            f'{where}: row {rows[row]} has the letter "{sequences[row][position]}" at base '
            f"{position}; only A, C, G and T (or U) can be fitted. Leave such sequences out."
        )
    return index


def check_counts(
    counts: NDArray[np.float64], where: str, rows: Sequence[int] | None = None
) -> None:
    """Raises a DataError for a count that is negative, not whole, or beyond `LARGEST`."""
    # Negated, so that NaN, for which every comparison is False, counts as invalid too.
    invalid = ~((counts >= 0) & (counts <= LARGEST) & (counts == np.round(counts)))
    if invalid.any():
        row = int(np.argwhere(invalid)[0, 0])
        raise errors.DataError(
            f"{where}: row {row + 1 if rows is None else rows[row]}: a count of "
            f"{counts[invalid][0]:g}; counts are whole, not negative and at most {LARGEST:g}."
        )


def _check_bins(library: Library, where: str) -> None:
    if len(library.columns) < 2:
        raise errors.DataError(
            f"{where}: has one bin only, which holds no information on activity; give at least 2."
        )
    for name, reads in zip(library.columns, library.observed.sum(0), strict=True):
        if reads == 0:
            raise errors.DataError(
                f"{where}: bin {name} has zero counts; leave it out of the table."
            )


def _key(index: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    """Packs each row of bases into one value that can be compared. [N, L] -> [N]."""
    # NumPy strips zero bytes from the ends of such strings, so bases are stored as 1..4.
    return np.ascontiguousarray(index + 1).view(f"S{index.shape[1]}")[:, 0]
