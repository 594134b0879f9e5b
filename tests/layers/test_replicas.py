import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from akita_bayes.layers import replicas


def test_one_replica_and_two_train_to_the_same_weights():
    script = Path(__file__).with_name("train_on_replicas.py")
    root = str(Path(__file__).resolve().parents[2])
    run = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    summary = json.loads(run.stdout)
    assert summary["apart"] < 1e-5 < 1e-3 < summary["moved"]
    assert summary["synchronized"] == [[False] * 2, [True] * 2]


def test_a_lone_replica_takes_all_that_is_drawn():
    assert replicas.count() == 1
    assert replicas.index() == 0
    x = np.zeros((3, 2))
    np.testing.assert_array_equal(replicas.share(tf.range, x), [0, 1, 2])
