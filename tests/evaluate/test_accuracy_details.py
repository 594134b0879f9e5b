import numpy as np
import pytest

from akita_bayes import triangle
from akita_bayes.data import noise_table
from akita_bayes.evaluate import accuracy_details, insulation, strata
from akita_bayes.numerics import window_sums

BINS, OFFSET, TARGETS, WINDOWS = 20, 2, 2, 8
PIXELS = triangle.length(BINS, OFFSET)
DISTANCE = triangle.distances(BINS, OFFSET)
SD = 0.5  # of the noise of a measurement


@pytest.fixture(scope="module")
def world():
    """Windows whose measurement is a map with noise of sd 0.5, predicted without error."""
    random = np.random.default_rng(0)
    maps = random.normal(0, 1, (WINDOWS, PIXELS, TARGETS))
    measured = maps + random.normal(0, SD, maps.shape)
    mask = random.random(maps.shape) > 0.1
    groups = strata.log_spaced(BINS, OFFSET)
    collector = accuracy_details.DetailCollector(BINS, OFFSET, groups)
    for y, p, measured_pixels in zip(measured, maps, mask, strict=True):
        simple = {"distance_only": np.full_like(y, 0.1), "training_mean": 0.5 * p}
        collector.add(y, p, measured_pixels, simple)
    shape = (TARGETS, BINS - OFFSET)
    noise = noise_table.NoiseTable(
        np.full(shape, SD**2), np.zeros(shape), np.ones(shape, np.int64), OFFSET, "simulated"
    )
    locations = [f"chr1:{100 * window}-{100 * window + 100}" for window in range(WINDOWS)]
    return measured, maps, mask, groups, collector.details(locations, noise, seed=0)


def test_scores_are_those_of_all_pixels(world):
    measured, maps, mask, _, details = world
    assert details.blocks == WINDOWS
    for target in range(TARGETS):
        y, p = (values[mask[..., target], target] for values in (measured, maps))
        assert details.scores["pearsonr"].value[target] == pytest.approx(np.corrcoef(y, p)[0, 1])
        assert details.scores["mse"].value[target] == pytest.approx(((y - p) ** 2).mean())
        assert details.baselines["zero"]["mse"][target] == pytest.approx((y**2).mean())
        expected = ((y - 0.1) ** 2).mean() - ((y - p) ** 2).mean()
        assert details.gains["distance_only"].value[target] == pytest.approx(expected)
        half = ((y - 0.5 * p) ** 2).mean()
        assert details.baselines["training_mean"]["mse"][target] == pytest.approx(half)


def test_intervals_hold_their_score_and_shrink_with_sureness(world):
    details = world[-1]
    for name, estimate in (*details.scores.items(), *details.by_distance.items()):
        low, high = estimate.interval
        assert (low <= estimate.value).all(), name
        assert (estimate.value <= high).all(), name
        assert (low < high).all(), name
    low, _ = details.gains["zero"].interval
    assert (low > 0).all()  # the model is better than zero beyond doubt


def test_strata_are_those_of_their_pixels(world):
    measured, maps, mask, groups, details = world
    for number in range(groups.count):
        inside = groups.index == number
        for target in range(TARGETS):
            measured_pixels = mask[:, inside, target]
            y, p = (values[:, inside, target][measured_pixels] for values in (measured, maps))
            r = details.by_distance["pearsonr"].value[number, target]
            assert r == pytest.approx(np.corrcoef(y, p)[0, 1])
            mse = details.by_distance["mse"].value[number, target]
            assert mse == pytest.approx(((y - p) ** 2).mean())


def test_windows_and_insulation_are_judged(world):
    measured, maps, mask, _, details = world
    error = np.where(mask[3], measured[3] - maps[3], 0)
    expected = (error**2).sum(axis=0) / mask[3].sum(axis=0)
    np.testing.assert_allclose(details.by_window["mse"][3], expected)
    index = DISTANCE - OFFSET
    sums = window_sums.by_distance(measured[3], maps[3], mask[3], index, BINS - OFFSET)
    np.testing.assert_allclose(
        details.by_window["stratum_adjusted"][3], window_sums.stratum_adjusted(sums)
    )
    profiles = [
        [
            insulation.profile(v, m, diagonal_offset=OFFSET, width=insulation.default_width(BINS))
            for v in (y, p)
        ]
        for y, p, m in zip(measured, maps, mask, strict=True)
    ]
    y, p = (np.concatenate([window[k][0] for window in profiles]) for k in (0, 1))
    r = [np.corrcoef(y[:, target], p[:, target])[0, 1] for target in range(TARGETS)]
    np.testing.assert_allclose(details.scores["insulation_pearsonr"].value, r)


def test_a_perfect_map_reaches_the_ceiling_of_its_noise(world):
    """r of a map with variance 1 and noise 0.25 is 1 / sqrt(1.25) = 0.894."""
    details = world[-1]
    np.testing.assert_allclose(details.ceiling, 1 / np.sqrt(1 + SD**2), atol=0.03)
    np.testing.assert_allclose(details.scores["pearsonr"].value, details.ceiling, atol=0.02)
    far = details.ceiling_by_distance[:-1]
    np.testing.assert_allclose(far, details.by_distance["pearsonr"].value[:-1], atol=0.1)


def test_few_blocks_are_said(caplog):
    y = np.random.default_rng(0).normal(size=(9, 1))
    collector = accuracy_details.DetailCollector(9, None, None)
    for _ in range(3):
        collector.add(y, y, np.ones_like(y, bool), {})
    collector.details(["chr1:0-9", "chr1:5-14", "chr1:20-29"], None, seed=0)
    assert "The windows form 2 blocks that do not overlap" in caplog.text


def test_tracks_have_no_strata():
    random = np.random.default_rng(0)
    collector = accuracy_details.DetailCollector(9, None, None)
    for _ in range(3):
        y = random.normal(size=(9, 1))
        collector.add(y, y + 1, np.ones_like(y, bool), {})
    details = collector.details(["a#0", "a#1", "a#2"], None, seed=0)
    assert set(details.scores) == {"pearsonr", "mse", "r2"}
    assert details.scores["mse"].value == pytest.approx([1])
    assert details.by_distance == {}
    assert details.ceiling is None
