"""Shapes of variant files: what is read, what is refused and in which words, what is written."""

import gzip

import pysam
import pytest

from akita_bayes import errors
from akita_bayes.variants import writers
from akita_bayes.variants.alleles import records, vcf
from tests.variants.test_writers import rows, variant

FORMAT = "##fileformat=VCFv4.2\n"
NAMES = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
WHOLE = f"{FORMAT}{NAMES}\nchr1\t5\ta\tT\tC\t.\t.\t.\nchr2\t5\tb\tG\tA\t.\t.\tDP=3\n"
SHORT = "chr1\t5\ta\tT\tC\nchr2\t5\tb\tG\tA\n"
FILLED = [["chr1", "5", "a", "T", "C", ".", ".", "."], ["chr2", "5", "b", "G", "A", ".", ".", "."]]
SAMPLES = "chr1\t5\ta\tT\tC\t.\t.\t.\tGT\t0/1\t1/1\nchr2\t5\tb\tG\tA\t9\n"
WIDE = [[*FILLED[0], "GT", "0/1", "1/1"], [*FILLED[1][:5], "9", ".", ".", ".", ".", "."]]

READ = {
    "no column names": (FORMAT + SHORT, FILLED),
    "no first line": (f"{NAMES}\n{SHORT}", FILLED),
    "no header": (SHORT, FILLED),
    "five names": (f"{FORMAT}#CHROM\tPOS\tID\tREF\tALT\n{SHORT}", FILLED),
    "six names, one after a blank": (f"{FORMAT}#CHROM\tPOS\tID\tREF\tALT\t QUAL\n{SHORT}", FILLED),
    "seven names": (f"{FORMAT}{NAMES.removesuffix('INFO')}\n{SHORT}", FILLED),
    "names end in a blank": (f"{FORMAT}{NAMES} \n{SHORT}", FILLED),
    "names end in tabs": (f"{FORMAT}{NAMES}\t\t\n{SHORT}", FILLED),
    "names in small letters": (f"{FORMAT}{NAMES.lower()}\n{SHORT}", FILLED),
    "more names than columns": (f"{FORMAT}{NAMES}\tFORMAT\ts\n{SHORT}", FILLED),
    "more columns than names": (f"{FORMAT}{NAMES}\n{SAMPLES}", WIDE),
    "samples without names": (f"{FORMAT}{NAMES}\tFORMAT\n{SAMPLES}", WIDE),
    "samples without a header": (SAMPLES, WIDE),
    "no first line, header": (f"##source=x\n{SHORT}", FILLED),
    "first line is not first": (f"##source=x\n{FORMAT}{NAMES}\n{SHORT}", FILLED),
    "comments": (f"# made by hand\n{FORMAT}{NAMES}\n{SHORT}", FILLED),
    "blank lines": (f"\n{FORMAT}\n{NAMES}\n\n{SHORT}\n  \n\t\n".replace("chr2", "\nchr2"), FILLED),
    "trailing blanks": (SHORT.replace("\n", " \t\t \n"), FILLED),
    "blanks around columns": (SHORT.replace("\t", " \t "), FILLED),
    "empty columns": (SHORT.replace("\n", "\t\t\t\n"), FILLED),
    "CRLF": (f"{FORMAT}{NAMES}\n{SHORT}".replace("\n", "\r\n"), FILLED),
    "byte order mark": (f"\ufeff{FORMAT}{NAMES}\n{SHORT}", FILLED),
    "no last line end": (f"{FORMAT}{NAMES}\n{SHORT}".removesuffix("\n"), FILLED),
}

REFUSED = {
    "": ": holds neither a header nor records; expected a VCF or BCF.",
    "\n \n": ": holds neither a header nor records; expected a VCF or BCF.",
    "hello\n": ", line 1: has 1 columns; expected CHROM, POS, ID, REF, ALT and more, separated by "
    "tabs.",
    "chr1 5 a T C\n": ", line 1: separates columns by blanks; expected CHROM, POS, ID, REF, ALT "
    "and more, separated by tabs.",
    f"{WHOLE}\nchr1\t5\ta\tT\n": ", line 6: has 4 columns; expected CHROM, POS, ID, REF, ALT and "
    "more, separated by tabs.",
    f"{WHOLE}\t5\ta\tT\tC\n": ", line 5: names no chromosome in its first column.",
    f"{WHOLE}chr1\tx\ta\tT\tC\n": ', line 5: has the POS "x"; expected a whole number of at most '
    "2,147,483,647.",
    f"{WHOLE}chr1\t²\ta\tT\tC\n": ', line 5: has the POS "²"; expected a whole number of at most '
    "2,147,483,647.",
    f"{WHOLE}chr1\t-1\ta\tT\tC\n": ', line 5: has the POS "-1"; expected a whole number of at most '
    "2,147,483,647.",
    f"chr1\t{'9' * 5000}\ta\tT\tC\n": f', line 1: has the POS "{"9" * 40}"; expected a whole '
    "number of at most 2,147,483,647.",
    "chr1\t2147483648\ta\tT\tC\n": ', line 1: has the POS "2147483648"; expected a whole number '
    "of at most 2,147,483,647.",
    f"{FORMAT}{NAMES}\n".replace("\t", " "): ", line 2: separates the column names by blanks; VCF "
    "separates them by tabs.",
    f"{FORMAT}#CHROM\tPOS\tREF\tALT\n": ', line 2: calls column 3 "REF"; expected ID, and tabs '
    "between names.",
    f"{FORMAT}{NAMES} FORMAT\n": ', line 2: calls column 8 "INFO FORMAT"; expected INFO, and tabs '
    "between names.",
    f"{FORMAT}{NAMES}\n{NAMES}\n": ", line 3: names the columns again, after line 2; keep one such "
    "line.",
    WHOLE + WHOLE: ", line 5: is a header line after records; keep one header when you join files.",
    WHOLE.replace("\n", "\r"): ", line 1: holds a carriage return; end lines with a line feed, as "
    "Unix does.",
    f"{WHOLE}chr1\t5\t\0\tT\tC\n": ", line 5: holds a NUL byte; expected a VCF, which is text, or "
    "a BCF.",
}


def lines(path):
    with vcf.opened(path) as file:
        return list(file)


@pytest.mark.parametrize("shape", READ)
@pytest.mark.parametrize("suffix", [".vcf", ".vcf.gz"])
def test_reads_shapes_that_people_have(tmp_path, toy_genome, shape, suffix):
    text, expected = READ[shape]
    path, out = tmp_path / f"x{suffix}", tmp_path / f"out{suffix}"
    path.write_bytes(gzip.compress(text.encode()) if suffix == ".vcf.gz" else text.encode())
    columns = [[vcf.text(column) for column in line.columns] for line in lines(path)]
    assert [row[: len(row)] for row in columns] == [
        row[: len(own)] for row, own in zip(expected, columns, strict=True)
    ]
    assert [row.reason for row in records.read(path, toy_genome)] == ["", ""]

    writers.write_vcf(out, path, rows(variant(0), variant(1)), {})
    width = max(len(row) for row in columns)
    with pysam.VariantFile(str(out)) as file:
        assert str(file.header).startswith(FORMAT)
        assert len(file.header.samples) == max(width - 9, int("names than" in shape))
        written = [str(record).rstrip("\n").split("\t") for record in file]
    assert [row[:7] for row in written] == [row[:7] for row in expected]
    assert [row[7] for row in written] == ["AKITA_SCD=0", "AKITA_SCD=1"]
    if width > 8:
        assert [row[8:] for row in written] == [row[8:] for row in WIDE]


@pytest.mark.parametrize("text", REFUSED)
def test_names_the_line_and_the_cause(tmp_path, text):
    path = tmp_path / "x.vcf"
    path.write_bytes(text.encode())
    with pytest.raises(errors.VariantError) as caught:
        lines(path)
    assert str(caught.value) == f"{path}{REFUSED[text]}"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(errors.VariantError, match="no such variant file"):
        lines(tmp_path / "none.vcf")


def test_lines_are_numbered_as_in_the_file(tmp_path):
    (tmp_path / "x.vcf").write_text(f"\n{WHOLE}\nchr1\t9\n")
    with vcf.opened(tmp_path / "x.vcf") as file:
        numbered = iter(file)
        assert [next(numbered).number, next(numbered).number] == [4, 5]
        with pytest.raises(errors.VariantError, match=r"x\.vcf, line 7: has 2 columns"):
            next(numbered)


@pytest.mark.parametrize("pack", [gzip.compress, None])
def test_an_archive_that_was_cut_short_is_refused(tmp_path, pack):
    path, text = tmp_path / "x.vcf.gz", WHOLE * 200
    if pack:
        path.write_bytes(pack(text.encode()))
    else:
        (tmp_path / "x.vcf").write_text(text)
        pysam.tabix_compress(str(tmp_path / "x.vcf"), str(path))
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(errors.VariantError, match="the archive is damaged or was cut short"):
        lines(path)


def test_warns_of_a_bgzipped_file_without_its_end(tmp_path, caplog):
    (tmp_path / "x.vcf").write_text(WHOLE)
    path = tmp_path / "x.vcf.gz"
    pysam.tabix_compress(str(tmp_path / "x.vcf"), str(path))
    assert len(lines(path)) == 2
    assert not caplog.records
    path.write_bytes(path.read_bytes()[:-28])
    assert len(lines(path)) == 2
    assert "x.vcf.gz: lacks the end mark of bgzip and may have been cut short" in caplog.text


def write_bcf(path, text):
    source = path.with_suffix(".vcf")
    contigs = f"{FORMAT}##contig=<ID=chr1>\n##contig=<ID=chr2>\n".encode()
    source.write_bytes(text.replace(FORMAT.encode(), contigs).replace(b"DP=3", b"."))
    with (
        pysam.VariantFile(str(source)) as file,
        pysam.VariantFile(str(path), "wb", header=file.header) as out,
    ):
        for record in file:
            out.write(record)


def test_a_damaged_bcf_is_named(tmp_path):
    path = tmp_path / "x.bcf"
    write_bcf(path, WHOLE.encode())
    before = pysam.get_verbosity()
    assert [line.columns[2] for line in lines(path)] == [b"a", b"b"]
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(errors.VariantError, match=r"x\.bcf: the BCF is damaged or was cut short"):
        lines(path)
    assert pysam.get_verbosity() == before


LATIN = (
    f'{FORMAT}##INFO=<ID=DIS,Number=1,Type=String,Description="Ph\xe4notyp">\n{NAMES}\n'
    "chr1\t5\tWaldenstr\xf6m\tT\tC\t.\t.\tDIS=B\xf6rjeson\nchr2\t5\t\u20ac\tG\tA\t.\t.\t.\n"
)


@pytest.mark.parametrize("suffix", [".vcf", ".bcf"])
def test_bytes_that_are_not_utf8_are_latin1_and_kept(tmp_path, toy_genome, suffix):
    """The euro sign is UTF-8 in the same file: each column is decoded by itself."""
    text = LATIN.replace("\u20ac", "EURO").encode("latin-1").replace(b"EURO", "€".encode())
    path, out = tmp_path / f"x{suffix}", tmp_path / "out.vcf"
    path.write_bytes(text) if suffix == ".vcf" else write_bcf(path, text)
    assert [row.name for row in records.read(path, toy_genome)] == ["Waldenström", "€"]
    writers.write_vcf(out, path, rows(variant(0), variant(1)), {})
    written = out.read_bytes()
    assert b'Description="Ph\xe4notyp"' in written
    assert b"\tWaldenstr\xf6m\tT\tC\t.\t.\tDIS=B\xf6rjeson;AKITA_SCD=0\n" in written
    assert "\t€\tG\tA\t.\t.\tAKITA_SCD=1\n".encode() in written


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("007", 7), ("9" * 18, 10**18 - 1), ("9" * 19, None), ("9" * 5000, None)]
    + [(text, None) for text in ("", "²", "٣", "-1", "+1", " 1", "1 ", "1_0", "1.0", "x")],
)
def test_a_whole_number_is_of_ascii_digits(text, number):
    assert vcf.whole_number(text) == number


def test_genotypes_of_many_samples_may_compress_more_than_a_bomb(tmp_path):
    """Rare variants of a large cohort: 48 MB of 0|0 in 100 kB are a right file."""
    samples = b"\t".join([b"0|0"] * 400_000)
    line = b"chr1\t%d\t.\tA\tC\t.\t.\t.\tGT\t" + samples + b"\n"
    path = tmp_path / "cohort.vcf.gz"
    with gzip.open(path, "wb") as packed:
        for pos in range(30):
            packed.write(line % (pos + 1))
    assert 30 * len(line) > 400 * path.stat().st_size
    with vcf.opened(path) as lines:
        assert sum(1 for _ in lines) == 30


def test_a_line_without_an_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(vcf, "LONGEST_LINE", 1000)
    path = tmp_path / "long.vcf"
    path.write_text(FORMAT + "x" * 2000)
    with (
        pytest.raises(errors.VariantError, match="line 2: is longer than 1,000 bytes"),
        vcf.opened(path) as lines,
    ):
        list(lines)
