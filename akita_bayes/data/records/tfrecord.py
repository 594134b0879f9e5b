"""Encodes training examples, and reads and writes TFRecord files of them, in Basenji's layout.

A file is a ZLIB-compressed TFRecord of `tf.train.Example` with bytes features:

    sequence  uint8: L indices 0..4, or L x 4 flattened one-hot (`seq_1hot` false)
    target    float16, row-major [P, T]
    mask      optional; P x T bits packed big-endian, row-major, 1 = measured
    spread    of predictions by teachers: their standard deviation, float16, row-major [P, T]
    region    optional; `chrom:start-end`, counted from 0
"""

import errno
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import dna, errors, files, regions
from akita_bayes.data.records import statistics as statistics_lib
from akita_bayes.files import damage

COMPRESSION = "ZLIB"
_CHUNK = 1 << 20  # bytes of a stream that are checked at once
_RUN_LENGTHS = 3  # zlib's Z_RLE: smaller files of bases and float16, many times faster
SUFFIX = statistics_lib.SUFFIX


class Record(NamedTuple):
    """Holds one example.

    Attributes:
        sequence: Indices 0..4, uint8 [L].
        target: Values of the targets. [P, T].
        mask: True where a pixel was measured, [P, T]; None when all pixels were measured.
        region: Region of the sequence; None when the file does not record it.
        spread: Standard deviation of `target` over teachers, [P, T]; None for measured targets.
    """

    sequence: NDArray[np.uint8]
    target: NDArray[Any]
    mask: NDArray[np.bool_] | None = None
    region: regions.Region | None = None
    spread: NDArray[Any] | None = None


def encode(record: Record, *, one_hot: bool = False) -> bytes:
    """Returns a record as a serialised `tf.train.Example`; equal records have equal bytes.

    Args:
        record: Record to store; `target` is rounded to float16.
        one_hot: True to store the sequence as flattened one-hot, as data sets before 2023 do.

    Raises:
        DataError: A measured target is not finite as float16.
    """
    with np.errstate(over="ignore"):
        target = np.ascontiguousarray(record.target, dtype=np.float16)
    measured = target if record.mask is None else target[record.mask]
    if not np.isfinite(measured).all():
        raise errors.DataError(
            f"{record.region or 'a record'}: a measured target is NaN, infinite or beyond 65,504, "
            "the largest float16; mask or clip it before writing."
        )
    sequence = dna.index_to_one_hot(record.sequence) if one_hot else record.sequence
    features = {"sequence": sequence.astype(np.uint8).tobytes(), "target": target.tobytes()}
    if record.mask is not None:
        features["mask"] = np.packbits(record.mask).tobytes()
    if record.spread is not None:
        features["spread"] = np.ascontiguousarray(record.spread, dtype=np.float16).tobytes()
    if record.region is not None:
        chrom, start, end = record.region
        features["region"] = f"{chrom}:{start}-{end}".encode()
    example = tf.train.Example(
        features=tf.train.Features(
            feature={
                name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                for name, value in features.items()
            }
        )
    )
    # The order of the features in memory differs between processes.
    return bytes(example.SerializeToString(deterministic=True))


def write_records(path: str | Path, records: Iterable[Record], *, one_hot: bool = False) -> int:
    """Writes a record file atomically and returns the number of records in it.

    Raises:
        DataError: A measured target is not finite as float16.
        OSError: The disk is full.
    """
    count = 0
    options = tf.io.TFRecordOptions(
        COMPRESSION, compression_strategy=None if one_hot else _RUN_LENGTHS
    )
    with files.atomic(path) as temporary:
        try:
            with tf.io.TFRecordWriter(str(temporary), options) as writer:
                for record in records:
                    writer.write(encode(record, one_hot=one_hot))
                    count += 1
        except (tf.errors.ResourceExhaustedError, tf.errors.OutOfRangeError):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from None
    return count


def read_records(path: str | Path, statistics: statistics_lib.Statistics) -> Iterator[Record]:
    """Yields every record of a file, checked one by one.

    This is the slow and strict reader. `dataset.Split` is the fast one and calls it to find out
    which record is bad.

    Raises:
        DataError: The file is missing, is not a TFRecord or is cut short; or a record lacks a
            feature, has another size than `statistics` says, or holds a measured target that is
            not finite. The error names file and record.
    """
    path = Path(path)
    if not path.is_file():
        raise errors.DataError(f"{path}: no such record file.")
    _check_stream(path)
    count = 0
    try:
        for serialised in tf.data.TFRecordDataset(str(path), COMPRESSION).as_numpy_iterator():
            yield decode(serialised, statistics, where=f"{path}, record {count}")
            count += 1
    except tf.errors.DataLossError:
        raise errors.DataError(
            f"{path}: damaged or cut short at record {count}; make or download the file again."
        ) from None


def decode(serialised: bytes, statistics: statistics_lib.Statistics, *, where: str) -> Record:
    """Returns the record of one serialised example; `where` names it in errors."""
    try:
        feature = tf.train.Example.FromString(serialised).features.feature
    except Exception:  # protobuf's DecodeError, whose module differs between its releases
        raise errors.DataError(f"{where}: not a tf.train.Example.") from None
    values = {name: b"".join(entry.bytes_list.value) for name, entry in feature.items()}
    required = ("sequence", "target", "spread") if statistics.spread else ("sequence", "target")
    for name in required:
        if name not in values:
            raise errors.DataError(f'{where}: the feature "{name}" is missing.')
    shape = (statistics.target_length, statistics.num_targets)
    _check_size(where, "sequence", len(values["sequence"]), statistics.sequence_bytes, statistics)
    _check_size(where, "target", len(values["target"]), 2 * shape[0] * shape[1], statistics)
    sequence = np.frombuffer(values["sequence"], np.uint8)
    if not statistics.seq_1hot:
        sequence = dna.one_hot_to_index(sequence.reshape(-1, 4))
    target = np.frombuffer(values["target"], np.float16).reshape(shape)
    spread = None
    if statistics.spread:
        _check_size(where, "spread", len(values["spread"]), 2 * shape[0] * shape[1], statistics)
        spread = np.frombuffer(values["spread"], np.float16).reshape(shape)
        if not (np.isfinite(spread) & (spread >= 0)).all():
            raise errors.DataError(f"{where}: a standard deviation is negative, NaN or infinite.")
    mask = None
    if values.get("mask"):
        _check_size(where, "mask", len(values["mask"]), -(-target.size // 8), statistics)
        bits = np.unpackbits(np.frombuffer(values["mask"], np.uint8), count=target.size)
        mask = bits.reshape(shape).astype(bool)
    bad = ~np.isfinite(target) if mask is None else ~np.isfinite(target) & mask
    if bad.any():
        pixel, index = np.argwhere(bad)[0]
        raise errors.DataError(
            f"{where}: target {index} is {target[pixel, index]} at pixel {pixel} "
            f"({bad.sum()} pixels in all); a measured target must be finite."
        )
    region = _region(values["region"], where) if values.get("region") else None
    return Record(sequence, target, mask, region, spread)


def _region(value: bytes, where: str) -> regions.Region:
    try:
        return regions.parse(value.decode())
    except (errors.DataError, UnicodeDecodeError):
        raise errors.DataError(
            f'{where}: the feature "region" is {value[:80]!r}; expected chrom:start-end.'
        ) from None


def _check_size(
    where: str, feature: str, size: int, expected: int, statistics: statistics_lib.Statistics
) -> None:
    if size != expected:
        raise errors.DataError(
            f'{where}: the feature "{feature}" has {size} bytes, expected {expected} for '
            f"seq_length {statistics.seq_length}, seq_1hot {str(statistics.seq_1hot).lower()}, "
            f"target_length {statistics.target_length} and num_targets {statistics.num_targets} "
            f"in {statistics_lib.FILE_NAME}."
        )


def _check_stream(path: Path) -> None:
    """Refuses a ZLIB stream without an end; TensorFlow accepts a file cut between two records."""
    stream = zlib.decompressobj()
    try:
        with open(path, "rb") as handle:
            size = expanded = 0
            while chunk := stream.unconsumed_tail or handle.read(_CHUNK):
                size += 0 if stream.unconsumed_tail else len(chunk)
                expanded += len(stream.decompress(chunk, _CHUNK))
                damage.check_expansion(path, size, expanded)
            while rest := stream.decompress(b"", _CHUNK):
                expanded += len(rest)
                damage.check_expansion(path, size, expanded)
    except zlib.error:
        raise errors.DataError(
            f"{path}: not a ZLIB-compressed TFRecord, or damaged; make or download it again."
        ) from None
    if not stream.eof:
        raise errors.DataError(f"{path}: cut short; make or download the file again.")
