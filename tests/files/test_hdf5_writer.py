import contextlib
import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from akita_bayes import errors, files
from akita_bayes.files import hdf5_writer
from tests.full_disk import disk_of

VALUES = np.random.default_rng(0).random((40, 500), dtype=np.float32)


def write(path, values=VALUES, *, track_order=None):
    with hdf5_writer.create(path, track_order=track_order) as file:
        data = file.create_dataset("rows", (0, 500), maxshape=(None, 500), chunks=(1, 500))
        for row in values:
            data.resize(len(data) + 1, axis=0)
            data[-1] = row
        file["text"] = ["a", "bc"]
        file.attrs["name"] = "x" * 1000


def test_files_equal_those_of_h5py(tmp_path):
    write(tmp_path / "a.h5", track_order=True)
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["rows"][:], VALUES)
        assert file["text"].asstr()[:].tolist() == ["a", "bc"]
        assert file.attrs["name"] == "x" * 1000


def test_full_disk_raises_the_error_of_the_system_at_any_size(tmp_path):
    path = tmp_path / "a.h5"
    write(path)
    size, before = path.stat().st_size, path.read_bytes()
    for room in [0, 1, 100, *range(1000, size, size // 40), size - 1]:
        with disk_of(room), pytest.raises(OSError, match="File too large") as full:
            write(path)
        assert full.value.filename.endswith(".partial.a.h5")
        assert path.read_bytes() == before
        assert os.listdir(tmp_path) == ["a.h5"]


def write_rows(path, rows):
    with hdf5_writer.create(path) as file:
        for row in range(10_000):
            file[str(row)] = VALUES
            file.check()
            rows.append(row)


def test_check_stops_a_long_file_early(tmp_path):
    rows = []
    with disk_of(200_000), pytest.raises(OSError, match="File too large"):
        write_rows(tmp_path / "a.h5", rows)
    assert rows == [0, 1]


def test_error_of_the_body_leaves_no_file(tmp_path):
    with pytest.raises(KeyError, match="x"), hdf5_writer.create(tmp_path / "a.h5"):
        raise KeyError("x")
    assert not os.listdir(tmp_path)


def _write_by_name(path, size):
    with h5py.File(path, "w") as file:
        for index in range(size):
            file[str(index)] = VALUES


def _talk(path):
    path.write_bytes(b"x")
    print("a library that prints", flush=True)
    os.write(sys.stdout.fileno(), b"\x80 and one that writes")
    sys.stdout.close()


def _refuse(path):
    raise ValueError(f"{path} is refused")


def _crash(path):
    path.write_bytes(b"x")
    os.kill(os.getpid(), signal.SIGSEGV)


def test_library_that_opens_files_by_name_cannot_end_this_process(tmp_path):
    path = tmp_path / "a.h5"
    hdf5_writer.run_apart(path, _write_by_name, 2)
    with h5py.File(path) as file:
        assert list(file) == ["0", "1"]
    with disk_of(10_000), pytest.raises(OSError, match="File too large"):
        hdf5_writer.run_apart(path, _write_by_name, 20)
    hdf5_writer.run_apart(path, _talk)
    assert path.read_bytes() == b"x"
    with pytest.raises(ValueError, match="is refused"):
        hdf5_writer.run_apart(path, _refuse)
    with pytest.raises(ChildProcessError, match="ended early"):
        hdf5_writer.run_apart(path, _crash)


def _kill(path):
    path.write_bytes(b"x")
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_writer_is_named_in_a_sentence(tmp_path):
    message = r"^[^ ]*/a\.h5: the process that writes it was killed, as Linux does when memory"
    with pytest.raises(errors.RunError, match=message), files.atomic(tmp_path / "a.h5") as path:
        hdf5_writer.run_apart(path, _kill)
    assert not os.listdir(tmp_path)


def _interrupt_and_wait(path, number):
    path.write_text(str(os.getpid()))
    os.kill(number, signal.SIGINT)
    time.sleep(600)


def _has_ended(number):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return True
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{number}/stat") as file:
            if file.read().rpartition(")")[2].split()[0] == "Z":
                return True
        time.sleep(0.05)
    return False


@pytest.fixture
def interruptible():
    """A shell without job control starts tests in the background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_ends_the_writer_at_once(tmp_path):
    path = tmp_path / "writer"
    with pytest.raises(KeyboardInterrupt):
        hdf5_writer.run_apart(path, _interrupt_and_wait, os.getpid())
    with pytest.raises(ProcessLookupError):
        os.kill(int(path.read_text()), 0)


_WRITES = (
    "import os, pathlib, sys\n"
    "from akita_bayes.files import hdf5_writer\n"
    "from tests.files import test_hdf5_writer as tests\n"
    "hdf5_writer.run_apart(pathlib.Path(sys.argv[1]), tests._wait_for_the_end, os.getpid())\n"
)


def _wait_for_the_end(path, number):
    path.write_text(str(os.getpid()))
    os.kill(number, signal.SIGKILL)
    time.sleep(600)


def test_a_writer_ends_when_the_process_that_asks_is_killed(tmp_path):
    path = tmp_path / "writer"
    process = subprocess.run([sys.executable, "-c", _WRITES, str(path)], check=False)
    assert process.returncode == -signal.SIGKILL
    assert _has_ended(int(path.read_text()))
