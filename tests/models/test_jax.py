"""Inference on JAX: the networks of the deterministic zoo predict as on TensorFlow, to 1e-4 sd."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from akita_bayes import dna
from akita_bayes.models import shipped
from tests import random_models, rounding

PROGRAM = """
import pathlib, sys
import keras, numpy as np
from akita_bayes.models import build, zoo

assert keras.backend.backend() == "jax"
for path in pathlib.Path(".").glob("*.json"):
    model = build.build(zoo.load_network(path))
    model.load_weights(f"{path.stem}.weights.h5")
    y = model(np.load(f"{path.stem}.x.npy"), training=False)
    for name, values in (y if isinstance(y, dict) else {"one": y}).items():
        np.save(f"{path.stem}.{name}.jax.npy", np.asarray(values))
"""
LENGTHS = dict.fromkeys(("akita_v1", "akita_v2", "akita_transformer", "akita_pt"), 2**17)
"""Bases of windows of networks that are too large for a test."""
FAST = ("akita_yeast",)
SLOW = (
    "akita_transformer_tiny",
    "akita_tiny",
    "basenji_small",
    "akita_v1",
    "akita_v2",
    "akita_transformer",
    "akita_pt",
)

needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="needs JAX: pip install 'jax[cpu]'"
)


def small_spec(name):
    """A spec of the zoo whose windows have `LENGTHS`; the crop shrinks with the number of bins."""
    raw = json.loads(shipped.spec_path(name).read_text(encoding="utf-8"))
    ratio = raw["model"]["seq_length"] // LENGTHS.get(name, raw["model"]["seq_length"])
    raw["model"]["seq_length"] //= ratio
    for blocks in raw["model"].values():
        for block in blocks if isinstance(blocks, list) else ():
            if isinstance(block, dict) and block.get("name") == "cropping_2d":
                block["cropping"] //= ratio
    return raw


def assert_agree(names, folder):
    expected = {}
    for name in names:
        raw = small_spec(name)
        model = random_models.randomised(raw)
        index = np.random.default_rng(1).integers(0, 5, (1, raw["model"]["seq_length"]), np.uint8)
        x = dna.index_to_one_hot(index).astype(np.float32)
        y = model(x, training=False)
        for head, values in (y if isinstance(y, dict) else {"one": y}).items():
            expected[f"{name}.{head}.jax.npy"] = np.asarray(values)
        np.save(folder / f"{name}.x.npy", x)
        (folder / f"{name}.json").write_text(json.dumps(raw), encoding="utf-8")
        model.save_weights(folder / f"{name}.weights.h5")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        cwd=folder,
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    for name, values in expected.items():
        assert values.std() > 0
        difference = np.abs(np.load(folder / name) - values).max()
        assert difference <= rounding.INFERENCE * values.std(), (name, difference / values.std())


@needs_jax
def test_a_small_network_agrees(tmp_path):
    assert_agree(FAST, tmp_path)


@needs_jax
@pytest.mark.slow
def test_all_networks_without_a_posterior_agree(tmp_path):
    assert_agree(SLOW, tmp_path)


def test_every_network_without_a_posterior_is_compared():
    names = []
    for name in shipped.spec_names():
        text = shipped.spec_path(name).read_text(encoding="utf-8")
        if '"trunk"' in text and "normal_latent" not in text and "variational" not in text:
            names.append(name)
    assert sorted(names) == sorted((*FAST, *SLOW))
