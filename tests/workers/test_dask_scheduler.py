"""Parts by the workers of a Dask scheduler: the same results, also when a worker is killed."""

import functools
import os
import sys

import pytest

from akita_bayes import errors, workers
from akita_bayes.workers import dask_scheduler
from tests.workers import jobs


@pytest.fixture(scope="module")
def scheduler():
    """A scheduler with two workers, which restart when they are killed."""
    import distributed

    path = os.pathsep.join(sys.path)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = path
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=2, dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address
    os.environ.pop("PYTHONPATH")
    if before is not None:
        os.environ["PYTHONPATH"] = before


def test_results_come_in_order_and_the_dashboard_is_named(scheduler, tmp_path, caplog):
    cluster = workers.Cluster(scheduler=scheduler)
    setup = functools.partial(jobs.folder, tmp_path)
    with caplog.at_level("INFO"), workers.opened(cluster, setup) as processes:
        assert list(processes.map(jobs.square, range(8))) == [n * n for n in range(8)]
        assert list(processes.map(jobs.square, [9])) == [81]
    assert 1 <= len(list(tmp_path.glob("opened-*"))) <= 2  # once for each worker, not each thread
    assert [len(path.read_text("ascii").split()) for path in tmp_path.glob("part-*")] == [1] * 9
    assert "Dask: the dashboard is at http://" in caplog.text


def test_a_killed_worker_loses_and_doubles_nothing(scheduler, tmp_path):
    setup = functools.partial(jobs.folder, tmp_path)
    cluster = workers.Cluster(scheduler=scheduler)
    results = list(workers.map_parts(jobs.killed_once, range(6), cluster, setup=setup))
    assert results == [0, 1, 4, 9, 16, 25]
    assert (tmp_path / "killed").exists()
    assert len(list(tmp_path.glob("part-*"))) == 6


def test_errors_of_a_worker_are_raised_here(scheduler, tmp_path):
    setup = functools.partial(jobs.folder, tmp_path)
    with pytest.raises(errors.DataError, match=r"part 0: is refused; give another one\."):
        list(
            workers.map_parts(jobs.refused, [0], workers.Cluster(scheduler=scheduler), setup=setup)
        )


def test_workers_of_another_version_are_refused():
    with pytest.raises(errors.RunError, match=r"have version .* but this command has 0\.0"):
        dask_scheduler.compute("0.0", "token", b"", b"")


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr(dask_scheduler, "_SECONDS", 1)
    cluster = workers.Cluster(scheduler="tcp://127.0.0.1:1")
    with pytest.raises(errors.RunError, match=r"^--scheduler tcp://127\.0\.0\.1:1: no Dask sched"):
        list(workers.map_parts(jobs.square_alone, [1], cluster))


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    cluster = workers.Cluster(scheduler="tcp://127.0.0.1:1")
    with pytest.raises(errors.RunError, match=r"pip install 'akita_bayes\[dask\]'"):
        list(workers.map_parts(jobs.square_alone, [1], cluster))
