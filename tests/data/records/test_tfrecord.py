import errno
import resource

import numpy as np
import pytest
import tensorflow as tf

from akita_bayes import dna, errors, regions
from akita_bayes.data.records import statistics, tfrecord

STATISTICS = statistics.Statistics(
    seq_length=32, target_length=21, num_targets=2, pool_width=4, diagonal_offset=2, seq_1hot=True
)
ONE_HOT = statistics.Statistics(seq_length=32, target_length=21, num_targets=2, pool_width=4)


def make(index: int) -> tfrecord.Record:
    random = np.random.default_rng(index)
    return tfrecord.Record(
        sequence=random.integers(0, 5, 32).astype(np.uint8),
        target=random.normal(size=(21, 2)).astype(np.float16),
        mask=random.random((21, 2)) < 0.7,
        region=regions.Region("chr1", 32 * index, 32 * index + 32),
    )


@pytest.mark.parametrize("one_hot", [False, True])
def test_what_is_written_is_read_back(tmp_path, one_hot):
    records = [make(index) for index in range(5)]
    path = tmp_path / "train-0.tfr"
    assert tfrecord.write_records(path, records, one_hot=one_hot) == 5
    read = list(tfrecord.read_records(path, ONE_HOT if one_hot else STATISTICS))
    assert len(read) == 5
    for written, read_back in zip(records, read, strict=True):
        np.testing.assert_array_equal(read_back.sequence, written.sequence)
        np.testing.assert_array_equal(read_back.target, written.target)
        np.testing.assert_array_equal(read_back.mask, written.mask)
        assert read_back.region == written.region


def test_the_features_are_basenjis(tmp_path):
    record = make(3)._replace(mask=None, region=None)
    for one_hot, sequence in (
        (False, record.sequence),
        (True, dna.index_to_one_hot(record.sequence)),
    ):
        example = tf.train.Example.FromString(tfrecord.encode(record, one_hot=one_hot))
        features = {k: v.bytes_list.value[0] for k, v in example.features.feature.items()}
        assert features == {"sequence": sequence.tobytes(), "target": record.target.tobytes()}


def test_features_stand_in_the_order_of_their_names():
    """Otherwise their order, and the bytes of a file, would differ between two processes."""
    encoded = tfrecord.encode(make(3))
    starts = [encoded.index(name) for name in (b"mask", b"region", b"sequence", b"target")]
    assert starts == sorted(starts)


def test_targets_are_rounded_to_float16(tmp_path):
    record = make(0)._replace(target=np.full((21, 2), 1 / 3), mask=None)
    path = tmp_path / "train-0.tfr"
    tfrecord.write_records(path, [record])
    (read_back,) = tfrecord.read_records(path, STATISTICS)
    assert read_back.target[0, 0] == np.float16(1 / 3)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_a_measured_target_must_be_finite_when_written(tmp_path, value):
    record = make(0)._replace(target=np.zeros((21, 2), np.float32))
    record.target[4, 1] = value
    record.mask[4, 1] = True
    with pytest.raises(errors.DataError, match=r"chr1:0-32: a measured target"):
        tfrecord.write_records(tmp_path / "train-0.tfr", [record])
    assert not list(tmp_path.iterdir())
    record.mask[4, 1] = False
    assert tfrecord.write_records(tmp_path / "train-0.tfr", [record]) == 1
    (read,) = tfrecord.read_records(tmp_path / "train-0.tfr", STATISTICS)
    assert not np.isfinite(read.target[4, 1])
    assert not read.mask[4, 1]


def test_every_bad_record_is_named(tmp_path):
    good = make(0)
    short_sequence = good._replace(sequence=good.sequence[:-1])
    short_target = good._replace(target=good.target[:-1], mask=None)
    short_mask = good._replace(mask=good.mask[:7])
    path = tmp_path / "train-0.tfr"
    for bad, reason in (
        (short_sequence, '"sequence" has 31 bytes, expected 32'),
        (short_target, '"target" has 80 bytes, expected 84'),
        (short_mask, '"mask" has 2 bytes, expected 6'),
    ):
        with tf.io.TFRecordWriter(str(path), "ZLIB") as writer:
            writer.write(tfrecord.encode(good))
            example = tf.train.Example.FromString(tfrecord.encode(good))
            for name, array in (
                ("sequence", bad.sequence),
                ("target", bad.target),
                ("mask", None if bad.mask is None else np.packbits(bad.mask)),
            ):
                if array is not None:
                    example.features.feature[name].bytes_list.value[:] = [array.tobytes()]
            writer.write(example.SerializeToString())
        with pytest.raises(errors.DataError, match="record 1") as caught:
            list(tfrecord.read_records(path, STATISTICS))
        assert reason in str(caught.value)


def test_a_missing_feature_and_garbage_are_named(tmp_path):
    path = tmp_path / "train-0.tfr"
    for serialised, reason in ((b"", '"sequence" is missing'), (b"\xff\xff", "tf.train.Example")):
        with tf.io.TFRecordWriter(str(path), "ZLIB") as writer:
            writer.write(serialised)
        with pytest.raises(errors.DataError, match=f"record 0: .*{reason}"):
            list(tfrecord.read_records(path, STATISTICS))


def test_damaged_files_are_refused(tmp_path):
    whole = tmp_path / "train-0.tfr"
    tfrecord.write_records(whole, [make(index) for index in range(20)])
    content = whole.read_bytes()
    path = tmp_path / "cut.tfr"
    for length in (1, len(content) // 2, len(content) - 4):
        path.write_bytes(content[:length])
        with pytest.raises(errors.DataError, match="cut short"):
            list(tfrecord.read_records(path, STATISTICS))
    path.write_bytes(b"plain text")
    with pytest.raises(errors.DataError, match="not a ZLIB-compressed"):
        list(tfrecord.read_records(path, STATISTICS))
    with pytest.raises(errors.DataError, match="no such record file"):
        list(tfrecord.read_records(tmp_path / "absent.tfr", STATISTICS))


def test_a_full_disk_leaves_no_file(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="No space left") as caught:
            tfrecord.write_records(tmp_path / "train-0.tfr", (make(i) for i in range(2000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("chrom", ["HLA-A*01:01:01:01", "chr1:1-100", "chrUn_KI270:1", "a,b;c|d"])
def test_the_region_of_a_name_with_colons_is_read_back(tmp_path, chrom):
    record = make(0)._replace(region=regions.Region(chrom, 1000, 1032))
    path = tmp_path / "train-0.tfr"
    tfrecord.write_records(path, [record])
    (read_back,) = tfrecord.read_records(path, STATISTICS)
    assert read_back.region == record.region


@pytest.mark.parametrize("value", [b"chr1", b"chr1:\xff-3", b"chr1:5-5"])
def test_a_region_that_cannot_be_read_names_file_and_record(value):
    example = tf.train.Example.FromString(tfrecord.encode(make(0)))
    example.features.feature["region"].bytes_list.value[0] = value
    with pytest.raises(errors.DataError) as caught:
        tfrecord.decode(example.SerializeToString(), STATISTICS, where="x.tfr, record 3")
    assert str(caught.value) == (
        f'x.tfr, record 3: the feature "region" is {value!r}; expected chrom:start-end.'
    )
