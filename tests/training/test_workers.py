"""Machines, played by processes, reach the weights and the history of one."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from akita_bayes.models import zoo
from akita_bayes.training import fit
from akita_bayes.training.run_files import checkpoint
from tests import tiny

TRAINER = Path(__file__).with_name("trainer.py")


def free_port():
    with socket.socket() as endpoint:
        endpoint.bind(("localhost", 0))
        return endpoint.getsockname()[1]


def spec_json(**train):
    raw = tiny.spec_json(
        optimizer="sgd",
        learning_rate=0.05,
        momentum=0.9,
        clip_norm=0.05,
        batch_size=6,
        model={"augment_shift": 0},
        **train,
    )
    del raw["model"]["trunk"][0]["dropout"]
    return raw


def start(folder, data, out, count, *options):
    """Starts the workers of a cluster; their messages go to files."""
    addresses = [f"localhost:{free_port()}" for _ in range(count)]
    processes = []
    for index in range(count):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        command = [sys.executable, "-W", "ignore", TRAINER, folder / "spec.json", data, out]
        with open(folder / f"worker{index}.log", "w", encoding="utf-8") as log:
            processes.append(
                subprocess.Popen(
                    [*command, "--devices", "multiworker", *options],
                    env=os.environ
                    | {
                        "PYTHONPATH": str(TRAINER.parents[2]),
                        "CUDA_VISIBLE_DEVICES": "",
                        "TF_CONFIG": json.dumps(task),
                    },
                    stderr=log,
                )
            )
    return processes


def ended(folder, processes):
    """The exit statuses, and what each worker has written."""
    statuses = [process.wait(timeout=300) for process in processes]
    return statuses, [
        (folder / f"worker{index}.log").read_text("utf-8") for index in range(len(processes))
    ]


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_workers_reach_the_weights_of_one(tmp_path, count):
    """Two files of training data and one of validation data, which no number of workers divides."""
    data = tiny.write_data(tmp_path / "data", train=12, valid=5, per_file=8)
    raw = spec_json()
    (tmp_path / "spec.json").write_text(json.dumps(raw), encoding="utf-8")
    processes = start(tmp_path, data, tmp_path / "several", count)
    fit.fit(zoo.parse_spec(raw), data, out_dir=tmp_path / "one", devices="cpu", tensorboard=False)
    statuses, messages = ended(tmp_path, processes)
    assert statuses == [0] * count, messages[0][-2000:]
    single, several = (checkpoint.read(tmp_path / name) for name in ("one", "several"))
    for expected, actual in zip(single.arrays["model"], several.arrays["model"], strict=True):
        np.testing.assert_allclose(expected, actual, atol=1e-5)
    for expected, actual in zip(single.state["rows"], several.state["rows"], strict=True):
        assert expected == pytest.approx(actual, abs=1e-5)


@pytest.mark.slow
def test_a_worker_that_dies_is_named(tmp_path):
    data = tiny.write_data(tmp_path / "data", train=12, valid=6, per_file=8)
    raw = spec_json(train_epochs_min=400, train_epochs_max=400)
    (tmp_path / "spec.json").write_text(json.dumps(raw), encoding="utf-8")
    processes = start(tmp_path, data, tmp_path / "run", 2)
    end = time.monotonic() + 200
    while not (tmp_path / "run" / "history.csv").exists() and time.monotonic() < end:
        time.sleep(0.2)
    processes[1].send_signal(signal.SIGKILL)
    statuses, messages = ended(tmp_path, processes)
    assert statuses[1] == -signal.SIGKILL
    assert statuses[0] not in (0, None)
    assert "multiworker: worker 1 (localhost:" in messages[0]
    assert "has ended, so the training cannot go on" in messages[0]
