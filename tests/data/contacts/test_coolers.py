import sys

import cooler
import h5py
import numpy as np
import pandas as pd
import pytest

from akita_bayes import errors, regions
from akita_bayes.data.contacts import contact_formats, cooler_files
from tests import coolers as world
from tests import unprivileged


@pytest.fixture
def path(tmp_path):
    return world.write(tmp_path / "a.cool")


def test_what_is_written_is_read(path):
    opened = world.contacts(path, world.SIZES)
    assert opened.bin_width == contact_formats.bin_width(str(path)) == 200
    assert opened.bins("chr2") == 120
    assert opened.bins("chr9") == 0
    pixels = world.pixels(world.SIZES, 0)
    expected = np.zeros((330, 330), int)
    expected[pixels["bin1_id"], pixels["bin2_id"]] = pixels["count"]
    expected[pixels["bin2_id"], pixels["bin1_id"]] = pixels["count"]
    region = regions.Region("chr2", 2000, 6000)
    np.testing.assert_array_equal(opened.counts(region), np.triu(expected[210:230, 210:230]))
    np.testing.assert_array_equal(opened.weights(region), world.weights(world.SIZES, 0)[210:230])


def test_balancing(tmp_path):
    path = tmp_path / "balanced.cool"
    sizes = {"chr1": 40_000, "chr2": 24_000}
    cooler_files.write_cooler(path, sizes, world.BIN, world.pixels(sizes, 3))
    balanced = cooler.Cooler(str(path)).matrix(balance=True).fetch("chr1")
    far = np.abs(np.subtract.outer(*[np.arange(200)] * 2)) > 1
    sums = np.nansum(np.where(far, balanced, 0), 0)
    np.testing.assert_allclose(sums[sums > 0], 1, rtol=0.05)


@pytest.mark.parametrize(("genome", "own_name"), [("chr1", "1"), ("1", "chr1"), ("chrM", "MT")])
def test_names_with_and_without_chr_are_mapped_and_logged(tmp_path, caplog, genome, own_name):
    caplog.set_level("INFO", "akita_bayes")
    path = world.write(tmp_path / "a.cool", sizes={own_name: 4000})
    opened = world.contacts(path, {genome: 4000})
    assert opened.names == {genome: own_name}
    assert f"reading {own_name} as {genome}" in caplog.text
    assert opened.counts(regions.Region(genome, 0, 4000)).shape == (20, 20)


def test_names_are_mapped_one_by_one(tmp_path):
    """A scaffold of one name in both does not keep the chromosomes from theirs."""
    path = world.write(tmp_path / "a.cool", sizes={"1": 4000, "GL000008.2": 2000, "X": 2000})
    opened = world.contacts(path, {"chr1": 4000, "GL000008.2": 2000, "chr2": 4000})
    assert opened.names == {"chr1": "1", "GL000008.2": "GL000008.2"}


def test_a_length_rounded_up_to_bins_is_the_same_assembly(path):
    world.contacts(path, {"chr1": 39_801})
    with pytest.raises(errors.DataError, match=r"chr1 has 40,000 bases, but chr1 .* has 39,800"):
        world.contacts(path, {"chr1": 39_800})


def test_refusals(tmp_path, path):
    with pytest.raises(errors.DataError, match="no such cooler"):
        world.contacts(tmp_path / "absent.cool", world.SIZES)
    with pytest.raises(
        errors.DataError, match="no chromosome in common with the genome: it has chr1"
    ):
        world.contacts(path, {"scaffold_1": 5})
    text = tmp_path / "text.cool"
    text.write_text("chrom start end")
    with pytest.raises(errors.DataError, match="not an HDF5 file"):
        world.contacts(text, world.SIZES)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(errors.DataError, match="no cooler at /; it has none"):
        world.contacts(tmp_path / "other.h5", world.SIZES)


def test_several_resolutions(tmp_path, path):
    several = tmp_path / "several.mcool"
    cooler.zoomify_cooler(str(path), str(several), [200, 400], chunksize=100_000)
    with pytest.raises(errors.DataError, match=r"\(200, 400 bases\); choose one with -w"):
        contact_formats.bin_width(str(several))
    assert contact_formats.bin_width(f"{several}::/resolutions/400") == 400
    with pytest.raises(errors.DataError, match="no cooler at /resolutions/800; it has /resolu"):
        contact_formats.bin_width(f"{several}::/resolutions/800")


def test_without_weights(path):
    with h5py.File(path, "r+") as file:
        del file["bins/weight"]
    with pytest.raises(errors.DataError, match=r"no balancing weights; run `cooler balance"):
        world.contacts(path, world.SIZES)


def test_cut_files(tmp_path, path):
    content = path.read_bytes()
    cut = tmp_path / "cut.cool"
    for share in (0.1, 0.6, 0.95):
        cut.write_bytes(content[: int(share * len(content))])
        with pytest.raises(errors.DataError, match="damaged"):
            world.contacts(cut, world.SIZES).counts(regions.Region("chr1", 0, 40_000))


REGION = regions.Region("chr2", 2000, 6000)
FIRST = 200 + 10  # bin of chr2:2,000


def sorted_pixels():
    return world.pixels(world.SIZES, 0).sort_values(["bin1_id", "bin2_id"])


def opened_of(tmp_path, table, **options):
    path = world.write_pixels(tmp_path / "other.cool", table, **options)
    return world.contacts(path, world.SIZES)


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.int64, np.float32, float])
def test_rows_of_the_same_pixel_are_summed(tmp_path, path, dtype):
    """Whatever the type of the column: sums of narrow integers do not overflow."""
    table = sorted_pixels()
    expected = world.contacts(path, world.SIZES).counts(REGION)
    for _ in range(2):
        table = world.split_pixels(table)
    opened = opened_of(tmp_path, table, dtype=dtype)
    assert table.duplicated(["bin1_id", "bin2_id"]).any()
    np.testing.assert_array_equal(opened.counts(REGION), expected)
    mirrored = opened.cooler.matrix(balance=False).fetch(tuple(REGION))
    np.testing.assert_array_equal(np.triu(mirrored), expected)


def test_sums_of_narrow_integers_do_not_overflow(tmp_path):
    table = sorted_pixels().assign(count=100)
    table = pd.concat([table[table["bin1_id"] < FIRST + 9]] * 3).sort_values("bin1_id")
    opened = opened_of(tmp_path, table, dtype=np.int8)
    assert opened.counts(REGION).max() == 300


def test_rows_that_are_not_sorted_are_refused(tmp_path):
    table = sorted_pixels()
    opened_of(tmp_path, table).inspect()
    for seed in range(3):
        opened = opened_of(tmp_path, table.sample(frac=1, random_state=seed))
        with pytest.raises(
            errors.DataError,
            match=r"other\.cool: its pixels are not sorted by their first bin \(bin \d+ is out of "
            r"order\); make the cooler again with `cooler load`, which sorts them\.$",
        ):
            opened.inspect()
    with pytest.raises(errors.DataError, match="not sorted by their first bin"):
        opened_of(tmp_path, table.iloc[::-1]).inspect()
    rows = table["bin1_id"].to_numpy(copy=True)
    swapped = np.flatnonzero(rows == FIRST + 3)[[0]], np.flatnonzero(rows == FIRST + 4)[[0]]
    rows[swapped[0]], rows[swapped[1]] = FIRST + 4, FIRST + 3
    with h5py.File(world.write_pixels(tmp_path / "b.cool", table), "r+") as file:
        file["pixels/bin1_id"][:] = rows
    with pytest.raises(errors.DataError, match=r"not sorted by their first bin \(bin 214 is out"):
        world.contacts(tmp_path / "b.cool", world.SIZES).counts(REGION)


def test_a_pixel_below_the_diagonal_is_refused(tmp_path):
    extra = pd.DataFrame({"bin1_id": [FIRST + 5], "bin2_id": [FIRST + 2], "count": [7]})
    table = pd.concat([sorted_pixels(), extra]).sort_values(["bin1_id", "bin2_id"])
    with pytest.raises(
        errors.DataError,
        match=r"other\.cool: the pixel of bins 215 and 212 lies below the diagonal, but the cooler "
        r"is declared to hold the upper triangle only; make it again with `cooler load`, which "
        r"reflects such pixels\.$",
    ):
        opened_of(tmp_path, table).counts(REGION)


def test_both_triangles_are_read_when_they_agree(tmp_path, path):
    table = sorted_pixels()
    lower = table[table["bin1_id"] < table["bin2_id"]].rename(
        columns={"bin1_id": "bin2_id", "bin2_id": "bin1_id"}
    )
    both = pd.concat([table, lower]).sort_values(["bin1_id", "bin2_id"])
    opened = opened_of(tmp_path, both, symmetric_upper=False)
    expected = world.contacts(path, world.SIZES).counts(REGION)
    np.testing.assert_array_equal(opened.counts(REGION), expected)
    with pytest.raises(errors.DataError, match=r"holds both triangles, and they differ: \d+ and 0"):
        opened_of(tmp_path, table, symmetric_upper=False).counts(REGION)


@pytest.mark.parametrize(
    ("value", "text"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf"), (-2.5, "-2.5")]
)
def test_a_count_that_is_no_count_is_refused(tmp_path, value, text):
    table = sorted_pixels().astype({"count": float})
    inside = (table["bin1_id"] == FIRST + 1) & (table["bin2_id"] == FIRST + 2)
    table.loc[inside, "count"] = value
    opened = opened_of(tmp_path, table, dtype=float)
    with pytest.raises(
        errors.DataError,
        match=rf"other\.cool: the count of the pixel of chr2:2,200-2,400 and chr2:2,400-2,600 is "
        rf"{text}; counts must be finite and not negative\. Leave such pixels out and make the "
        r"cooler again from raw counts\.$",
    ):
        opened.counts(REGION)
    assert opened.counts(regions.Region("chr2", 2400, 6000)).sum() > 0


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (-0.1, "-0.1"), (np.inf, "inf"), (-np.inf, "-inf")]
)
def test_a_weight_that_is_no_weight_is_refused(tmp_path, value, text):
    values = np.full(330, 0.1)
    values[FIRST + 2] = np.nan
    values[FIRST + 3] = value
    opened = opened_of(tmp_path, sorted_pixels(), values=values)
    with pytest.raises(
        errors.DataError,
        match=rf"other\.cool: the balancing weight of chr2:2,600-2,800 is {text}; weights must be "
        r"positive, or NaN for a filtered bin\. Run `cooler balance --force .*other\.cool`\.$",
    ):
        opened.weights(REGION)
    before = opened.weights(regions.Region("chr2", 2000, 2600))
    np.testing.assert_array_equal(before, [0.1, 0.1, np.nan])


def test_columns_that_hold_no_numbers_are_refused(tmp_path, path):
    with h5py.File(path, "r+") as file:
        del file["pixels/count"]
    with pytest.raises(
        errors.DataError, match='its pixels have no column "count", only their two bins; make'
    ):
        world.contacts(path, world.SIZES)
    world.write(path)
    with h5py.File(path, "r+") as file:
        del file["bins/weight"]
        file["bins/weight"] = np.full(330, b"high")
    with pytest.raises(errors.DataError, match=r'column "weight" holds .*; expected numbers\.$'):
        world.contacts(path, world.SIZES)


@pytest.mark.parametrize(
    ("share", "message"),
    [
        (
            0.5,
            "its counts are not whole numbers (one is 0.5); expected raw counts, since balancing ",
        ),
        (1.0, "its counts are stored as float64; read as raw."),
    ],
)
def test_counts_stored_as_floats_are_told(tmp_path, caplog, share, message):
    caplog.set_level("INFO", "akita_bayes")
    table = sorted_pixels()
    table = table.assign(count=np.where(table["count"] == 1, share, table["count"]))
    opened_of(tmp_path, table, dtype=float).inspect()
    (line,) = caplog.messages
    assert line.startswith(f"{tmp_path}/other.cool: {message}")


@pytest.mark.parametrize(
    ("converged", "scope", "option"),
    [
        (True, None, ""),
        (np.array([True, True, True]), None, ""),
        (False, "all chromosomes", ""),
        (np.array([False, True, False]), "chr1, chr3", " --cis-only"),
    ],
)
def test_balancing_that_did_not_converge_is_told(path, caplog, converged, scope, option):
    caplog.set_level("INFO", "akita_bayes")
    with h5py.File(path, "r+") as file:
        file["bins/weight"].attrs["converged"] = converged
    world.contacts(path, world.SIZES).inspect()
    message = (
        f"{path}: balancing did not converge ({scope}), so that targets keep a part of the biases "
        f"of bins; run `cooler balance --force{option} --max-iters 2000 {path}`."
    )
    assert caplog.messages == ([message] if scope else [])


def test_chromosomes_that_the_genome_lacks_need_no_balance(path, caplog):
    caplog.set_level("WARNING", "akita_bayes")
    with h5py.File(path, "r+") as file:
        file["bins/weight"].attrs["converged"] = [True, False, False]
    world.contacts(path, {"chr1": 40_000}).inspect()
    assert caplog.messages == []


def test_a_file_of_another_kind_or_right_is_told_as_such(tmp_path, path):
    hic = tmp_path / "x.hic"
    hic.write_bytes(b"HIC\0\x08\0\0\0")
    message = r"x\.hic: damaged or not a file of contacts .*; make or download it again"
    with pytest.raises(errors.DataError, match=message):
        contact_formats.bin_width(str(hic))
    path.chmod(0)
    code = f"from akita_bayes.data.contacts import contact_formats as c; c.bin_width({str(path)!r})"
    finished = unprivileged.run([sys.executable, "-c", code])
    assert f"DataError: {path}: cannot be read (Permission denied)." in finished.stderr
