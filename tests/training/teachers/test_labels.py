"""Labels are what the teacher predicts for each window, and a stopped labelling continues."""

import numpy as np
import pytest

from akita_bayes import errors, files
from akita_bayes.data.records import dataset, statistics, tfrecord
from akita_bayes.models import load, posterior
from akita_bayes.origins import training_regions
from akita_bayes.training.teachers import labels, teacher
from tests import tiny
from tests.training.teachers import constant_runs


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tiny.write_data(tmp_path_factory.mktemp("labels") / "data", train=8, valid=3)
    rows = [f"chr1\t{256 * i}\t{256 * (i + 1)}\ttrain" for i in range(8)]
    rows += [f"chr2\t{256 * i}\t{256 * (i + 1)}\tvalid" for i in range(3)]
    (folder / "sequences.bed").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two networks with random weights, which learned from another chromosome."""
    from akita_bayes.models import build, zoo

    folder = tmp_path_factory.mktemp("runs")
    regions = training_regions.TrainingRegions("g.fa", {"chr9": 900}, {"chr9": ((0, 500),)})
    for number in range(2):
        run = folder / f"run{number}"
        run.mkdir()
        network = build.build(zoo.parse_spec(tiny.spec_json()))
        network.save(run / "model_best.keras")
        training_regions.write(run, {"hic": regions})
    return [folder / "run0", folder / "run1"]


def test_records_hold_mean_and_spread_of_the_ensemble(data, runs, tmp_path):
    teaching = teacher.load_teacher(runs, data)
    stats = labels.write(tmp_path / "labels", data, teaching, mutated=2, mutation_rate=0.5)
    assert (stats.spread, stats.seq_1hot, dict(stats.seqs)) == (
        True,
        True,
        {"train": 24, "valid": 3},
    )
    assert statistics.read(tmp_path / "labels") == stats
    split = dataset.open_split(tmp_path / "labels", "train", batch_size=24)
    (batch,) = split.batches()
    x = batch["sequence"].numpy()
    expected = posterior.sample_posterior(load.load_model(list(map(str, runs))), x, draws=9)
    # Records are rounded to float16.
    np.testing.assert_allclose(batch["target"], expected.mean, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(batch["spread"], expected.epistemic_sd, rtol=2e-3, atol=1e-3)
    assert expected.epistemic_sd.std() > 0.01
    assert batch["mask"].numpy().all()
    (measured,) = dataset.open_split(data, "train", batch_size=8).batches()
    np.testing.assert_array_equal(x[:8], measured["sequence"])
    changed = (x[8:16] != x[:8]).any(-1).mean(), (x[16:] != x[8:16]).any(-1).mean()
    assert min(changed) > 0.3
    # The windows of each copy have the regions of their windows.
    assert list(batch["region"].numpy()) == 3 * list(measured["region"].numpy())
    assert [region.end for region in split.regions()] == 3 * [256 * (i + 1) for i in range(8)]


def content(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_stopped_labelling_writes_the_same_files(data, runs, tmp_path):
    teaching = teacher.load_teacher(runs, data)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    labels.write(whole, data, teaching, mutated=1)
    labels.write(stopped, data, teaching, mutated=1)
    (stopped / "statistics.json").unlink()
    (stopped / "tfrecords" / "train-2.tfr").unlink()
    times = {path: path.stat().st_mtime_ns for path in stopped.rglob("*.tfr")}
    labels.write(stopped, data, teaching, mutated=1)
    assert content(stopped) == content(whole)
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())


def test_a_directory_of_other_labels_or_of_data_is_refused(data, runs, tmp_path):
    teaching = teacher.load_teacher(runs, data)
    labels.write(tmp_path / "labels", data, teaching, splits=("valid",))
    with pytest.raises(errors.RunError, match=r"other inputs .*mutated 0 and 1"):
        labels.write(tmp_path / "labels", data, teaching, splits=("valid",), mutated=1)
    other_run = constant_runs.write(tmp_path / "other", 1.0)
    changed = teacher.load_teacher([runs[0], other_run], data)
    with pytest.raises(errors.RunError, match=r"other inputs \(teachers\)"):
        labels.write(tmp_path / "labels", data, changed, splits=("valid",))
    with pytest.raises(errors.RunError, match="holds training data of unknown inputs"):
        labels.write(data, data, teaching)


def test_the_noise_of_the_teachers_is_their_mean_variance_for_each_distance(data, tmp_path):
    runs = [constant_runs.write(tmp_path / f"run{sd}", sd, noise=sd) for sd in (1.0, 3.0)]
    teaching = teacher.load_teacher(runs, data)
    labels.write(tmp_path / "labels", data, teaching, splits=("valid",))
    with np.load(tmp_path / "labels" / labels.NOISE) as stored:
        np.testing.assert_allclose(stored["sd"], np.full((1, tiny.TARGETS), 5**0.5), rtol=1e-5)


def test_provenance_names_the_teachers(data, runs, tmp_path):
    teaching = teacher.load_teacher(runs, data)
    labels.write(tmp_path / "labels", data, teaching, splits=("valid",))
    origin = files.read_json(tmp_path / "labels" / "provenance.json")
    assert origin["inputs"]["teachers"] == teaching.digests()
    assert [entry["name"] for entry in teaching.digests()] == ["run0", "run1"]
    assert len({entry["sha256"] for entry in teaching.digests()}) == 2
    taught = training_regions.read(tmp_path / "labels")["hic"]
    assert taught.intervals == {"chr9": ((0, 500),)}


def test_a_record_without_its_spread_is_refused(data, runs, tmp_path):
    labels.write(tmp_path / "labels", data, teacher.load_teacher(runs, data), splits=("valid",))
    path = tmp_path / "labels" / "tfrecords" / "valid-0.tfr"
    stats = statistics.read(tmp_path / "labels")
    records = list(tfrecord.read_records(path, stats))
    tfrecord.write_records(path, [records[0]._replace(spread=None)])
    with pytest.raises(errors.DataError, match='record 0: the feature "spread" is missing'):
        dataset.open_split(tmp_path / "labels", "valid")
    bad = records[0]._replace(spread=np.full_like(records[0].spread, -1))
    tfrecord.write_records(path, [bad])
    with pytest.raises(errors.DataError, match="a standard deviation is negative"):
        dataset.open_split(tmp_path / "labels", "valid")
