"""A stripe of Chimaera on our pixels: distances, midpoints, edges, and the steps that follow."""

import numpy as np
import pytest

from akita_bayes import files, regions, triangle
from benchmarks import against_chimaera, yeast_data, yeast_report

TRANSFORM = yeast_data.TRANSFORM
BINS, WIDTH = TRANSFORM.window_bins, TRANSFORM.pool_width
WINDOW = regions.Region("chr1", 40_000, 40_000 + TRANSFORM.seq_length)
ROWS, COLUMNS, COLUMN = 48, 128, 512.0
START = 40_000 + (TRANSFORM.seq_length - COLUMNS * COLUMN) / 2
"""The left edge of a stripe with the centre of the window."""
FIRST, SECOND = triangle.indices(BINS, TRANSFORM.diagonal_offset)
ON_STRIPE = SECOND - FIRST < 25
"""Pixels within the 50 rows, of 1,024 bases each, that a stripe reaches."""


def _pixels(values, start=START):
    stripe = against_chimaera.Stripe(values, start, COLUMN)
    return against_chimaera.pixels(stripe, WINDOW)[FIRST, SECOND]


def test_a_stripe_of_distances_gives_the_distance_of_both_bins():
    """Rows go from the farthest to the nearest; the mean over a pixel is that of its centre."""
    nearest_first = (np.arange(ROWS) + against_chimaera.NEAREST + 0.5) * 2 * COLUMN
    values = np.repeat(nearest_first[::-1, None], COLUMNS, axis=1)
    expected = (SECOND - FIRST) * float(WIDTH)
    # A row has 1,024 bases and a pixel reads 15 distances, so its mean is off by less than a
    # quarter of a row. The first and the last distance lack a few of their points.
    inner = ON_STRIPE & (SECOND - FIRST > 2) & (SECOND - FIRST < 24)
    np.testing.assert_allclose(_pixels(values)[inner], expected[inner], atol=256)


def test_a_stripe_of_midpoints_gives_the_midpoint_of_both_bins():
    midpoints = START + (np.arange(COLUMNS) + 0.5) * COLUMN
    values = np.repeat(midpoints[None], ROWS, axis=0)
    expected = WINDOW.start + (FIRST + SECOND + 1) / 2 * WIDTH
    # A column has 512 bases of midpoint; a quarter of it.
    np.testing.assert_allclose(_pixels(values)[ON_STRIPE], expected[ON_STRIPE], atol=128)


def test_pixels_that_a_stripe_does_not_reach_have_no_value():
    values = _pixels(np.ones((ROWS, COLUMNS)))
    np.testing.assert_array_equal(np.isfinite(values), SECOND - FIRST <= 25)
    # A stripe that begins in the middle of the window holds midpoints of its right half. Half of a
    # pixel on the border lies on it, which is enough.
    half = _pixels(np.ones((ROWS, COLUMNS)), START + COLUMNS * COLUMN / 2)
    right = FIRST + SECOND + 1 >= BINS
    np.testing.assert_array_equal(np.isfinite(half[ON_STRIPE]), right[ON_STRIPE])


def test_a_map_that_depends_on_distance_alone_is_zero_once_centred():
    matrix = np.full((BINS, BINS), np.nan)
    matrix[FIRST, SECOND] = 5.0 - SECOND + FIRST
    for smoothed in (False, True):
        values = against_chimaera.as_target(matrix, True, smoothed)
        np.testing.assert_allclose(values, np.zeros(TRANSFORM.pixels), atol=1e-12)


def test_pixels_are_cropped_in_the_order_of_the_targets():
    matrix = np.full((BINS, BINS), np.nan)
    matrix[FIRST, SECOND] = 100 * FIRST + SECOND
    crop = TRANSFORM.crop_bins
    i, j = triangle.indices(TRANSFORM.map_bins, TRANSFORM.diagonal_offset)
    values = against_chimaera.as_target(matrix, False, False)
    np.testing.assert_array_equal(values, 100 * (i + crop) + j + crop)


def test_smoothing_spreads_a_pixel_by_the_kernel_of_the_targets():
    matrix = np.full((BINS, BINS), np.nan)
    matrix[FIRST, SECOND] = 0.0
    matrix[12, 20] = 1.0
    values = against_chimaera.as_target(matrix, False, True)
    i, j = triangle.indices(TRANSFORM.map_bins, TRANSFORM.diagonal_offset)
    peak = int(np.flatnonzero((i == 8) & (j == 16))[0])
    beside = int(np.flatnonzero((i == 8) & (j == 17))[0])
    assert values.argmax() == peak
    # Neighbours of a Gaussian of sigma 1.5 bins; the mirrored pixel is too far to add anything.
    assert values[beside] / values[peak] == pytest.approx(np.exp(-1 / (2 * 1.5**2)), rel=1e-6)


def test_a_correlation_leaves_out_masked_and_missing_pixels():
    targets = np.array([[1.0, 2.0, 3.0, 9.0, -9.0]])
    masks = np.array([[True, True, True, False, True]])
    windows = against_chimaera.Windows([WINDOW], targets, masks)
    vectors = np.array([[10.0, 20.0, 30.0, -5.0, np.nan]])
    assert against_chimaera.pooled(vectors, windows) == (pytest.approx(1.0), 3)


def test_numbers_of_the_page_are_those_of_the_result_file():
    page = " ".join(yeast_report.PAGE.read_text(encoding="utf-8").split())
    runs = sorted(
        files.read_json(against_chimaera.RESULT)["runs"], key=lambda run: -run["pearsonr"]
    )
    ends = ["{:.2f} to {:.2f}".format(*run["pearsonr_95%"]) for run in runs]
    r = [f"{run['pearsonr']:.3f} ({interval})" for run, interval in zip(runs, ends, strict=True)]
    own = [f"{run['own_metric']['pooled']:.3f}" for run in runs]
    epochs = [str(run["autoencoder"]["epochs"]) for run in runs]
    passes = [str(run["dna_encoder"]["passes"]) for run in runs]
    autoencoded = runs[0]["correlations"]["autoencoded"][runs[0]["conversion"]]["r"]
    for text in (
        f"reached r = {' and '.join(r)} on the targets of our {runs[0]['windows']} test windows",
        f"{runs[0]['fragments']['test']} test fragments, after its autoencoder) they reached "
        + " and ".join(own),
        f"{' and '.join(epochs)} of 7 epochs of its autoencoder",
        f"{' and '.join(passes)} of 84 passes",
        f"r = {runs[0]['measured_check']:.3f} with our targets, and {autoencoded:.3f} after",
    ):
        assert text in page
    for run in runs:
        assert max(run["dna_encoder"]["train_pearson"]) < 0.08
        seconds = run["autoencoder"]["cpu_seconds"] + run["dna_encoder"]["cpu_seconds"]
        assert round(seconds / 60) == 7
