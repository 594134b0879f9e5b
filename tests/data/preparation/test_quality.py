import cooler
import matplotlib.image
import numpy as np
import pytest

from akita_bayes import errors, triangle
from akita_bayes.data.contacts import counts_to_targets
from akita_bayes.data.preparation import quality, training_windows
from akita_bayes.data.records import statistics, tfrecord
from akita_bayes.plots import data_plots as contact_plots
from akita_bayes.plots import figure_files
from tests import coolers as world


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory):
    folder = world.world(tmp_path_factory.mktemp("world"))
    world.make(
        folder,
        transform=counts_to_targets.Transform(3200, world.BIN, 400, as_obsexp=True),
        layout=training_windows.Layout(seq_length=3200, snap=world.BIN, valid=0.2, test=0.2),
        seqs_per_tfr=128,
    )
    return folder


def test_examples_hold_records_and_their_decay_before_and_after(data_folder):
    layout = statistics.read(data_folder / "out")
    records = {
        record.region: record
        for path in (data_folder / "out" / "tfrecords").iterdir()
        for record in tfrecord.read_records(path, layout)
    }
    examples = quality.examples(data_folder / "out", 4, seed=3)
    assert len(examples) == 4
    clr = cooler.Cooler(str(data_folder / "a.cool"))
    for example in examples:
        record = records[example.region]
        assert example.identifiers == ("A", "B")
        assert example.distances.tolist() == list(range(0, 2400, 200))
        np.testing.assert_array_equal(
            triangle.to_vector(example.maps, diagonal_offset=2), record.target
        )
        np.testing.assert_array_equal(
            triangle.to_vector(example.masks, diagonal_offset=2), record.mask
        )
        chrom, start, end = example.region
        balanced = clr.matrix(balance=True).fetch((chrom, start + 400, end - 400))
        for distance in range(12):
            diagonal = np.diagonal(balanced, distance)
            assert example.before[distance, 0] == pytest.approx(np.nanmean(diagonal))
        apart = triangle.distances(12, 2) == 5
        values = record.target[apart & record.mask[:, 1], 1].astype(float)
        assert example.after[5, 1] == pytest.approx(values.mean(), abs=1e-6)


def test_the_same_seed_draws_the_same_windows(data_folder):
    first, second, third = (
        [example.region for example in quality.examples(data_folder / "out", 5, seed=seed)]
        for seed in (1, 1, 2)
    )
    assert first == second != third


def test_windows_are_different_and_splits_are_drawn_by_their_size(data_folder):
    total = sum(statistics.read(data_folder / "out").seqs.values())
    every = [example.region for example in quality.examples(data_folder / "out", total + 5)]
    assert len(set(every)) == len(every) == total
    examples = [quality.examples(data_folder / "out", 1, seed=seed)[0].split for seed in range(60)]
    share = statistics.read(data_folder / "out").seqs["train"] / total
    assert abs(examples.count("train") / 60 - share) < 0.2
    assert share > 0.55


def test_the_figure_shows_maps_and_masks(data_folder, tmp_path):
    examples = quality.examples(data_folder / "out", 2, seed=3)
    figure_files.write({"windows": contact_plots.figure(examples)}, tmp_path)
    image = matplotlib.image.imread(tmp_path / "windows.png")[..., :3]
    assert image.shape[1] > image.shape[0] > 600
    coloured = np.ptp(image, axis=-1) > 0.2
    assert coloured.mean() > 0.02
    grey = (np.ptp(image, axis=-1) < 0.01) & (np.abs(image[..., 0] - 1 / 1.35) < 0.02)
    masked = sum((~example.masks).sum() for example in examples)
    assert (grey.mean() > 0.001) == (masked > 0)


def test_targets_that_are_no_maps(real_data):
    with pytest.raises(errors.DataError, match="its targets are not maps"):
        quality.examples(real_data / "hg38_tiny", 1)
