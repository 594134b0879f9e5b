"""Reads a split of a data directory as batches, in parallel."""

import contextlib
import dataclasses
import fnmatch
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from akita_bayes import errors, keywords, regions
from akita_bayes.data.records import statistics as statistics_lib
from akita_bayes.data.records import tfrecord

Batch: TypeAlias = dict[str, tf.Tensor]

_log = logging.getLogger(__name__)
_FILES_AT_ONCE = 4

as_graph: Any = tf.autograph.experimental.do_not_convert
"""Marks a function of operations of TensorFlow. Others are translated, in a temporary file."""


@dataclasses.dataclass(frozen=True)
class SplitOptions:
    """Holds how the records of a split are read.

    Attributes:
        batch_size: Records per batch.
        shuffle: True to shuffle files and records anew in every epoch.
        seed: Seed of the order, which depends on `seed` and the number of the epoch only.
        shuffle_buffer: Number of records in memory for shuffling.
        drop_remainder: True to drop the last batch when it is not full.
        deterministic: True to keep the order of parallel reads; False is a little faster.
        shard: (index, count): every count-th file is read, from the index-th. Every shard of a
            shuffled split has the same number of batches, so that workers stay in step.
    """

    batch_size: int = 1
    shuffle: bool = False
    seed: int = 0
    shuffle_buffer: int = 128
    drop_remainder: bool = False
    deterministic: bool = True
    shard: tuple[int, int] = (0, 1)


def open_split(
    data_dir: str | Path,
    split: str | Sequence[str],
    *,
    options: SplitOptions = SplitOptions(),
    **changes: Any,
) -> "Split":
    """Opens one split, or several together, of a data directory.

    Args:
        data_dir: Folder with `statistics.json` and `tfrecords/{split}-{i}.tfr`.
        split: Name such as `train`, or several, as `("fold0", "fold1")`; or, as in Basenji's --tfr,
            a pattern of file names with * ? [ or the ending .tfr, as `fold[01]-*.tfr`.
        options: Size, order and number of the batches.
        changes: Fields of `options` to replace, such as `batch_size=2`.

    Raises:
        DataError: The directory, its statistics or the split is missing, the split is empty, there
            are fewer files than shards, or the first record contradicts `statistics.json`.
        TypeError: A keyword is not a field of `options`.
    """
    options = keywords.replaced(options, changes)
    data_dir = Path(data_dir)
    statistics = statistics_lib.read(data_dir)
    names = (split,) if isinstance(split, str) else tuple(split)
    paths = [path for name in names for path in _files(data_dir, name, statistics)]
    if options.shard[1] > len(paths):
        raise errors.DataError(
            f"{data_dir}: split {'+'.join(names)} has {len(paths)} record files, too few for "
            f"{options.shard[1]} workers; write more with a smaller --seqs_per_tfr."
        )
    opened = Split(
        data_dir=data_dir,
        names=names,
        statistics=statistics,
        files=tuple(paths),
        records=sum(_count(data_dir, name, statistics) for name in names),
        options=options,
    )
    opened.check_first_record()
    return opened


@dataclasses.dataclass(frozen=True)
class Split:
    """Reads a split as batches; `open_split` makes it.

    A batch is a dictionary of `sequence` float32 [B, L, 4], `target` float32 [B, P, T], `mask` bool
    [B, P, T] (True where measured) and `region` string [B] (`chrom:start-end`, or `file#record`
    when the record has no region). A target under a False mask is 0. Predictions of teachers also
    have `spread` float32 [B, P, T], their standard deviation. Iterating gives epoch 0.

    Attributes:
        data_dir: Data directory.
        names: Names of the splits, or patterns of record files.
        statistics: Content of `statistics.json`.
        files: Record files, in the order of reading.
        records: Number of records in these files.
        options: Size, order and number of the batches.
    """

    data_dir: Path
    names: tuple[str, ...]
    statistics: statistics_lib.Statistics
    files: tuple[Path, ...]
    records: int
    options: SplitOptions

    @property
    def steps(self) -> int:
        """Returns the number of batches per epoch and shard, from `statistics.json`."""
        share, size = self.records // self.options.shard[1], self.options.batch_size
        return share // size if self.options.drop_remainder else -(-share // size)

    def __iter__(self) -> Iterator[Batch]:
        return self.batches(0)

    def epoch(self, epoch: int, *, skip: int = 0) -> tf.data.Dataset:
        """Returns one epoch as a `tf.data.Dataset`, without its first `skip` batches.

        The order depends on (seed, epoch) only. A stopped run continues with the same epoch and the
        number of finished batches as `skip`. Wrap the loop in `explained`, which turns errors about
        bad records into `DataError`.
        """
        options = self.options
        index, count = options.shard
        paths = [str(path) for path in self.files[index::count]]
        random = np.random.default_rng([options.seed, epoch])
        if options.shuffle:
            paths = [paths[i] for i in random.permutation(len(paths))]
        names = [path.rsplit("/", 1)[-1] for path in paths]
        records = tf.data.Dataset.from_tensor_slices((paths, names))
        if options.shuffle:
            records = records.interleave(
                as_graph(_read), cycle_length=_FILES_AT_ONCE, num_parallel_calls=tf.data.AUTOTUNE
            )
            records = records.shuffle(
                options.shuffle_buffer,
                seed=int(random.integers(2**31)),
                reshuffle_each_iteration=False,
            )
            if count > 1:
                # Shards differ by a few records; repeating lets each of them fill `steps` batches.
                records = records.repeat()
        else:
            records = records.flat_map(as_graph(_read))
        batches = records.map(as_graph(self._parse), num_parallel_calls=tf.data.AUTOTUNE).batch(
            options.batch_size, drop_remainder=options.drop_remainder
        )
        if options.shuffle and count > 1:
            batches = batches.take(self.steps)
        pipeline = tf.data.Options()
        pipeline.deterministic = options.deterministic
        pipeline.experimental_distribute.auto_shard_policy = (
            tf.data.experimental.AutoShardPolicy.OFF
        )
        return batches.skip(skip).with_options(pipeline).prefetch(tf.data.AUTOTUNE)

    def batches(self, epoch: int = 0, *, skip: int = 0) -> Iterator[Batch]:
        """Yields the batches of one epoch.

        Raises:
            DataError: A record is bad or a file is cut short; the error names file and record.
        """
        records_read = skip * self.options.batch_size
        with self.explained():
            for batch in self.epoch(epoch, skip=skip):
                records_read += int(batch["region"].shape[0])
                yield batch
        if self.options.shard[1] == 1 and not self.options.drop_remainder:
            self.check_count(records_read)

    def read_with(self, **changes: Any) -> "Split":
        """Returns the same split with other options, such as the `shard` of one worker."""
        return dataclasses.replace(self, options=keywords.replaced(self.options, changes))

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turns TensorFlow's errors about records into a `DataError` that names the record."""
        try:
            yield
        except (
            tf.errors.DataLossError,
            tf.errors.InvalidArgumentError,
            tf.errors.NotFoundError,
        ) as error:
            self.reread()
            raise error

    def reread(self) -> None:
        """Reads every record again, one by one, with the strict reader.

        Raises:
            DataError: A record is bad or a file is cut short; the error names file and record.
        """
        for path in self.files:
            for _ in tfrecord.read_records(path, self.statistics):
                pass

    def check_count(self, records_read: int) -> None:
        """Compares the number of records that were read with that of `statistics.json`.

        Raises:
            DataError: The numbers differ because a record is bad or a file is cut short.
        """
        if records_read == self.records:
            return
        self.reread()
        _log.warning(
            "%s: split %s holds %d records, but statistics.json says %d; the files are used.",
            self.data_dir,
            "+".join(self.names),
            records_read,
            self.records,
        )

    def check_first_record(self) -> None:
        """Refuses a split without records, or with a first record unlike the statistics."""
        with self.explained():
            for path in self.files:
                for serialised in tf.data.TFRecordDataset(
                    str(path), tfrecord.COMPRESSION
                ).as_numpy_iterator():
                    tfrecord.decode(serialised, self.statistics, where=f"{path}, record 0")
                    return
        raise errors.DataError(
            f"{self.data_dir}: the record files of split {'+'.join(self.names)} are empty."
        )

    def regions(self) -> list[regions.Region]:
        """Returns the rows of `sequences.bed` of this split, in the unshuffled order of records."""
        rows = list(regions.read_bed(self.data_dir / "sequences.bed"))
        return [region for name in self.names for region, fields in rows if fields[:1] == [name]]

    def _parse(self, name: tf.Tensor, numbered: tuple[tf.Tensor, tf.Tensor]) -> Batch:
        number, serialised = numbered
        shape = (self.statistics.target_length, self.statistics.num_targets)
        text = tf.io.FixedLenFeature([], tf.string)
        optional = tf.io.FixedLenFeature([], tf.string, default_value="")
        features = tf.io.parse_single_example(
            serialised,
            {"sequence": text, "target": text, "mask": optional, "region": optional}
            | ({"spread": text} if self.statistics.spread else {}),
        )
        target = tf.cast(tf.io.decode_raw(features["target"], tf.float16), tf.float32)
        target = tf.reshape(target, shape)
        all_measured = np.packbits(np.ones(shape, bool)).tobytes()
        packed = tf.where(tf.equal(features["mask"], ""), all_measured, features["mask"])
        mask = _unpack(packed, shape)
        target = tf.where(mask, target, 0.0)
        position = tf.strings.join([name, "#", tf.strings.as_string(number)])
        region = tf.where(tf.equal(features["region"], ""), position, features["region"])
        batch = {
            "sequence": self._sequence(features["sequence"]),
            "target": tf.debugging.check_numerics(target, "target"),
            "mask": mask,
            "region": region,
        }
        if self.statistics.spread:
            spread = tf.cast(tf.io.decode_raw(features["spread"], tf.float16), tf.float32)
            spread = tf.debugging.check_numerics(tf.reshape(spread, shape), "spread")
            batch["spread"] = spread
        return batch

    def _sequence(self, raw: tf.Tensor) -> tf.Tensor:
        sequence = tf.io.decode_raw(raw, tf.uint8)
        if self.statistics.seq_1hot:
            return tf.one_hot(tf.reshape(sequence, (self.statistics.seq_length,)), 4)
        return tf.cast(tf.reshape(sequence, (self.statistics.seq_length, 4)), tf.float32)


def _read(path: tf.Tensor, name: tf.Tensor) -> tf.data.Dataset:
    """Returns pairs of (name, (number, serialised record)) of one file."""
    records = tf.data.TFRecordDataset(path, tfrecord.COMPRESSION, buffer_size=1 << 20)
    names = tf.data.Dataset.from_tensors(name).repeat()
    return tf.data.Dataset.zip(names, records.enumerate())


def _unpack(packed: tf.Tensor, shape: tuple[int, int]) -> tf.Tensor:
    """Unpacks big-endian bits into booleans of `shape`: byte 160 = 10100000 has bits 0 and 2."""
    weights = tf.constant([128, 64, 32, 16, 8, 4, 2, 1], tf.uint8)
    bits = tf.bitwise.bitwise_and(tf.io.decode_raw(packed, tf.uint8)[:, None], weights) > 0
    size = shape[0] * shape[1]
    tf.debugging.assert_equal(tf.size(bits), -(-size // 8) * 8)
    return tf.reshape(tf.reshape(bits, (-1,))[:size], shape)


def splits_of(data_dir: str | Path, split: str) -> tuple[str, ...]:
    """Returns the splits that have a file matching a name or pattern of record files."""
    if not statistics_lib.is_pattern(split):
        return (split,)
    data_dir = Path(data_dir)
    statistics = statistics_lib.read(data_dir)
    matching = set(_files(data_dir, split, statistics))
    return tuple(
        name
        for name, count in statistics.seqs.items()
        if count and matching & set(_files(data_dir, name, statistics))
    )


def _count(data_dir: Path, split: str, statistics: statistics_lib.Statistics) -> int:
    """Returns the number of records of a split, or of the files of a pattern.

    Records are counted in `statistics.json` for whole splits; for parts of them, in the files.

    Raises:
        DataError: A file is cut short; the error names it.
    """
    names = splits_of(data_dir, split)
    paths = _files(data_dir, split, statistics)
    whole = [path for name in names for path in _files(data_dir, name, statistics)]
    if set(paths) == set(whole):
        return sum(statistics.seqs[name] for name in names)
    return sum(1 for path in paths for _ in tfrecord.read_records(path, statistics))


def _files(data_dir: Path, split: str, statistics: statistics_lib.Statistics) -> list[Path]:
    pattern = re.compile(rf"{re.escape(split)}-.*\d+{re.escape(tfrecord.SUFFIX)}")
    if statistics_lib.is_pattern(split):
        pattern = re.compile(fnmatch.translate(split))
    folder = data_dir / "tfrecords"
    matches = [path for path in folder.glob("*") if pattern.fullmatch(path.name)]
    if not matches:
        available_splits = sorted(
            {path.name.rsplit("-", 1)[0] for path in folder.glob(f"*{tfrecord.SUFFIX}")}
        )
        available = (
            f"there are {', '.join(available_splits)}"
            if available_splits
            else "the folder holds no record file"
        )
        expected = split if statistics_lib.is_pattern(split) else f"{split}-*{tfrecord.SUFFIX}"
        raise errors.DataError(f"{folder}: no record file {expected}; {available}.")
    if statistics_lib.is_pattern(split):
        return sorted(matches, key=natural)
    if statistics.seqs.get(split, 1) == 0:
        raise errors.DataError(
            f'{data_dir}: split "{split}" is empty by its statistics.json; choose another.'
        )
    if split not in statistics.seqs:
        raise errors.DataError(
            f'{data_dir / statistics_lib.FILE_NAME}: the key "{split}_seqs", the number of records '
            f"of split {split}, is missing; add it."
        )
    return sorted(matches, key=natural)


def natural(path: Path) -> list[Any]:
    """Returns a sort key that puts train-2 before train-10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]
