"""Records as callers and databases write them: what each becomes, or the reason why not."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from akita_bayes.data import genome
from akita_bayes.variants.alleles import derivative, reasons, records, vcf

# 0         1         2         3
# 0123456789012345678901234567890123456789
# ACGTTGCAACCGGTATGACTCAGGCTTAACGTGCATCGAT   chr1, from 0
CHR1 = "ACGTTGCAACCGGTATGACTCAGGCTTAACGTGCATCGAT"
CODED = "ACGTRGCNACBGGTATGACTCAGG"  # R at 5, N at 8, B at 11, from 1
DUPLICATED = "DUP", 5, 9, ""

FLAG = "inserted_bases_unknown"
CODE = "ambiguous_reference"

SCORED = [
    # Positions of telomeres: 0 is before the first base.
    ("chr1 0 N <DEL> END=9;SVLEN=-9", ("DEL", 0, 9, ""), ()),
    ("chr1 0 n <DEL> SVLEN=9", ("DEL", 0, 9, ""), ()),
    ("chr1 0 . <DEL> END=9", ("DEL", 0, 9, ""), ()),
    ("chr1 0 N <DUP> END=9", ("DUP", 0, 9, ""), ()),
    ("chr1 0 N <INV> END=9", ("INV", 0, 9, ""), ()),
    ("chr1 0 N <INS> SVINSSEQ=GG", ("INS", 0, 0, "GG"), ()),
    ("chr1 0 N <CN0> END=9", ("DEL", 0, 9, ""), ()),
    ("chr1 0 N <DEL> END=40", ("DEL", 0, 40, ""), ()),
    # REF of a symbol.
    ("chr1 5 . <DEL> END=9", ("DEL", 5, 9, ""), ()),
    ("chr1 5 T <del> END=9", ("DEL", 5, 9, ""), ()),
    # Copy numbers of one haplotype.
    ("chr1 5 T <CN0> SVTYPE=DEL;END=9", ("DEL", 5, 9, ""), ()),
    ("chr1 5 T <CN0> SVTYPE=CNV;END=9", ("DEL", 5, 9, ""), ()),
    ("chr1 5 T <CNV:CN0> END=9", ("DEL", 5, 9, ""), ()),
    ("chr1 5 T <CN=0> END=9", ("DEL", 5, 9, ""), ()),
    ("chr1 5 T <CN2> SVTYPE=DUP;END=9", DUPLICATED, ()),
    ("chr1 5 T <CN2> SVTYPE=CNV;END=9", DUPLICATED, ()),
    # The empty allele of Sniffles.
    ("chr1 5 N GCC SVTYPE=INS;SVLEN=3;END=5", ("INS", 5, 5, "GCC"), ()),
    ("chr1 5 n GCC SVTYPE=INS", ("INS", 5, 5, "GCC"), ()),
    ("chr1 5 N NGCC SVTYPE=INS;SVLEN=3", ("INS", 5, 5, "GCC"), ()),
    ("chr1 5 N NGCC SVTYPE=INS", ("INS", 5, 5, "GCC"), ()),
    ("chr1 5 N NGCC SVTYPE=INS;SVLEN=4", ("INS", 5, 5, "NGCC"), ("ambiguous_bases",)),
    ("chr1 5 N GCC SVTYPE=INS;SVLEN=9", ("INS", 5, 5, "GCC"), ("svlen_disagrees_with_letters",)),
    ("chr1 40 N GCC SVTYPE=INS", ("INS", 40, 40, "GCC"), ()),
    ("chr1 5 TGCA N SVTYPE=DEL;SVLEN=-4;END=9", ("DEL", 4, 8, ""), ()),
    ("chr1 5 tgca n SVTYPE=DEL", ("DEL", 4, 8, ""), ()),
    ("chr1 1 ACGT N SVTYPE=DEL;SVLEN=-4", ("DEL", 0, 4, ""), ()),
    ("chr1 5 T N SVTYPE=DEL", ("DEL", 4, 5, ""), ()),
    ("chr1 5 TGCA N SVTYPE=DEL;SVLEN=-3", ("DEL", 5, 8, ""), ()),  # N is the base before
    ("chr1 5 GCAA N SVTYPE=DEL;SVLEN=-4", ("DEL", 5, 9, ""), ()),  # REF begins behind POS
    ("chr1 5 TGCA N SVTYPE=DEL;SVLEN=-9", ("DEL", 4, 8, ""), ("svlen_disagrees_with_letters",)),
    # Letters beside symbols.
    ("chr1 5 T <DEL> END=9;SVINSLEN=3;SVINSSEQ=gca", ("DEL", 5, 9, "GCA"), ()),
    ("chr1 5 T <DEL> END=9;SVINSSEQ=GCAG", ("DEL", 5, 9, "GCAG"), ()),
    ("chr1 5 T <DUP:TANDEM> END=9;SVINSLEN=2;SVINSSEQ=AC", ("DUP", 5, 9, "AC"), ()),
    ("chr1 5 T <DEL>,<DUP> SVLEN=4,4;SVINSSEQ=A,C", ("DEL", 5, 9, "A"), ()),
    ("chr1 5 T <INV> END=9;SVINSLEN=2;SVINSSEQ=AC", ("INV", 5, 9, ""), (FLAG,)),
    ("chr1 5 T <DEL> END=9;SVINSLEN=3", ("DEL", 5, 9, ""), (FLAG,)),
    ("chr1 5 T <DEL> END=9;LEFT_SVINSSEQ=AC;RIGHT_SVINSSEQ=GT", ("DEL", 5, 9, ""), (FLAG,)),
    ("chr1 5 T <DUP> END=9;SVINSSEQ=A*C", ("DUP", 5, 9, ""), (FLAG,)),
    ("chr1 5 T <DUP> END=9;SVINSLEN=0;SVINSSEQ=.", DUPLICATED, ()),
    # Numbers that are none.
    ("chr1 5 T <DEL> END=²;SVLEN=-4", ("DEL", 5, 9, ""), ()),
    ("chr1 5 T <DEL> END=٩;SVLEN=-4", ("DEL", 5, 9, ""), ()),
    ("chr1 5 T <DEL> END=9;SVLEN=²", ("DEL", 5, 9, ""), ()),
    ("chr1 5 T <DEL> END=9;SVLEN=--4", ("DEL", 5, 9, ""), ()),
    (f"chr1 5 T <DEL> END=9;SVLEN={'9' * 5000}", ("DEL", 5, 9, ""), ()),
    # Ambiguity codes of the genome: REF is any base that they allow, or they.
    ("code 5 A C", ("SNV", 4, 5, "C"), (CODE,)),
    ("code 5 g C", ("SNV", 4, 5, "C"), (CODE,)),
    ("code 5 R C", ("SNV", 4, 5, "C"), (CODE,)),
    ("code 3 GTA G", ("DEL", 3, 5, ""), (CODE,)),
    ("code 3 GTAGC GTGGC", ("SNV", 4, 5, "G"), (CODE,)),
    ("code 4 T TAA", ("INS", 4, 4, "AA"), ()),
    ("code 5 A <DEL> END=9", ("DEL", 5, 9, ""), (CODE,)),
    ("code 5 N <DEL> END=9", ("DEL", 5, 9, ""), (CODE,)),
    ("code 4 T <DEL> END=9", ("DEL", 4, 9, ""), ()),
    ("code 11 C T", ("SNV", 10, 11, "T"), (CODE,)),
    ("code 11 Y A", ("SNV", 10, 11, "A"), (CODE,)),  # C or T, which B allows
    ("code 5 C A", ("SNV", 4, 5, "C"), ("alleles_swapped", CODE)),
    ("code 5 CGC AGC", ("SNV", 4, 5, "C"), ("alleles_swapped", CODE)),
    ("code 5 A A[chr1:9[", ("BND", 4, 5, ""), (CODE,)),
    ("code 5 A R[chr1:9[", ("BND", 4, 5, ""), (CODE,)),
    ("code 5 R RGG[chr1:9[", ("BND", 4, 5, "GG"), (CODE,)),
    ("code 5 N ]chr1:9]N", ("BND", 4, 5, ""), (CODE,)),
    ("code 8 N A", ("SNV", 7, 8, "A"), ()),
]

REFUSED = [
    ("chr1 0 N C", reasons.BEFORE_FIRST_BASE),
    ("chr1 0 NA N", reasons.BEFORE_FIRST_BASE),
    ("chr1 0 A <DEL> END=9", reasons.BEFORE_FIRST_BASE),
    ("chr1 0 NA <DEL> END=9", reasons.BEFORE_FIRST_BASE),
    ("chr1 0 N GCC SVTYPE=INS", reasons.BEFORE_FIRST_BASE),
    ("chr1 0 N <DEL> END=0", reasons.END_AT_POS),
    ("chr1 0 N <DEL>", reasons.END_MISSING),
    ("chr1 0 N <DEL> END=41", reasons.END_OUTSIDE),
    ("chr1 0 N <CNV> END=9", reasons.SYMBOL_UNDEFINED),
    ("chr1 0 . .[chr2:9[", reasons.TELOMERE),
    ("chr1 0 N ]chr2:9]N", reasons.TELOMERE),
    ("chr1 41 N N]chr2:9]", reasons.TELOMERE),
    ("chr1 42 N N]chr2:9]", reasons.OUTSIDE),
    ("chr1 1 A ]chr2:0]A", reasons.TELOMERE),
    ("chr1 5 T T[chr2:33[", reasons.TELOMERE),
    ("chr1 5 T T[chr2:34[", reasons.MATE_OUTSIDE),
    ("chr1 5 T T[chr2:²[", reasons.BREAKEND_UNREADABLE),
    (f"chr1 5 T T[chr2:{'9' * 5000}[", reasons.MATE_OUTSIDE),
    ("chr1 5 T <CN1> SVTYPE=CNV;END=9", reasons.COPIES_UNDEFINED),
    ("chr1 5 T <CN2> SVTYPE=DEL;END=9", reasons.COPIES_UNDEFINED),
    ("chr1 5 T <CN2> END=9", reasons.COPIES_UNDEFINED),
    ("chr1 5 T <CN3> SVTYPE=DUP;END=9", reasons.COPIES_UNDEFINED),
    ("chr1 5 T <CN12> SVTYPE=CNV;END=9", reasons.COPIES_UNDEFINED),
    ("chr1 5 T <CN> SVTYPE=CNV;END=9", reasons.SYMBOL_UNDEFINED),
    ("chr1 5 T <DEL> END=²", reasons.END_MISSING),
    ("chr1 5 T <DEL> END=-9", reasons.END_MISSING),
    ("chr1 5 T <DEL> END=99999999999", reasons.END_OUTSIDE),
    (f"chr1 5 T <DEL> END={'9' * 5000}", reasons.END_MISSING),
    ("chr1 5 T <DEL> SVLEN=-99999999999", reasons.END_OUTSIDE),
    ("chr1 5 T <DEL END=9", reasons.ALT_UNREADABLE),
    ("chr1 5 T <> END=9", reasons.ALT_UNREADABLE),
    ("chr1 5 T C<INS> END=9", reasons.ALT_UNREADABLE),
    ("chr1 5 T ſ", reasons.ALT_UNREADABLE),
    ("chr1 5 T 7", reasons.ALT_UNREADABLE),
    ("chr1 5 ß <DEL> END=9", reasons.REF_UNREADABLE),
    ("chr1 5 . C", reasons.REF_UNREADABLE),
    ("chr1 5 <DIP> <DEL> END=9", reasons.REF_UNREADABLE),
    ("chr1 5 N ACGT SVTYPE=DEL", reasons.REF_DIFFERS),
    ("chr1 5 N GCC SVTYPE=DUP", reasons.REF_DIFFERS),
    ("chr1 5 N GCC", reasons.REF_DIFFERS),
    ("chr1 5 GGGG N SVTYPE=DEL", reasons.REF_DIFFERS),
    ("chr1 5 N N SVTYPE=INS", reasons.ALT_EQUALS_REF),
    ("chr1 41 N GCC SVTYPE=INS", reasons.OUTSIDE),
    ("chr1 39 ATG N SVTYPE=DEL", reasons.OUTSIDE),
    ("code 5 C T", reasons.REF_DIFFERS),
    ("code 5 Y A", reasons.REF_DIFFERS),
    ("code 4 A C", reasons.REF_DIFFERS),
    ("code 4 W C", reasons.REF_DIFFERS),  # A or T, where the genome has T
    ("code 8 A C", reasons.REF_DIFFERS),  # N is no base in particular
    ("code 3 GTC G", reasons.REF_DIFFERS),
    ("code 5 A G[chr1:9[", reasons.BREAKEND_CHANGES_REF),
    ("chr1 5 T ]chr2:9[T", reasons.BREAKEND_UNREADABLE),
]


@pytest.fixture(scope="module")
def coded_genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("coded") / "coded.fa"
    genome.write_fasta(
        path, {"chr1": CHR1, "chr2": "TTTTGGGGCCCCAAAATTGGCCAATGCATGCA", "code": CODED}
    )
    with genome.Genome(path) as opened:
        yield opened


def first(write_vcf, line, coded_genome):
    return next(records.read(write_vcf(line), coded_genome))


@pytest.mark.parametrize(("line", "event", "flags"), SCORED)
def test_is_understood(write_vcf, coded_genome, line, event, flags):
    row = first(write_vcf, line, coded_genome)
    assert (row.reason, row.detail) == ("", "")
    assert (row.kind, row.start, row.end, row.inserted) == event
    assert sorted(row.flags) == sorted(flags)
    _, pos, ref, alts, *_ = line.split()
    assert (row.position, row.ref, row.alt) == (int(pos) - 1, ref, alts.split(",")[0])


@pytest.mark.parametrize(("line", "reason"), REFUSED)
def test_is_refused(write_vcf, coded_genome, line, reason):
    row = first(write_vcf, line, coded_genome)
    assert row.reason == reason
    _, pos, ref, alt, *_ = line.split()
    assert (row.position, row.ref, row.alt) == (int(pos) - 1, ref, alt)


def test_empty_alleles_among_others_are_none(write_vcf, coded_genome):
    rows = list(records.read(write_vcf("chr1 5 T C,,.,G"), coded_genome))
    assert [(row.allele, row.reason) for row in rows] == [
        (1, ""),
        (2, reasons.NO_ALT),
        (3, reasons.NO_ALT),
        (4, ""),
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("chr1 0 N <DEL> END=9", "CCGGTATGACTCAGGCTTAACGTGCATCGAT"),
        ("chr1 0 N <DUP> END=3", "ACGACGTTGCAACCGGTATGACTCAGGCTTAACGTGCATCGAT"),
        ("chr1 0 N <INV> END=3", "CGTTTGCAACCGGTATGACTCAGGCTTAACGTGCATCGAT"),
        ("chr1 0 N <INS> SVINSSEQ=GG", "GGACGTTGCAACCGGTATGACTCAGGCTTAACGTGCATCGAT"),
        ("chr1 5 N GCC SVTYPE=INS", "ACGTTGCCGCAACCGGTATGACTCAGGCTTAACGTGCATCGAT"),
        ("chr1 5 TGCA N SVTYPE=DEL", "ACGTACCGGTATGACTCAGGCTTAACGTGCATCGAT"),
        ("chr1 5 T <DEL> END=9;SVINSSEQ=GG", "ACGTTGGCCGGTATGACTCAGGCTTAACGTGCATCGAT"),
        ("chr1 5 T <DEL> END=9;SVINSSEQ=TTTT", "ACGTTTTTTCCGGTATGACTCAGGCTTAACGTGCATCGAT"),
        ("chr1 5 T <DUP> END=9;SVINSSEQ=TTT", "ACGTTGCAATTTGCAACCGGTATGACTCAGGCTTAACGTGCATCGAT"),
    ],
)
def test_the_allele_has_these_letters(write_vcf, coded_genome, line, expected):
    row = first(write_vcf, line, coded_genome)
    allele = derivative.edited(row, coded_genome.sizes)
    assert derivative.letters(allele, coded_genome.padded) == expected
    assert (
        derivative.letters(derivative.unedited(row, coded_genome.sizes), coded_genome.padded)
        == CHR1
    )


@pytest.mark.parametrize(
    ("line", "reference", "alternative"),
    [
        ("code 5 A C", "ACGTAGCNACBG", "ACGTCGCNACBG"),
        ("code 4 TAG TTG", "ACGTAGCNACBG", "ACGTTGCNACBG"),
        ("code 5 AGC CCC", "ACGTAGCNACBG", "ACGTCCCNACBG"),
        ("code 5 C A", "ACGTAGCNACBG", "ACGTCGCNACBG"),  # swapped: the genome has ALT
        ("code 5 R C", "ACGTRGCNACBG", "ACGTCGCNACBG"),
        ("code 4 TA T", "ACGTRGCNACBG", "ACGTGCNACBGG"),
        ("code 5 A AC", "ACGTRGCNACBG", "ACGTRCGCNACB"),
        ("code 5 A A[code:9[", "ACGTRGCNACBG", "ACGTRACBGGTA"),
    ],
)
def test_a_substitution_is_compared_with_the_letter_of_ref(
    write_vcf, coded_genome, line, reference, alternative
):
    row = first(write_vcf, line, coded_genome)
    for allele, expected in (
        (derivative.unedited(row, coded_genome.sizes), reference),
        (derivative.edited(row, coded_genome.sizes), alternative),
    ):
        assert derivative.letters(derivative.cut(allele, 0, 12), coded_genome.padded) == expected


def test_reasons_hold_nothing_of_the_record(write_vcf, coded_genome):
    """So that a log can count them: two records refused alike are refused in the same words."""
    rows = [first(write_vcf, line, coded_genome) for line, _ in REFUSED]
    assert {row.reason for row in rows} <= reasons.ALL
    assert not any(character.isdigit() for reason in reasons.ALL for character in reason)
    assert {
        reasons.TOO_LARGE,
        reasons.CROPPED,
        reasons.NO_CONTACT,
        reasons.LETTERS_ONLY,
    } < reasons.ALL


COLUMNS = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\t\0"), max_size=12)
NUMBERS = st.one_of(st.integers(-5, 60).map(str), st.sampled_from(["", "²", "--4", "9" * 30, "."]))
ALTS = st.one_of(
    COLUMNS,
    st.text("ACGTNRn*.<>[]:,", max_size=9),
    st.sampled_from(
        ["<DEL>", "<DUP>", "<INV>", "<INS>", "<CN0>", "<CN2>", "T[chr2:0[", "]code:24]N"]
    ),
    st.builds("{}[chr2:{}[".format, st.sampled_from("ACGTN."), NUMBERS),
)


@given(
    chrom=st.sampled_from(["chr1", "1", "code", "chr9"]),
    pos=st.integers(0, 45),
    ref=st.one_of(COLUMNS, st.text("ACGTNR.", min_size=1, max_size=6)),
    alt=ALTS,
    end=NUMBERS,
    length=NUMBERS,
    kind=st.sampled_from(["DEL", "INS", "DUP", "CNV", ""]),
    letters=st.one_of(COLUMNS, st.text("ACGT", max_size=4)),
)
@example(chrom="chr1", pos=0, ref="C", alt="A", end="0", length="0", kind="DEL", letters="")
@settings(max_examples=400, deadline=None)
def test_any_record_is_scored_or_refused(
    coded_genome, chrom, pos, ref, alt, end, length, kind, letters
):
    """Whatever columns hold: an allele within the chromosome, or a reason of the table."""
    info = f"END={end};SVLEN={length};SVTYPE={kind};SVINSSEQ={letters}"
    columns = [chrom, str(pos), ".", ref or ".", alt or ".", ".", ".", info]
    line = vcf.Line(1, [column.encode() for column in columns])
    rows = list(records.from_line(0, line, coded_genome))
    assert len(rows) == max(len(line.alts), 1)
    for row in rows:
        assert row.reason == "" or row.reason in reasons.ALL
        assert 0 <= row.start <= row.end < 2**32
        if not row.reason:
            size = coded_genome.sizes[row.chrom]
            assert row.end <= size
            assert row.kind in ("SNV", "MNV", "INS", "DEL", "COMPLEX", "DUP", "INV", "BND")
            spelled = derivative.letters(
                derivative.edited(row, coded_genome.sizes), coded_genome.padded
            )
            assert set(spelled) <= set("ACGTNRYSWKMBDHV")
            if row.kind != "BND":
                assert len(spelled) == size + {
                    "DUP": row.size,
                    "INV": 0,
                }.get(row.kind, len(row.inserted) - (row.end - row.start))
