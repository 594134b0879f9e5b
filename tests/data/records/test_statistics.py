import json

import pytest

from akita_bayes import errors
from akita_bayes.data.records import statistics

GOOD = {
    "seq_length": 1048576,
    "target_length": 99681,
    "num_targets": 5,
    "pool_width": 2048,
    "crop_bp": 65536,
    "diagonal_offset": 2,
    "seq_1hot": True,
    "seq_depth": 4,
    "train_seqs": 7,
    "fold10_seqs": 2,
}


def write(folder, **changes):
    content = {**GOOD, **changes}
    content = {key: value for key, value in content.items() if value is not None}
    (folder / "statistics.json").write_text(json.dumps(content))
    return folder


def test_akita_v1_statistics(tmp_path):
    layout = statistics.read(write(tmp_path))
    assert layout.bins == 448
    assert layout.sequence_bytes == 1048576
    assert layout.seqs == {"train": 7, "fold10": 2}
    statistics.write(tmp_path, layout)
    assert json.loads((tmp_path / "statistics.json").read_text()) == GOOD


def test_one_target_is_enough(tmp_path):
    assert statistics.read(write(tmp_path, num_targets=1)).num_targets == 1


def test_absent_seq_1hot_means_one_hot(tmp_path):
    layout = statistics.read(write(tmp_path, seq_1hot=None, diagonal_offset=None))
    assert layout.sequence_bytes == 4 * 1048576
    assert layout.diagonal_offset is None
    assert "diagonal_offset" not in layout.to_json()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"target_length": 99680}, "448 bins with diagonal_offset 2 have 99681 pixels"),
        ({"target_length": None}, '"target_length" is missing'),
        ({"num_targets": 0}, '"num_targets" is 0'),
        ({"seq_length": "long"}, "\"seq_length\" is 'long'; expected a whole number"),
        ({"seq_length": 10.5}, '"seq_length" is 10.5'),
        ({"train_seqs": -1}, '"train_seqs" is -1'),
        ({"crop_bp": 524288}, "leaves 0 bins"),
        ({"crop_bp": 522240}, "leaves 2 bins, too few for diagonal_offset 2"),
        ({"seq_1hot": "yes"}, "\"seq_1hot\" is 'yes'"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, changes, reason):
    with pytest.raises(errors.DataError, match=reason):
        statistics.read(write(tmp_path, **changes))


def test_files_that_are_no_statistics(tmp_path):
    with pytest.raises(errors.DataError, match="no such file"):
        statistics.read(tmp_path)
    (tmp_path / "statistics.json").write_text("[1]")
    with pytest.raises(errors.DataError, match="expected an object"):
        statistics.read(tmp_path)


def test_real_human_statistics(real_data):
    layout = statistics.read(real_data / "hg38_tiny")
    assert layout.bins == layout.target_length == 2048
    assert layout.seqs == {"train": 45, "valid": 10, "test": 10}


@pytest.mark.parametrize(
    ("split", "is_pattern"),
    [
        ("train", False),
        ("fold 0-A.b", False),
        ("fold[01]", True),
        ("t?st", True),
        ("fold*", True),
        ("train-0.tfr", True),
    ],
)
def test_patterns_of_record_files(split, is_pattern):
    assert statistics.is_pattern(split) == is_pattern
