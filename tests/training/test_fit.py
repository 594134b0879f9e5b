"""`fit`: what a run directory holds, several heads, half precision, and every way to be refused."""

import csv
import errno
import json
import zlib

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import akita_bayes as ab
from akita_bayes import errors, files
from akita_bayes.data.records import dataset
from akita_bayes.models import build, weights, zoo
from akita_bayes.training import (
    batches,
    fit,
    loop,
    loop_settings,
    observers,
    step,
    stopping,
    strategy,
)
from akita_bayes.training.objectives import metrics
from akita_bayes.training.run_files import checkpoint
from tests import tiny


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny.write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def mouse(tmp_path_factory):
    return tiny.write_data(tmp_path_factory.mktemp("mouse"), train=10, valid=5, seed=1, targets=3)


class Diary(observers.Silent):
    def __init__(self):
        self.losses, self.rates, self.rows = [], [], []

    def end_step(self, loss, learning_rate):
        self.losses.append(loss)
        self.rates.append(learning_rate)

    def end_epoch(self, row, seconds):
        self.rows.append(row)


def short(spec, data, out_dir, **options):
    return fit.fit(spec, data, out_dir=out_dir, devices="cpu", tensorboard=False, **options)


@pytest.fixture(scope="module")
def learned(data, tmp_path_factory):
    """Four epochs of a model without augmentation: (run, diary)."""
    diary = Diary()
    spec = zoo.parse_spec(tiny.spec_json(warmup_steps=4, model={"augment_shift": 0}))
    out = tmp_path_factory.mktemp("fit") / "run"
    return ab.fit(spec, data, out_dir=out, epochs=4, seed=3, devices="cpu", observer=diary), diary


def test_it_learns(learned):
    run, _ = learned
    losses = run.history["train_loss"]
    assert losses.iloc[-1] < 0.5 * losses.iloc[0]
    assert run.best["valid_r"] > 0.5


def test_the_run_directory_is_complete(learned):
    run, _ = learned
    names = {path.name for path in run.out_dir.iterdir()}
    assert names == {
        "params.json",
        "provenance.json",
        "history.csv",
        "model_best.keras",
        "model_best.h5",
        "best_targets.csv",
        "checkpoint",
        "tensorboard",
    }
    spec = ab.load_spec(run.out_dir / "params.json")
    assert (spec.train.train_epochs_max, spec.train.seed) == (4, 3)
    origin = files.read_json(run.out_dir / "provenance.json")
    assert origin["seed"] == 3
    assert origin["versions"]["keras"] == keras.__version__
    assert len(origin["data"][0]["sha256"]) == 64
    assert origin["data"][0]["head"] == "hic"
    assert origin["data"][0]["targets"] == [["cell0", "cell type 0"], ["cell1", "cell type 1"]]
    assert "CPU:0" in origin["device"]
    assert list((run.out_dir / "tensorboard" / "valid").iterdir())


def test_history_says_every_number_of_every_epoch(learned):
    run, diary = learned
    with open(run.out_dir / "history.csv", encoding="utf-8") as handle:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(handle)]
    table = pd.DataFrame(rows)
    names = ("loss", "mse", "r", "r2")
    assert list(table) == [
        *("epoch", "step", "learning_rate"),
        *(f"train_{name}" for name in names),
        *(f"valid_{name}" for name in names),
        "best",
    ]
    assert rows == diary.rows
    assert list(table["step"]) == [6, 12, 18, 24]
    assert diary.rates[:6] == pytest.approx([0, 0.0025, 0.005, 0.0075, 0.01, 0.01])
    assert table["train_loss"].iloc[-1] == pytest.approx(diary.losses[-1])
    assert table["best"].iloc[run.best_epoch - 1] == 1
    assert run.best_epoch == table["valid_loss"].idxmin() + 1


def test_the_best_model_has_the_validation_accuracy_that_was_written(learned, data):
    run, _ = learned
    truth, mask, sequence = (
        np.concatenate([batch[name] for batch in dataset.open_split(data, "valid", batch_size=4)])
        for name in ("target", "mask", "sequence")
    )
    same = build.build(run.spec)
    weights.load_weights(same, run.out_dir / "model_best.h5")
    per_target = pd.read_csv(run.out_dir / "best_targets.csv")
    for model in (run.model(), same):
        error = ((model.predict(sequence, verbose=0) - truth) ** 2)[mask]
        assert error.mean() == pytest.approx(
            np.average(per_target["mse"], weights=mask.sum((0, 1))), rel=1e-4
        )
    assert per_target["pearsonr"].mean() == pytest.approx(run.best["valid_r"])


@pytest.mark.slow
def test_several_heads_learn_from_their_own_data_and_share_the_trunk(data, mouse, tmp_path):
    spec = zoo.parse_spec(tiny.spec_json(heads=("human", ("mouse", 3)), train_epochs_max=1))
    run = short(spec, [data, mouse], tmp_path / "run")
    row = run.history.iloc[0]
    assert row["step"] == 6 + 2
    for name in ("train_loss", "valid_r"):
        assert row[name] == pytest.approx((row[f"{name}_human"] + row[f"{name}_mouse"]) / 2)
    outputs = run.model()(tiny.one_hot(2).astype("float32"))
    assert {name: value.shape[-1] for name, value in outputs.items()} == {"human": 2, "mouse": 3}
    assert {path.name for path in run.out_dir.glob("*.h5")} == {"model0_best.h5", "model1_best.h5"}
    assert (
        list(pd.read_csv(run.out_dir / "best_targets.csv")["head"]) == ["human"] * 2 + ["mouse"] * 3
    )


def test_one_head_of_several_can_be_trained_and_its_trunk_restored(mouse, tmp_path):
    spec = zoo.parse_spec(tiny.spec_json(heads=("human", ("mouse", 3)), train_epochs_max=1))
    run = short(spec, mouse, tmp_path / "first", heads=["mouse"])
    assert run.spec.head_names == ("mouse",)
    again = short(
        spec,
        mouse,
        tmp_path / "second",
        heads=["mouse"],
        restore=run.out_dir / "model_best.h5",
        trunk=True,
        seed=9,
    )
    first, second = (checkpoint.read(trained.out_dir).arrays for trained in (run, again))
    fresh = short(spec, mouse, tmp_path / "third", heads=["mouse"], seed=9)
    fresh_arrays = checkpoint.read(fresh.out_dir).arrays
    start, restored, drawn_anew = (arrays["best"][0] for arrays in (first, second, fresh_arrays))
    assert np.abs(restored - start).max() < 0.05 < np.abs(drawn_anew - start).max()


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_learns_and_leaves_a_float32_model(data, tmp_path, precision):
    spec = zoo.parse_spec(tiny.spec_json(train_epochs_max=2))
    run = short(spec, data, tmp_path / "run", precision=precision)
    assert run.history["train_loss"].iloc[1] < run.history["train_loss"].iloc[0]
    assert run.spec.train.precision == precision
    model = run.model()
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    state = checkpoint.read(run.out_dir).state
    assert state["scale"]["dynamic"] == (precision == "mixed_float16")


def test_strand_pairs_come_with_the_data_of_a_track(tmp_path):
    spec = zoo.parse_spec(
        {
            "train": {},
            "model": {
                "seq_length": 64,
                "augment_rc": True,
                "trunk": [{"name": "conv_block", "filters": 2, "pool_size": 16}],
                "head_x": [{"name": "final", "units": 3, "activation": "linear"}],
            },
        }
    )
    (tmp_path / "targets.txt").write_text(
        "\tidentifier\tstrand_pair\n0\ta+\t1\n1\ta-\t0\n2\tb\t2\n", encoding="utf-8"
    )
    files.write_json(
        tmp_path / "statistics.json",
        {"seq_length": 64, "target_length": 4, "num_targets": 3, "pool_width": 16},
    )
    assert loop_settings.adapt(spec, [tmp_path]).model.strand_pair == ((1, 0, 2),)


def test_fewer_epochs_than_averaging_waits_for_average_the_last(data):
    spec = zoo.parse_spec(tiny.spec_json(swa={"start": 4}, train_epochs_max=8))
    for epochs, start in ((None, 4), (6, 4), (3, 2), (1, 0)):
        assert loop_settings.adapt(spec, [data], epochs=epochs).train.swa.start == start
    default = zoo.parse_spec(tiny.spec_json(swa={}, train_epochs_max=8))
    for epochs, start in ((None, 6), (10, 7), (2, 1), (1, 0)):
        assert loop_settings.adapt(default, [data], epochs=epochs).train.swa.start == start


def test_training_that_stops_before_averaging_keeps_its_best_model(
    data, tmp_path, monkeypatch, caplog
):
    """As a spec with averaging from epoch 48 and a patience of 40, whose 7th epoch is the best."""
    monkeypatch.setattr(stopping, "score", lambda row, criterion: -row["epoch"])
    swa = {"start": 4, "swag_rank": 2}
    spec = zoo.parse_spec(tiny.spec_json(swa=swa, patience=1, train_epochs_max=6))
    run = short(spec, data, tmp_path / "run")
    assert (run.epochs, run.best_epoch, len(run.history)) == (3, 1, 3)
    assert "ended after 3 epochs, before averaging starts at epoch 5" in caplog.text
    best = checkpoint.read(tmp_path / "run").arrays["best"]
    for weight, expected in zip(run.model().weights, best, strict=True):
        np.testing.assert_array_equal(weight, expected)
    assert run.model().swag_draws is None


class Renewals(observers.Silent):
    def __init__(self):
        self.promised, self.done, self.averaged = [], [], []

    def begin_renewal(self, steps):
        self.promised.append(steps)
        self.done.append(0)

    def end_renewal_step(self):
        self.done[-1] += 1

    def end_averaging(self, row, seconds):
        self.averaged.append(row)


def test_averaging_is_told_apart_from_epochs(data, tmp_path):
    """Six training batches renew the statistics of the mean, and of each SWAG draw."""
    swa = {"start": 0, "swag_rank": 2, "swag_draws": 2}
    spec = zoo.parse_spec(tiny.spec_json(swa=swa, train_epochs_max=2))
    observer = Renewals()
    run = ab.fit(spec, data, out_dir=tmp_path / "run", devices="cpu", observer=observer)
    assert observer.promised == observer.done == [6, 6, 6]
    assert [row["epoch"] for row in observer.averaged] == [3]
    assert list(run.history["epoch"]) == [1, 2, 3]
    assert np.isnan(run.history["train_loss"]).tolist() == [False, False, True]
    assert run.averaged == (run.history["valid_loss"].idxmin() == 2)
    (path,) = (tmp_path / "run" / "tensorboard" / "train").iterdir()
    events = tf.compat.v1.train.summary_iterator(str(path))
    summaries = [(event.step, value) for event in events for value in event.summary.value]
    assert np.isfinite([tf.make_ndarray(value.tensor) for _, value in summaries]).all()
    assert [step for step, value in summaries if value.tag == "loss"] == [1, 2]


def test_the_first_loss_that_is_not_finite_stops_and_names_the_batch(data, tmp_path):
    raw = tiny.spec_json(optimizer="sgd", learning_rate=1e30, momentum=0.0, train_epochs_max=2)
    del raw["train"]["clip_norm"]
    with pytest.raises(errors.RunError, match="is not finite at epoch 1, step") as caught:
        short(zoo.parse_spec(raw), data, tmp_path / "run")
    step = int(str(caught.value).split("step ")[1].split(",")[0]) - 1
    split = dataset.open_split(
        data, "train", batch_size=4, shuffle=True, shuffle_buffer=8, drop_remainder=True
    )
    expected = batches.Feed(split, strategy.choose("cpu")).regions(0, step)
    assert len(expected) == 4
    assert all(region in str(caught.value) for region in expected)
    assert not (tmp_path / "run" / "model_best.keras").exists()


def test_a_validation_loss_that_is_not_finite_stops_before_anything_is_kept(
    data, tmp_path, monkeypatch
):
    broken = metrics.Outcome(4.0, float("nan"), {}, np.zeros((6, tiny.TARGETS)))
    monkeypatch.setattr(step.Step, "evaluate", lambda self, batch: broken)
    spec = zoo.parse_spec(tiny.spec_json(train_epochs_max=1))
    with pytest.raises(errors.RunError, match="validation loss is not finite after epoch 1"):
        short(spec, data, tmp_path / "run")
    assert checkpoint.read(tmp_path / "run") is None


def test_a_full_disk_leaves_the_older_checkpoint(data, tmp_path, monkeypatch):
    spec = zoo.parse_spec(tiny.spec_json(train_epochs_max=2))
    savez, written = np.savez, []

    def full(path, **arrays):
        if written:
            with open(path, "wb") as handle:
                handle.write(b"half")
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        written.append(path)
        savez(path, **arrays)

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(errors.RunError, match=r"state\.npz: the disk is full.*--resume"):
        short(spec, data, tmp_path / "run")
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "run/checkpoint").iterdir()] == ["state.npz"]
    assert checkpoint.read(tmp_path / "run").state["epoch"] == 1
    assert short(spec, data, tmp_path / "run", resume=True).epochs == 2


def test_an_unknown_setting_is_refused_before_any_work(tmp_path):
    with pytest.raises(TypeError, match=r'"epoch" is not a keyword of FitOptions.*"epochs"'):
        fit.fit(None, tmp_path / "none", out_dir=tmp_path / "run", epoch=3)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_empty_is_refused(data, tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(errors.RunError, match=r"not empty.*--resume"):
        short(zoo.parse_spec(tiny.spec_json()), data, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_damaged_checkpoint_is_refused(data, tmp_path):
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / checkpoint.FILE).write_bytes(b"PK nothing")
    spec = zoo.parse_spec(tiny.spec_json())
    files.write_json(tmp_path / fit.PARAMS, loop_settings.adapt(spec, [data]).to_json())
    with pytest.raises(errors.RunError, match="not a checkpoint of this program"):
        short(spec, data, tmp_path, resume=True)


def test_the_checkpoint_before_replaces_a_damaged_or_missing_one(tmp_path, caplog):
    (tmp_path / "checkpoint").mkdir()
    assert checkpoint.read(tmp_path) is None
    for epoch in (1, 2, 3):
        arrays = {"model": [np.full(3, epoch)]}
        checkpoint.write(tmp_path, checkpoint.Checkpoint(arrays, {"epoch": epoch}))
    newest = tmp_path / checkpoint.FILE
    assert checkpoint.read(tmp_path).state == {"epoch": 3}
    newest.write_bytes(newest.read_bytes()[:-30])
    assert checkpoint.read(tmp_path).state == {"epoch": 2}
    assert "continues from the checkpoint before" in caplog.text
    newest.unlink()  # as after a kill between the two renames of `write`
    assert checkpoint.read(tmp_path).arrays["model"][0].tolist() == [2, 2, 2]
    assert checkpoint.exists(tmp_path)
    (tmp_path / checkpoint.PREVIOUS).write_bytes(b"PK nothing")
    with pytest.raises(errors.RunError, match="not a checkpoint of this program"):
        checkpoint.read(tmp_path)


def refused(spec, data, tmp_path, error, message, **options):
    with pytest.raises(error, match=message):
        short(zoo.parse_spec(spec), data, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_spec_and_data_that_disagree_leave_nothing_behind(data, mouse, tmp_path):
    wrong = tiny.spec_json(heads=(("hic", 5),))
    refused(wrong, data, tmp_path, errors.SpecError, "units 5 .* num_targets 2")
    refused(tiny.spec_json(), [data, mouse], tmp_path, errors.SpecError, "1 heads .hic. for 2 data")
    two = tiny.spec_json(heads=("human", ("mouse", 3)))
    refused(two, [mouse, data], tmp_path, errors.SpecError, "order", heads=["mouse", "human"])
    refused(tiny.spec_json(), data, tmp_path, errors.DataError, "foo", train_split="foo")
    refused(
        tiny.spec_json(batch_size=60),
        data,
        tmp_path,
        errors.DataError,
        "has 24 records, fewer than train.batch_size 60",
    )
    refused(tiny.spec_json(), tmp_path / "none", tmp_path, errors.DataError, "none")


def test_counts_that_promise_too_much_are_found(data, tmp_path):
    short_data = tiny.write_data(tmp_path / "data", train=8)
    statistics = json.loads((short_data / "statistics.json").read_text(encoding="utf-8"))
    files.write_json(short_data / "statistics.json", statistics | {"train_seqs": 24})
    with pytest.raises(
        errors.DataError, match=r"end after 2 batches where statistics\.json promises 6"
    ):
        short(zoo.parse_spec(tiny.spec_json()), short_data, tmp_path / "run")


def untrained(folder):
    spec, cpu = zoo.parse_spec(tiny.spec_json()), strategy.choose("cpu")
    feeds = loop.Feeds(
        *(
            batches.Feed(dataset.open_split(folder, split, batch_size=4, **options), cpu)
            for split, options in (
                ("train", {"shuffle": True, "drop_remainder": True}),
                ("valid", {}),
            )
        )
    )
    return loop.Loop(spec, {"hic": feeds}, cpu, folder / "run", observer=observers.Silent())


def cut_between_records(path, count):
    """What is left of a file whose copying stopped; TensorFlow takes it for a shorter one."""
    whole = zlib.decompress(path.read_bytes())
    end = 0
    for _ in range(count):
        end += 12 + int.from_bytes(whole[end : end + 8], "little") + 4
    stream = zlib.compressobj()
    path.write_bytes(stream.compress(whole[:end]) + stream.flush(zlib.Z_SYNC_FLUSH))


@pytest.mark.parametrize("split", ["train", "valid"])
def test_a_file_that_was_cut_between_records_is_named(tmp_path, split):
    tiny.write_data(tmp_path, train=6, valid=6)
    training_loop = untrained(tmp_path)
    cut_between_records(tmp_path / "tfrecords" / f"{split}-0.tfr", 3)
    with pytest.raises(errors.DataError, match=rf"{split}-0\.tfr: cut short"):
        training_loop.run() if split == "train" else training_loop.validate()


def test_a_wrong_count_of_validation_is_told(tmp_path, caplog):
    tiny.write_data(tmp_path, train=6, valid=6)
    statistics = files.read_json(tmp_path / "statistics.json")
    files.write_json(tmp_path / "statistics.json", statistics | {"valid_seqs": 9})
    assert untrained(tmp_path).validate()["hic"].examples == 6
    assert "split valid holds 6 records, but statistics.json says 9" in caplog.text
