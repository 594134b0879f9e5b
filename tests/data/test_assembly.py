"""Which chromosome of a file is which of the genome, and when nobody can say."""

import pytest

from akita_bayes import errors
from akita_bayes.data import assembly

ROMAN = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV"]
YEAST = assembly.of(dict.fromkeys([*(f"chr{numeral}" for numeral in ROMAN), "chrM"], 100))


def genome(*names, **fields):
    return assembly.of(dict.fromkeys(names, 100), **fields)


@pytest.mark.parametrize(
    ("opened", "chroms", "expected"),
    [
        (YEAST, ["chr1", "chr4", "chr10", "chrM"], ["chrI", "chrIV", "chrX", "chrM"]),
        (YEAST, ["1", "14", "15", "Mito"], ["chrI", "chrXIV", None, "chrM"]),
        (YEAST, ["I", "IX", "X", "MT"], ["chrI", "chrIX", "chrX", "chrM"]),
        (YEAST, ["chrI", "chrX"], ["chrI", "chrX"]),
        (genome("1", "2", "3", "4"), ["chrIII", "chrIV", "chrX"], [None, None, None]),
        (genome("1", "2", "3", "4"), ["chrI", "chrII", "chrIII"], ["1", "2", "3"]),
        (genome("chr1", "chr10", "chrX"), ["1", "10", "X"], ["chr1", "chr10", "chrX"]),
        (genome("I", "II", "III", "IV", "V", "X"), ["1", "5", "10", "X"], ["I", "V", None, "X"]),
        (genome("Chr1", "ChrC"), ["1", "C"], ["Chr1", "ChrC"]),
        (genome("chr1"), ["chr1", "1"], ["chr1", None]),
    ],
)
def test_conventions(opened, chroms, expected):
    pairs = {chrom: own for chrom, own in zip(chroms, expected, strict=True) if own}
    if not pairs:
        with pytest.raises(errors.DataError, match=r"a\.cool: no chromosome in common"):
            opened.names(chroms, "a.cool")
        return
    assert opened.names(chroms, "a.cool") == pairs


def test_a_match_is_logged(caplog):
    with caplog.at_level("INFO"):
        YEAST.names(["chr4", "chr5"], "a.cool")
    assert (
        "a.cool: chromosomes have other names in the genome; reading chr4 as chrIV, and 1 more"
        in (caplog.text)
    )


def test_a_single_chromosome_on_both_sides_is_the_same(caplog):
    single = genome("NC_000913.3")
    with caplog.at_level("INFO"):
        assert single.names(["U00096"], "a.cool", complete=True) == {"U00096": "NC_000913.3"}
    assert "reading U00096 as NC_000913.3" in caplog.text
    for opened, chroms, complete in (
        (single, ["U00096"], False),
        (single, ["U00096", "plasmid"], True),
        (genome("NC_000913.3", "plasmid"), ["U00096"], True),
    ):
        with pytest.raises(errors.DataError, match="no chromosome in common"):
            opened.names(chroms, "a.cool", complete=complete)


def test_rivals_are_refused():
    with pytest.raises(errors.DataError, match=r"1 and Chr1 may be chr1 .* --chromosomes a table"):
        genome("chr1", "chr2").names(["1", "Chr1"], "a.cool")
    with pytest.raises(errors.DataError, match="Chr1 may be 1 or chr1 of the genome"):
        genome("chr1", "1").names(["Chr1"], "a.cool")
    with pytest.raises(errors.DataError, match="a and b may be chr1"):
        genome("chr1", table=(("a", "chr1"), ("b", "chr1"))).names(["a", "b"], "a.cool")


def test_a_table_comes_before_conventions(tmp_path):
    path = tmp_path / "names.tsv"
    path.write_text("# file genome\nchr1\tchrIV\n\nscaffold_7\tchrII\nabsent chrIII\n")
    table = assembly.read_table(path, YEAST.sizes)
    assert table == (("chr1", "chrIV"), ("scaffold_7", "chrII"), ("absent", "chrIII"))
    opened = assembly.Assembly(YEAST.lengths, table=table)
    assert opened.names(["chr1", "scaffold_7", "chr4", "chr5"], "a.cool") == {
        "chr1": "chrIV",
        "scaffold_7": "chrII",
        "chr5": "chrV",
    }
    for text, reason in (
        ("chr1\tchrIV\t9\n", "line 1: has 3 columns; expected the name in contact files and"),
        ("a chrV\na chrII\n", 'line 2: "a" is also chrV'),
        ("a chrW\n", 'line 1: the genome has no chromosome "chrW". Did you mean'),
    ):
        path.write_text(text)
        with pytest.raises(errors.DataError, match=reason):
            assembly.read_table(path, YEAST.sizes)


def test_bed_files_are_read_by_the_genomes_names(tmp_path):
    (tmp_path / "black.bed").write_text("chr4\t5\t10\tx\nplasmid\t0\t3\n")
    lines = [(*region, *columns) for region, columns in YEAST.read_bed(tmp_path / "black.bed")]
    assert lines == [("chrIV", 5, 10, "x"), ("plasmid", 0, 3)]


def test_bins_around_a_circle():
    circle = assembly.of({"c": 4_641_652, "l": 10}, circular=("c",))
    assert circle.period("c", 9897) == 469  # 468.996 bins
    assert circle.period("c", 1000) == 4642
    assert circle.period("c", 10_000) == 464
    assert circle.period("l", 10) is None
    assert circle.periods(1000) == {"c": 4_642_000}


def test_numerals_of_chromosomes():
    numerals = [assembly.numeral(number) for number in (1, 4, 9, 14, 16, 40, 89)]
    assert numerals == ["I", "IV", "IX", "XIV", "XVI", "XL", "LXXXIX"]
