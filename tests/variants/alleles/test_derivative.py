import pytest
from hypothesis import given
from hypothesis import strategies as st

from akita_bayes import dna
from akita_bayes.variants.alleles import derivative, records

# 0         1         2         3
# 0123456789012345678901234567890123456789
# ACGTTGCAACCGGTATGACTCAGGCTTAACGTGCATCGAT   chr1
# TTTTGGGGCCCCAAAATTGGCCAATGCATGCA           chr2


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("chr1 5 T C", "ACGTCGCAACCGGTATGACTCAGGCTTAACGTGCATCGAT"),
        ("chr1 5 TGC CAT", "ACGTCATAACCGGTATGACTCAGGCTTAACGTGCATCGAT"),
        ("chr1 5 T TAA", "ACGTTAAGCAACCGGTATGACTCAGGCTTAACGTGCATCGAT"),
        ("chr1 5 TGC T", "ACGTTAACCGGTATGACTCAGGCTTAACGTGCATCGAT"),
        ("chr1 5 TGCA TT", "ACGTTTACCGGTATGACTCAGGCTTAACGTGCATCGAT"),
        ("chr1 5 T <DEL> END=9", "ACGTTCCGGTATGACTCAGGCTTAACGTGCATCGAT"),
        ("chr1 5 T <DUP> END=9", "ACGTTGCAAGCAACCGGTATGACTCAGGCTTAACGTGCATCGAT"),
        ("chr1 5 T <INV> END=9", "ACGTTTTGCCCGGTATGACTCAGGCTTAACGTGCATCGAT"),
        ("chr1 5 T <INS> SVINSSEQ=gg", "ACGTTGGGCAACCGGTATGACTCAGGCTTAACGTGCATCGAT"),
        ("chr1 5 T T[chr2:25[", "ACGTTTGCATGCA"),
        ("chr1 5 T T]chr2:8]", "ACGTTCCCCAAAA"),
        ("chr1 36 T ]chr2:8]T", "TTTTGGGGTCGAT"),
        ("chr1 36 T [chr2:25[T", "TGCATGCATCGAT"),
        ("chr1 5 T TGG[chr2:25[", "ACGTTGGTGCATGCA"),
        ("chr1 36 T ]chr1:8]CCT", "ACGTTGCACCTCGAT"),
        ("chr1 5 T T[chr1:6[", "ACGTTGCAACCGGTATGACTCAGGCTTAACGTGCATCGAT"),
    ],
)
def test_derivative_chromosome_by_hand(write_vcf, toy_genome, line, expected):
    (row,) = records.read(write_vcf(line), toy_genome)
    assert row.reason == ""
    allele = derivative.edited(row, toy_genome.sizes)
    assert derivative.letters(allele, toy_genome.padded) == expected
    complement = derivative.letters(derivative.reverse(allele), toy_genome.padded)
    assert complement == dna.reverse_complement(expected)
    assert (
        derivative.letters(derivative.cut(allele, -2, 6), toy_genome.padded) == "NN" + expected[:6]
    )
    end = len(expected)
    assert derivative.letters(derivative.cut(allele, end - 3, end + 4), toy_genome.padded) == (
        expected[-3:] + "NNNN"
    )


def test_a_contiguous_junction_is_the_reference(write_vcf, toy_genome):
    (row,) = records.read(write_vcf("chr1 5 T T[chr1:6["), toy_genome)
    assert derivative.edited(row, toy_genome.sizes) == derivative.reference("chr1", 40)


SIZE = 100


@st.composite
def edits(draw):
    start = draw(st.integers(0, SIZE))
    end = draw(st.integers(start, SIZE))
    return start, end


@given(edits(), st.text("ACGT", max_size=9))
def test_delete_then_insert_restores_the_letters(edit, new):
    start, end = edit
    whole = derivative.reference("chr1", SIZE)
    removed = derivative.cut(whole, start, end)
    without = derivative.replace(whole, start, end, derivative.inserted(new))
    restored = derivative.replace(without, start, start + len(new), removed)
    assert restored == whole


@given(edits(), st.integers(-20, SIZE), st.integers(0, 60))
def test_cutting_the_other_strand_is_the_other_strand_of_the_cut(edit, start, width):
    whole = derivative.reference("chr1", SIZE)
    inverted = derivative.reverse(derivative.cut(whole, *edit))
    allele = derivative.replace(whole, *edit, (*inverted, derivative.Segment(3, letters="ACC")))
    total = derivative.length(allele)
    forward = derivative.cut(allele, start, start + width)
    backward = derivative.cut(derivative.reverse(allele), total - start - width, total - start)
    assert derivative.merged(derivative.reverse(forward)) == derivative.merged(backward)
    assert derivative.length(forward) == width


@pytest.mark.parametrize("strand", [1, -1])
def test_stretches_that_continue_each_other_are_one(strand):
    whole = derivative.reference("chr1", SIZE, strand)
    parts = [part for start in (0, 30, 60) for part in derivative.cut(whole, start, start + 30)]
    assert derivative.merged(parts) == derivative.cut(whole, 0, 90)
    assert len(derivative.merged(parts[::-1])) == 3


def test_a_window_beyond_the_allele_is_padding():
    whole = derivative.reference("chr1", SIZE)
    assert derivative.cut(whole, 200, 230) == (derivative.Segment(30, letters="N" * 30),)
    assert derivative.cut(whole, -30, -10) == (derivative.Segment(20, letters="N" * 20),)
