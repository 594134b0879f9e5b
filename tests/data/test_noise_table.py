"""The noise of a data directory: sums of workers, the slope by value, and the file."""

import numpy as np
import pandas as pd
import pytest

from akita_bayes import errors, triangle
from akita_bayes.data import noise_table

BINS, OFFSET, TARGETS = 12, 2, 2
PIXELS = triangle.length(BINS, OFFSET)
DISTANCES = triangle.distances(BINS, OFFSET)


def windows(count, seed=0):
    """Squares of noise with variance 0.01 d e^(-y), seen beside values with that noise."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        truth = 0.5 * generator.normal(size=(PIXELS, TARGETS))
        variance = 0.01 * DISTANCES[:, None] * np.exp(-truth)
        halves = truth + np.sqrt(2 * variance) * generator.normal(size=(2, *truth.shape))
        yield (halves[0] - halves[1]) ** 2 / 4, halves.mean(0), generator.random(truth.shape) > 0.1


def table(data, method="replicates"):
    sums = noise_table.NoiseSums(TARGETS, BINS, OFFSET)
    for window in data:
        sums.add(*window)
    return sums.table(method)


def test_variance_and_slope_are_those_of_the_noise():
    noise = table(windows(3000))
    distance = np.arange(OFFSET, BINS)
    # The mean of e^(-y) for a normal y of sd 0.5 is e^(1/8); the last distances have 1 to 3 pixels.
    np.testing.assert_allclose(noise.variance / (0.01 * distance), np.exp(1 / 8), rtol=0.1)
    np.testing.assert_allclose(noise.slope[:, :8], -1.0, atol=0.15)
    assert noise.pixels[0, 0] == pytest.approx(0.9 * 3000 * 10, rel=0.02)


def test_sums_of_workers_add_up_and_unknown_squares_count_nowhere():
    data = list(windows(4))
    data[1][0][5] = np.nan
    data[2][1][~data[2][2]] = np.nan
    whole, parts = table(data), noise_table.NoiseSums(TARGETS, BINS, OFFSET)
    for part in (data[:2], data[2:]):
        worker = noise_table.NoiseSums(TARGETS, BINS, OFFSET)
        for window in part:
            worker.add(*window)
        parts.merge(worker.sums)
    merged = parts.table("replicates")
    for name in ("variance", "slope", "pixels"):
        values = getattr(whole, name)
        assert np.isfinite(values).all()
        np.testing.assert_allclose(getattr(merged, name), values)


def test_a_table_survives_its_file(tmp_path):
    noise = table(windows(20))
    path = noise_table.write(tmp_path, noise)
    rows = pd.read_csv(path, sep="\t")
    assert list(rows) == ["target", "distance", "variance", "slope", "pixels", "method"]
    assert list(rows["distance"][:3]) == [2, 3, 4]
    rows.sample(frac=1, random_state=0).to_csv(path, sep="\t", index=False)
    copy = noise_table.read(tmp_path, targets=TARGETS, bins=BINS, diagonal_offset=OFFSET)
    np.testing.assert_allclose(copy.variance, noise.variance, rtol=1e-5)
    np.testing.assert_allclose(copy.slope, noise.slope, atol=1e-4)
    np.testing.assert_array_equal(copy.pixels, noise.pixels)
    assert copy.method == "replicates"


def read(folder, **changes):
    shape = {"targets": TARGETS, "bins": BINS, "diagonal_offset": OFFSET} | changes
    return noise_table.read(folder, **shape)


def test_a_directory_without_the_file_has_unknown_noise_and_slopes_are_optional(tmp_path):
    assert read(tmp_path) is None
    rows = pd.read_csv(noise_table.write(tmp_path, table(windows(2))), sep="\t")
    rows[["target", "distance", "variance"]].to_csv(
        tmp_path / noise_table.FILE_NAME, sep="\t", index=False
    )
    noise = read(tmp_path)
    np.testing.assert_array_equal(noise.slope, 0)
    assert noise.method == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop(columns="variance"), 'no column "variance"'),
        (lambda rows: rows.assign(variance=-1.0), "line 2: expected finite numbers"),
        (lambda rows: rows.assign(slope="x"), "line 2: expected finite numbers"),
        (lambda rows: rows.iloc[1:], "each of 2 targets and each distance from 2 to 11"),
        (lambda rows: pd.concat([rows, rows.iloc[:1]]), "each of 2 targets"),
        (lambda rows: rows.assign(distance=3), "each of 2 targets"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path, change, message):
    path = noise_table.write(tmp_path, table(windows(2)))
    change(pd.read_csv(path, sep="\t")).to_csv(path, sep="\t", index=False)
    with pytest.raises(errors.DataError, match=message):
        read(tmp_path)


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / noise_table.FILE_NAME).write_text("")
    with pytest.raises(errors.DataError, match="not a tab-separated table"):
        read(tmp_path)
