import dataclasses
import os
import signal

import cooler
import h5py
import numpy as np
import pandas as pd
import pytest

from akita_bayes import errors, triangle
from akita_bayes.data.map_files import map_coolers, map_units
from tests.data.map_files import maps, test_map_units

WINDOWS = [
    *(("chr2", -10, 70), ("chr1", 20, 100)),
    *(("chr1", 50, 130), ("chr1", 240, 320)),
]
PIXELS = triangle.length(6, 2)
METADATA = {"model": "run", "draws": 4}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Maps of two targets with draws, as `.cool`, and their predictions."""
    folder = tmp_path_factory.mktemp("coolers")
    random = np.random.default_rng(0)
    preds = random.normal(size=(4, PIXELS, 2)).astype(np.float32)
    sds = np.full((4, PIXELS, 2), 0.5)
    path = maps.write(folder / "p.h5", WINDOWS, {"preds": preds, "epistemic_sd": sds})
    form = map_coolers.CoolerFormat(assembly="toy1", metadata=METADATA)
    paths = map_coolers.write_coolers(
        path, folder, chrom_sizes=maps.SIZES, names=["a", "b"], form=form
    )
    return preds, {path.name: path for path in paths}


def naive_map(preds, target):
    """Whole-genome sums of values and numbers of windows, by loops over windows and pixels."""
    bins = [(chrom, start) for chrom, size in maps.SIZES.items() for start in range(0, size, 10)]
    ids = {locus: index for index, locus in enumerate(bins)}
    sums, windows = np.zeros((len(bins), len(bins))), np.zeros((len(bins), len(bins)))
    rows, columns = triangle.indices(6, 2)
    for (chrom, start, _), values in zip(WINDOWS, preds, strict=True):
        for row, column, value in zip(rows, columns, values[:, target], strict=True):
            ends = [start + 10 + 10 * position for position in (row, column)]
            if all(0 <= end <= maps.SIZES[chrom] - 10 for end in ends):
                i, j = (ids[chrom, end] for end in ends)
                sums[i, j] += value
                windows[i, j] += 1
    return sums, windows


def test_each_target_has_a_map_and_its_spread(written):
    _, paths = written
    assert list(paths) == ["a.cool", "a.sd.cool", "b.cool", "b.sd.cool"]
    spread = cooler.Cooler(str(paths["a.sd.cool"])).pixels()[:]
    np.testing.assert_allclose(spread["count"], 0.5)


@pytest.mark.parametrize(("name", "target"), [("a", 0), ("b", 1)])
def test_a_cooler_holds_the_mean_of_overlapping_windows(written, name, target):
    preds, paths = written
    contacts = cooler.Cooler(str(paths[f"{name}.cool"]))
    assert dict(contacts.chromsizes) == maps.SIZES
    assert contacts.binsize == 10
    sums, windows = naive_map(preds, target)
    dense = np.zeros_like(sums)
    pixels = contacts.pixels()[:]
    dense[pixels["bin1_id"], pixels["bin2_id"]] = pixels["count"]
    expected = np.where(windows > 0, sums / np.maximum(windows, 1), 0)
    np.testing.assert_allclose(dense, expected, atol=1e-6)
    assert len(pixels) == (windows > 0).sum()  # pixels without a prediction are absent
    assert pixels["count"].dtype == np.float32


def test_bins_without_a_prediction_have_no_weight(written):
    _, paths = written
    contacts = cooler.Cooler(str(paths["a.cool"]))
    bins = contacts.bins()[:]
    inside = np.zeros(len(bins), bool)
    for chrom, start, end in WINDOWS:
        rows = (bins["chrom"] == chrom) & (bins["start"] >= start + 10) & (bins["end"] <= end - 10)
        inside |= rows.to_numpy() & ((bins["end"] - bins["start"]) == 10).to_numpy()
    assert np.array_equal(np.isfinite(bins["weight"]), inside)
    balanced = contacts.matrix(balance=True).fetch("chr1:30-90")
    plain = contacts.matrix(balance=False).fetch("chr1:30-90")
    np.testing.assert_array_equal(balanced, plain)
    with h5py.File(paths["a.cool"]) as file:
        assert file["bins/weight"].attrs["ignore_diags"] == 2


def test_metadata_name_model_unit_and_assembly(written):
    _, paths = written
    info = cooler.Cooler(str(paths["b.sd.cool"])).info
    assert info["genome-assembly"] == "toy1"
    assert map_coolers.metadata_of(str(paths["b.sd.cool"])) == {
        **METADATA,
        "target": "b",
        "content": "standard deviation of the predicted map",
        "unit": "ln(observed / expected)",
        "expected": None,
        "coarser_resolutions": "means",
    }


@pytest.fixture(scope="module")
def one_window(tmp_path_factory):
    wide = maps.SMALL._replace(seq_length=340, bins=32)
    values = np.random.default_rng(0).normal(size=(1, triangle.length(32, 2), 1))
    path = tmp_path_factory.mktemp("window") / "predict.h5"
    return maps.write(path, [("chr1", 0, 340)], {"preds": values}, wide)


def coarsened(fine, statistic):
    parts = fine.groupby([fine["bin1_id"] // 2, fine["bin2_id"] // 2])["count"]
    return parts.agg(statistic).to_numpy()


def pixels_of(path, width):
    return cooler.Cooler(f"{path}::/resolutions/{width}").pixels()[:]


def test_coarser_resolutions_hold_means(one_window, tmp_path):
    form = map_coolers.CoolerFormat(zoom=True, metadata=METADATA)
    (path,) = map_coolers.write_coolers(
        one_window, tmp_path, chrom_sizes={"chr1": 400}, names=["a"], form=form
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.mcool"]
    assert cooler.fileops.list_coolers(str(path)) == [
        f"/resolutions/{width}" for width in (10, 20, 40)
    ]
    fine, coarse = (pixels_of(path, width) for width in (10, 20))
    np.testing.assert_allclose(coarse["count"], coarsened(fine, "mean"), rtol=1e-5)
    widest = cooler.Cooler(f"{path}::/resolutions/40")
    assert map_coolers.metadata_of(widest.uri)["model"] == "run"
    # Bins 1 to 32 of 10 bp are predicted, in bins 0 to 8 of 40 bp; the last, 9, is not.
    assert np.isfinite(widest.bins()[:]["weight"]).tolist() == [True] * 9 + [False]


def test_observed_contacts_add_up(one_window, tmp_path):
    values = np.linspace(9, 1, 32)
    table = test_map_units.expected_table(tmp_path / "expected.tsv", values)
    form = map_coolers.CoolerFormat(zoom=True, scale=map_units.Scale("observed", table))
    (path,) = map_coolers.write_coolers(
        one_window, tmp_path, chrom_sizes={"chr1": 400}, names=["a"], form=form
    )
    fine, coarse = (pixels_of(path, width) for width in (10, 20))
    with h5py.File(one_window) as file:
        log_ratio = file["preds"][0, :, 0]
        distance = file["column"][()] - file["row"][()]
    np.testing.assert_allclose(fine["count"], np.exp(log_ratio) * values[distance], rtol=1e-5)
    np.testing.assert_allclose(coarse["count"], coarsened(fine, "sum"), rtol=1e-5)
    metadata = map_coolers.metadata_of(f"{path}::/resolutions/10")
    assert (metadata["expected"], metadata["coarser_resolutions"]) == ("expected.tsv", "sums")


@dataclasses.dataclass(frozen=True)
class KillingScale(map_units.Scale):
    """Kills a process that coarsens pixels, unless it is the test."""

    test: int = 0

    @property
    def is_additive(self):
        if os.getpid() != self.test:
            os.kill(os.getpid(), signal.SIGKILL)
        return False


def test_a_killed_writer_leaves_no_file(one_window, tmp_path):
    form = map_coolers.CoolerFormat(zoom=True, scale=KillingScale(test=os.getpid()))
    arguments = {"chrom_sizes": {"chr1": 400}, "names": ["a"], "form": form}
    with pytest.raises(errors.RunError, match=r"/a\.mcool: the process that writes it was killed"):
        map_coolers.write_coolers(one_window, tmp_path, **arguments)
    assert not os.listdir(tmp_path)


def test_resolutions_are_those_of_zoomify():
    # hg38 at 2,048 bp: the widest below 3.1e9 / 256 = 12.06 Mb is 2,048 * 2^12 = 8.4 Mb.
    assert map_coolers.resolutions(2048, 448, {"all": 3_088_269_832})[-1] == 2048 * 2**12
    assert map_coolers.resolutions(2048, 448, {"all": 10**6}) == [2048 * 2**k for k in range(6)]


def test_a_window_off_the_grid_has_no_place_in_a_cooler(tmp_path):
    preds = np.zeros((1, PIXELS, 1))
    path = maps.write(tmp_path / "p.h5", [("chr1", 13, 93)], {"preds": preds})
    with pytest.raises(errors.DataError, match="chr1:13-93: starts off the grid of 10-bp bins"):
        map_coolers.write_coolers(path, tmp_path, chrom_sizes=maps.SIZES, names=["a"])
    assert [path.name for path in tmp_path.iterdir()] == ["p.h5"]


def test_tracks_make_no_cooler(tmp_path):
    track = maps.SMALL._replace(diagonal_offset=None, pairwise=False)
    values = {"preds": np.ones((1, 6, 2))}
    path = maps.write(tmp_path / "p.h5", [("chr1", 0, 80)], values, track, "rna")
    with pytest.raises(errors.DataError, match="holds tracks; a cooler is made of maps"):
        map_coolers.write_coolers(path, tmp_path, chrom_sizes=maps.SIZES, names=["a"])


def test_a_head_of_several_is_read_from_its_group(tmp_path):
    small = maps.SMALL._replace(bins=4, crop_bp=20)
    preds = np.ones((1, triangle.length(4, 2), 1))
    path = maps.write(tmp_path / "p.h5", [("chr1", 0, 80)], {"preds": preds}, small)
    with h5py.File(path, "r+") as file:
        group = file.create_group("mouse")
        for name in ("preds", "bin_start", "bin_end", "row", "column"):
            file.move(name, f"mouse/{name}")
        group.attrs.update(file.attrs)
    (written,) = map_coolers.write_coolers(
        path, tmp_path, chrom_sizes=maps.SIZES, names=["mouse_0"], head="/mouse"
    )
    pixels = cooler.Cooler(str(written)).pixels()[:]
    expected = pd.DataFrame({"bin1_id": [2, 2, 3], "bin2_id": [4, 5, 5]})
    pd.testing.assert_frame_equal(pixels[["bin1_id", "bin2_id"]], expected, check_dtype=False)
