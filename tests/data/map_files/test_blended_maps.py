import h5py
import numpy as np
import pytest

from akita_bayes import errors, triangle
from akita_bayes.data.map_files import blended_maps
from tests.data.map_files import maps

PIXELS = triangle.length(6, 2)
WINDOWS = [
    *(("chr2", -10, 70), ("chr1", 50, 130), ("chr1", 20, 100)),
    *(("chr1", 240, 320), ("chr1", 30, 110)),
]


def blend(path, target=0):
    with h5py.File(path) as file:
        return list(blended_maps.blended(file, file["/"], target, maps.SIZES))


def naive(preds, sds):
    """Returns (chrom, row, column) -> blended value and sd, by a loop over windows and pixels."""
    sums = {}
    rows, columns = triangle.indices(6, 2)
    for (chrom, start, _), values, spreads in zip(WINDOWS, preds, sds, strict=True):
        for row, column, value, sd in zip(rows, columns, values, spreads, strict=True):
            i, j = (start // 10 + 1 + int(position) for position in (row, column))
            if i >= 0 and 10 * (j + 1) <= maps.SIZES[chrom]:
                total = sums.setdefault((chrom, i, j), np.zeros(3))
                total += [1 / sd**2, value / sd**2, sd / sd**2]
    return {pixel: (y / weight, s / weight) for pixel, (weight, y, s) in sums.items()}


def test_windows_weigh_by_their_inverse_variance(tmp_path):
    random = np.random.default_rng(0)
    preds = random.normal(size=(5, PIXELS, 2))
    sds = random.uniform(0.1, 2, size=(5, PIXELS, 2))
    datasets = {"preds": preds, "epistemic_sd": sds}
    path = maps.write(tmp_path / "predict.h5", WINDOWS, datasets)
    blocks = blend(path, target=1)
    expected = naive(preds[..., 1], sds[..., 1])
    blended = {}
    for block in blocks:
        keys = list(zip(block.row.tolist(), block.column.tolist(), strict=True))
        assert keys == sorted(keys)
        for (row, column), value, sd in zip(keys, block.value, block.sd, strict=True):
            assert (block.chrom, row, column) not in blended
            blended[block.chrom, row, column] = value, sd
    assert blended.keys() == expected.keys()
    for pixel, pair in expected.items():
        np.testing.assert_allclose(blended[pixel], pair, rtol=1e-5, err_msg=str(pixel))


def test_a_confident_window_decides(tmp_path):
    preds = np.stack([np.zeros((PIXELS, 2)), np.ones((PIXELS, 2))])
    sds = np.stack([np.full((PIXELS, 2), 10.0), np.full((PIXELS, 2), 0.1)])
    windows = [("chr1", 0, 80), ("chr1", 0, 80)]
    path = maps.write(tmp_path / "p.h5", windows, {"preds": preds, "epistemic_sd": sds})
    (block,) = blend(path)
    np.testing.assert_allclose(block.value, 1 / (1 + 1e-4), rtol=1e-6)
    # (10 / 100 + 0.1 / 0.01) / (1 / 100 + 1 / 0.01): between the two, and near the smaller.
    np.testing.assert_allclose(block.sd, 10.1 / 100.01, rtol=1e-6)


def test_without_spread_windows_weigh_the_same(tmp_path):
    preds = np.stack([np.zeros((PIXELS, 2)), np.ones((PIXELS, 2))])
    windows = [("chr1", 0, 80), ("chr1", 0, 80)]
    plain = maps.write(tmp_path / "a.h5", windows, {"preds": preds})
    none = maps.write(
        tmp_path / "b.h5", windows, {"preds": preds, "epistemic_sd": np.zeros_like(preds)}
    )
    for path in (plain, none):
        (block,) = blend(path)
        np.testing.assert_allclose(block.value, 0.5)


def test_pixels_leave_memory_before_all_windows_are_read(tmp_path):
    windows = [("chr1", start, start + 80) for start in range(0, 220, 10)]
    preds = np.zeros((len(windows), PIXELS, 1))
    blocks = blend(maps.write(tmp_path / "p.h5", windows, {"preds": preds}))
    assert len(blocks) == len(windows)
    assert max(len(block.row) for block in blocks) <= 2 * PIXELS


def test_bins_and_stretches_within_one_window():
    windows = blended_maps.Windows(np.array([0, 1]), np.array([2, 6]))
    assert np.flatnonzero(blended_maps.covered(windows, 6, 14)).tolist() == list(range(2, 12))
    first, last = np.array([2, 3, 6, 6, 0]), np.array([8, 9, 12, 13, 3])
    inside = blended_maps.within_one_window(first, last, windows, 6)
    assert inside.tolist() == [True, False, True, False, False]


def test_a_window_off_the_grid_is_refused(tmp_path):
    preds = np.zeros((1, PIXELS, 1))
    path = maps.write(tmp_path / "p.h5", [("chr1", 13, 93)], {"preds": preds})
    with pytest.raises(errors.DataError, match="chr1:13-93: starts off the grid of 10-bp bins"):
        blend(path)
