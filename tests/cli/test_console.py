"""What commands share: every error that a user can mend is one line and exit 2."""

import argparse
import errno
import json
import os

import pytest
import tensorflow as tf

from akita_bayes.cli import console


def onto_a_file(folder):
    (folder / "out").write_text("years of work")
    (folder / "out").mkdir(exist_ok=True)


def into_a_file(folder):
    (folder / "out").write_text("years of work")
    (folder / "out" / "deeper").mkdir(parents=True)


def onto_a_directory(folder):
    (folder / "out").mkdir()
    (folder / "table").write_text("new")
    os.replace(folder / "table", folder / "out")


def absent(folder):
    (folder / "out").read_text()


def full_disk(folder):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "out"))


def full_disk_in_hdf5(folder):
    raise OSError("Can't write data (file write failed: errno = 28, error message = 'No space')")


def full_disk_in_tensorflow(folder):
    raise tf.errors.ResourceExhaustedError(None, None, "out/variables; No space left on device")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (onto_a_file, "out: a file is where a directory is needed; choose another name."),
        (into_a_file, "out/deeper: a file is where a directory is needed; choose another name."),
        (onto_a_directory, "out: a directory is where a file is needed; choose another name."),
        (absent, "out: no such file or directory."),
        (full_disk, "the disk is full while writing {folder}/out; free some space and run again."),
        (full_disk_in_hdf5, "the disk is full; free some space and run again."),
        (full_disk_in_tensorflow, "the disk is full; free some space and run again."),
    ],
)
def test_what_a_user_can_mend_is_one_line(tmp_path, capsys, command, message):
    assert console.run(lambda: command(tmp_path)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert line.endswith(message.format(folder=tmp_path))


@pytest.mark.parametrize(
    "defect",
    [
        ValueError("a defect"),
        OSError(errno.EIO, "input/output error"),
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
        json.JSONDecodeError("No space left on device", "", 0),
    ],
)
def test_anything_else_keeps_its_traceback(defect):
    def command():
        raise defect

    with pytest.raises(type(defect)):
        console.run(command)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (console.whole_number, {"0": 0, "12": 12}, ["-1", "1.5", "", "many"]),
        (console.positive_integer, {"1": 1, "128": 128}, ["0", "-1", "1.5", ""]),
        (console.positive_number, {"0.25": 0.25, "1e6": 1e6}, ["0", "-0.5", "nan", "inf", "two"]),
    ],
)
def test_numbers_from_the_command_line(kind, right, wrong):
    assert {text: kind(text) for text in right} == right
    for text in wrong:
        with pytest.raises(argparse.ArgumentTypeError, match="is not a"):
            kind(text)
