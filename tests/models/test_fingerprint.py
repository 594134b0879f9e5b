"""Weights are known again, and told from others."""

import time

import keras

from akita_bayes import files
from akita_bayes.models import fingerprint


def save(path, seed):
    keras.utils.set_random_seed(seed)
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]).save(path)
    return path


def test_the_same_weights_saved_again_are_the_same_and_others_are_not(tmp_path):
    first = save(tmp_path / "first.keras", seed=1)
    second = save(tmp_path / "other.keras", seed=2)
    time.sleep(1.1)  # the dates in a file have whole seconds
    again = save(tmp_path / "again.keras", seed=1)
    assert files.digest(first) != files.digest(again)
    assert fingerprint.fingerprint(first) == fingerprint.fingerprint(again)
    assert fingerprint.fingerprint(first) != fingerprint.fingerprint(second)
