"""Tables of expected contacts: read by the names of their columns, refused for what is wrong."""

import gzip

import cooler
import cooltools
import numpy as np
import pandas as pd
import pytest

from akita_bayes import errors
from akita_bayes.data.contacts import expectation
from akita_bayes.data.preparation import check
from tests import coolers as world

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pandas, to bioframe

TABLE = pd.DataFrame(
    {
        "region1": ["chr1"] * 4 + ["chr2"] * 3,
        "region2": ["chr1"] * 4 + ["chr2"] * 3,
        "dist": [0, 1, 2, 3, 0, 1, 2],
        "n_valid": [4, 3, 2, 1, 3, 2, 1],
        "balanced.avg": [np.nan, 0.5, 0.25, 0.125, np.nan, 9, 8],
    }
)


@pytest.fixture
def write(tmp_path):
    def written(table, pack=bytes):
        path = tmp_path / "x.expected"
        text = table if isinstance(table, str) else table.to_csv(sep="\t", index=False)
        path.write_bytes(pack(text.encode()))
        return str(path)

    return written


def read(path, chrom="chr1", bins=3, offset=1, width=200):
    return expectation.read(path, chrom, bins=bins, offset=offset, width=width).tolist()


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table,
        lambda table: table[table.columns[::-1]],
        lambda table: table.sample(frac=1, random_state=1),
        lambda table: table.rename(columns={"region1": "region", "dist": "diag"}),
        lambda table: table.rename(columns={"region1": "chrom"}).drop(columns=["dist", "region2"]),
        lambda table: table.assign(region1="chr1", region2=table["region2"]),
        lambda table: table[table["dist"] > 0],
        lambda table: table.assign(dist_bp=table["dist"] * 200),
        lambda table: table.rename(columns={"balanced.avg": "balanced.avg.smoothed"}),
        lambda table: table.rename(columns={"balanced.avg": "balanced.avg.smoothed.agg"}),
        lambda table: table.assign(**{"balanced.avg.smoothed": 7.0, "count.avg": 3.0}),
        lambda table: table.replace({"chr1": "1", "chr2": "2"}),
        lambda table: table.replace({"chr1": "chr1:0-800"}),
    ],
)
def test_columns_are_read_by_name_in_any_order(write, change):
    table = change(TABLE.copy())
    assert read(write(table))[1:] == [0.5, 0.25]
    assert read(write(table, gzip.compress))[1:] == [0.5, 0.25]


def test_distances_below_the_offset_may_be_absent(write):
    first, second, third = read(write(TABLE))
    assert np.isnan(first)
    assert (second, third) == (0.5, 0.25)


def test_contigs_with_colons_are_regions_of_themselves(write):
    table = TABLE.replace({"chr1": "HLA-A*01:01:01:01", "chr2": "chr1:1-100"})
    assert read(write(table), "HLA-A*01:01:01:01")[1:] == [0.5, 0.25]
    assert read(write(table), "chr1:1-100")[1:] == [9, 8]


@pytest.mark.parametrize(
    "arms", [("chr1_p", "chr1_q"), ("chr1p", "chr1q"), ("chr1:0-400", "chr1:400-1,400")]
)
def test_arms_of_a_chromosome_are_averaged_by_their_pairs(write, arms):
    """And what lies between two arms is left out, as from the table of a whole view."""
    left, right = arms
    between = pd.DataFrame(
        {"region1": [left], "region2": [right], "dist": [1], "n_valid": [9], "balanced.avg": [1e3]}
    )
    table = pd.concat([TABLE.replace({"chr1": left, "chr2": right}), between])
    assert read(write(table))[1:] == [(3 * 0.5 + 2 * 9) / 5, (2 * 0.25 + 1 * 8) / 3]
    assert read(write(table), bins=4)[3] == 0.125
    with pytest.raises(
        errors.DataError,
        match=rf"x\.expected: has several regions of chr1 \({left}, {right}\), and no column "
        r'"n_valid" to average them by; make the table again with `cooltools expected-cis`\.$',
    ):
        read(write(table.drop(columns="n_valid")))


def test_it_equals_what_cooltools_computes_for_arms(write, tmp_path):
    """The average of arms is the sum of balanced contacts over the number of pairs."""
    path = world.write(tmp_path / "a.cool", filtered=0.1)
    view = pd.DataFrame(
        {"chrom": ["chr1"] * 2, "start": [0, 14_000], "end": [14_000, 40_000]}
    ).assign(name=["chr1_p", "chr1_q"])
    table = cooltools.expected_cis(cooler.Cooler(str(path)), view_df=view, smooth=False)
    inner = table[table["region1"] == table["region2"]]
    sums = inner.groupby("dist")[["balanced.sum", "n_valid"]].sum()
    expected = (sums["balanced.sum"] / sums["n_valid"]).to_numpy()[2:40]
    np.testing.assert_allclose(read(write(table), bins=40, offset=2)[2:], expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda table: table.replace({"chr1": "I", "chr2": "II"}),
            "has no region of chr1, only I, II; a region must be named as the cooler's chromosome, "
            "chr1:start-end, chr1_p or chr1_q.",
        ),
        (
            lambda table: table.drop(columns="balanced.avg"),
            'has no column "balanced.avg" (or "balanced.avg.smoothed" or '
            '"balanced.avg.smoothed.agg"); its columns are region1, region2, dist, n_valid.',
        ),
        (
            lambda table: table.drop(columns=["region1", "n_valid"]),
            'has no column "region1" (or "region" or "chrom"); its columns are region2, dist, '
            "balanced.avg.",
        ),
        (
            lambda table: table[table["dist"] < 2],
            'its column "balanced.avg" has no positive number for chr1 at distance 2, but a window '
            "needs distances 1 to 2; make the table of the same cooler, for the whole chromosome.",
        ),
        (
            lambda table: table[table["dist"] != 1],
            'its column "balanced.avg" has no positive number for chr1 at distance 1, but a window '
            "needs distances 1 to 2; make it with `cooltools expected-cis --smooth` and remove the "
            "unsmoothed column.",
        ),
        (
            lambda table: table.replace(0.5, 0.0).assign(**{"balanced.avg.smoothed": 1.0}),
            'its column "balanced.avg" has no positive number for chr1 at distance 1, but a window '
            'needs distances 1 to 2; remove the column "balanced.avg", so that '
            '"balanced.avg.smoothed" is read.',
        ),
        (
            lambda table: table.replace({0.5: np.nan, 0.25: -1}),
            'its column "balanced.avg" has no positive number for chr1 at distance 1 and 1 others, '
            "but a window needs distances 1 to 2; make the table of the same cooler, for the whole "
            "chromosome.",
        ),
        (
            lambda table: table.replace(0.5, np.inf),
            'its column "balanced.avg" has no positive number for chr1 at distance 1, but a window '
            "needs distances 1 to 2; make it with `cooltools expected-cis --smooth` and remove the "
            "unsmoothed column.",
        ),
        (
            lambda table: table.assign(dist=[0, 1, 1, 3, 0, 1, 2]),
            "names distance 1 of chr1 twice; make the table again.",
        ),
        (
            lambda table: table.assign(dist=[0, 1, 2.5, 3, 0, 1, 2]),
            'its column "dist" holds 2.5; expected whole numbers of bins from 0.',
        ),
        (
            lambda table: table.assign(dist_bp=table["dist"] * 1000),
            "a distance of 1 bins is 1,000 bases there, and 200 in the cooler; make the table of "
            "the cooler with bins of 200 bases.",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_refused_for_what_it_lacks(write, change, reason):
    path = write(change(TABLE.copy()))
    with pytest.raises(errors.DataError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: {reason}"


def test_files_that_are_no_tables_are_refused(write, tmp_path):
    with pytest.raises(errors.DataError, match="no such table of expected contacts; make it with"):
        read(str(tmp_path / "absent"))
    for text, reason in (
        ("", "not a tab-separated table"),
        (
            "chrom\tbalanced.avg\nchr1\t1\nchr1\thalf\n",
            r'line 3: the column "balanced.avg" holds "h',
        ),
        ("chrom,dist\nchr1,1\n", r'no column "region1" .*; its columns are chrom,dist\.$'),
        ("region1\tbalanced.avg\n", "has no region of chr1, only an empty table; a region must"),
    ):
        with pytest.raises(errors.DataError, match=reason):
            read(write(text))
    path = tmp_path / "binary"
    path.write_bytes(b"\x89\xff\x00")
    with pytest.raises(errors.DataError, match="not a text, plain or gzipped; give a tab"):
        read(str(path))


def test_numeric_chromosomes_give_the_targets_of_the_others(tmp_path):
    """From the table that cooltools writes, in a cooler and a genome of either names."""
    records = []
    for prefix in ("chr", ""):
        folder = tmp_path / f"world{prefix}"
        folder.mkdir()
        world.world(folder)
        sizes = {name.replace("chr", prefix): size for name, size in world.SIZES.items()}
        (folder / "genome.fa").write_text(
            (folder / "genome.fa").read_text().replace(">chr", f">{prefix}")
        )
        (folder / "genome.fa.fai").unlink()
        for name, seed in (("a", 1), ("b", 2)):
            path = world.write(folder / f"{name}.cool", sizes=sizes, seed=seed)
            table = cooltools.expected_cis(cooler.Cooler(str(path)))
            table.to_csv(folder / f"{name}.expected", sep="\t", index=False)
        transform = world.counts_to_targets.Transform(3200, world.BIN, 400, global_obsexp=True)
        world.make(folder, transform=transform)
        findings = check.check(folder / "out")
        assert [finding for finding in findings if not finding.passed] == []
        numeric = world.records_of(folder / "out")
        records.append(
            {
                (split, region._replace(chrom=region.chrom.removeprefix("chr"))): record
                for (split, region), record in numeric.items()
            }
        )
    first, second = records
    assert first.keys() == second.keys()
    for key, record in first.items():
        np.testing.assert_array_equal(record.target, second[key].target)


def test_a_cooler_and_a_table_may_name_chromosomes_otherwise(tmp_path, write):
    path = world.write(tmp_path / "a.cool", sizes={"1": 4000})
    opened = world.contacts(path, {"chr1": 4000})
    assert read(write(TABLE), opened.names["chr1"])[1:] == [0.5, 0.25]
