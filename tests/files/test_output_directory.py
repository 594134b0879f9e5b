"""One writer at a time, results of one kind, and of one set of inputs."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from akita_bayes import errors, files
from akita_bayes.files import directory_lock, output_directory, processes
from tests import unprivileged

HOLDS = """
import sys, time
from akita_bayes import files
from akita_bayes.files import output_directory
with output_directory.claim(sys.argv[1], kind="report", share=sys.argv[2]) as claim:
    with files.atomic(claim.path / "table.tsv") as temporary:
        temporary.write_text("half")
        print("ready", flush=True)
        time.sleep(600)
"""
RACES = """
import sys, time
from akita_bayes import errors
from akita_bayes.files import output_directory
try:
    with output_directory.claim(sys.argv[1], kind="report") as claim:
        (claim.path / sys.argv[2]).write_text("mine")
        time.sleep(1)
except errors.RunError as error:
    print(error)
    sys.exit(2)
"""


def entries(folder):
    return sorted(path.name for path in folder.iterdir())


def start(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@contextlib.contextmanager
def another_writer(folder, share=""):
    """A process that holds the directory, ready; it is killed in the end."""
    process = start(HOLDS, folder, share)
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def claimed(folder, **options):
    options = {"kind": "report"} | options
    with output_directory.claim(folder, **options) as claim:
        return claim


def foreign_lock(folder, **changes):
    holder = {**processes.own()._asdict(), "command": "akita_scd.py", "since": ""} | changes
    (folder / directory_lock.NAME).write_text(json.dumps(holder))


def test_of_writers_that_start_at_once_one_writes(tmp_path):
    writers = [start(RACES, tmp_path / "deep" / "out", number) for number in range(4)]
    answers = [writer.communicate()[0] for writer in writers]
    assert sorted(writer.returncode for writer in writers) == [0, 2, 2, 2]
    assert (
        sum("writes to it for 0 min; wait for it, or choose another -o." in a for a in answers) == 3
    )
    assert len(entries(tmp_path / "deep" / "out")) == 1


def test_the_lock_names_its_process_and_goes_with_it(tmp_path):
    def stopped():
        with output_directory.claim(tmp_path, kind="report"):
            holder = json.loads((tmp_path / ".lock").read_text())
            assert holder["pid"] == os.getpid()
            with pytest.raises(errors.RunError, match=rf"process {os.getpid()}, writes to it"):
                claimed(tmp_path)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert entries(tmp_path) == []


def test_a_killed_writer_leaves_nothing_to_the_next(tmp_path, caplog):
    with another_writer(tmp_path) as writer:
        with pytest.raises(errors.RunError, match="writes to it"):
            claimed(tmp_path)
        assert len(entries(tmp_path)) == 2
        (tmp_path / "parts").mkdir()
        (half,) = tmp_path.glob("*.partial.*")
        os.link(half, tmp_path / "parts" / half.name)
        claimed(tmp_path / "parts")
        assert entries(tmp_path / "parts") == [half.name]  # its writer lives
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        claimed(tmp_path)
    assert f"process {writer.pid}" in caplog.text
    assert "has ended without finishing; its lock is removed." in caplog.text
    assert [path.name for path in tmp_path.rglob("*")] == ["parts"]


def test_temporaries_of_other_hosts_and_versions_stay_for_a_day(tmp_path):
    code_elsewhere = processes.own()._replace(host="elsewhere").code() + "00000000"
    halves = [
        tmp_path / f".{code}.partial.table.tsv" for code in (code_elsewhere, "0123456789abcdef")
    ]
    for half in halves:
        half.write_text("half")
    (tmp_path / ".config.partial.txt").write_text("of the user")
    claimed(tmp_path)
    assert all(half.exists() for half in halves)
    day_before = time.time() - 90_000
    for half in halves:
        os.utime(half, (day_before, day_before))
    claimed(tmp_path)
    assert entries(tmp_path) == [".config.partial.txt"]


def test_a_folder_that_was_never_renamed_is_removed(tmp_path):
    dead = processes.own()._replace(started="earlier").code() + "00000000"
    (tmp_path / f".{dead}.partial.out").mkdir()
    (tmp_path / f".{dead}.partial.other").mkdir()
    claimed(tmp_path / "out")
    assert entries(tmp_path) == [f".{dead}.partial.other"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"host": "node7 pid:[1]"}, r'"akita_scd.py" on node7, process \d+, writes to it;'),
        (
            {"host": "node7 pid:[1]", "since": "2026-01-01T00:00:00+00:00"},
            r"writes to it for \d+ h \d+ min; wait for it, or remove .*/\.lock if it has ended\.",
        ),
    ],
)
def test_a_lock_of_another_host_is_refused(tmp_path, changes, message):
    foreign_lock(tmp_path, **changes)
    with pytest.raises(errors.RunError, match=message):
        claimed(tmp_path)
    assert entries(tmp_path) == [".lock"]


def test_a_number_that_is_used_again_is_another_process(tmp_path, caplog):
    foreign_lock(tmp_path, started="before the system started")
    claimed(tmp_path)
    assert "its lock is removed" in caplog.text


def test_a_process_that_the_host_hides_may_run(tmp_path, monkeypatch):
    def refuse(pid, signal):
        raise PermissionError

    holder = processes.own()
    half = tmp_path / f".{holder.code()}00000000.partial.table.tsv"
    half.touch()
    foreign_lock(tmp_path, pid=holder.pid)
    monkeypatch.setattr(processes, "start_time", lambda pid: None)
    monkeypatch.setattr(os, "kill", refuse)
    assert holder.is_alive()
    assert not processes.is_orphan(half, holder.code())
    with pytest.raises(errors.RunError, match="writes to it"):
        claimed(tmp_path)


def test_a_lock_without_a_process_is_refused(tmp_path):
    (tmp_path / ".lock").touch()
    with pytest.raises(
        errors.RunError, match=r"locked by .*\.lock, which names no process; remove"
    ):
        claimed(tmp_path)


def test_shares_write_at_once_and_nobody_else(tmp_path, caplog):
    with another_writer(tmp_path, "1-of-2") as writer:
        claimed(tmp_path, share="2-of-2")
        for share in ("1-of-2", ""):
            with pytest.raises(errors.RunError, match=f"process {writer.pid}, writes to it"):
                claimed(tmp_path, share=share)
        assert ".lock" not in entries(tmp_path)
    claimed(tmp_path)
    assert entries(tmp_path) == []
    with another_writer(tmp_path), pytest.raises(errors.RunError, match="writes to it"):
        claimed(tmp_path, share="2-of-2")


def test_a_directory_that_stays_empty_is_removed(tmp_path):
    claimed(tmp_path / "deep" / "out")
    assert entries(tmp_path) == []
    with output_directory.claim(tmp_path / "out", kind="report") as claim:
        (claim.path / "table.tsv").touch()
    assert entries(tmp_path / "out") == ["table.tsv"]


def test_a_read_only_directory_is_one_sentence(tmp_path):
    tmp_path.chmod(0o555)
    try:
        for folder in (tmp_path, tmp_path / "new"):
            finished = unprivileged.run([sys.executable, "-c", RACES, str(folder), "x"])
            assert (finished.returncode, finished.stderr) == (2, "")
            sentence = "cannot be written (Permission denied); choose another -o, or change its"
            assert finished.stdout == f"{folder}: {sentence} permissions.\n"
    finally:
        tmp_path.chmod(0o755)


@pytest.mark.parametrize(
    ("mark", "content"),
    [
        ("model_best.keras", "a model"),
        ("saved_model.pb", "an exported model"),
        ("statistics.json", "training data"),
        ("simulation.json", "a simulation"),
        ("scd.h5", "scores"),
        ("sat.h5", "scans"),
        ("theta.tsv", "a fit"),
        ("truth.json", "a simulated assay"),
    ],
)
def test_results_of_another_kind_are_refused(tmp_path, mark, content):
    (tmp_path / mark).touch()
    for kind in ("report", "posterior"):
        with pytest.raises(errors.RunError) as refusal:
            claimed(tmp_path, kind=kind)
        assert str(refusal.value) == f"{tmp_path}: holds {content}; choose another -o."
    assert entries(tmp_path) == [mark]


def test_other_files_may_stand_in_the_directory_or_not(tmp_path):
    claimed(tmp_path, kind="run", content="new")
    (tmp_path / "notes.txt").touch()
    claimed(tmp_path, kind="run")
    for content, message in (
        ("own", "not empty, and does not hold a model; choose another -o."),
        ("new", "not empty; choose another -o or remove it."),
    ):
        with pytest.raises(errors.RunError, match=message):
            claimed(tmp_path, kind="run", content=content)
    (tmp_path / "checkpoint").mkdir()
    claimed(tmp_path, kind="run", content="own")


INPUTS = {
    "genome_digest": "a" * 64,
    "options": {"draws": 4, "rc": False, "scores": ["SCD"]},
    "region": None,
}


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"genome_digest": "b" * 64}, "genome"),
        ({"region": "chr1:1-5"}, "region none and chr1:1-5"),
        (
            {"genome_digest": "b" * 64, "options": {**INPUTS["options"], "draws": 8}},
            "genome, options: draws 4 and 8",
        ),
        (
            {"options": {"draws": 4, "rc": True, "scores": ("SCD", "MSE")}},
            "options: rc False and True, scores SCD and SCD,MSE",
        ),
    ],
)
def test_other_inputs_are_named(tmp_path, changes, difference):
    with output_directory.claim(tmp_path, kind="scores", identity=INPUTS, notes={"rows": 3}):
        (tmp_path / "scd.h5").touch()
    again = claimed(tmp_path, kind="scores", identity=INPUTS, notes={"rows": 9})
    assert again.notes == {"rows": 3}
    before = (tmp_path / "inputs.json").read_bytes()
    with pytest.raises(errors.RunError) as refusal:
        claimed(tmp_path, kind="scores", identity=INPUTS | changes)
    assert str(refusal.value) == (
        f"{tmp_path}: holds scores of other inputs ({difference}); choose another -o or remove it."
    )
    assert (tmp_path / "inputs.json").read_bytes() == before
    with pytest.raises(errors.RunError, match="holds scores; choose another -o"):
        claimed(tmp_path, kind="scan", identity=INPUTS)


def test_results_without_a_record_are_refused(tmp_path):
    (tmp_path / "scd.h5").touch()
    with pytest.raises(errors.RunError, match="holds scores of unknown inputs; choose another"):
        claimed(tmp_path, kind="scores", identity=INPUTS)


def test_a_run_without_results_binds_nobody_unless_it_runs(tmp_path):
    claimed(tmp_path, kind="scores", identity=INPUTS)
    changed = INPUTS | {"region": "chr1:1-5"}
    claimed(tmp_path, kind="scores", identity=changed)
    assert files.read_json(tmp_path / "inputs.json")["of"] == changed
    with (
        output_directory.claim(tmp_path, kind="scores", identity=changed, share="1-of-2"),
        pytest.raises(errors.RunError, match="region chr1:1-5 and none"),
    ):
        claimed(tmp_path, kind="scores", identity=INPUTS, share="2-of-2")


@pytest.mark.parametrize(
    "text", ['{"workflow.bed": "a.bed"}', "[1]", "not JSON", '{"of": {}, "kind": "x"}']
)
def test_inputs_of_another_program_stay(tmp_path, text):
    (tmp_path / "inputs.json").write_text(text)
    claimed(tmp_path, kind="report")
    with pytest.raises(errors.RunError, match=r"inputs\.json: is of another program; choose"):
        claimed(tmp_path, kind="scores", identity=INPUTS)
    assert (tmp_path / "inputs.json").read_text() == text
