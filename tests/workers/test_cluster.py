"""Parts in workers: order, state, deaths of workers and of the parent, and messages."""

import functools
import os
import signal
import subprocess
import sys
import time

import pytest

from akita_bayes import errors, workers
from tests.workers import jobs

TWO = workers.Cluster(workers=2)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"


def wait_until(condition, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("cluster", [workers.HERE, TWO])
def test_results_come_in_order_and_state_once_per_worker(tmp_path, cluster):
    setup = functools.partial(jobs.folder, tmp_path)
    results = list(workers.map_parts(jobs.square, range(6), cluster, setup=setup))
    assert results == [0, 1, 4, 9, 16, 25]
    assert len(list(tmp_path.glob("opened-*"))) == len(list(tmp_path.glob("closed-*")))
    assert len(list(tmp_path.glob("opened-*"))) == cluster.workers
    computed = [path.read_text("ascii").split() for path in tmp_path.glob("part-*")]
    assert [len(pids) for pids in computed] == [1] * 6
    assert ([str(os.getpid())] in computed) is cluster.is_here


def test_there_may_be_no_part_and_no_state():
    assert list(workers.map_parts(jobs.square_alone, [], TWO)) == []
    assert list(workers.map_parts(jobs.square_alone, [3], TWO)) == [9]


def test_a_killed_worker_loses_and_doubles_nothing(tmp_path, caplog):
    setup = functools.partial(jobs.folder, tmp_path)
    results = list(workers.map_parts(jobs.killed_once, range(6), TWO, setup=setup))
    assert results == [0, 1, 4, 9, 16, 25]
    assert [len(path.read_text("ascii").split()) for path in tmp_path.glob("part-*")] == [1] * 6
    dead = (tmp_path / "killed").read_text("ascii")
    assert f"worker process {dead} was killed by SIGKILL during part 3 of 6" in caplog.text
    assert len(list(tmp_path.glob("opened-*"))) == 3


def test_workers_keep_their_state_from_one_map_to_the_next(tmp_path):
    with workers.opened(TWO, functools.partial(jobs.folder, tmp_path)) as processes:
        assert list(processes.map(jobs.square, range(4))) == [0, 1, 4, 9]
        assert list(processes.map(jobs.square, [5, 6])) == [25, 36]
    assert len(list(tmp_path.glob("opened-*"))) == len(list(tmp_path.glob("closed-*"))) == 2


def test_a_part_that_kills_its_workers_is_named(tmp_path):
    setup = functools.partial(jobs.folder, tmp_path)
    with pytest.raises(errors.RunError, match=r"^part 2 of 3: .* SIGKILL, for the 3\. time, .*-wo"):
        list(workers.map_parts(jobs.killed_always, range(3), TWO, setup=setup))


def test_an_error_of_a_worker_is_raised_here(tmp_path):
    setup = functools.partial(jobs.folder, tmp_path)
    with pytest.raises(errors.DataError, match=r"part 0: is refused; give another one\.") as caught:
        list(workers.map_parts(jobs.refused, [0], TWO, setup=setup))
    assert "jobs.py" in caught.value.__notes__[0]
    missing = functools.partial(jobs.folder, tmp_path / "missing")
    with pytest.raises(FileNotFoundError):
        list(workers.map_parts(jobs.square, range(3), TWO, setup=missing))


def test_workers_say_the_same_once(tmp_path, caplog):
    setup = functools.partial(jobs.folder, tmp_path)
    assert list(workers.map_parts(jobs.warned, range(4), TWO, setup=setup)) == [0, 1, 2, 3]
    assert [record.getMessage() for record in caplog.records] == ["The model has few draws."]


def test_workers_hold_no_input_or_output(tmp_path):
    setup = functools.partial(jobs.folder, tmp_path)
    results = list(workers.map_parts(jobs.printed, range(2), TWO, setup=setup))
    assert results == [(os.devnull, os.devnull)] * 2


def test_workers_end_when_their_parent_is_killed(tmp_path):
    program = (
        "import functools, pathlib; from akita_bayes import workers; "
        "from tests.workers import jobs; "
        f"setup = functools.partial(jobs.folder, pathlib.Path({str(tmp_path)!r})); "
        "list(workers.map_parts(jobs.slow, range(2), workers.Cluster(2), setup=setup))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ) as parent:
        assert wait_until(lambda: len(list(tmp_path.glob("slow-*"))) == 2)
        parent.send_signal(signal.SIGKILL)
    pids = [int(path.name.partition("-")[2]) for path in tmp_path.glob("slow-*")]
    assert wait_until(lambda: not any(map(is_running, pids)))


def test_workers_end_when_the_results_are_no_longer_read(tmp_path):
    setup = functools.partial(jobs.folder, tmp_path)
    results = workers.map_parts(jobs.square, range(60), TWO, setup=setup)
    assert next(results) == 0
    results.close()
    pids = [int(path.name.partition("-")[2]) for path in tmp_path.glob("opened-*")]
    assert pids
    assert not any(map(is_running, pids))
    assert len(list(tmp_path.glob("part-*"))) < 60


def test_workers_share_processors_and_devices(monkeypatch):
    from akita_bayes.workers import local_processes

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    variables = local_processes.environment(3, 4)
    assert variables["TF_NUM_INTRAOP_THREADS"] == variables["OMP_NUM_THREADS"] == "2"
    assert variables["CUDA_VISIBLE_DEVICES"] == "7"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4")
    assert "CUDA_VISIBLE_DEVICES" not in local_processes.environment(3, 4)
