"""Chromosome ends that a file lacks, and regions across the origin of a circle."""

import cooler
import h5py
import numpy as np
import pandas as pd
import pytest

from akita_bayes import errors, regions
from tests import coolers as world

BINS = {"chr1": 200, "chr2": 120}
LENGTHS = {"chr1": 40_000, "chr2": 24_000}


def shorten(path, lacking):
    """Writes a cooler whose table of bins lacks the last bins of chromosomes."""
    whole = cooler.binnify(pd.Series(LENGTHS), world.BIN)
    whole["weight"] = world.weights(LENGTHS, 1, filtered=0.0)
    tables = [
        table.iloc[: BINS[chrom] - lacking.get(chrom, 0)]
        for chrom, table in whole.groupby("chrom", observed=True)
    ]
    bins = pd.concat(tables)
    table = world.pixels(LENGTHS, 1)
    number = pd.Series(np.arange(len(bins)), index=bins.index)
    table = table[table["bin1_id"].isin(number.index) & table["bin2_id"].isin(number.index)]
    table = table.assign(
        bin1_id=number[table["bin1_id"]].to_numpy(), bin2_id=number[table["bin2_id"]].to_numpy()
    ).sort_values(["bin1_id", "bin2_id"])
    cooler.create_cooler(str(path), bins.reset_index(drop=True), table, ordered=True)
    with h5py.File(path, "r+") as file:
        # Some programs write the ends of the last bins, others the lengths of chromosomes.
        file["chroms/length"][:] = [
            (BINS[chrom] - lacking.get(chrom, 0)) * world.BIN for chrom in BINS
        ]
    return path


def test_missing_end_bins_are_masked_and_logged(tmp_path, caplog):
    path = shorten(tmp_path / "short.cool", {"chr1": 4})
    opened = world.contacts(path, LENGTHS)
    with caplog.at_level("INFO"):
        opened.inspect()
    assert "1 of 2 chromosomes end before those of the genome (chr1 by 800 bases)" in caplog.text
    whole = world.contacts(shorten(tmp_path / "whole.cool", {}), LENGTHS)
    region = regions.Region("chr1", 36_000, 40_000)
    counts, weights = opened.counts(region), opened.weights(region)
    assert counts.shape == (20, 20)
    np.testing.assert_array_equal(counts[:16, :16], whole.counts(region)[:16, :16])
    assert not counts[:, 16:].any()
    np.testing.assert_array_equal(weights[:16], whole.weights(region)[:16])
    assert np.isnan(weights[16:]).all()
    balanced, raw = opened.maps(region)
    np.testing.assert_array_equal(np.isnan(balanced), np.isnan(np.outer(weights, weights)))
    np.testing.assert_array_equal(np.triu(raw), counts)
    beyond = regions.Region("chr1", 39_200, 40_000)
    assert not opened.counts(beyond).any()
    # chr2 begins four rows earlier in the file.
    second = regions.Region("chr2", 0, 4000)
    np.testing.assert_array_equal(opened.counts(second), whole.counts(second))


@pytest.mark.parametrize(("lacking", "size"), [(11, 40_000), (0, 39_800), (0, 42_200)])
def test_a_larger_difference_is_refused_with_both_lengths(tmp_path, lacking, size):
    path = shorten(tmp_path / "short.cool", {"chr1": lacking})
    bases = 40_000 - 200 * lacking
    with pytest.raises(errors.DataError) as caught:
        world.contacts(path, {"chr1": size, "chr2": 24_000})
    assert f"chr1 has {bases:,} bases, but chr1 of the genome has {size:,}" in str(caught.value)


def test_both_lengths_are_given_where_only_bins_are_missing(tmp_path):
    path = shorten(tmp_path / "short.cool", {"chr2": 30})
    with h5py.File(path, "r+") as file:
        file["chroms/length"][:] = list(LENGTHS.values())
    with pytest.raises(errors.DataError, match="chr2 has 24,000 bases and bins up to 18,000"):
        world.contacts(path, LENGTHS)


def test_bins_missing_inside_a_chromosome_are_refused(tmp_path):
    path = shorten(tmp_path / "gap.cool", {"chr1": 4})
    with h5py.File(path, "r+") as file:
        file["bins/start"][100:196] += 800
    with pytest.raises(errors.DataError) as caught:
        world.contacts(path, LENGTHS).inspect()
    message = str(caught.value)
    assert "bin 100 of chr1 begins at 20,800 instead of 20,000; only bins at the end" in message
    assert "chr1 has 39,200 bases, chr1 of the genome 40,000" in message


@pytest.mark.parametrize("size", [24_000, 23_930, 24_070])
@pytest.mark.parametrize("storage", ["symmetric-upper", "square"])
def test_a_region_across_the_origin_is_a_rolled_map(tmp_path, size, storage):
    """With 23,930 bases the last bin is short; with 24,070 a bin of 70 bases is left out."""
    sizes = {"chr1": 4000, "c": size}
    table = world.pixels(sizes, 1)
    if storage == "square":
        mirrored = table[table["bin1_id"] != table["bin2_id"]].rename(
            columns={"bin1_id": "bin2_id", "bin2_id": "bin1_id"}
        )
        table = pd.concat([table, mirrored])
    path = world.write_pixels(
        tmp_path / "circle.cool",
        table.sort_values(["bin1_id", "bin2_id"]),
        sizes=sizes,
        values=world.weights(sizes, 1),
        symmetric_upper=storage != "square",
    )
    opened = world.contacts(path, sizes, circular=("c",))
    linear = world.contacts(path, sizes)
    whole = regions.Region("c", 0, 24_000)
    counts = linear.counts(whole)[:120, :120]
    counts = counts + np.triu(counts, 1).T
    weights = linear.weights(whole)[:120]
    for start, end in ((22_000, 26_000), (23_800, 24_200), (20_000, 24_000), (24_400, 25_000)):
        region = regions.Region("c", start, end)
        if end <= size or end > 24_000:
            rows = np.arange(start, end, 200) // 200 % 120
            expected = counts[np.ix_(rows, rows)]
            np.testing.assert_array_equal(opened.counts(region), np.triu(expected))
            np.testing.assert_array_equal(opened.weights(region), weights[rows])
            balanced, raw = opened.maps(region)
            np.testing.assert_array_equal(raw, expected)
            np.testing.assert_allclose(
                balanced, expected * np.outer(weights[rows], weights[rows]), rtol=1e-12
            )
