"""Divides a variant file into parts, which are read without reading the file again.

The plan of a directory, `plan.h5`, is made once, by the first process that needs it. It holds the
eight fixed columns of every record to score, and the events that breakends of the whole file
describe, so that a process reads only the records of its parts:

    lines [bytes]          records, one line each, without genotypes
    offset [R + 1]         first byte of each of R records
    record [R]             number of each record in the variant file
    first_row [R + 1]      first row of each record; a row is one ALT
    event_row [E], event   rows that belong to events of breakends, as JSON

It also holds size, time and digest of the variant file and of the genome. A process that sees the
same size and time does not read the file to compute its digest again.
"""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, files, regions
from akita_bayes.data.genome import Genome
from akita_bayes.files import hdf5_reader, hdf5_writer
from akita_bayes.variants.alleles import breakend_events, inversions, records, vcf

NAME = "plan.h5"
PART = 64  # most rows in a part; an interruption loses one part, small parts share few references
LEAST = 4  # rows of a part of a small file
PARTS = 64  # parts into which smaller files are divided, so that many workers get some
_FORMAT = 1
_BUFFER = 1 << 22  # bytes of records that are written together
_COLUMNS = len(vcf.FIXED)


class Source(NamedTuple):
    """Identifies the content of an input file.

    Attributes:
        size: Bytes.
        modified: Time of the last change, in nanoseconds.
        digest: SHA-256.
    """

    size: int
    modified: int
    digest: str


def source(path: str | Path, earlier: Source | None = None) -> Source:
    """Returns the identity of a file; reads the file unless size and time are as before."""
    status = Path(path).stat()
    if earlier is not None and (earlier.size, earlier.modified) == (
        status.st_size,
        status.st_mtime_ns,
    ):
        return earlier
    return Source(status.st_size, status.st_mtime_ns, files.digest(path))


@dataclasses.dataclass(frozen=True)
class Content:
    """Holds what a plan was made of.

    Attributes:
        variants: The variant file.
        genome: The genome, whose names of chromosomes and letters decide which events it has.
        region: Region of the POS of records to score, as text; None for all.
    """

    variants: Source
    genome: Source
    region: str | None

    @property
    def key(self) -> tuple[str, str, str | None]:
        """Returns what the records and rows of a plan depend on."""
        return self.variants.digest, self.genome.digest, self.region


class RecordPlan:
    """Reads the parts of a plan.

    Args:
        path: `plan.h5`.

    Raises:
        DataError: The file is damaged.
        FileNotFoundError: There is no plan.

    Attributes:
        content: What the plan was made of.
        rows: Number of rows to score.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        with self._opened() as file:
            attributes = json.loads(str(file.attrs["content"]))
            if attributes["format"] != _FORMAT:
                raise errors.DataError(f"{path}: is a plan of another version; remove it.")
            self.content = Content(
                Source(*attributes["variants"]), Source(*attributes["genome"]), attributes["region"]
            )
            self._first_row: NDArray[np.int64] = file["first_row"][:].astype(np.int64)
            self._event_row: NDArray[np.int64] = file["event_row"][:].astype(np.int64)
        self.rows = int(self._first_row[-1])

    def _opened(self) -> Any:
        return hdf5_reader.opened(self._path, "a plan of variants", "remove it and run again")

    def part(self, number: int, size: int, genome: Genome) -> list[records.Variant]:
        """Returns the rows of a part, in the order of the file.

        Args:
            number: Number of the part, from 0.
            size: Rows of every part but the last.
            genome: The genome of the plan.
        """
        start, end = number * size, min((number + 1) * size, self.rows)
        first = int(np.searchsorted(self._first_row, start, "right")) - 1
        last = int(np.searchsorted(self._first_row, end, "left"))
        with self._opened() as file:
            numbers = file["record"][first:last]
            offsets = file["offset"][first : last + 1].astype(np.int64)
            text = file["lines"][offsets[0] : offsets[-1]].tobytes()
            events = self._events(file, start, end)
        rows = []
        row = int(self._first_row[first])
        for record, line in zip(numbers, text.split(b"\n"), strict=False):
            for variant in records.from_line(int(record), vcf.Line(0, line.split(b"\t")), genome):
                rows.append(events.get(row, variant))
                row += 1
        skipped = start - int(self._first_row[first])
        return rows[skipped : skipped + end - start]

    def _events(self, file: h5py.File, start: int, end: int) -> dict[int, records.Variant]:
        """Returns the rows from `start` to `end` that belong to events, by their number."""
        first, last = (int(i) for i in np.searchsorted(self._event_row, [start, end]))
        texts = file["event"].asstr()[first:last] if last > first else []
        return {
            int(row): _variant(json.loads(text))
            for row, text in zip(self._event_row[first:last], texts, strict=True)
        }


def part_size(rows: int) -> int:
    """Returns the rows of a part, at least LEAST and at most PART.

    It depends on nothing but the file, so that the parts, and with them the windows that are
    predicted together, are the same for any number of shards and workers.
    """
    return min(PART, max(LEAST, math.ceil(rows / PARTS)))


def find(path: str | Path) -> RecordPlan | None:
    """Returns the plan at a path; None when there is none, or a damaged one."""
    try:
        return RecordPlan(path)
    except (FileNotFoundError, errors.DataError):
        return None


def make(
    path: str | Path,
    variants: str | Path,
    genome: Genome,
    content: Content,
    region: regions.Region | None,
) -> RecordPlan:
    """Reads a variant file and writes its plan.

    Args:
        path: `plan.h5`.
        variants: VCF or BCF.
        genome: Names chromosomes, and gives the letters around breakends.
        content: What the plan is made of.
        region: Region of the POS of records to score; None for all.

    Raises:
        VariantError: The file has a malformed line, or is damaged.
    """
    region = records.of_genome(region, genome)
    renamed: dict[str, str] = {}
    breakends: list[breakend_events.Breakend] = []
    first_row_of: dict[int, int] = {}  # of records with breakends, by number of the record
    with vcf.opened(variants) as lines, hdf5_writer.create(path) as file:
        writer = _RecordWriter(file)
        for number, line in enumerate(lines):
            ends = records.breakends_of(number, line, genome)
            breakends += ends
            row = records.without_edit(number, line, genome)
            if region is not None and not row.lies_in(region):
                continue
            if ends:
                first_row_of[number] = writer.rows
            if row.chrom != line.chrom:
                renamed[line.chrom] = row.chrom
            writer.add(number, line)
        writer.finish()
        events = {
            first_row_of[record] + allele - 1: variant
            for (record, allele), variant in breakend_events.recognised(breakends, genome).items()
            if record in first_row_of
        }
        file["event_row"] = np.array(sorted(events), np.uint64)
        texts = [json.dumps(events[row]) for row in sorted(events)]
        file.create_dataset("event", data=texts, dtype=h5py.string_dtype())
        file.attrs["content"] = json.dumps({"format": _FORMAT, **dataclasses.asdict(content)})
    if renamed:
        regions.tell_renamed(renamed, str(variants))
    return RecordPlan(path)


class _RecordWriter:
    """Appends records to a plan.

    Args:
        file: The open file.

    Attributes:
        rows: Number of rows so far.
    """

    def __init__(self, file: hdf5_writer.File) -> None:
        self._file = file
        self.rows = 0
        self._bytes = 0
        self._buffer = bytearray()
        self._offset, self._first_row, self._record = [0], [0], list[int]()
        file.create_dataset(
            "lines", (0,), np.uint8, maxshape=(None,), chunks=(1 << 16,), compression="gzip"
        )

    def add(self, number: int, line: vcf.Line) -> None:
        """Appends a record with the rows of its ALTs, or one row for none."""
        self._buffer += b"\t".join(line.columns[:_COLUMNS]) + b"\n"
        self.rows += max(1, len(line.alts))
        self._record.append(number)
        self._offset.append(self._bytes + len(self._buffer))
        self._first_row.append(self.rows)
        if len(self._buffer) >= _BUFFER:
            self._write()

    def _write(self) -> None:
        lines = self._file["lines"]
        lines.resize((self._bytes + len(self._buffer),))
        lines[self._bytes :] = np.frombuffer(bytes(self._buffer), np.uint8)
        self._bytes += len(self._buffer)
        self._buffer.clear()
        self._file.check()

    def finish(self) -> None:
        """Writes what is left."""
        if self._buffer:
            self._write()
        self._file["offset"] = np.array(self._offset, np.uint64)
        self._file["first_row"] = np.array(self._first_row, np.uint64)
        self._file["record"] = np.array(self._record, np.uint64)


def _variant(fields: list[Any]) -> records.Variant:
    """Returns the variant that JSON wrote as a list."""
    variant = records.Variant(*fields)
    mate, inversion = variant.mate, variant.inversion
    return variant._replace(
        mate=None if mate is None else records.Breakend(*mate),
        flags=tuple(variant.flags),
        inversion=None if inversion is None else inversions.Inversion(*inversion),
    )


def parts(rows: int, size: int) -> int:
    """Returns the number of parts of a file."""
    return -(-rows // size)


def part_name(part: int) -> str:
    """Returns the name of the file of a part."""
    return f"{part:06d}.h5"
