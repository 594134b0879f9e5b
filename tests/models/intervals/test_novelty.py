"""The distance of windows from those of the training, against its definition."""

import h5py
import keras
import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.data import genome
from akita_bayes.evaluate import novelty_statistics, prediction_files
from akita_bayes.models import build, fingerprint, load, recalibration, zoo
from akita_bayes.models.intervals import novelty
from tests import tiny

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run directory with random weights, and the statistics of a small data directory."""
    folder = tmp_path_factory.mktemp("novelty")
    data = tiny.write_data(folder / "data")
    network = build.build(zoo.parse_spec(tiny.spec_json()))
    (folder / "run").mkdir()
    network.save(folder / "run" / recalibration.WEIGHTS)
    weights = fingerprint.fingerprint(folder / "run" / recalibration.WEIGHTS)
    statistics = novelty_statistics.of_data(network, data, windows=12)
    novelty.save(folder / "run", statistics, weights)
    return folder / "run"


def test_distances_are_those_of_mahalanobis():
    root = RNG.normal(size=(3, 3))
    training = RNG.normal(size=(5000, 3)) @ root + [1.0, 2.0, 3.0]
    statistics = novelty.fit(training, training[:100])
    strange = RNG.normal(size=(20, 3)) * 5
    deviation = strange - training.mean(0)
    inverse = np.linalg.inv(np.cov(training.T))
    expected = np.sqrt(np.einsum("bi,ij,bj->b", deviation, inverse, deviation) / 3)
    # Shrinkage by 3 / 5003 changes entries of the covariance by 6e-4 of them.
    np.testing.assert_allclose(statistics.distance(strange), expected, rtol=0.05)
    assert np.mean(statistics.distance(training) ** 2) == pytest.approx(1.0, rel=0.02)
    held_out = novelty.fit(training, training).held_out
    assert (np.diff(held_out) >= 0).all()


def test_more_features_than_windows_and_a_constant_feature_give_finite_distances():
    training = np.concatenate([RNG.normal(size=(8, 20)), np.full((8, 1), 0.3)], axis=1)
    statistics = novelty.fit(training, training[:2])
    near, far = statistics.distance(np.stack([training[0], training[0] + 50.0]))
    assert np.isfinite([near, far]).all()
    assert far > 10 * near
    with pytest.raises(errors.DataError, match="1 training and 2 held-out windows are too few"):
        novelty.fit(training[:1], training[:2])


def test_features_are_the_moments_of_the_trunk(run):
    model = load.load_model(run)
    x = tiny.one_hot(3)
    trunk = keras.Model(model.input, model.get_layer("trunk").output)
    track = np.asarray(trunk(x, training=False))
    expected = np.concatenate([track.mean(1), track.std(1)], axis=1)
    np.testing.assert_allclose(novelty.features(model, x), expected, rtol=1e-4, atol=1e-6)
    index = np.argmax(x, axis=2).astype(np.uint8)
    np.testing.assert_allclose(novelty.features(model, index), expected, rtol=1e-4, atol=1e-6)


def test_predictions_state_the_novelty_of_their_windows(run, tmp_path):
    model = load.load_model(run)
    letters = "".join(RNG.choice(list("ACGT"), tiny.SEQ_LENGTH)) + "A" * tiny.SEQ_LENGTH
    genome.write_fasta(tmp_path / "genome.fa", {"chr1": letters})
    bed = tmp_path / "regions.bed"
    bed.write_text("".join(f"chr1\t{i * 256}\t{(i + 1) * 256}\n" for i in range(2)))
    written = prediction_files.predict_regions(
        model, bed, fasta=tmp_path / "genome.fa", out_dir=tmp_path / "out"
    )
    with h5py.File(written.path) as file:
        distances = file[novelty.KEY][()]
        threshold = file.attrs["novelty_threshold"]
    assert distances.shape == (2,)
    assert threshold == pytest.approx(model.novelty.threshold)
    # A window of A alone is stranger than random bases.
    assert distances[1] > max(distances[0], threshold)
    plain = build.build(zoo.parse_spec(tiny.spec_json()))
    written = prediction_files.predict_regions(
        plain, bed, fasta=tmp_path / "genome.fa", out_dir=tmp_path / "plain"
    )
    with h5py.File(written.path) as file:
        assert novelty.KEY not in file


def test_statistics_belong_to_the_weights_of_their_run(run, caplog):
    statistics = load.load_model(run).novelty
    assert len(statistics.held_out) == 6
    best = run / recalibration.WEIGHTS
    saved = best.read_bytes()
    try:
        build.build(zoo.parse_spec(tiny.spec_json())).save(best)
        assert load.load_model(run).novelty is None
        assert "does not belong to the present weights" in caplog.text
    finally:
        best.write_bytes(saved)
    assert load.load_model(run).novelty.weights == statistics.weights


def test_a_damaged_file_is_refused(run, tmp_path):
    (tmp_path / novelty.FILE).write_bytes(b"broken")
    with pytest.raises(errors.DataError, match="not statistics of training windows"):
        novelty.load(tmp_path, "")
