import hashlib
import math
import os

import pytest

from akita_bayes import errors, files


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write_half(path, *, directory=False):
    with files.atomic(path, directory=directory) as temporary:
        (temporary / "half" if directory else temporary).write_text("half")
        raise RuntimeError


def test_a_finished_body_gives_the_file_its_name(tmp_path):
    path = tmp_path / "deep" / "table.tsv.gz"
    with files.atomic(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.name.endswith("table.tsv.gz")
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert names(path.parent) == ["table.tsv.gz"]


def test_a_failing_body_leaves_the_older_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.tsv"
    path.write_text("old")
    with pytest.raises(RuntimeError):
        write_half(path)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["table.tsv"]


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    (path / "old").write_text("old")
    with pytest.raises(RuntimeError):
        write_half(path, directory=True)
    assert names(path) == ["old"]
    with files.atomic(path, directory=True) as temporary:
        (temporary / "new").write_text("new")
    assert names(path) == ["new"]
    assert names(tmp_path) == ["run"]


def test_an_older_folder_outlives_a_rename_that_fails(tmp_path, monkeypatch):
    path, rename = tmp_path / "run", os.replace
    path.mkdir()
    (path / "old").write_text("old")
    failures = [OSError("disk full")]

    def once(source, target):
        if target == path and failures:
            raise failures.pop()
        rename(source, target)

    monkeypatch.setattr(os, "replace", once)
    with pytest.raises(OSError, match="disk full"), files.atomic(path, directory=True) as temporary:
        (temporary / "new").write_text("new")
    assert (path / "old").read_text() == "old"
    assert names(tmp_path) == ["run"]


@pytest.mark.parametrize("directory", [False, True])
def test_writers_of_one_process_number_do_not_meet(tmp_path, directory):
    path = tmp_path / "null.h5"
    with files.atomic(path, directory=directory) as first:
        (first / "text" if directory else first).write_text("one")
        with files.atomic(path, directory=directory) as second:
            (second / "text" if directory else second).write_text("other")
        assert {first.match(".*.partial.*"), second.match(".*.partial.*")} == {True}
    assert (path / "text" if directory else path).read_text() == "one"
    assert names(tmp_path) == ["null.h5"]


def test_json_is_read_as_written_and_has_no_nan(tmp_path):
    path = tmp_path / "metrics.json"
    value = {"r": [0.1, None], "name": "µ"}
    files.write_json(path, value)
    assert files.read_json(path) == value
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(path, {"r": math.nan})
    assert files.read_json(path) == value


def test_json_errors_name_file_and_place(tmp_path):
    path = tmp_path / "params.json"
    with pytest.raises(errors.DataError, match=rf"^{path}: no such file"):
        files.read_json(path)
    path.write_text('{\n "a": 1,\n}')
    with pytest.raises(
        errors.DataError, match=rf"^{path}: not valid JSON at line [23], column \d:"
    ):
        files.read_json(path)
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(errors.DataError, match=rf"^{path}: not valid JSON: it is not a text file"):
        files.read_json(path)


def test_json_with_a_key_given_twice_or_an_endless_number_is_refused(tmp_path):
    path = tmp_path / "params.json"
    path.write_text('{"a": [{"b": 1}, {"b": 1, "c": {}, "b": 2}]}')
    with pytest.raises(errors.DataError, match=rf"^{path}: a\[1\]\.b: is given twice; keep one\.$"):
        files.read_json(path)
    path.write_text(f'{{"a": {"9" * 5000}}}')
    with pytest.raises(errors.DataError, match=rf"^{path}: not valid JSON: .*4300 digits"):
        files.read_json(path)


def test_a_path_in_json_names_keys_and_indices():
    assert files.json_path(["model", "trunk", 2, "filters"]) == "model.trunk[2].filters"
    assert files.json_path([1, "a"], "x") == "x[1].a"
    assert files.json_path([]) == ""


def test_digest_is_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"ACGT")
    assert files.digest(tmp_path / "x") == hashlib.sha256(b"ACGT").hexdigest()


def test_remove_takes_files_folders_and_absence(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for name in ("link", "folder", "absent"):
        files.remove(tmp_path / name)
        if name == "link":
            assert (tmp_path / "folder" / "file").exists()
    assert names(tmp_path) == []


def test_json_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "x.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert files.read_json(tmp_path / "x.json") == {"a": 1}
