import numpy as np
import pandas as pd
import pyBigWig
import pytest

from akita_bayes import triangle
from akita_bayes.data.map_files import map_tracks
from akita_bayes.specs.geometry import Geometry
from tests.data.map_files import maps

WIDTH, BINS, CROP = 10_000, 64, 2
SIZES = {"chr0": 200_000, "chr1": 1_200_000}
GEOMETRY = Geometry(
    (BINS + 2 * CROP) * WIDTH,
    bin_width=WIDTH,
    bins=BINS,
    crop_bp=CROP * WIDTH,
    diagonal_offset=2,
    pairwise=True,
    units=1,
)
STARTS = (0, 320_000, 500_000)
DOT, WALL = (30, 48), 70  # bins of chr1


def log_ratio(bins):
    """ln(O/E) of all pairs of bins: two domains that meet at a wall, a dot, and little noise."""
    noise = np.random.default_rng(0).normal(scale=0.02, size=(bins, bins))
    row, column = np.meshgrid(np.arange(bins), np.arange(bins), indexing="ij")
    crosses = (row < WALL) & (column >= WALL)
    values = noise + np.where(crosses & (column - row < 20), -1.0, 0.0)
    near = np.maximum(np.abs(row - DOT[0]), np.abs(column - DOT[1]))
    return values + np.select([near == 0, near == 1], [np.log(5), np.log(3)], 0)


@pytest.fixture(scope="module")
def called(tmp_path_factory):
    path = tmp_path_factory.mktemp("tracks") / "predict.h5"
    whole = log_ratio(SIZES["chr1"] // WIDTH)
    preds = []
    for start in STARTS:
        first = start // WIDTH + CROP
        window = whole[first : first + BINS, first : first + BINS, None]
        preds.append(triangle.to_vector(window, diagonal_offset=2))
    windows = [("chr1", start, start + GEOMETRY.seq_length) for start in STARTS]
    maps.write(path, windows, {"preds": np.stack(preds)}, GEOMETRY)
    return path, map_tracks.call(path, chrom_sizes=SIZES, target=0)


def test_the_wall_is_the_strongest_boundary(called):
    _, calls = called
    boundaries = calls.insulation[calls.insulation["is_boundary"]]
    strongest = boundaries.loc[boundaries["strength"].idxmax()]
    assert strongest["chrom"] == "chr1"
    # The diamond of bin b joins bins up to b with bins from b, so bins 69 and 70 touch the wall.
    assert strongest["start"] // WIDTH in (WALL - 1, WALL)
    assert strongest["strength"] > 0.5


def test_scores_exist_where_one_window_holds_the_diamond(called):
    _, calls = called
    side = map_tracks.diamond_bins(BINS)
    assert calls.diamond == side * WIDTH == 80_000
    on_chr1 = calls.insulation[calls.insulation["chrom"] == "chr1"]
    expected = np.zeros(SIZES["chr1"] // WIDTH, bool)
    for start in STARTS:
        first = start // WIDTH + CROP
        expected[first + side - 1 : first + BINS - side + 1] = True
    assert np.array_equal(np.isfinite(on_chr1["score"]), expected)


def test_the_dot_is_called_and_nothing_else(called):
    _, calls = called
    (dot,) = calls.dots.itertuples()
    assert (dot.chrom1, dot.chrom2) == ("chr1", "chr1")
    assert (dot.start1 // WIDTH, dot.start2 // WIDTH) == DOT
    np.testing.assert_allclose(dot.count, 5 * map_tracks.DOT_READS, rtol=0.1)


def test_files_are_read_by_programs_of_the_field(called, tmp_path):
    _, calls = called
    paths = map_tracks.write(calls, tmp_path, "GM12878", chrom_sizes=SIZES)
    assert [path.name for path in paths] == [
        "GM12878.insulation.bw",
        "GM12878.boundaries.bed",
        "GM12878.dots.bedpe",
    ]
    with pyBigWig.open(str(paths[0])) as track:
        assert track.chroms() == SIZES
        wall = track.values("chr1", (WALL - 1) * WIDTH, (WALL - 1) * WIDTH + 1)[0]
        far = track.values("chr1", 15 * WIDTH, 15 * WIDTH + 1)[0]
        assert wall < far - 0.5
    bed = pd.read_csv(paths[1], sep="\t", header=None)
    assert len(bed) == calls.insulation["is_boundary"].sum()
    assert bed[4].between(0, 1000).all()
    bedpe = pd.read_csv(paths[2], sep="\t")
    assert bedpe["#chrom1"].tolist() == ["chr1"]
    np.testing.assert_allclose(bedpe["score"], 5, rtol=0.1)
    assert bedpe["over_donut"].item() > 2


def test_a_map_smaller_than_the_kernel_has_no_dots(tmp_path, caplog):
    preds = np.zeros((1, triangle.length(6, 2), 1))
    path = maps.write(tmp_path / "p.h5", [("chr1", 0, 80)], {"preds": preds})
    calls = map_tracks.call(path, chrom_sizes=maps.SIZES, target=0)
    assert calls.dots.empty
    assert "their kernels have 15 bins, and a map of the model has 6" in caplog.text
    *_, dots = map_tracks.write(calls, tmp_path, "a", chrom_sizes=maps.SIZES)
    assert dots.read_text().startswith("#chrom1\tstart1\tend1\t")
