"""Counts and normalisations of .hic files equal those of a cooler of the same map."""

import struct
import types

import h5py
import hictkpy
import numpy as np
import pytest

from akita_bayes import errors, regions
from akita_bayes.data import assembly
from akita_bayes.data.contacts import contact_file, contact_formats
from tests import coolers as world
from tests import hic_files

SIZES = {"1": 40_000, "2": 24_000, "MT": 2100}
GENOME = assembly.of({"chr1": 40_000, "chr2": 24_000, "chrM": 2100})


def triangles():
    table = world.pixels(SIZES, 1)
    matrix = np.zeros((331, 331), int)
    matrix[table["bin1_id"], table["bin2_id"]] = table["count"]
    return {"1": matrix[:200, :200], "2": matrix[200:320, 200:320], "MT": matrix[320:, 320:]}


def vectors():
    """Whole quarters, which floats of 32 bits hold exactly; NaN and 0 where a bin is filtered."""
    random = np.random.default_rng(2)
    counts = triangles()
    factors = {
        name: {chrom: random.integers(2, 9, len(counts[chrom])) / 4 for chrom in SIZES}
        for name in ("KR", "SCALE", "VC")
    }
    factors["KR"]["1"][[3, 50]] = np.nan
    factors["VC"]["1"][4] = 0.0
    del factors["SCALE"]["2"]
    return factors


@pytest.fixture(params=[8, 9])
def hic(request, tmp_path):
    path = tmp_path / "map.hic"
    return hic_files.write(path, SIZES, 200, triangles(), vectors(), version=request.param)


def opened(path, genome=GENOME, **fields):
    uri = contact_formats.locate(str(path))
    return contact_formats.open_contacts(contact_file.Source(uri, **fields), genome)


@pytest.mark.parametrize("name", ["KR", "VC", "SCALE"])
def test_counts_and_normalisations(hic, name):
    contacts = opened(hic, weight=name)
    assert contacts.names == {"chr1": "1", "chr2": "2", "chrM": "MT"}
    assert (contacts.bin_width, contacts.bins("chr2"), contacts.bins("chrM")) == (200, 120, 11)
    region = regions.Region("chr1", 400, 12_000)
    counts = contacts.counts(region)
    assert counts.dtype.kind == "i"
    np.testing.assert_array_equal(counts, triangles()["1"][2:60, 2:60])
    vector = vectors()[name]["1"][2:60]
    weights = contacts.weights(region)
    np.testing.assert_array_equal(weights, 1 / np.where(vector == 0, np.nan, vector))
    balanced, raw = contacts.maps(region)
    np.testing.assert_array_equal(np.triu(raw), counts)
    # hictkpy returns floats of 32 bits divided by the vectors.
    np.testing.assert_allclose(balanced, raw * np.outer(weights, weights), rtol=1e-6)


def test_a_chromosome_without_a_normalisation_is_masked(hic, caplog):
    contacts = opened(hic, weight="SCALE")
    with caplog.at_level("WARNING"):
        contacts.inspect()
    assert "SCALE has no value on chr2; these bins are masked" in caplog.text
    assert np.isnan(contacts.weights(regions.Region("chr2", 0, 4000))).all()


def test_a_normalisation_or_resolution_that_is_absent_is_refused(hic, tmp_path):
    with pytest.raises(errors.DataError, match=r'no normalisation "ICE"; it has KR, SCALE, VC, NO'):
        opened(hic, weight="ICE")
    with pytest.raises(errors.DataError, match=r"name a normalisation with --norm; it has KR, S"):
        opened(hic)
    with pytest.raises(errors.DataError, match="no bins of 400 bases, only of 200; choose one"):
        contact_formats.locate(str(hic), 400)
    with pytest.raises(errors.DataError, match='"::x" is not a resolution of'):
        contact_formats.locate(f"{hic}::x")
    single = hic_files.write(tmp_path / "one.hic", SIZES, 200, triangles(), {"KR": vectors()["KR"]})
    assert opened(single).normalisation == "KR"
    single.write_bytes(single.read_bytes()[:3000])
    with pytest.raises(errors.DataError, match=r"one\.hic: damaged or not a file of contacts"):
        opened(single)


class Damaged:
    """A file of hictkpy, of which one method raises what hictkpy raises for damaged bytes."""

    def __init__(self, file, method):
        self.file, self.method = file, method

    def __getattr__(self, name):
        return self._raise if name == self.method else getattr(self.file, name)

    def _raise(self, *_, **__):
        raise RuntimeError("bad bytes")


@pytest.mark.parametrize(
    ("method", "weight"),
    [
        ("chromosomes", "KR"),
        ("avail_normalizations", "KR"),
        ("weights", "KR"),
        ("nbins", "NONE"),
        ("fetch", "KR"),
    ],
)
def test_every_call_into_hictkpy_reports_damage_in_one_sentence(hic, monkeypatch, method, weight):
    open_file = hictkpy.File
    monkeypatch.setattr(hictkpy, "File", lambda *names: Damaged(open_file(*names), method))
    region = regions.Region("chr1", 400, 1200)
    message = r"map\.hic.*: damaged or not a file of contacts \(bad bytes\)"
    with pytest.raises(errors.DataError, match=message):
        opened(hic, weight=weight).maps(region)


def test_a_file_without_resolutions_is_refused(hic, monkeypatch):
    """hictkpy 1.4 refuses such a file itself; a release that lists none ends in a sentence too."""
    content = bytearray(hic.read_bytes())
    at = content.index(struct.pack("<iii", 1, 200, 0))  # the number of resolutions stands first
    content[at : at + 4] = bytes(4)
    hic.write_bytes(content)
    with pytest.raises(errors.DataError, match=r"map\.hic: damaged or not a file of contacts"):
        contact_formats.locate(str(hic))
    monkeypatch.setattr(hictkpy, "MultiResFile", lambda _: types.SimpleNamespace(resolutions=list))
    for uri in (hic, f"{hic}::/resolutions/x"):
        with pytest.raises(errors.DataError, match=r"map\.hic: has no resolution in bases"):
            contact_formats.locate(str(uri))


def test_several_resolutions_and_whole_counts(tmp_path):
    path = tmp_path / "several.hic"
    write_hictkpy(path, [200, 400])
    with pytest.raises(
        errors.DataError, match=r"several resolutions \(200, 400 bases\); choose one with -w"
    ):
        contact_formats.bin_width(str(path))
    uri = contact_formats.locate(str(path), 400)
    assert uri == f"{path}::/resolutions/400"
    source = contact_file.Source(uri, "NONE")
    contacts = contact_formats.open_contacts(source, GENOME)
    counts = contacts.counts(regions.Region("chr2", 0, 8000))
    full = triangles()["2"][:40, :40]
    assert counts.sum() == full.sum()
    np.testing.assert_array_equal(contacts.weights(regions.Region("chr2", 0, 8000)), np.ones(20))


def test_a_circle_and_missing_ends(hic):
    circle = assembly.of({"chr1": 40_000, "chr2": 24_600, "chrM": 2100}, circular=("chr1",))
    contacts = opened(hic, circle, weight="KR")
    rows = [198, 199, 0, 1, 2]
    counts = triangles()["1"]
    counts = (counts + np.triu(counts, 1).T)[np.ix_(rows, rows)]
    region = regions.Region("chr1", 39_600, 40_600)
    np.testing.assert_array_equal(contacts.counts(region), np.triu(counts))
    np.testing.assert_array_equal(contacts.maps(region)[1], counts)
    np.testing.assert_array_equal(contacts.weights(region), 1 / vectors()["KR"]["1"][rows])
    beyond = regions.Region("chr2", 23_600, 24_600)
    np.testing.assert_array_equal(contacts.counts(beyond)[:2, :2], triangles()["2"][118:, 118:])
    assert np.isfinite(contacts.weights(beyond)).tolist() == [True, True, False, False, False]


def write_hictkpy(path, resolutions):
    table = world.pixels(SIZES, 1).sort_values(["bin1_id", "bin2_id"])
    writer = hictkpy.hic.FileWriter(path, SIZES, resolutions)
    if hasattr(writer, "add_pixels_from_dict"):
        writer.add_pixels_from_dict({name: column.tolist() for name, column in table.items()})
    else:  # hictkpy 1.3
        writer.add_pixels(table)
    writer.finalize()


def write_cooler(path, vector=None):
    world.write(path, sizes=SIZES, seed=1)
    with h5py.File(path, "r+") as file:
        del file["bins/weight"]
        if vector is not None:
            file["bins/KR"] = np.concatenate([vector[chrom] for chrom in SIZES])
