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


def starts(region, **options):
    windows = predictions.windows(region, PLACE, chrom_size=305, **options)
    assert all(window.width == 80 and window.chrom == region.chrom for window in windows)
    return [window.start for window in windows]


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
        windows = starts(Region("chr1", first, last), stride=stride)
        assert all(start % 10 == 0 and 0 <= start <= 220 for start in windows)
        covered = {base for start in windows for base in range(start + 10, start + 70)}
        assert covered >= set(range(max(first, 10), min(last, 290)))
        assert len(windows) == len(set(windows))
        if last - first <= 50:  # fits on the grid wherever it lies
            assert len(windows) == 1


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


def test_several_heads_have_a_group_each(tmp_path, preds):
    geometries = {"human": PLACE, "mouse": PLACE._replace(bins=4, crop_bp=20)}
    with predictions.Writer(tmp_path / "predict.h5", geometries, {}) as writer:
        small = np.ones((1, triangle.length(4, 2), 1))
        outputs = {"human": {"preds": preds[:1]}, "mouse": {"preds": small}}
        writer.write([Region("chr1", 0, 80)], [0], outputs)
    with h5py.File(tmp_path / "predict.h5") as file:
        assert file["human/bin_start"][0].tolist() == [10, 20, 30, 40, 50, 60]
        assert file["mouse/bin_start"][0].tolist() == [20, 30, 40, 50]
        assert file["start"][()].tolist() == [0]
