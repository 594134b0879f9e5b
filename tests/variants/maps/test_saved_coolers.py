"""Saved maps of variants as coolers: the same pixels on the nearest bins of the genome."""

import cooler
import numpy as np
import pytest

from akita_bayes import errors, regions, triangle
from akita_bayes.data import assembly
from akita_bayes.data.map_files import map_coolers
from akita_bayes.variants.alleles import bin_loci
from akita_bayes.variants.maps import saved_coolers, saved_maps

BINS, WIDTH, OFFSET = 12, 10, 2
FRAME = saved_maps.Frame(BINS, WIDTH, OFFSET, ["HFF", "K562/1"], True)
SIZES = {"chr0": 95, "chr1": 505}
ROWS, COLUMNS = triangle.indices(BINS, OFFSET)


def saved(row, start, *, joined=False):
    random = np.random.default_rng(row)
    region = regions.Region("chr1", start, start + BINS * WIDTH)
    middle = BINS / 2
    stretches = [bin_loci.Stretch(0.0, float(BINS), region, 1)]
    if joined:
        stretches = [
            bin_loci.Stretch(0.0, middle, region, 1),
            bin_loci.Stretch(middle, float(BINS), region, -1),
        ]
    layers = random.normal(size=(4, len(ROWS), 2)).astype(np.float32)
    layers[2, 5] = np.nan  # a pixel that the alleles do not share
    return saved_maps.SavedMap(row, f"v{row}", region, (5, 6), stretches, *layers)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    maps = [saved(3, 127), saved(8, 200, joined=True)]
    saved_maps.write(folder / "maps.h5", maps, FRAME, count=2, attributes={})
    (folder / "maps_mcool").mkdir()
    (folder / "maps_mcool" / "row99_HFF_sd.mcool").touch()  # of an earlier run
    return folder, saved_coolers.write(folder, chrom_sizes=SIZES, assembly="toy1"), maps[0]


def test_each_layer_of_each_target_has_a_file(folder, caplog):
    path, written, _ = folder
    expected = {
        f"row3_{target}_{layer}.mcool"
        for target in ("HFF", "K562%2F1")
        for layer in saved_maps.LAYERS
    }
    assert {file.name for file in written} == expected
    assert {file.name for file in (path / "maps_mcool").iterdir()} == expected


def test_pixels_lie_on_the_nearest_bins(folder):
    path, _, variant = folder
    name = path / "maps_mcool" / "row3_K562%2F1_difference.mcool"
    contacts = cooler.Cooler(f"{name}::/resolutions/{WIDTH}")
    pixels = contacts.pixels()[:]
    first = 10 + 13  # 10 bins of chr0, and base 127 is nearest to bin 13
    present = np.isfinite(variant.difference[:, 1])
    assert not present.all()
    assert pixels["bin1_id"].tolist() == (first + ROWS[present]).tolist()
    assert pixels["bin2_id"].tolist() == (first + COLUMNS[present]).tolist()
    np.testing.assert_array_equal(pixels["count"], variant.difference[present, 1])
    weight = contacts.bins()[:]["weight"]
    assert np.flatnonzero(np.isfinite(weight)).tolist() == list(range(first, first + BINS))
    metadata = map_coolers.metadata_of(contacts.uri)
    assert (metadata["shift_bp"], metadata["variant"]) == (3, "v3")
    assert metadata["content"] == "predicted map of ALT minus that of REF"
    assert contacts.info["genome-assembly"] == "toy1"


def test_a_directory_without_maps_is_refused(tmp_path):
    with pytest.raises(errors.DataError, match=r"save them again with akita_scd\.py --save_maps"):
        saved_coolers.write(tmp_path, chrom_sizes=SIZES, assembly="toy1")


@pytest.mark.parametrize("name", ["hg38.fa", "hg38.2bit", "a/b/hg38.fa.gz", "hg38.FASTA", "hg38"])
def test_a_genome_is_named_by_its_file(name):
    assert assembly.name_of(name) == "hg38"
