"""Reads and writes `statistics.json`, the shapes and counts of a data directory."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from akita_bayes import errors, files, triangle

FILE_NAME = "statistics.json"
SUFFIX = ".tfr"
"""Ending of a record file."""

_COUNT = "_seqs"
_MAPPINGS = ("seqs", "circular")


@dataclasses.dataclass(frozen=True)
class Statistics:
    """Holds the shapes of all records of a data directory, and the size of every split.

    Attributes:
        seq_length: Bases L of a sequence.
        target_length: Pixels P of a triangle, or bins of a 1-D track.
        num_targets: Targets T.
        pool_width: Bases per bin.
        crop_bp: Bases cropped off each side of the map or track.
        diagonal_offset: First diagonal of the triangle; None for 1-D targets, and for directories
            written before the key existed.
        seq_1hot: True when sequences are stored as indices 0..4 (the key's name misleads), False
            when stored as flattened one-hot.
        spread: True when records hold the standard deviation of their targets, as predictions of
            teachers have it.
        seqs: Number of records of each split.
        circular: Bases of each circular chromosome; a region of one that ends above them
            continues at base 0.
    """

    seq_length: int
    target_length: int
    num_targets: int
    pool_width: int
    crop_bp: int = 0
    diagonal_offset: int | None = None
    seq_1hot: bool = False
    spread: bool = False
    seqs: Mapping[str, int] = dataclasses.field(default_factory=dict)
    circular: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def bins(self) -> int:
        """Returns the number of bins N along one side of the cropped map, or of the track."""
        return self.seq_length // self.pool_width - 2 * (self.crop_bp // self.pool_width)

    @property
    def sequence_bytes(self) -> int:
        """Returns the number of bytes of a record's `sequence` feature."""
        return self.seq_length if self.seq_1hot else 4 * self.seq_length

    def to_json(self) -> dict[str, Any]:
        """Returns the content of `statistics.json`, in Basenji's keys."""
        fields = dataclasses.asdict(self)
        counts = {f"{split}{_COUNT}": count for split, count in fields.pop("seqs").items()}
        if self.diagonal_offset is None:
            del fields["diagonal_offset"]
        for name in ("circular", "spread"):
            if not fields[name]:
                del fields[name]
        return {**fields, "seq_depth": 4, **counts}


def read(data_dir: str | Path) -> Statistics:
    """Reads and checks `statistics.json`; keys that do not describe records are ignored.

    Raises:
        DataError: The directory or the file is missing, a key is missing or is not a whole number,
            or the numbers contradict each other.
    """
    path = Path(data_dir) / FILE_NAME
    if not path.parent.is_dir():
        raise errors.DataError(f"{path.parent}: no such data directory.")
    entries = files.read_json(path)
    if not isinstance(entries, dict):
        raise errors.DataError(f"{path}: expected an object of keys and numbers.")
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Statistics):
        required = field.default is dataclasses.MISSING and field.name not in _MAPPINGS
        if field.name in entries and field.name not in _MAPPINGS:
            values[field.name] = _value(path, field.name, entries[field.name])
        elif required:
            raise errors.DataError(f'{path}: the key "{field.name}" is missing.')
    values["seqs"] = {
        key.removesuffix(_COUNT): _value(path, key, count)
        for key, count in entries.items()
        if key.endswith(_COUNT)
    }
    circular = entries.get("circular", {})
    if not isinstance(circular, dict):
        raise errors.DataError(
            f'{path}: "circular" is {circular!r}; expected an object of chromosomes and bases.'
        )
    values["circular"] = {chrom: _value(path, chrom, bases) for chrom, bases in circular.items()}
    statistics = Statistics(**values)
    _check(path, statistics)
    return statistics


def is_pattern(split: str) -> bool:
    """Returns True for a pattern of record files, as `fold[01]-*.tfr`, False for a split's name."""
    return split.endswith(SUFFIX) or any(sign in split for sign in "*?[")


def write(data_dir: str | Path, statistics: Statistics) -> None:
    """Writes `statistics.json` atomically."""
    files.write_json(Path(data_dir) / FILE_NAME, statistics.to_json())


_LARGEST = 10**12


def _value(path: Path, key: str, value: Any) -> int | bool | None:
    if key in ("seq_1hot", "spread") and isinstance(value, bool):
        return value
    if key == "diagonal_offset" and value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= _LARGEST or value != int(value):
        raise errors.DataError(f'{path}: "{key}" is {value!r}; expected a whole number.')
    return int(value)


def _check(path: Path, statistics: Statistics) -> None:
    for name in ("seq_length", "target_length", "num_targets", "pool_width"):
        if getattr(statistics, name) < 1:
            raise errors.DataError(f'{path}: "{name}" is 0; expected at least 1.')
    if statistics.diagonal_offset is None:
        return
    if statistics.bins <= statistics.diagonal_offset:
        raise errors.DataError(
            f"{path}: crop_bp {statistics.crop_bp} leaves {statistics.bins} bins, too few for "
            f"diagonal_offset {statistics.diagonal_offset}."
        )
    expected = triangle.length(statistics.bins, statistics.diagonal_offset)
    if statistics.target_length != expected:
        raise errors.DataError(
            f"{path}: target_length is {statistics.target_length}, but {statistics.bins} bins "
            f"with diagonal_offset {statistics.diagonal_offset} have {expected} pixels."
        )
