import gzip

import numpy as np
import pytest
import tensorflow as tf

from akita_bayes import dna, errors, regions
from akita_bayes.data import genome
from akita_bayes.data.records import dataset, statistics, tfrecord

PER_FILE = 3


def write_directory(folder, counts, *, one_hot=False, mask=True):
    """Records numbered by their start / 32, `PER_FILE` to a file."""
    layout = statistics.Statistics(
        seq_length=32,
        target_length=21,
        num_targets=2,
        pool_width=4,
        diagonal_offset=2,
        seq_1hot=not one_hot,
        seqs=counts,
    )
    statistics.write(folder, layout)
    records = {}
    for split, count in counts.items():
        random = np.random.default_rng(7)
        records[split] = [
            tfrecord.Record(
                random.integers(0, 5, 32).astype(np.uint8),
                random.normal(size=(21, 2)).astype(np.float16),
                random.random((21, 2)) < 0.7 if mask else None,
                regions.Region("chr1", 32 * index, 32 * index + 32),
            )
            for index in range(count)
        ]
        for number, start in enumerate(range(0, count, PER_FILE)):
            tfrecord.write_records(
                folder / "tfrecords" / f"{split}-{number}.tfr",
                records[split][start : start + PER_FILE],
                one_hot=one_hot,
            )
    return records


def order(batches):
    """Record numbers in the order they come."""
    return [
        regions.parse(text.decode()).start // 32
        for batch in batches
        for text in batch["region"].numpy()
    ]


@pytest.mark.parametrize("one_hot", [False, True])
def test_batches_hold_what_was_written(tmp_path, one_hot):
    records = write_directory(tmp_path, {"test": 5}, one_hot=one_hot)["test"]
    split = dataset.open_split(tmp_path, "test", batch_size=2)
    batches = list(split)
    assert [len(batch["region"]) for batch in batches] == [2, 2, 1]
    assert split.steps == 3
    whole = {name: np.concatenate([b[name] for b in batches]) for name in batches[0]}
    mask = np.stack([record.mask for record in records])
    np.testing.assert_array_equal(
        whole["sequence"], np.stack([dna.index_to_one_hot(r.sequence) for r in records])
    )
    np.testing.assert_array_equal(whole["mask"], mask)
    np.testing.assert_array_equal(
        whole["target"], np.where(mask, np.stack([r.target for r in records]), 0)
    )
    assert {name: array.dtype for name, array in whole.items() if name != "region"} == {
        "sequence": np.float32,
        "target": np.float32,
        "mask": np.bool_,
    }
    assert whole["region"][4] == b"chr1:128-160"


def test_an_absent_mask_is_all_ones_and_an_absent_region_names_the_record(tmp_path):
    records = write_directory(tmp_path, {"test": 4}, mask=False)["test"]
    tfrecord.write_records(
        tmp_path / "tfrecords" / "test-1.tfr", [records[3]._replace(region=None)]
    )
    *_, last = dataset.open_split(tmp_path, "test", batch_size=3)
    assert last["mask"].numpy().all()
    assert last["region"].numpy().tolist() == [b"test-1.tfr#0"]


def test_files_are_read_in_natural_order(tmp_path):
    write_directory(tmp_path, {"test": 36})
    split = dataset.open_split(tmp_path, "test", batch_size=5)
    assert split.files[2].name == "test-2.tfr"
    assert split.files[10].name == "test-10.tfr"
    assert order(split) == list(range(36))


def test_the_shuffled_order_is_a_function_of_seed_and_epoch(tmp_path):
    write_directory(tmp_path, {"train": 36})

    def epoch(seed, number, skip=0):
        split = dataset.open_split(
            tmp_path, "train", batch_size=4, shuffle=True, seed=seed, shuffle_buffer=4
        )
        return order(split.batches(number, skip=skip))

    first = epoch(1, 0)
    assert sorted(first) == list(range(36))
    assert first != sorted(first)
    assert epoch(1, 0) == first
    assert epoch(1, 1) != first
    assert epoch(2, 0) != first
    assert epoch(1, 3, skip=5) == epoch(1, 3)[20:]
    far = {number for number in epoch(1, 0)[:12] if number >= 12}
    assert far, "file order is shuffled, not only the buffer"


def test_drop_remainder(tmp_path):
    write_directory(tmp_path, {"train": 8})
    split = dataset.open_split(tmp_path, "train", batch_size=3, drop_remainder=True)
    assert split.steps == 2
    assert [len(b["region"]) for b in split] == [3, 3]


def test_shards_read_their_own_files_and_stay_in_step(tmp_path):
    write_directory(tmp_path, {"train": 10, "test": 10})
    whole = dataset.open_split(tmp_path, "test", batch_size=2)
    parts = [order(whole.read_with(shard=(index, 3))) for index in range(3)]
    assert parts == [[0, 1, 2, 9], [3, 4, 5], [6, 7, 8]]
    train = dataset.open_split(tmp_path, "train", batch_size=1, shuffle=True, drop_remainder=True)
    for index in range(3):
        shard = train.read_with(shard=(index, 3))
        assert len(order(shard)) == shard.steps == 3
        assert set(order(shard)) <= set(parts[index])
    with pytest.raises(errors.DataError, match="4 record files, too few for 5 workers"):
        dataset.open_split(tmp_path, "train", batch_size=1, shard=(0, 5))


def test_several_splits_are_read_together(tmp_path):
    write_directory(tmp_path, {"fold0": 4, "fold1": 2, "fold10": 1})
    split = dataset.open_split(tmp_path, ("fold0", "fold1"), batch_size=10)
    assert split.records == 6
    assert order(split) == [0, 1, 2, 3, 0, 1]


@pytest.mark.parametrize("deterministic", [True, False])
def test_every_record_comes_once(tmp_path, deterministic):
    write_directory(tmp_path, {"train": 20})
    split = dataset.open_split(
        tmp_path, "train", batch_size=3, shuffle=True, deterministic=deterministic
    )
    assert sorted(order(split)) == list(range(20))


def test_missing_and_empty_splits(tmp_path):
    write_directory(tmp_path, {"train": 4, "valid": 0})
    with pytest.raises(errors.DataError, match=r"no record file test-\*.tfr; there are train"):
        dataset.open_split(tmp_path, "test", batch_size=1)
    tfrecord.write_records(tmp_path / "tfrecords" / "valid-0.tfr", [])
    with pytest.raises(errors.DataError, match='split "valid" is empty by its'):
        dataset.open_split(tmp_path, "valid", batch_size=1)
    tfrecord.write_records(tmp_path / "tfrecords" / "train-0.tfr", [])
    tfrecord.write_records(tmp_path / "tfrecords" / "train-1.tfr", [])
    with pytest.raises(errors.DataError, match="record files of split train are empty"):
        dataset.open_split(tmp_path, "train", batch_size=1)
    with pytest.raises(errors.DataError, match="no such data directory"):
        dataset.open_split(tmp_path / "absent", "train", batch_size=1)


def test_the_other_encoding_is_refused_at_opening(tmp_path):
    write_directory(tmp_path, {"train": 4}, one_hot=True)
    layout = statistics.read(tmp_path)
    statistics.write(
        tmp_path,
        statistics.Statistics(**{**vars(layout), "seq_1hot": True}),
    )
    with pytest.raises(errors.DataError, match=r"record 0: .*has 128 bytes, expected 32"):
        dataset.open_split(tmp_path, "train", batch_size=1)


def spoil(path, feature, value):
    """Rewrites the second record of a file."""
    serialised = list(tf.data.TFRecordDataset(str(path), "ZLIB").as_numpy_iterator())
    example = tf.train.Example.FromString(serialised[1])
    example.features.feature[feature].bytes_list.value[:] = [value]
    serialised[1] = example.SerializeToString()
    with tf.io.TFRecordWriter(str(path), "ZLIB") as writer:
        for record in serialised:
            writer.write(record)


@pytest.mark.parametrize(
    ("feature", "value", "reason"),
    [
        ("target", np.zeros(41, np.float16).tobytes(), '"target" has 82 bytes, expected 84'),
        ("target", np.full(42, np.nan, np.float16).tobytes(), r"target \d is nan at pixel"),
        ("target", np.full(42, np.inf, np.float16).tobytes(), r"target \d is inf at pixel"),
        ("sequence", b"\0" * 31, '"sequence" has 31 bytes'),
        ("mask", b"\xff" * 3, '"mask" has 3 bytes, expected 6'),
    ],
)
@pytest.mark.parametrize("shuffle", [False, True])
def test_a_bad_record_is_a_data_error_naming_it(tmp_path, feature, value, reason, shuffle):
    write_directory(tmp_path, {"train": 9})
    spoil(tmp_path / "tfrecords" / "train-1.tfr", feature, value)
    split = dataset.open_split(tmp_path, "train", batch_size=2, shuffle=shuffle)
    with pytest.raises(errors.DataError, match=f"train-1.tfr, record 1: .*{reason}"):
        list(split)


def test_a_masked_nan_is_no_error_and_reads_as_zero(tmp_path):
    write_directory(tmp_path, {"train": 3})
    path = tmp_path / "tfrecords" / "train-0.tfr"
    spoil(path, "target", np.full(42, np.nan, np.float16).tobytes())
    spoil(path, "mask", b"\0" * 6)
    (batch,) = dataset.open_split(tmp_path, "train", batch_size=3)
    assert not batch["mask"].numpy()[1].any()
    assert (batch["target"].numpy()[1] == 0).all()


def test_a_cut_file_is_named(tmp_path):
    write_directory(tmp_path, {"train": 9})
    path = tmp_path / "tfrecords" / "train-2.tfr"
    path.write_bytes(path.read_bytes()[:-40])
    split = dataset.open_split(tmp_path, "train", batch_size=2)
    with pytest.raises(errors.DataError, match=r"train-2.tfr: cut short"):
        list(split)
    path.unlink()
    with pytest.raises(errors.DataError, match=r"train-2.tfr: no such record file"):
        list(split)


def test_errors_in_a_callers_own_loop_are_explained(tmp_path):
    write_directory(tmp_path, {"train": 9})
    spoil(tmp_path / "tfrecords" / "train-1.tfr", "sequence", b"")
    split = dataset.open_split(tmp_path, "train", batch_size=2)
    with pytest.raises(errors.DataError, match=r"record 1"), split.explained():
        for _ in split.epoch(0):
            pass


def test_a_wrong_count_is_logged(tmp_path, caplog):
    write_directory(tmp_path, {"train": 9})
    (tmp_path / "tfrecords" / "train-2.tfr").unlink()
    list(dataset.open_split(tmp_path, "train", batch_size=2))
    assert "holds 6 records, but statistics.json says 9" in caplog.text


def test_it_reads_real_human_records(real_data):
    split = dataset.open_split(real_data / "hg38_tiny", "test", batch_size=4)
    first = next(iter(split))
    counts = first["sequence"].numpy()[0].sum(0)
    assert counts.tolist() == [38720, 26092, 26201, 40059]
    target = first["target"].numpy()[0].astype(np.float64)
    assert target.sum() == pytest.approx(4600.784, abs=1e-2)
    assert first["mask"].numpy().all()
    assert split.records == 10
    assert len(split.regions()) == 10
    assert str(split.regions()[0]).startswith("chr")


def test_a_real_akita_v2_window_is_written_and_read_back_identical(tmp_path, real_data):
    target = np.load(real_data / "hic" / "chr11_99928064_101238784_target.npy")[0]
    region = regions.Region("chr11", 0, 1310720)
    packed = real_data / "sequence" / "chr11_99928064_101238784.fa.gz"
    (tmp_path / "chr11.fa").write_bytes(gzip.decompress(packed.read_bytes()))
    with genome.Genome(tmp_path / "chr11.fa") as opened:
        record = tfrecord.Record(opened.index(region), target, None, region)
    layout = statistics.Statistics(
        seq_length=1310720,
        target_length=130305,
        num_targets=5,
        pool_width=2048,
        crop_bp=131072,
        diagonal_offset=2,
        seq_1hot=True,
        seqs={"test": 1},
    )
    statistics.write(tmp_path, layout)
    tfrecord.write_records(tmp_path / "tfrecords" / "test-0.tfr", [record])
    (batch,) = dataset.open_split(tmp_path, "test", batch_size=1)
    np.testing.assert_array_equal(batch["target"].numpy()[0].astype(np.float16), target)
    one_hot = batch["sequence"].numpy()[0]
    np.testing.assert_array_equal(dna.one_hot_to_index(one_hot), record.sequence)
    assert batch["region"].numpy().tolist() == [b"chr11:0-1310720"]
