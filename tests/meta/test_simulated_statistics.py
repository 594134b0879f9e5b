"""Benchmarks of the simulator: what the page says, its goals, and how statistics are computed."""

import numpy as np
import pytest

from akita_bayes import files, triangle
from benchmarks import (
    realistic_calibration,
    simulated_statistics,
    simulated_statistics_report,
)

BINS = 24


@pytest.fixture(scope="module")
def result():
    return files.read_json(simulated_statistics.RESULT)


def _shown(name):
    page = simulated_statistics_report.PAGE.read_text(encoding="utf-8")
    table = page.partition(simulated_statistics_report.START.format(name))[2]
    return table.partition(simulated_statistics_report.END)[0].strip()


def test_the_tables_of_the_page_are_those_of_the_result_files(result):
    for name, table in simulated_statistics_report.tables(result).items():
        assert _shown(name) == table
    assert simulated_statistics_report.FIGURE.is_file()


def test_the_table_of_intervals_is_that_of_its_result_file():
    rows = files.read_json(realistic_calibration.RESULT)["presets"]
    assert _shown("calibration") == realistic_calibration.table(rows).strip()


def test_recalibrated_intervals_hold_the_truth_on_simulated_maps():
    for preset in files.read_json(realistic_calibration.RESULT)["presets"].values():
        for calibrated in preset["calibration"].values():
            assert 0.87 <= calibrated["overall"] <= 0.94


def test_realistic_maps_are_as_smooth_as_a_measured_one(result):
    human = result["maps"]["human chr11"]["targets"][0]["correlation"]["row"]["1"]
    for target in result["maps"]["realistic"]["targets"]:
        assert abs(target["correlation"]["row"]["1"] - human) < 0.03
    for target in result["maps"]["small"]["targets"]:
        assert abs(target["correlation"]["row"]["1"] - human) > 0.1


def test_replicates_correlate_as_asked(result):
    asked = {(row["solve_for"], row["wanted"]) for row in result["replicates"]}
    assert asked == {(by, r) for by in ("bias", "depth") for r in simulated_statistics.WANTED}
    for row in result["replicates"]:
        assert abs(row["replicate_r"] - row["wanted"]) < 0.03


def test_a_lagged_correlation_pairs_measured_pixels_in_its_direction():
    rng = np.random.default_rng(0)
    squares = rng.standard_normal((3, BINS, BINS))
    squares[rng.random(squares.shape) < 0.1] = np.nan
    for step in simulated_statistics.DIRECTIONS.values():
        for lag in (1, 3):
            pairs = [
                (square[i, j], square[i + lag * step[0], j + lag * step[1]])
                for square in squares
                for i in range(BINS)
                for j in range(i + 2, BINS)
                if i + lag * step[0] >= 0
                and j + lag * step[1] < BINS
                and (j + lag * step[1]) - (i + lag * step[0]) >= 2
            ]
            pairs = np.array([pair for pair in pairs if np.isfinite(pair).all()])
            expected = np.corrcoef(pairs.T)[0, 1]
            assert simulated_statistics.lagged(squares, lag, step) == pytest.approx(expected)


def test_statistics_are_of_measured_pixels():
    """A map that is a linear function of distance, with masked pixels that hold large values."""
    distance = triangle.distances(BINS, 2).astype(float)
    values = np.stack([distance, distance])
    mask = np.ones(values.shape, bool)
    mask[0, ::7] = False
    values[~mask] = 1e6
    measured = simulated_statistics.statistics(values, mask)
    pixels = values[mask]
    assert measured["sd"] == pytest.approx(pixels.std())
    assert measured["masked"] == pytest.approx((~mask).mean())
    assert measured["skewness"] == pytest.approx(
        np.mean((pixels - pixels.mean()) ** 3) / pixels.std() ** 3
    )
    assert list(measured["sd_by_distance"]) == ["2-3", "4-7", "8-15", "16-23"]
    near = pixels[pixels < 4]
    assert measured["sd_by_distance"]["2-3"] == pytest.approx(near.std())
    for values_by_lag in measured["correlation"].values():
        assert values_by_lag["1"] == pytest.approx(1)
