"""Unknown bases of windows, counted letter by letter."""

import numpy as np
import pytest

from akita_bayes import dna
from akita_bayes.data import genome
from akita_bayes.specs.geometry import Geometry
from akita_bayes.variants.alleles import derivative, records, unknown_bases, window_pairs
from tests.variants.long import CHR1, HEADER, L, line, score

GEOMETRY = Geometry(
    seq_length=40_000, bin_width=1_000, bins=40, crop_bp=0, diagonal_offset=2, pairwise=True
)
SIZE = 100_000


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    random = np.random.default_rng(2)
    letters = random.choice(list("ACGTacgt"), SIZE)
    letters[random.integers(0, SIZE, 400)] = "N"
    letters[30_000:36_000] = "n"
    letters[70_000:70_300] = "R"
    path = tmp_path_factory.mktemp("unknown") / "u.fa"
    genome.write_fasta(path, {"chr1": "".join(letters)})
    with genome.Genome(path) as fasta:
        yield fasta


def letter_by_letter(window, opened):
    """Of the window's letters without what lies over the ends of its allele."""
    spelled = derivative.letters(window.allele, opened.padded)
    inside = spelled[max(window.start, 0) : window.start + window.length]
    return sum(letter not in "ACGT" for letter in inside)


@pytest.mark.parametrize("kind", ["SNV", "DEL", "INS", "DUP", "INV", "BND"])
def test_unknown_bases_are_those_that_are_not_a_c_g_or_t(opened, kind):
    counter = unknown_bases.UnknownBases(opened)
    for start in (0, 3, 16_384, 29_000, 33_000, 50_001, 65_536, 99_000):
        end = start + {"SNV": 1, "INS": 0, "BND": 1}.get(kind, 1_000)
        inserted = {"SNV": "C", "INS": "ACNNT"}.get(kind, "")
        mate = records.Breakend("chr1", 71_000, False, True) if kind == "BND" else None
        row = records.Variant(
            0, 1, "chr1", start, ".", "N", "N", kind, start, end, inserted, mate
        )  # fmt: skip
        pair = window_pairs.anchored(row, GEOMETRY, opened.sizes)
        counts = []
        for window in (*pair.reference, *pair.alternative):
            counts.append(letter_by_letter(window, opened))
            assert counter.count(window) == counts[-1]
        assert counter.holds_many(pair) == (max(counts) > 0.05 * 40_000)


def test_blocks_are_read_once(opened, monkeypatch):
    """Of a thousand changed bases in one window each reads at most the blocks at four ends."""
    read = []
    original = dna.to_index

    def counted(letters):
        read.append(len(letters))
        return original(letters)

    monkeypatch.setattr(dna, "to_index", counted)
    counter = unknown_bases.UnknownBases(opened)
    for position in range(50_000, 51_000):
        row = records.Variant(
            0, 1, "chr1", position, ".", "N", "N", "SNV", position, position + 1, "C"
        )  # fmt: skip
        counter.holds_many(window_pairs.anchored(row, GEOMETRY, opened.sizes, share=40_000))
    assert sum(read) <= 40_000 + 1_000 * 4 * 4_096
    assert max(read) <= 4_096


@pytest.fixture
def half_known(tmp_path):
    """Unknown from base 1000 to 1100 of a genome whose windows have 256 bases."""
    path = tmp_path / "half.fa"
    genome.write_fasta(path, {"chr1": CHR1[:1000] + "N" * 100 + CHR1[1100:]})
    return path


@pytest.mark.parametrize("window", ["anchored", "basenji"])
def test_rows_of_windows_with_many_unknown_bases_are_flagged(
    small_model, write_vcf, half_known, window
):
    last = 1100 + L // 2  # from this position on a window holds none of them
    path = write_vcf(
        *(line(position) for position in (960, last - 20, last - 5, last + 16)),
        line(3, ref=CHR1[2]),
        header=HEADER,
    )
    table = score(small_model, path, half_known, window=window)
    assert unknown_bases.SHARE == 0.05  # of 256 bases: 12.8
    flags = ["unknown_bases", "unknown_bases", "", "", "padded"]
    assert table["flags"].tolist() == flags
    assert (table["reason"] == "").all()


def test_unknown_letters_of_an_allele_count(small_model, write_vcf, long_genome):
    path = write_vcf(
        line(1000, alt=CHR1[999] + "N" * 12), line(1000, alt=CHR1[999] + "N" * 13), header=HEADER
    )
    table = score(small_model, path, long_genome)
    assert table["flags"].tolist() == ["ambiguous_bases", "ambiguous_bases,unknown_bases"]
