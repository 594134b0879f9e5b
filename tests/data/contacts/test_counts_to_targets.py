import cooler
import h5py
import numpy as np
import pytest

from akita_bayes import errors, regions, triangle
from akita_bayes.data.contacts import counts_to_targets, reference_target
from tests import coolers as world

W303 = "scer_w303_g1_2kb_SRR8769554.cool"


@pytest.fixture
def yeast(real_data):
    return cooler.Cooler(str(real_data / "hic" / W303))


def weights_of(clr, region):
    return clr.bins().fetch(tuple(region))["weight"].to_numpy(copy=True)


def counts_of(clr, region):
    return clr.matrix(balance=False).fetch(tuple(region))


@pytest.mark.parity
@pytest.mark.parametrize(
    ("name", "transform", "clip"),
    [
        (
            "obsexp_clip2_crop32000",
            counts_to_targets.Transform(256000, 2000, 32000, as_obsexp=True),
            2.0,
        ),
        ("no_obsexp", counts_to_targets.Transform(256000, 2000), None),
    ],
)
def test_targets_are_basenjis(parity, yeast, name, transform, clip):
    with h5py.File(parity / f"w303_targets_{name}.h5") as file:
        expected = file["targets"][:]
    windows = [region for region, _ in regions.read_bed(parity / "w303_windows.bed")]
    assert len(windows) == len(expected) == 8
    for window, row in zip(windows, expected, strict=True):
        values = counts_to_targets.target(
            counts_of(yeast, window), weights_of(yeast, window), transform, clip=clip
        )
        assert len(values.values) == transform.pixels
        np.testing.assert_array_equal(values.values.astype(np.float16), row)
        by_recipe = reference_target.target(yeast, window, transform, clip=clip)
        np.testing.assert_array_equal(by_recipe.values.astype(np.float16), row)


@pytest.mark.parametrize(
    "options",
    [
        {"as_obsexp": True, "kernel_sigma": 1.0, "kernel_width": 5},
        {"as_obsexp": True, "no_log": True},
        {"as_obsexp": True, "no_log": True, "kernel_sigma": 1.0},
        {"global_obsexp": True, "no_log": True, "kernel_sigma": 1.0},
        {"kernel_sigma": 1.0},
        {"as_obsexp": True, "kernel_sigma": 1.5, "crop": 20000},
        {"global_obsexp": True, "diagonal_offset": 3},
        {"diagonal_offset": 1},
    ],
)
def test_it_equals_the_recipe(yeast, options):
    transform = counts_to_targets.Transform(**{"seq_length": 256000, "pool_width": 2000, **options})
    assert transform.as_obsexp == any(name.endswith("obsexp") for name in options)
    expected = np.linspace(2.0, 0.1, 128) if transform.global_obsexp else None
    for window in (regions.Region("chr12", 300000, 556000), regions.Region("chr2", 0, 256000)):
        values = counts_to_targets.target(
            counts_of(yeast, window),
            weights_of(yeast, window),
            transform,
            clip=2.0,
            expected=expected,
        )
        twin = reference_target.target(yeast, window, transform, clip=2.0, expected=expected)
        np.testing.assert_allclose(values.values, twin.values, rtol=1e-12, atol=1e-12)
        assert not values.mask.all()


@pytest.mark.parametrize("no_log", [False, True])
def test_it_equals_the_recipe_where_contacts_are_missing(tmp_path, no_log):
    """Too few for coarse-graining to fill every pixel: their logarithm is not a number."""
    clr = cooler.Cooler(str(world.write(tmp_path / "a.cool", depth=5.0, filtered=0.02)))
    transform = counts_to_targets.Transform(3200, 200, as_obsexp=True, no_log=no_log)
    empty = 0
    for start in range(0, 36_000, 1200):
        window = regions.Region("chr1", start, start + 3200)
        weights = weights_of(clr, window)
        values = counts_to_targets.target(counts_of(clr, window), weights, transform)
        twin = reference_target.target(clr, window, transform)
        np.testing.assert_allclose(values.values, twin.values, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(values.mask, twin.mask)
        rows, columns = triangle.indices(16, 2)
        measured = np.isfinite(weights[rows]) & np.isfinite(weights[columns])
        empty += np.sum(measured & ~values.mask)
    assert (empty > 0) != no_log


def test_blacklisted_bins_are_filtered_like_unbalanced_ones(yeast):
    window = regions.Region("chr4", 200000, 456000)
    transform = counts_to_targets.Transform(256000, 2000, as_obsexp=True)
    blacklisted = np.zeros(128, bool)
    blacklisted[[0, 40, 41, 127]] = True
    weights = weights_of(yeast, window)
    assert np.isfinite(weights).all()
    weights[blacklisted] = np.nan
    values = counts_to_targets.target(counts_of(yeast, window), weights, transform, clip=2.0)
    twin = reference_target.target(yeast, window, transform, clip=2.0, blacklisted=blacklisted)
    np.testing.assert_allclose(values.values, twin.values, rtol=1e-12, atol=1e-12)


def test_the_mask_is_false_exactly_where_a_bin_is_filtered():
    transform = counts_to_targets.Transform(64, 4, 8, as_obsexp=True)
    random = np.random.default_rng(0)
    counts = random.poisson(20, (16, 16))
    counts = counts + counts.T
    weights = np.ones(16)
    weights[[0, 6]] = np.nan
    values = counts_to_targets.target(counts, weights, transform)
    valid = np.isfinite(weights)[2:14]
    pixels = [valid[i] and valid[j] for i in range(12) for j in range(i + 2, 12)]
    np.testing.assert_array_equal(values.mask, pixels)
    assert np.isfinite(values.values).all()


def test_a_log_of_zero_is_masked_not_stored():
    transform = counts_to_targets.Transform(64, 4, as_obsexp=True)
    counts = np.zeros((16, 16))
    near = np.abs(np.subtract.outer(np.arange(16), np.arange(16))) < 4
    counts[near] = 9
    values = counts_to_targets.target(counts, np.ones(16), transform)
    assert np.isfinite(values.values).all()
    assert not values.mask.all()
    clipped = counts_to_targets.target(counts, np.ones(16), transform, clip=2.0)
    assert clipped.mask.all()
    assert clipped.values.min() == -2


@pytest.mark.parametrize(
    ("filtered", "counts", "reason"),
    [
        (9, 20, "more than half of the bins filtered"),
        (8, 20, None),
        (0, 0, "too sparse"),
    ],
)
def test_unusable_windows(filtered, counts, reason):
    weights = np.ones(16)
    weights[:filtered] = np.nan
    matrix = np.full((16, 16), counts)
    transform = counts_to_targets.Transform(64, 4, as_obsexp=True)
    if reason is None:
        assert counts_to_targets.target(matrix, weights, transform).mask.any()
        return
    with pytest.raises(counts_to_targets.Unusable) as caught:
        counts_to_targets.target(matrix, weights, transform)
    assert caught.value.reason == reason


def test_a_target_without_a_measured_pixel_is_unusable():
    """Fewer than half of the bins are filtered, but they are all of the cropped map."""
    weights = np.ones(16)
    weights[5:11] = np.nan
    transform = counts_to_targets.Transform(64, 4, 20, as_obsexp=True)
    with pytest.raises(counts_to_targets.Unusable) as caught:
        counts_to_targets.target(np.full((16, 16), 20), weights, transform)
    assert (caught.value.reason, caught.value.detail) == ("no pixel was measured", "of 10")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"seq_length": 1000}, "seq_length 1000 is not a multiple of the bin width 64"),
        ({"crop": 100}, "crop 100 is not a multiple of the bin width 64; the nearest are 64"),
        ({"crop": 512}, "leaves 0 bins of 64, too few for diagonal_offset 2"),
        ({"crop": -64}, "crop -64: expected at least 0 bases"),
        ({"pool_width": 0}, "pool_width 0: expected at least 1 bases"),
        ({"seq_length": -1024}, "seq_length -1024: expected at least 1 bases"),
        ({"no_log": True}, "no_log applies to observed over expected only"),
        ({"kernel_sigma": 1.0, "kernel_width": 4}, r"^kernel_width 4 must be odd\.$"),
        ({"kernel_sigma": -1.0}, r"^kernel_sigma -1\.0 must be finite and not be negative\.$"),
        ({"kernel_sigma": float("nan")}, "must be finite"),
    ],
)
def test_lengths_that_do_not_fit(options, reason):
    with pytest.raises(errors.DataError, match=reason):
        counts_to_targets.Transform(**{"seq_length": 1024, "pool_width": 64, **options})


def test_published_sizes():
    v1 = counts_to_targets.Transform(1048576, 2048, 65536, kernel_sigma=1, kernel_width=5)
    assert (v1.window_bins, v1.map_bins, v1.pixels, v1.kernel_radius) == (512, 448, 99681, 2)
    assert counts_to_targets.Transform(1310720, 2048, 131072).pixels == 130305
    assert counts_to_targets.Transform(1048576, 2048, kernel_sigma=1).kernel_radius == 4


@pytest.mark.parametrize(
    ("options", "radius"),
    [
        ({"kernel_sigma": 1.0}, 4),
        ({"kernel_sigma": 1.3}, 5),
        ({"kernel_sigma": 1.4}, 6),
        ({"kernel_sigma": 1.4, "kernel_width": 5}, 2),
    ],
)
def test_a_kernel_is_cut_at_the_odd_width_of_eight_sigma_or_more(options, radius):
    assert counts_to_targets.Transform(64, 4, **options).kernel_radius == radius
