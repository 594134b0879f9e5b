"""Two machines, played by two processes, reach the weights of one."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from akita_bayes.models import zoo
from akita_bayes.training import fit
from akita_bayes.training.run_files import checkpoint
from tests import tiny

TRAINER = Path(__file__).with_name("trainer.py")


def free_port():
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


@pytest.mark.slow
def test_two_workers_reach_the_weights_of_one(tmp_path):
    """An epoch is one batch, whose halves lie in the files of either worker."""
    data = tiny.write_data(tmp_path / "data", train=4, valid=4, per_file=2)
    raw = tiny.spec_json(
        optimizer="sgd",
        learning_rate=0.05,
        momentum=0.9,
        clip_norm=0.05,
        model={"augment_shift": 0},
    )
    del raw["model"]["trunk"][0]["dropout"]
    (tmp_path / "spec.json").write_text(json.dumps(raw), encoding="utf-8")
    workers = [f"localhost:{free_port()}" for _ in range(2)]
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, "-W", "ignore", TRAINER, tmp_path / "spec.json", data),
                *(tmp_path / "two", "--devices", "multiworker"),
            ],
            env=os.environ
            | {
                "PYTHONPATH": str(TRAINER.parents[2]),
                "CUDA_VISIBLE_DEVICES": "",
                "TF_CONFIG": json.dumps(
                    {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
                ),
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    fit.fit(zoo.parse_spec(raw), data, out_dir=tmp_path / "one", devices="cpu", tensorboard=False)
    for process in processes:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said[-2000:]
    one, two = (checkpoint.read(tmp_path / name) for name in ("one", "two"))
    for mine, other in zip(one.arrays["model"], two.arrays["model"], strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5)
    for mine, other in zip(one.state["rows"], two.state["rows"], strict=True):
        assert mine == pytest.approx(other, abs=1e-5)
