import cooler
import h5py
import numpy as np
import pytest

from akita_bayes import errors, regions, triangle
from akita_bayes.data import predictions
from akita_bayes.specs.geometry import Geometry

Region = regions.Region
# Windows of 80 bp; 6 bins of 10 bp after 10 bp on each side.
PLACE = Geometry(80, bin_width=10, bins=6, crop_bp=10, diagonal_offset=2, pairwise=True, units=2)
PIXELS = triangle.length(6, 2)
SIZES = {"chr1": 305, "chr2": 90}


def starts(region, **options):
    made = predictions.windows(region, PLACE, chrom_size=305, **options)
    assert all(window.width == 80 and window.chrom == region.chrom for window in made)
    return [window.start for window in made]


def test_a_region_of_the_window_is_the_window():
    assert starts(Region("chr1", 13, 93)) == [13]


def test_a_narrow_region_is_in_the_middle_and_on_the_grid():
    assert starts(Region("chr1", 150, 160)) == [110]
    assert starts(Region("chr1", 157, 158)) == [110]


def test_a_window_stays_inside_its_chromosome_where_it_can():
    assert starts(Region("chr1", 0, 10)) == [0]
    assert starts(Region("chr1", 300, 305)) == [220]
    small = predictions.windows(Region("chr3", 10, 20), PLACE, chrom_size=50)
    assert small == [Region("chr3", -30, 50)]


@pytest.mark.parametrize(("first", "last"), [(60, 121), (65, 200), (83, 290)])
@pytest.mark.parametrize("stride", [None, 10, 60])
def test_tiles_cover_a_wide_region_without_gaps(first, last, stride):
    covered = set()
    for start in starts(Region("chr1", first, last), stride=stride):
        assert start % 10 == 0
        covered |= set(range(start + 10, start + 70))
    assert covered >= set(range(first, min(last, 290)))


def test_outputs_cover_every_region_that_the_chromosome_lets_them_cover():
    """All but the 10 bases at its ends, and the last 5, which are no whole bin: 305 = 30.5 bins."""
    random = np.random.default_rng(0)
    for _ in range(2000):
        first, last = sorted(random.choice(305, 2, replace=False).tolist())
        if last - first == PLACE.seq_length:
            continue
        stride = (None, 10, 30, 60)[random.integers(4)]
        made = starts(Region("chr1", first, last), stride=stride)
        assert all(start % 10 == 0 and 0 <= start <= 220 for start in made)
        covered = {base for start in made for base in range(start + 10, start + 70)}
        assert covered >= set(range(max(first, 10), min(last, 290)))
        assert len(made) == len(set(made))
        if last - first <= 50:  # fits on the grid wherever it lies
            assert len(made) == 1


@pytest.mark.parametrize("stride", [15, 70, -10])
def test_a_stride_that_leaves_gaps_is_refused(stride):
    with pytest.raises(errors.DataError, match=f"a stride of {stride} bp"):
        starts(Region("chr1", 0, 200), stride=stride)


def write(path, windows, preds, head="hic"):
    with predictions.Writer(path, {head: PLACE}, {"rc": True}) as writer:
        for at, window in enumerate(windows):
            writer.write([window], [at], {head: {"preds": preds[at : at + 1]}})


@pytest.fixture
def preds():
    return np.random.default_rng(0).normal(size=(4, PIXELS, 2)).astype(np.float32)


def test_every_value_has_its_coordinates(tmp_path, preds):
    path = tmp_path / predictions.NAME
    write(path, [Region("chr1", 20, 100), Region("chr2", -10, 70)], preds)
    with h5py.File(path) as file:
        assert np.array_equal(file["preds"], preds[:2])
        assert file["preds"].dtype == np.float32
        assert file["chrom"].asstr()[()].tolist() == ["chr1", "chr2"]
        assert file["start"][()].tolist() == [20, -10]
        assert file["end"][()].tolist() == [100, 70]
        assert file["bin_start"][0].tolist() == [30, 40, 50, 60, 70, 80]
        assert file["bin_end"][1].tolist() == [10, 20, 30, 40, 50, 60]
        assert file["row"][()].tolist()[:5] == [0, 0, 0, 0, 1]
        assert file["column"][()].tolist()[:5] == [2, 3, 4, 5, 3]
        assert file["region"][()].tolist() == [0, 1]
        assert file.attrs["rc"]
        assert file.attrs["bin_width"] == 10


def test_a_failing_body_leaves_no_file(tmp_path, preds):
    with (
        pytest.raises(RuntimeError),
        predictions.Writer(tmp_path / "predict.h5", {"hic": PLACE}, {}),
    ):
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_closed_leaves_none(tmp_path, preds, monkeypatch):
    close = h5py.File.close

    def full(file):
        close(file)
        raise OSError("no space left")

    monkeypatch.setattr(h5py.File, "close", full)
    writer = predictions.Writer(tmp_path / "predict.h5", {"hic": PLACE}, {})
    with pytest.raises(OSError, match="no space left"), writer:
        writer.write([Region("chr1", 20, 100)], [0], {"hic": {"preds": preds[:1]}})
    assert not list(tmp_path.iterdir())


def naive_map(windows, preds, target):
    """Whole-genome matrix of means, by loops over windows and pixels."""
    bins = [(chrom, start) for chrom, size in SIZES.items() for start in range(0, size, 10)]
    ids = {place: index for index, place in enumerate(bins)}
    sums, seen = np.zeros((len(bins), len(bins))), np.zeros((len(bins), len(bins)))
    rows, columns = triangle.indices(6, 2)
    for window, values in zip(windows, preds, strict=True):
        for row, column, value in zip(rows, columns, values[:, target], strict=True):
            ends = [window.start + 10 + 10 * each for each in (row, column)]
            if any(not 0 <= end <= SIZES[window.chrom] - 10 for end in ends):
                continue
            i, j = (ids[window.chrom, end] for end in ends)
            sums[i, j] += value
            seen[i, j] += 1
    return sums, seen


@pytest.mark.parametrize("target", [0, 1])
def test_a_cooler_holds_the_mean_of_overlapping_windows(tmp_path, preds, target):
    windows = [
        *(Region("chr2", -10, 70), Region("chr1", 20, 100)),
        *(Region("chr1", 50, 130), Region("chr1", 240, 320)),
    ]
    path = tmp_path / predictions.NAME
    write(path, windows, preds)
    written = predictions.write_coolers(path, tmp_path, chrom_sizes=SIZES, names=["a", "b"])
    assert [each.name for each in written] == ["a.cool", "b.cool"]
    found = cooler.Cooler(str(written[target]))
    assert dict(found.chromsizes) == SIZES
    assert found.binsize == 10
    sums, seen = naive_map(windows, preds, target)
    dense = np.zeros_like(sums)
    pixels = found.pixels()[:]
    dense[pixels["bin1_id"], pixels["bin2_id"]] = pixels["count"]
    np.testing.assert_allclose(dense, np.where(seen > 0, sums / np.maximum(seen, 1), 0), atol=1e-6)
    assert len(pixels) == (seen > 0).sum()
    assert pixels["count"].dtype == np.float32


def test_coarser_resolutions_hold_means(tmp_path, preds):
    wide = PLACE._replace(seq_length=340, bins=32)
    values = np.random.default_rng(0).normal(size=(1, triangle.length(32, 2), 1))
    path = tmp_path / predictions.NAME
    with predictions.Writer(path, {"hic": wide}, {}) as writer:
        window = Region("chr1", 0, 340)
        writer.write([window], [0], {"hic": {"preds": values}})
    (written,) = predictions.write_coolers(
        path, tmp_path, chrom_sizes={"chr1": 400}, names=["a"], zoom=True
    )
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.mcool", "predict.h5"]
    assert cooler.fileops.list_coolers(str(written)) == [
        f"/resolutions/{width}" for width in (10, 20, 40)
    ]
    fine, coarse = (
        cooler.Cooler(f"{written}::/resolutions/{width}").pixels()[:] for width in (10, 20)
    )
    parts = fine.groupby([fine["bin1_id"] // 2, fine["bin2_id"] // 2])["count"].mean()
    np.testing.assert_allclose(coarse["count"], parts.to_numpy(), rtol=1e-5)


def test_a_window_off_the_grid_has_no_place_in_a_cooler(tmp_path, preds):
    path = tmp_path / predictions.NAME
    write(path, [Region("chr1", 13, 93)], preds)
    with pytest.raises(errors.DataError, match="chr1:13-93: starts off the grid of 10-bp bins"):
        predictions.write_coolers(path, tmp_path, chrom_sizes=SIZES, names=["a"])
    assert [each.name for each in tmp_path.iterdir()] == ["predict.h5"]


def test_tracks_make_no_cooler(tmp_path):
    track = PLACE._replace(diagonal_offset=None, pairwise=False)
    with predictions.Writer(tmp_path / "predict.h5", {"rna": track}, {}) as writer:
        writer.write([Region("chr1", 0, 80)], [0], {"rna": {"preds": np.ones((1, 6, 2))}})
    with pytest.raises(errors.DataError, match="holds tracks; a cooler is made of maps"):
        predictions.write_coolers(tmp_path / "predict.h5", tmp_path, chrom_sizes=SIZES, names=["a"])


def test_several_heads_have_a_group_each(tmp_path, preds):
    places = {"human": PLACE, "mouse": PLACE._replace(bins=4, crop_bp=20)}
    with predictions.Writer(tmp_path / "predict.h5", places, {}) as writer:
        small = np.ones((1, triangle.length(4, 2), 1))
        outputs = {"human": {"preds": preds[:1]}, "mouse": {"preds": small}}
        writer.write([Region("chr1", 0, 80)], [0], outputs)
    with h5py.File(tmp_path / "predict.h5") as file:
        assert file["human/bin_start"][0].tolist() == [10, 20, 30, 40, 50, 60]
        assert file["mouse/bin_start"][0].tolist() == [20, 30, 40, 50]
        assert file["start"][()].tolist() == [0]
    written = predictions.write_coolers(
        tmp_path / "predict.h5", tmp_path, chrom_sizes=SIZES, names=["mouse_0"], head="/mouse"
    )
    pixels = cooler.Cooler(str(written[0])).pixels()[:]
    assert pixels["bin1_id"].tolist() == [2, 2, 3]
