import json

import numpy as np
import tensorflow as tf

from akita_bayes.layers import replicas
from tests import forked
from tests.layers import train_on_replicas


def test_one_replica_and_two_train_to_the_same_weights(tmp_path):
    out, stderr_file = tmp_path / "summary.json", tmp_path / "stderr"
    process = forked.start(train_on_replicas.main, str(out), stderr_file=stderr_file)
    forked.finish(process, stderr_file)
    summary = json.loads(out.read_text(encoding="utf-8"))
    assert summary["apart"] < 1e-5 < 1e-3 < summary["moved"]
    assert summary["synchronized"] == [[False] * 2, [True] * 2]


def test_a_lone_replica_takes_all_that_is_drawn():
    assert replicas.count() == 1
    assert replicas.index() == 0
    x = np.zeros((3, 2))
    np.testing.assert_array_equal(replicas.share(tf.range, x), [0, 1, 2])
