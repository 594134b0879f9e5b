"""Reads sequences that a fitted mechanism predicts: FASTA, plain lines, or a column of a table.

U is read as T. Sequences with the letter N are counted and left out.
"""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd

from akita_bayes import dna, errors, files
from akita_bayes.regulation.assay import assay_files, assay_table

_log = logging.getLogger(__name__)

LETTERS = re.compile("[ACGTUNacgtun]+")
"""A first line of these letters alone is a sequence, and not the header of a table."""


class NewSequences(NamedTuple):
    """Holds sequences to predict, of one length.

    Attributes:
        names: Words after > of FASTA, or numbers of the rows, from 1.
        sequences: Letters A, C, G and T.
        libraries: Library of each sequence, where a table names them; else empty.
        left_out: Number of sequences with the letter N.
    """

    names: list[str]
    sequences: list[str]
    libraries: list[str]
    left_out: int


def read(path: str | Path, *, length: int) -> NewSequences:
    """Reads sequences from FASTA, from lines of one sequence each, or from a table.

    Args:
        path: A file, plain or compressed by gzip. A table has a column of sequences, named as in
            reporter tables (`seq`, `sequence`, `x`).
        length: Number of bases that every sequence must have.

    Raises:
        DataError: The file cannot be read, has no sequences, or a sequence has another length or
            another letter.
    """
    path = Path(path)
    form, lines = kind_of(path), _content(path)
    if form == "fasta":
        frame = _fasta(lines, path)
    elif form == "lines":
        frame = pd.DataFrame({"sequence": lines, "name": _numbers(len(lines))}, dtype=object)
    else:
        frame = _table(path)
    return _checked(frame, path, length)


def kind_of(path: Path) -> Literal["fasta", "lines", "table"]:
    """Returns the form of a file of sequences, by its first line.

    Raises:
        DataError: The file cannot be read, or has no lines.
    """
    first = next(iter(_content(path)), None)
    if first is None:
        raise errors.DataError(f"{path}: has no sequences.")
    if first.startswith(">"):
        return "fasta"
    return "lines" if LETTERS.fullmatch(first) else "table"


def _content(path: Path) -> list[str]:
    """Returns the lines of a file that are not blank and do not begin with #."""
    lines = (line.strip() for line in files.lines(path, "file of sequences"))
    return [line for line in lines if line and not line.startswith("#")]


def _fasta(lines: Sequence[str], path: Path) -> pd.DataFrame:
    names: list[str] = []
    sequences: list[list[str]] = []
    for line in lines:
        if line.startswith(">"):
            words = line[1:].split()
            names.append(words[0] if words else str(len(names) + 1))
            sequences.append([])
        elif not names:
            raise errors.DataError(f'{path}: FASTA has letters before its first name, after ">".')
        else:
            sequences[-1].append(line)
    for name, parts in zip(names, sequences, strict=True):
        if not parts:
            raise errors.DataError(f'{path}: the sequence "{name}" has no letters.')
    joined = ["".join(parts) for parts in sequences]
    return pd.DataFrame({"sequence": joined, "name": names}, dtype=object)


def _table(path: Path) -> pd.DataFrame:
    frame = assay_files.read_frame(path)
    column = assay_files.find_column(frame, assay_table.SEQUENCE, path)
    table = pd.DataFrame({"sequence": frame[column], "name": _numbers(len(frame))}, dtype=object)
    if "library" in frame:
        table["library"] = frame["library"]
    return table


def _numbers(count: int) -> list[str]:
    return [str(number) for number in range(1, count + 1)]


def _checked(frame: pd.DataFrame, path: Path, length: int) -> NewSequences:
    """Leaves out sequences with N, and checks length and letters of the others."""
    if frame.empty:
        raise errors.DataError(f"{path}: has no sequences below its header.")
    lengths = frame["sequence"].str.len()
    wrong = (lengths != length).to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        more = f" ({wrong.sum()} sequences have another length)" if wrong.sum() > 1 else ""
        raise errors.DataError(
            f"{path}: sequence {frame['name'].iloc[row]} has {lengths.iloc[row]} bases, and the "
            f"fitted mechanism has {length}{more}; give sequences of {length} bases."
        )
    rows_without_n = assay_files.without_unrows_without_n(frame, "sequence", str(path))
    assay_table.to_index(
        list(rows_without_n["sequence"]), where=str(path), rows=list(rows_without_n.index + 1)
    )
    return NewSequences(
        list(rows_without_n["name"]),
        [dna.from_rna(sequence.upper()) for sequence in rows_without_n["sequence"]],
        list(rows_without_n["library"]) if "library" in rows_without_n else [],
        len(frame) - len(rows_without_n),
    )
