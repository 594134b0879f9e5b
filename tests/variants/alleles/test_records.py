import gzip

import pysam
import pytest

from akita_bayes import dna, regions
from akita_bayes.data import genome
from akita_bayes.variants.alleles import reasons, records
from tests.variants.conftest import LONG
from tests.variants.long import HEADER

# chr1 ACGTTGCAACCGGTATGACTCAGGCTTAACGTGCATCGAT
#      1234567890123456789012345678901234567890


def only_record(path, genome):
    (row,) = records.read(path, genome)
    return row


@pytest.mark.parametrize(
    ("line", "kind", "start", "end", "inserted"),
    [
        ("chr1 5 T C", "SNV", 4, 5, "C"),
        ("chr1 5 t c", "SNV", 4, 5, "C"),
        ("chr1 5 TGC CAT", "MNV", 4, 7, "CAT"),
        ("chr1 5 TGC TAC", "SNV", 5, 6, "A"),
        ("chr1 5 T TAA", "INS", 5, 5, "AA"),
        ("chr1 5 TGC T", "DEL", 5, 7, ""),
        ("chr1 5 TGCA TT", "COMPLEX", 5, 8, "T"),
        ("chr1 5 TGCA TA", "DEL", 5, 7, ""),
        ("chr1 5 T <DEL> SVTYPE=DEL;END=9", "DEL", 5, 9, ""),
        ("chr1 5 T <DEL> SVTYPE=DEL;SVLEN=-4", "DEL", 5, 9, ""),
        ("chr1 5 T <DEL> SVTYPE=DEL;SVLEN=4", "DEL", 5, 9, ""),
        ("chr1 5 T <DEL:ME> END=9;SVLEN=-5", "DEL", 5, 9, ""),
        ("chr1 5 T <DUP> END=9", "DUP", 5, 9, ""),
        ("chr1 5 T <DUP:TANDEM> SVLEN=4", "DUP", 5, 9, ""),
        ("chr1 5 T TGCAA SVTYPE=DUP", "DUP", 5, 9, ""),
        ("chr1 9 A AGCAA SVTYPE=DUP", "DUP", 5, 9, ""),
        ("chr1 7 C CAAGC SVTYPE=DUP", "DUP", 5, 9, ""),
        ("chr1 7 C CAAGG SVTYPE=DUP", "INS", 7, 7, "AAGG"),
        ("chr1 5 T TGCAA", "INS", 5, 5, "GCAA"),
        ("chr1 5 T <INV> END=9", "INV", 5, 9, ""),
        ("chr1 5 TGCAAC TGTTGC SVTYPE=INV", "INV", 6, 9, ""),
        ("chr1 5 TGCAAC TGTACC SVTYPE=INV", "MNV", 6, 9, "TAC"),
        ("chr1 5 T <INS> SVINSSEQ=gg", "INS", 5, 5, "GG"),
        ("1 5 T C", "SNV", 4, 5, "C"),
        ("chr2 5 g A", "SNV", 4, 5, "A"),
        ("chr1 5 T R", "SNV", 4, 5, "R"),
        ("chr1 5 T N", "SNV", 4, 5, "N"),
        ("chr1 5 N <DEL> END=9", "DEL", 5, 9, ""),
        ("chr2 5 n <DUP> END=9", "DUP", 5, 9, ""),
        ("chr1 5 NG <INV> END=9", "INV", 5, 9, ""),
        ("chr1 5 N <INS> SVINSSEQ=gg", "INS", 5, 5, "GG"),
    ],
)
def test_says_which_bases_an_alt_replaces(write_vcf, toy_genome, line, kind, start, end, inserted):
    row = only_record(write_vcf(line), toy_genome)
    assert row.reason == ""
    assert (row.kind, row.start, row.end, row.inserted) == (kind, start, end, inserted)


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        ("chr1 5 A C", reasons.REF_DIFFERS, "REF A, genome T"),
        ("chr1 5 A <DEL> END=9", reasons.REF_DIFFERS, "REF A, genome T"),
        ("chr1 5 TAAA T", reasons.REF_DIFFERS, "REF TAAA, genome TGCA"),
        ("chr1 5 N C", reasons.REF_DIFFERS, "REF N, genome T"),
        ("chr1 5 N T", reasons.REF_DIFFERS, "REF N, genome T"),
        ("chr1 5 N NAA", reasons.REF_DIFFERS, "REF N, genome T"),
        ("chr1 5 NA <DEL> END=9", reasons.REF_DIFFERS, "REF TA, genome TG"),
        ("chr7 5 N <DEL> END=9", reasons.CHROMOSOME_UNKNOWN, "chr7"),
        ("chr7 5 N <DEL> END=99999999999", reasons.CHROMOSOME_UNKNOWN, "chr7"),
        ("chr1 41 N <DEL> END=49", reasons.OUTSIDE, "POS 41, 40 bases"),
        ("chr1 39 GATC G", reasons.OUTSIDE, "POS 39, 40 bases"),
        ("chr1 5 T *", reasons.OVERLAPPING, ""),
        ("chr1 5 T <*>", reasons.NO_PARTICULAR_ALLELE, ""),
        ("chr1 5 T <NON_REF>", reasons.NO_PARTICULAR_ALLELE, ""),
        ("chr1 5 T .", reasons.NO_ALT, ""),
        ("chr1 5 T T", reasons.ALT_EQUALS_REF, ""),
        ("chr1 5 T <INS> SVTYPE=INS", reasons.INSERTION_UNKNOWN, ""),
        ("chr1 5 T <INS> LEFT_SVINSSEQ=ACG", reasons.INSERTION_UNKNOWN, ""),
        ("chr1 5 T <CNV> END=9", reasons.SYMBOL_UNDEFINED, ""),
        ("chr1 5 T <DEL> SVTYPE=DEL", reasons.END_MISSING, ""),
        ("chr1 5 T <DEL> END=3", reasons.END_BEFORE_POS, "POS 5, END 3"),
        ("chr1 5 T <DEL> END=5", reasons.END_AT_POS, "POS 5, END 5"),
        ("chr1 5 T <DEL> END=41", reasons.END_OUTSIDE, "POS 5, END 41"),
        ("chr7 5 T C", reasons.CHROMOSOME_UNKNOWN, "chr7"),
        ("chr1 41 T C", reasons.OUTSIDE, "POS 41, 40 bases"),
        ("chr1 5 T T.", reasons.SINGLE_BREAKEND, ""),
        ("chr1 5 T .T", reasons.SINGLE_BREAKEND, ""),
        ("chr1 5 T T[chr9:4[", reasons.MATE_CHROMOSOME_UNKNOWN, "chr9"),
        ("chr1 5 T T[chr2:99[", reasons.MATE_OUTSIDE, "T[chr2:99[, 32 bases"),
        ("chr1 5 T G[chr2:9[", reasons.BREAKEND_CHANGES_REF, ""),
        ("chr1 5 N G[chr2:9[", reasons.BREAKEND_CHANGES_REF, ""),
        ("chr1 5 TG T[chr2:9[", reasons.BREAKEND_CHANGES_REF, ""),
        ("chr1 5 TG TA[chr2:9[", reasons.BREAKEND_CHANGES_REF, ""),
        ("chr1 5 T T[chr2:9", reasons.BREAKEND_UNREADABLE, "T[chr2:9"),
        ("chr1 5 T T[chr2:9]", reasons.BREAKEND_UNREADABLE, "T[chr2:9]"),
        ("chr1 5 T T[chr2:9[T", reasons.BREAKEND_UNREADABLE, "T[chr2:9[T"),
        ("chr1 5 T [chr2:9[", reasons.BREAKEND_UNREADABLE, "[chr2:9["),
        ("chr1 5 T TQ[chr2:9[", reasons.BREAKEND_UNREADABLE, "TQ[chr2:9["),
        ("chr1 5 T TEQ", reasons.ALT_UNREADABLE, "TEQ"),
    ],
)
def test_skips_with_a_reason(write_vcf, toy_genome, line, reason, detail):
    row = only_record(write_vcf(line), toy_genome)
    assert (row.reason, row.detail) == (reason, detail)


@pytest.mark.parametrize(
    ("alt", "mate", "inserted"),
    [
        ("T[chr2:9[", records.Breakend("chr2", 8, True, True), ""),
        ("T]chr2:9]", records.Breakend("chr2", 8, False, True), ""),
        ("]chr2:9]T", records.Breakend("chr2", 8, False, False), ""),
        ("[chr2:9[T", records.Breakend("chr2", 8, True, False), ""),
        ("TGGA[2:9[", records.Breakend("chr2", 8, True, True), "GGA"),
        ("]chr2:30]GGAT", records.Breakend("chr2", 29, False, False), "GGA"),
    ],
)
def test_reads_breakends(write_vcf, toy_genome, alt, mate, inserted):
    row = only_record(write_vcf(f"chr1 5 T {alt}"), toy_genome)
    assert (row.reason, row.kind, row.mate, row.inserted) == ("", "BND", mate, inserted)
    assert (row.start, row.end) == (4, 5)


@pytest.mark.parametrize(
    ("ref", "alt", "inserted"),
    [
        ("N", "N[chr2:9[", ""),
        ("N", "T[chr2:9[", ""),
        ("T", "]chr2:9]N", ""),
        ("n", "[chr2:9[n", ""),
        ("N", "NGNA[chr2:9[", "GNA"),
        ("N", "]chr2:9]GAN", "GA"),
    ],
)
def test_a_breakend_keeps_the_genomes_base_for_n(write_vcf, toy_genome, ref, alt, inserted):
    row = only_record(write_vcf(f"chr1 5 {ref} {alt}"), toy_genome)
    assert (row.reason, row.ref, row.alt, row.inserted) == ("", ref, alt, inserted)
    assert (row.start, row.end) == (4, 5)


def test_n_is_any_base_for_symbols_only(write_vcf, toy_genome):
    symbol, letter = records.read(write_vcf("chr1 5 N <DEL>,C END=9"), toy_genome)
    assert (symbol.reason, symbol.ref, symbol.end) == ("", "N", 9)
    assert letter.reason == reasons.REF_DIFFERS


def test_without_alt_there_is_no_allele(write_vcf, toy_genome):
    assert only_record(write_vcf("chr1 5 T ."), toy_genome).allele == 0


@pytest.mark.parametrize(("alt", "flags"), [("C", ()), ("R", ("ambiguous_bases",))])
def test_flags_letters_that_stand_for_several_bases(write_vcf, toy_genome, alt, flags):
    assert only_record(write_vcf(f"chr1 5 T {alt}"), toy_genome).flags == flags


@pytest.mark.parametrize(
    ("size", "repeat", "other_strand"), [(49, "INS", "MNV"), (50, "DUP", "INV")]
)
def test_long_repeats_and_inversions_are_named_as_such(
    write_vcf, long_genome, size, repeat, other_strand
):
    letters = LONG["chr1"]
    near, unit = letters[999], letters[1000 : 1000 + size]
    assert dna.reverse_complement(unit)[0] != unit[0]
    path = write_vcf(
        f"chr1 1000 {near} {near}{unit}",
        f"chr1 1001 {unit} {dna.reverse_complement(unit)}",
        f"chr1 1001 {unit} {unit[::-1].translate(str.maketrans('ACGT', 'CATG'))}",
        header=HEADER,
    )
    with genome.Genome(long_genome) as opened:
        rows = list(records.read(path, opened))
    assert [row.kind for row in rows] == [repeat, other_strand, "MNV"]


def test_one_row_per_alt_also_when_some_are_skipped(write_vcf, toy_genome):
    path = write_vcf("chr1 5 T C,*,TAA,<NON_REF>", "chr1 6 A C", "chr1 7 C G", "chr1 7 C G")
    rows = list(records.read(path, toy_genome))
    assert [(r.record, r.allele) for r in rows] == [
        (0, 1), (0, 2), (0, 3), (0, 4), (1, 1), (2, 1), (3, 1)
    ]  # fmt: skip
    assert [r.alt for r in rows[:4]] == ["C", "*", "TAA", "<NON_REF>"]
    assert [bool(r.reason) for r in rows] == [False, True, False, True, True, False, False]


def test_splits_svlen_by_allele(write_vcf, toy_genome):
    path = write_vcf("chr1 5 T <DEL>,<DUP> SVLEN=-3,6")
    rows = list(records.read(path, toy_genome))
    assert [(r.kind, r.end) for r in rows] == [("DEL", 8), ("DUP", 11)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("chr1 5 T <DEL>,<DUP> SVLEN=-3,6;END=11", [(8, ()), (11, ())]),
        ("chr1 5 T <DUP>,<DEL>,C SVLEN=6,3,.;END=11", [(11, ()), (8, ()), (5, ())]),
        ("chr1 5 T <DEL>,<INV> SVLEN=-3,.;END=11", [(8, ()), (11, ())]),
        ("chr1 5 T <DEL>,<DUP> END=11", [(11, ()), (11, ())]),
        ("chr1 5 T <DEL>,<DUP> SVLEN=-3,9;END=11", [(8, ()), (14, ("svlen_disagrees_with_end",))]),
    ],
)
def test_end_is_that_of_the_longest_of_several(write_vcf, toy_genome, line, expected):
    rows = list(records.read(write_vcf(line), toy_genome))
    assert [(row.end, row.flags) for row in rows] == expected
    assert not any(row.reason for row in rows)


@pytest.mark.parametrize(
    ("length", "flags"),
    [(-20, ("svlen_disagrees_with_end",)), (-6, ("svlen_disagrees_with_end",)), (-5, ()), (3, ())],
)
def test_flags_a_length_that_disagrees_by_more_than_a_base(write_vcf, toy_genome, length, flags):
    row = only_record(write_vcf(f"chr1 5 T <DEL> END=9;SVLEN={length}"), toy_genome)
    assert (row.end, row.flags) == (9, flags)


def test_bcf_gz_and_index_read_alike(write_vcf, toy_genome, tmp_path):
    lines = ("chr1 5 T C,TAA", "chr1 9 A <DEL> SVTYPE=DEL;END=20", "chr2 5 g A")
    plain = write_vcf(*lines)
    expected = list(records.read(plain, toy_genome))
    zipped = tmp_path / "toy.vcf.gz"
    pysam.tabix_compress(str(plain), str(zipped))
    assert list(records.read(zipped, toy_genome)) == expected
    pysam.tabix_index(str(zipped), preset="vcf")
    assert list(records.read(zipped, toy_genome)) == expected
    with (
        pysam.VariantFile(str(plain)) as source,
        pysam.VariantFile(str(tmp_path / "toy.bcf"), "wb", header=source.header) as binary,
    ):
        for record in source:
            binary.write(record)
    assert list(records.read(tmp_path / "toy.bcf", toy_genome)) == expected
    with gzip.open(tmp_path / "gzip.vcf.gz", "wb") as handle:
        handle.write(plain.read_bytes())
    assert list(records.read(tmp_path / "gzip.vcf.gz", toy_genome)) == expected


@pytest.mark.parametrize("chrom", ["chr1", "1"])
def test_region_selects_but_keeps_numbers(write_vcf, toy_genome, chrom):
    path = write_vcf("chr1 5 T C", "chr1 20 T C", "chr2 5 g A")
    rows = list(records.read(path, toy_genome, region=regions.Region(chrom, 10, 40)))
    assert [(r.record, r.position) for r in rows] == [(1, 19)]


def test_a_region_counts_from_0_without_its_end(write_vcf, toy_genome):
    path = write_vcf("chr1 5 T C", "chr1 6 G C", "chr1 9 A C", "chr1 10 A C")
    rows = records.read(path, toy_genome, region=regions.parse("chr1:5-9"))
    assert [row.position + 1 for row in rows] == [6, 9]
