"""Which resolution of a file is read, and coolers of older formats."""

import cooler
import h5py
import numpy as np
import pytest

from akita_bayes import errors, regions
from akita_bayes.data.contacts import contact_formats
from tests import coolers as world


@pytest.fixture
def path(tmp_path):
    return world.write(tmp_path / "a.cool")


@pytest.fixture
def several(tmp_path, path):
    several = tmp_path / "several.mcool"
    cooler.zoomify_cooler(str(path), str(several), [200, 400, 1000], chunksize=100_000)
    return several


def test_a_bin_width_chooses_the_resolution(several, path):
    assert contact_formats.locate(str(several), 400) == f"{several}::/resolutions/400"
    assert contact_formats.locate(f"{several}::/resolutions/200", 400).endswith("/200")
    assert contact_formats.locate(str(path), 400) == str(path)
    with pytest.raises(
        errors.DataError, match=r"several resolutions \(200, 400, 1,000 bases\); choose one with -w"
    ):
        contact_formats.locate(str(several))
    with pytest.raises(errors.DataError, match="no bins of 300 bases, only of 200, 400, 1,000"):
        contact_formats.locate(str(several), 300)


def test_the_only_resolution_needs_no_width(tmp_path, path):
    single = tmp_path / "single.mcool"
    cooler.zoomify_cooler(str(path), str(single), [200], chunksize=100_000)
    assert contact_formats.locate(str(single)) == f"{single}::/resolutions/200"
    assert contact_formats.bin_width(str(single)) == 200


def test_zoom_levels_of_format_2_are_chosen_by_their_width(tmp_path, several):
    levels = tmp_path / "levels.mcool"
    with h5py.File(several) as source, h5py.File(levels, "w") as file:
        for level, name in enumerate(["1000", "400", "200"]):
            source.copy(f"resolutions/{name}", file, str(level))
    assert contact_formats.locate(str(levels), 400) == f"{levels}::/1"
    assert contact_formats.bin_width(f"{levels}::2") == 200


def test_a_cooler_of_format_2_is_read_as_one_of_format_3(path):
    region = regions.Region("chr2", 2000, 6000)
    expected = world.contacts(path).counts(region)
    with h5py.File(path, "r+") as file:
        for name in ("format", "storage-mode", "sum", "generated-by"):
            del file.attrs[name]
        file.attrs["format-version"] = 2
        file.attrs["library-version"] = "0.5.3"
        chroms = file["bins/chrom"][:].astype(np.int32)  # numbers without an enumeration
        del file["bins/chrom"]
        file["bins/chrom"] = chroms
    assert cooler.fileops.list_coolers(str(path)) == []
    opened = world.contacts(path)
    opened.inspect()
    np.testing.assert_array_equal(opened.counts(region), expected)
    balanced, counts = opened.maps(region)
    np.testing.assert_array_equal(np.triu(counts), expected)
    weights = opened.weights(region)
    np.testing.assert_allclose(balanced, counts * np.outer(weights, weights), rtol=1e-12)
