import cooler
import h5py
import numpy as np
import pytest

from akita_bayes import errors, regions
from akita_bayes.data import coolers
from tests import coolers as world


@pytest.fixture
def path(tmp_path):
    return world.write(tmp_path / "a.cool")


def test_what_is_written_is_read(path):
    opened = coolers.Contacts(str(path), world.SIZES)
    assert opened.bin_width == coolers.bin_width(str(path)) == 200
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
    coolers.write_cooler(path, sizes, world.BIN, world.pixels(sizes, 3))
    balanced = cooler.Cooler(str(path)).matrix(balance=True).fetch("chr1")
    far = np.abs(np.subtract.outer(*[np.arange(200)] * 2)) > 1
    sums = np.nansum(np.where(far, balanced, 0), 0)
    np.testing.assert_allclose(sums[sums > 0], 1, rtol=0.05)


@pytest.mark.parametrize(("genome", "there"), [("chr1", "1"), ("1", "chr1"), ("chrM", "MT")])
def test_names_with_and_without_chr_are_mapped_and_logged(tmp_path, caplog, genome, there):
    caplog.set_level("INFO", "akita_bayes")
    path = world.write(tmp_path / "a.cool", sizes={there: 4000})
    opened = coolers.Contacts(str(path), {genome: 4000})
    assert opened.names == {genome: there}
    assert f"reading {there} as {genome}" in caplog.text
    assert opened.counts(regions.Region(genome, 0, 4000)).shape == (20, 20)


def test_names_are_mapped_one_by_one(tmp_path):
    """A scaffold of one name in both does not keep the chromosomes from theirs."""
    path = world.write(tmp_path / "a.cool", sizes={"1": 4000, "GL000008.2": 2000, "X": 2000})
    opened = coolers.Contacts(str(path), {"chr1": 4000, "GL000008.2": 2000, "chr2": 4000})
    assert opened.names == {"chr1": "1", "GL000008.2": "GL000008.2"}


def test_a_length_rounded_up_to_bins_is_the_same_assembly(path):
    coolers.Contacts(str(path), {"chr1": 39_801})
    with pytest.raises(errors.DataError, match=r"chr1 has 40,000 bases, but chr1 .* has 39,800"):
        coolers.Contacts(str(path), {"chr1": 39_800})


def test_refusals(tmp_path, path):
    with pytest.raises(errors.DataError, match="no such cooler"):
        coolers.Contacts(str(tmp_path / "absent.cool"), world.SIZES)
    with pytest.raises(
        errors.DataError, match="no chromosome in common with the genome: it has chr1"
    ):
        coolers.Contacts(str(path), {"scaffold_1": 5})
    text = tmp_path / "text.cool"
    text.write_text("chrom start end")
    with pytest.raises(errors.DataError, match="not an HDF5 file"):
        coolers.Contacts(str(text), world.SIZES)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(errors.DataError, match="no cooler at /; it has none"):
        coolers.Contacts(str(tmp_path / "other.h5"), world.SIZES)


def test_several_resolutions(tmp_path, path):
    several = tmp_path / "several.mcool"
    cooler.zoomify_cooler(str(path), str(several), [200, 400], chunksize=100_000)
    with pytest.raises(errors.DataError, match="holds several resolutions; write the one to use"):
        coolers.bin_width(str(several))
    assert coolers.bin_width(f"{several}::/resolutions/400") == 400
    with pytest.raises(errors.DataError, match="no cooler at /resolutions/800; it has /resolu"):
        coolers.bin_width(f"{several}::/resolutions/800")


def test_without_weights(path):
    with h5py.File(path, "r+") as file:
        del file["bins/weight"]
    with pytest.raises(errors.DataError, match=r"no balancing weights; run `cooler balance"):
        coolers.Contacts(str(path), world.SIZES)


def test_cut_files(tmp_path, path):
    content = path.read_bytes()
    cut = tmp_path / "cut.cool"
    for share in (0.1, 0.6, 0.95):
        cut.write_bytes(content[: int(share * len(content))])
        with pytest.raises(errors.DataError, match="damaged"):
            coolers.Contacts(str(cut), world.SIZES).counts(regions.Region("chr1", 0, 40_000))
