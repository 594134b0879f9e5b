"""Accuracy against formulas on whole arrays, with a model whose predictions are known."""

import numpy as np
import pytest
import scipy.stats

from akita_bayes import errors, files, triangle
from akita_bayes.data.records import dataset, statistics, tfrecord
from akita_bayes.evaluate import accuracy, baseline, comparison, insulation, strata
from akita_bayes.models import build, export, load, posterior, predict, zoo
from tests import tiny

BINS, OFFSET, TARGETS = tiny.BINS, tiny.OFFSET, tiny.TARGETS


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tiny.write_data(tmp_path_factory.mktemp("data"))
    random = np.random.default_rng(5)
    noise = random.normal(0, 0.05, (7, tiny.PIXELS, TARGETS))
    truth = whole(folder, "test")["target"] + noise
    (folder / "truth").mkdir()
    np.savez_compressed(folder / "truth" / "test.npz", truth=truth.astype(np.float16))
    files.write_json(
        folder / "truth" / "ceiling.json",
        {"test": {"targets": ["a", "b"], "target_truth_pearson": [0.9, 0.8]}},
    )
    return folder


def whole(folder, split):
    batches = list(dataset.open_split(folder, split, batch_size=4))
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


@pytest.fixture(scope="module")
def model():
    return build.build(zoo.parse_spec(tiny.spec_json()))


@pytest.fixture(scope="module")
def report(model, data):
    return accuracy.assess(model, data, examples=2)


def test_every_number_is_that_of_the_whole_arrays(report, model, data):
    records = whole(data, "test")
    prediction = predict.predict(model, records["sequence"])
    truth = np.load(data / "truth" / "test.npz")["truth"].astype(np.float64)
    for scores, reference in ((report.model, records["target"]), (report.truth, truth)):
        table = scores.table()
        for target in range(TARGETS):
            mask = records["mask"][..., target]
            y, p = reference[..., target][mask], prediction[..., target][mask]
            assert table["pearsonr"][target] == pytest.approx(np.corrcoef(y, p)[0, 1], abs=1e-6)
            assert table["mse"][target] == pytest.approx(((y - p) ** 2).mean(), rel=1e-6)
            r2 = 1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum()
            assert table["r2"][target] == pytest.approx(r2, rel=1e-5)
            rho = scipy.stats.spearmanr(y, p).statistic
            assert table["spearmanr"][target] == pytest.approx(rho, abs=1e-5)
        y, p = reference[records["mask"]], prediction[records["mask"]]
        assert table["pearsonr"][-1] == pytest.approx(np.corrcoef(y, p)[0, 1], abs=1e-6)
        assert table["spearmanr"][-1] == pytest.approx(
            scipy.stats.spearmanr(y, p).statistic, abs=1e-5
        )


def test_windows_and_strata_are_judged_alone(report, model, data):
    records = whole(data, "test")
    prediction = predict.predict(model, records["sequence"])
    regions, r = report.windows
    assert regions == [text.decode() for text in records["region"]]
    groups = strata.log_spaced(BINS, OFFSET)
    assert len(report.strata) == groups.count == len(report.by_distance)
    for target in range(TARGETS):
        mask = records["mask"][..., target]
        y, p = records["target"][..., target], prediction[..., target]
        for window in range(7):
            expected = np.corrcoef(y[window][mask[window]], p[window][mask[window]])[0, 1]
            assert r[window, target] == pytest.approx(expected, abs=1e-6)
        for number in range(groups.count):
            inside = mask & (groups.index == number)
            expected = np.corrcoef(y[inside], p[inside])[0, 1]
            assert report.by_distance[number, target] == pytest.approx(expected, abs=1e-6)


def test_the_baseline_is_the_training_mean_at_each_distance(report, data):
    train, test = whole(data, "train"), whole(data, "test")
    distance = triangle.distances(BINS, OFFSET)
    expected = np.zeros((tiny.PIXELS, TARGETS))
    for d in np.unique(distance):
        for target in range(TARGETS):
            at = train["mask"][..., target] & (distance == d)
            expected[distance == d, target] = train["target"][..., target][at].mean()
    means = baseline.distance_only(data, "train", distance)
    np.testing.assert_allclose(means, expected, rtol=1e-5)
    guess = np.broadcast_to(expected, test["target"].shape)[test["mask"]]
    r = np.corrcoef(guess, test["target"][test["mask"]])[0, 1]
    assert report.baseline.table()["pearsonr"][-1] == pytest.approx(r, abs=1e-6)
    assert r > 0.3


def test_the_baseline_of_one_window_is_its_value_where_a_distance_has_one_pixel(tmp_path):
    folder = tiny.write_data(tmp_path, train=1)
    only = whole(folder, "train")
    distance = triangle.distances(BINS, OFFSET)
    means = baseline.distance_only(folder, "train", distance)
    (far,) = np.flatnonzero(distance == BINS - 1)
    assert only["mask"][0, far].any()
    expected = np.where(only["mask"][0, far], only["target"][0, far], 0)
    np.testing.assert_allclose(means[far], expected)


def test_insulation_is_the_mean_of_the_diamond():
    random = np.random.default_rng(0)
    vector = random.normal(size=(tiny.PIXELS, 1))
    mask = random.random(vector.shape) > 0.3
    matrix = triangle.to_matrix(np.where(mask, vector, np.nan), diagonal_offset=OFFSET)[..., 0]
    profile, measured_bins = insulation.profile(vector, mask, diagonal_offset=OFFSET, width=3)
    assert len(profile) == BINS - 2 * 3 + 1
    for value, b in zip(profile[:, 0], range(3, BINS - 2), strict=True):
        assert value == pytest.approx(np.nanmean(matrix[b - 3 : b, b : b + 3]), abs=1e-12)
    assert measured_bins.all()


def test_a_diamond_without_a_measured_pixel_is_not_known():
    vector, mask = np.ones((tiny.PIXELS, 1)), np.zeros((tiny.PIXELS, 1), bool)
    rows, columns = triangle.indices(BINS, OFFSET)
    mask[(rows == 4) & (columns == 6)] = True
    profile, measured_bins = insulation.profile(vector, mask, diagonal_offset=OFFSET, width=3)
    np.testing.assert_array_equal(np.flatnonzero(measured_bins[:, 0]) + 3, [5, 6])
    np.testing.assert_array_equal(profile[measured_bins], [1, 1])


@pytest.mark.parametrize(("bins", "width"), [(12, 2), (40, 5), (79, 9), (80, 10), (512, 10)])
def test_the_diamond_is_smaller_where_the_map_is(bins, width):
    assert insulation.default_width(bins) == width


def test_insulation_is_correlated_over_all_borders_of_all_windows(report, model, data):
    records = whole(data, "test")
    prediction = predict.predict(model, records["sequence"])
    pairs = []
    for y, p, mask in zip(records["target"], prediction, records["mask"], strict=True):
        (y, measured_bins), (p, _) = (
            insulation.profile(values, mask, diagonal_offset=OFFSET, width=2) for values in (y, p)
        )
        assert measured_bins.all()
        pairs.append((y, p))
    y, p = np.concatenate(pairs, axis=1)
    expected = [np.corrcoef(y[:, t], p[:, t])[0, 1] for t in range(TARGETS)]
    np.testing.assert_allclose(report.insulation, expected, rtol=1e-6, atol=1e-6)


def test_strata_are_named_in_bins_or_in_kilobases():
    groups = strata.log_spaced(24, 0, 4)
    assert groups.edges.tolist() == [0, 2, 5, 11, 24]
    assert groups.labels() == ["0-1", "2-4", "5-10", "11-23"]
    assert groups.labels(2048) == ["0-4.1 kb", "4.1-10 kb", "10-23 kb", "23-49 kb"]
    assert groups.index.min() == 0


def test_labels_of_distances_have_the_digits_that_tell_them_apart():
    far = strata.Strata(np.array([2, 499, 512]), np.zeros(1, int))
    assert far.labels(2048) == ["4.1-1020 kb", "1020-1050 kb"]
    assert strata.Strata(np.array([1, 100, 101]), np.zeros(1, int)).labels(1024) == [
        "1.02-102 kb",
        "102-103 kb",
    ]


@pytest.mark.parametrize(
    ("splits", "tested", "training"),
    [
        ({"train": 4, "valid": 2, "test": 2}, "test", ("train",)),
        ({"fold0": 2, "fold1": 2, "fold2": 2, "fold3": 0}, "fold1", ("fold0", "fold2")),
        ({"train": 0, "test": 2}, "test", None),
    ],
)
def test_the_baseline_is_of_the_training_split_or_of_the_other_folds(
    tmp_path, splits, tested, training
):
    statistics.write(tmp_path, statistics.Statistics(64, 4, 2, 16, seqs=splits))
    if training is None:
        with pytest.raises(
            errors.DataError, match="has only the split test, but the mean at every distance"
        ):
            baseline.training_splits(tmp_path, tested)
    else:
        assert baseline.training_splits(tmp_path, tested) == training


def test_a_perfect_prediction_is_perfect_and_a_constant_one_is_nothing():
    random = np.random.default_rng(1)
    y = random.normal(size=(4, tiny.PIXELS, 2))
    mask = random.random(y.shape) > 0.2
    groups = strata.log_spaced(BINS, OFFSET)
    perfect, constant = (comparison.Comparison(2, rank=True, strata=groups) for _ in range(2))
    for window, measured in zip(y, mask, strict=True):
        perfect.update(window, window, measured)
        constant.update(window, np.full_like(window, 3), measured)
    table = perfect.scores().table()
    for name, best in (("mse", 0), ("pearsonr", 1), ("spearmanr", 1), ("r2", 1)):
        assert table[name] == pytest.approx([best] * 3, abs=1e-12)
    assert perfect.by_distance() == pytest.approx(np.ones((groups.count, 2)))
    table = constant.scores().table()
    assert table["pearsonr"] == table["spearmanr"] == [0, 0, 0]


def test_targets_can_be_chosen_and_ranks_left_out(report, model, data):
    second = accuracy.assess(model, data, targets=[1], rank=False, examples=0)
    table = second.model.table()
    assert "spearmanr" not in table
    assert table["pearsonr"] == pytest.approx([report.model.table()["pearsonr"][1]] * 2)
    assert second.ceiling == {"targets": ["b"], "target_truth_pearson": [0.8]}
    assert second.examples == []


def test_examples_lie_where_their_target_does(report, data):
    records = whole(data, "test")
    first, last = report.examples
    assert (first.region.start, first.region.end) == (32, 256 - 32)
    assert last.region.start == 6 * 256 + 32
    np.testing.assert_array_equal(last.target, records["target"][6])
    assert [points.shape[1] for points in report.scatter] == [2, 2]


def test_both_strands_and_shifts_are_averaged(model, data):
    plain, averaged = (
        accuracy.assess(model, data, rank=False, examples=1, **options).examples[0].prediction
        for options in ({}, {"rc": True, "shifts": (0, 1)})
    )
    sequence = whole(data, "test")["sequence"][:1]
    expected = predict.predict(model, sequence, rc=True, shifts=(0, 1))[0]
    np.testing.assert_allclose(averaged, expected, atol=1e-5)
    assert np.abs(averaged - plain).max() > 1e-3


def test_so_many_draws_are_averaged(data):
    spec = tiny.spec_json(loss="elbo")
    spec["model"]["head_hic"].insert(0, {"name": "normal_latent", "units": 3})
    latent = build.build(zoo.parse_spec(spec))
    (example,) = accuracy.assess(latent, data, rank=False, examples=1, draws=3, seed=5).examples
    stated = posterior.sample_posterior(
        latent, whole(data, "test")["sequence"][:1], draws=3, seed=5, quantiles=()
    )
    np.testing.assert_allclose(example.prediction, stated.mean[0], atol=1e-5)


def test_truth_of_other_windows_is_refused(model, data, tmp_path):
    copied = tiny.write_data(tmp_path / "data", test=5)
    (copied / "truth").mkdir()
    (copied / "truth" / "test.npz").write_bytes((data / "truth" / "test.npz").read_bytes())
    with pytest.raises(errors.DataError, match="truth of 7 windows for 5 records"):
        accuracy.assess(model, copied)


def test_draws_and_views_exclude_each_other(model, data):
    with pytest.raises(errors.SpecError, match="draws"):
        accuracy.assess(model, data, draws=4, rc=True)


def test_draws_of_an_exported_model_are_refused_before_any_window(model, data, tmp_path):
    export.export(model, tmp_path / "exported")
    done = []
    with pytest.raises(errors.RunError, match="an exported model predicts its mean only"):
        accuracy.assess(load.load_model(tmp_path / "exported"), data, draws=4, advance=done.append)
    assert not done


def test_a_track_has_no_distance(tmp_path):
    spec = zoo.parse_spec(
        {
            "train": {},
            "model": {
                "seq_length": 64,
                "trunk": [{"name": "conv_block", "filters": 2, "pool_size": 16}],
                "head_x": [{"name": "final", "units": 2, "activation": "softplus"}],
            },
        }
    )
    random = np.random.default_rng(0)
    counts = {"train": 4, "test": 3}
    statistics.write(tmp_path, statistics.Statistics(64, 4, 2, 16, seq_1hot=True, seqs=counts))
    written = {}
    for split, count in counts.items():
        written[split] = [
            tfrecord.Record(random.integers(0, 4, 64).astype(np.uint8), random.random((4, 2)))
            for _ in range(count)
        ]
        tfrecord.write_records(tmp_path / "tfrecords" / f"{split}-0.tfr", written[split])
    report = accuracy.assess(build.build(spec), tmp_path)
    assert report.insulation is None
    assert {(example.region.start, example.region.end) for example in report.examples} == {(0, 64)}
    assert report.strata == []
    mean = np.mean([record.target.astype(np.float16) for record in written["train"]], axis=(0, 1))
    truth = np.stack([record.target.astype(np.float16) for record in written["test"]])
    error = ((truth.astype(np.float64) - mean) ** 2).mean((0, 1))
    assert report.baseline.table()["mse"][:2] == pytest.approx(error, rel=1e-3)
