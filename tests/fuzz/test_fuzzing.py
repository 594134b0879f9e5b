"""The harness goes on after a crash and after a file without an end, and counts both."""

import pytest

from akita_bayes import dna
from tests.fuzz import bad_doors, fuzzing
from tests.fuzz.doors import Door

TRACE = """Current thread 0x00007f (most recent call first):
  File "/venv/lib/python3.11/threading.py", line 331 in wait

Thread 0x00008f (most recent call first):
  File "{}", line 56 in __getitem__
  File "/home/akita_bayes/akita_bayes/variants/scores/score_table.py", line 88 in load
  File "/home/tests/fuzz/fuzzing.py", line 60 in attempt
"""
LOST = """
import multiprocessing, sys
from tests.fuzz.bad_doors import DOORS
if multiprocessing.parent_process() is not None:
    sys.exit(7)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "words.txt").write_text(bad_doors.WORDS)
    return tmp_path


def apart(door, folder):
    # Seeds 0, 5 and 10 cut the file short, the others do not.
    result = fuzzing.fuzz_apart(door, folder, 12, module=bad_doors.__name__, longest=2)
    assert (folder / "words.txt").read_text() == bad_doors.WORDS
    assert result.outcomes.total() == 12
    return result


def test_a_file_that_keeps_a_library_busy_is_counted_and_is_no_defect(folder):
    outcomes, defects, busy = apart("busy", folder)
    assert (outcomes["read"], defects, busy) == (9, 0, 3)
    unexpected = sorted(set(outcomes) - {"read"})
    assert [text.rpartition("seed ")[2] for text in unexpected] == ["0", "10", "5"]
    assert all(text.startswith("no end within 2 s in fuzz/bad_doors.py:") for text in unexpected)


def test_a_file_and_its_index_are_left_as_they_were(tmp_path):
    path, index = tmp_path / "genome.fa", tmp_path / "genome.fa.fai"
    path.write_text(">chr1\nACGT\n")
    index.write_text("of the file")
    outcomes = fuzzing.fuzz(Door("genome.fa", lambda path: None), tmp_path, range(7))
    assert outcomes == {"read": 7}
    assert (path.read_text(), index.read_text()) == (">chr1\nACGT\n", "of the file")
    index.unlink()
    fuzzing.fuzz(Door("genome.fa", lambda _: index.write_text("new")), tmp_path, range(7))
    assert not index.exists()


@pytest.mark.parametrize(
    ("door", "start"),
    [("crash", "crash (-11) in fuzz/bad_doors.py:"), ("raise", "KeyError in a library")],
)
def test_crashes_and_unexpected_errors_are_defects(folder, door, start):
    outcomes, defects, busy = apart(door, folder)
    assert (outcomes["read"], defects, busy) == (9, 3, 0)
    assert all(text.startswith(start) for text in set(outcomes) - {"read"})


def test_a_process_that_ends_before_its_first_file_is_a_defect(folder, monkeypatch):
    (folder / "lost_doors.py").write_text(LOST)
    (folder / "seed").write_text("7")  # of another run
    monkeypatch.syspath_prepend(folder)
    outcomes, defects, _ = fuzzing.fuzz_apart("raise", folder, 12, module="lost_doors")
    assert dict(outcomes) == {"no process could be started (7)": 1}
    assert defects == 1


@pytest.mark.parametrize(
    ("filename", "culprit"),
    [
        ("/venv/site-packages/h5py/_hl/attrs.py", "_hl/attrs.py:56"),
        (dna.__file__, "akita_bayes/dna.py:56"),
    ],
)
def test_the_innermost_frame_of_the_reading_thread_is_named(filename, culprit):
    assert fuzzing._culprit(TRACE.format(filename)) == culprit
