"""One step: Basenji's numbers, the same update on any number of replicas, masks, devices."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from akita_bayes import errors
from akita_bayes.models import build, weights, zoo
from akita_bayes.training import fit, step, strategy
from akita_bayes.training.objectives import losses, metrics, objective
from akita_bayes.training.run_files import checkpoint
from akita_bayes.training.updates import clipping, optimizers
from tests import rounding, tiny

TRAINER = Path(__file__).with_name("trainer.py")


def still(raw):
    """The spec without what differs from step to step: augmentation and dropout."""
    raw["model"] |= {"augment_rc": False, "augment_shift": 0}
    for key, blocks in raw["model"].items():
        if key == "trunk" or key.startswith("head"):
            for block in blocks:
                block.pop("dropout", None)
    return zoo.parse_spec(raw)


def one_step(spec, model, clip=None):
    optimizer = optimizers.from_spec(spec.train)
    optimizer.build(model.trainable_variables)
    return step.Step(
        model,
        objective.PixelObjective(losses.named(spec.train.loss)),
        optimizer,
        clip or clipping.from_spec(spec.train),
        strategy.choose("cpu"),
    )


def batch_of(sequence, target, mask=None):
    mask = np.ones(target.shape, bool) if mask is None else mask
    return {
        "sequence": tf.constant(sequence, tf.float32),
        "target": tf.constant(np.where(mask, target, 0), tf.float32),
        "mask": tf.constant(mask),
    }


@pytest.mark.parity
@pytest.mark.parametrize("name", ["tiny_v1", "tiny_v2"])
def test_a_training_step_is_basenjis(parity, name):
    """Loss, norms of gradients and new predictions agree to the limits of `rounding`."""
    io = np.load(parity / f"{name}_io.npz")
    spec = still(json.loads((parity / f"{name}.json").read_text(encoding="utf-8")))
    model = build.build(spec, head=0)
    weights.load_weights(model, parity / f"{name}.h5")
    batch = batch_of(io["x"], io["y_true"])
    unclipped = one_step(spec, model, clipping.none).gradients(batch)
    assert unclipped.outcome.loss == pytest.approx(float(io["train_loss"]), rel=rounding.LOSS)
    rounding.check_gradient_norms(
        [float(tf.norm(gradient)) for gradient in unclipped.values], io["grad_norms"]
    )
    weights.load_weights(model, parity / f"{name}.h5")
    stepping = one_step(spec, model)
    clipped = stepping.gradients(batch)
    clipped_norms = [float(tf.norm(gradient)) for gradient in clipped.values]
    rounding.check_gradient_norms(clipped_norms, np.minimum(io["grad_norms"], 10))
    stepping.apply(clipped)
    after, expected = model(batch["sequence"]).numpy(), io["y_after_step"]
    assert np.abs(after - expected).max() <= rounding.AFTER_STEP * expected.std()
    assert np.abs(after - io["y"]).max() > 0.1 * expected.std()


def replica_spec(**train):
    """Plain gradients, clipped hard: what clipping before the reduction would get wrong."""
    raw = tiny.spec_json(
        optimizer="sgd",
        learning_rate=0.05,
        momentum=0.9,
        batch_size=4,
        clip_norm=0.05,
        model={"augment_shift": 0, "l2_scale": 0.001},
        **train,
    )
    del raw["model"]["trunk"][0]["dropout"]
    return raw


@pytest.mark.slow
def test_two_replicas_reach_the_weights_of_one(tmp_path):
    """Pixels are masked unevenly, every gradient is clipped, the last batch to judge by is half."""
    data = tiny.write_data(tmp_path / "data")
    raw = replica_spec()
    (tmp_path / "spec.json").write_text(json.dumps(raw), encoding="utf-8")
    process = subprocess.Popen(
        [
            *(sys.executable, "-W", "ignore", TRAINER),
            *(tmp_path / "spec.json", data, tmp_path / "two", "--devices", "cpu:2"),
        ],
        env=os.environ | {"PYTHONPATH": str(TRAINER.parents[2]), "CUDA_VISIBLE_DEVICES": ""},
        stderr=subprocess.PIPE,
        text=True,
    )
    fit.fit(zoo.parse_spec(raw), data, out_dir=tmp_path / "one", devices="cpu", tensorboard=False)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr[-2000:]
    single, double = (checkpoint.read(tmp_path / name) for name in ("one", "two"))
    for expected, actual in zip(single.arrays["model"], double.arrays["model"], strict=True):
        np.testing.assert_allclose(expected, actual, atol=1e-5)
    for expected, actual in zip(single.state["rows"], double.state["rows"], strict=True):
        assert expected == pytest.approx(actual, abs=1e-5)


def test_the_limit_of_that_test_does_bind():
    spec = zoo.parse_spec(replica_spec())
    model = build.build(spec)
    target = np.stack([record.target for record in tiny.records(4)])
    batch = batch_of(tiny.one_hot(4), target)
    norms = [
        float(tf.norm(g)) for g in one_step(spec, model, clipping.none).gradients(batch).values
    ]
    assert sum(norm > 0.05 for norm in norms) >= 4


def test_masked_pixels_change_neither_loss_nor_gradient_nor_metric():
    spec = zoo.parse_spec(tiny.spec_json(model={"augment_rc": False, "augment_shift": 0}))
    model = build.build(spec)
    random = np.random.default_rng(0)
    target = random.normal(size=(3, tiny.PIXELS, tiny.TARGETS))
    mask = random.random(target.shape) > 0.5
    judge = one_step(spec, model)
    outcomes = []
    for spoilt in (target, np.where(mask, target, 1e4)):
        batch = batch_of(tiny.one_hot(3), target, mask)
        batch["target"] = tf.constant(spoilt, tf.float32)
        outcomes.append(judge.evaluate(batch))
    assert outcomes[0].loss == outcomes[1].loss
    np.testing.assert_array_equal(outcomes[0].moments, outcomes[1].moments)
    assert outcomes[0].moments[0].sum() == mask.sum()


def test_the_outcome_is_the_mean_over_examples_and_regularisation():
    spec = zoo.parse_spec(tiny.spec_json(model={"l2_scale": 0.01}))
    model = build.build(spec)
    target = np.random.default_rng(0).normal(size=(3, tiny.PIXELS, tiny.TARGETS))
    sequence = tiny.one_hot(3)
    outcome = one_step(spec, model).evaluate(batch_of(sequence, target))
    prediction = model(sequence.astype(np.float32)).numpy()
    decay = sum(
        0.01 * float((layer.kernel.numpy() ** 2).sum())
        for layer in model.layers
        if isinstance(layer, (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Dense))
    )
    assert decay > 0.01
    assert outcome.examples == 3
    assert outcome.loss == pytest.approx(((prediction - target) ** 2).mean() + decay, rel=1e-5)
    running = metrics.Accumulator.zeros(tiny.TARGETS)
    running.add(outcome)
    r = np.mean(
        [
            np.corrcoef(target[..., t].ravel(), prediction[..., t].ravel())[0, 1]
            for t in range(tiny.TARGETS)
        ]
    )
    assert running.means()["r"] == pytest.approx(r, abs=1e-6)
    assert running.means()["mse"] == pytest.approx(((prediction - target) ** 2).mean(), rel=1e-6)


def test_an_accumulator_survives_its_own_state_exactly():
    running = metrics.Accumulator.zeros(2)
    random = np.random.default_rng(0)
    for _ in range(3):
        running.add(
            metrics.Outcome(2.0, random.random(), {"kl": random.random()}, random.random((6, 2)))
        )
    again = metrics.Accumulator.from_state(json.loads(json.dumps(running.state())))
    assert again.means() == running.means()
    np.testing.assert_array_equal(again.moments.values, running.moments.values)


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ("gpu", "gpu asks for 1 GPU, but TensorFlow finds none on this machine; choose cpu"),
        ("gpu:4", "gpu:4 asks for 4 GPUs, but TensorFlow finds none"),
        ("tpu", '"tpu" is not a valid choice of devices; expected one of cpu, cpu:2'),
        ("cpu:0", '"cpu:0" is not a valid choice of devices'),
        ("cpu:64", "cpu:64 must be chosen before TensorFlow is first used"),
        ("multiworker", "multiworker needs the environment variable TF_CONFIG"),
    ],
)
def test_devices_that_cannot_be_had(devices, message, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda kind: cpus if kind == "CPU" else []
    )
    cpus = [tf.config.PhysicalDevice("/physical_device:CPU:0", "CPU")]
    tf.constant(0)
    with pytest.raises(errors.RunError, match=message):
        strategy.choose(devices)
