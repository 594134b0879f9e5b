"""What must change nothing, or only a sign: swapped alleles, the other strand."""

import numpy as np

from akita_bayes import dna
from akita_bayes.data import genome
from akita_bayes.variants import engine
from akita_bayes.variants.alleles import records
from akita_bayes.variants.options import Options
from tests.variants.conftest import LONG
from tests.variants.long import CHR1, HEADER, NAMES, columns, line, score


def test_the_same_allele_twice_scores_zero(small_model, long_genome):
    """A reference window compared with itself by the whole engine: 0 for every score.

    The two windows lie in one batch, and some processors sum its rows in different orders. Then
    predictions of up to 1 differ by one unit in the last place, 6e-8, which changes a score by at
    most some 1e-6. The scores of the variants below are 10 to 10,000 times the limit, but for DI.
    """
    event = records.Variant(
        0, 1, "chr1", 999, ".", CHR1[999], CHR1[999], "SNV", 999, 1000, CHR1[999]
    )
    with genome.Genome(long_genome) as opened:
        scored = engine.Engine(small_model, opened, Options(scores=NAMES)).score([event])
    for value in scored.values.values():
        np.testing.assert_allclose(value, np.zeros((1, 2), np.float32), rtol=0, atol=1e-5)


def test_swapped_alleles_mirror(small_model, write_vcf, long_genome, tmp_path):
    """The genome with every ALT put in, and the records swapped."""
    lines = [
        line(1000),
        line(1500, ref=CHR1[1499:1506], alt=CHR1[1499]),
        line(2000, alt=CHR1[1999] + "ACGTACGTACGTACGTACGTACGTA"),
    ]
    forward = score(small_model, write_vcf(*lines, header=HEADER), long_genome, scores=NAMES)
    for row, text in enumerate(lines):
        _, pos, ref, alt = text.split()
        position = int(pos) - 1
        path = tmp_path / f"swapped{row}.fa"
        genome.write_fasta(path, {"chr1": CHR1[:position] + alt + CHR1[position + len(ref) :]})
        vcf = write_vcf(f"chr1 {pos} {alt} {ref}", header=HEADER, name=f"swapped{row}.vcf")
        back = score(small_model, vcf, path, scores=NAMES)
        for name in NAMES:
            sign = -1 if name == "SSD" else 1
            np.testing.assert_allclose(
                columns(back, name)[0], sign * columns(forward, name)[row], rtol=1e-4, atol=1e-6
            )


def test_a_file_with_swapped_alleles_mirrors(small_model, write_vcf, long_genome):
    """Against the same genome, which has the ALT of every record of the second file."""
    substitutes = {"A": "C", "C": "G", "G": "T", "T": "A"}
    pairs = [
        (1000, CHR1[999], substitutes[CHR1[999]]),
        (1500, CHR1[1499:1506], "".join(substitutes[letter] for letter in CHR1[1499:1506])),
        (2000, CHR1[1999:2100], dna.reverse_complement(CHR1[1999:2100])),
    ]
    plain = [line(pos, ref=ref, alt=alt) for pos, ref, alt in pairs]
    swapped = [f"chr1 {pos} {alt} {ref}" for pos, ref, alt in pairs]
    forward = score(small_model, write_vcf(*plain, header=HEADER), long_genome, scores=NAMES)
    back = score(
        small_model, write_vcf(*swapped, header=HEADER, name="b.vcf"), long_genome, scores=NAMES
    )
    assert (forward["flags"] == "").all()
    assert back["flags"].tolist() == ["alleles_swapped"] * 3
    assert back["ref"].tolist() == forward["alt"].tolist()
    assert back["type"].tolist() == forward["type"].tolist() == ["SNV", "MNV", "INV"]
    assert back["pixels_lost"].tolist() == forward["pixels_gained"].tolist()
    for name in NAMES:
        sign = -1 if name == "SSD" else 1
        np.testing.assert_allclose(
            columns(back, name), sign * columns(forward, name), rtol=1e-4, atol=1e-6
        )
        assert (np.abs(columns(back, name)) > 0).any()


def turned_mate(mate):
    """The far side of a junction, on the other strand of its chromosome."""
    return records.Breakend(
        mate.chrom,
        len(LONG[mate.chrom]) - 1 - mate.position,
        not mate.extends_right,
        not mate.joined_after,
    )


def test_the_other_strand_leaves_scores_unchanged(small_model, write_vcf, long_genome, tmp_path):
    """A mirrored genome and mirrored variants, averaged over strands."""
    base = CHR1[2499]
    lines = [
        line(1001),
        line(1500, ref=CHR1[1499:1506], alt=CHR1[1499]),
        line(2200, alt="<INV>", info="SVTYPE=INV;END=2260"),
        line(2000, alt="<DUP>", info="SVTYPE=DUP;END=2032"),
        line(2401, alt=CHR1[2400] + "GATTACAGATTACAGA"),
        *(line(2500, alt=alt) for alt in (f"{base}[chr1:3200[", f"]chr1:1200]{base}")),
        *(line(2500, alt=alt) for alt in (f"{base}]chr1:3200]", f"[chr1:1200[{base}")),
        line(2500, alt=f"{base}[chr2:900["),
        line(2500, alt=f"]chr2:900]GATTAC{base}"),
    ]
    path = tmp_path / "mirrored.fa"
    genome.write_fasta(path, {name: dna.reverse_complement(LONG[name]) for name in LONG})
    forward = score(
        small_model, write_vcf(*lines, header=HEADER), long_genome, scores=NAMES, rc=True
    )
    with genome.Genome(long_genome) as opened:
        rows = list(records.read(write_vcf(*lines, header=HEADER), opened))
    size = len(CHR1)
    turned = [
        row._replace(
            position=size - row.position - len(row.ref),
            start=size - row.end,
            end=size - row.start,
            inserted=dna.reverse_complement(row.inserted),
            mate=row.mate and turned_mate(row.mate),
        )
        for row in rows
    ]
    assert [row.kind for row in rows].count("BND") == 4
    back = score(small_model, turned, path, scores=NAMES, rc=True)
    assert (forward["reason"] == "").all()
    assert (columns(forward, "SCD") > 1e-2).all()
    for name in NAMES:
        np.testing.assert_allclose(
            columns(back, name), columns(forward, name), rtol=1e-3, atol=1e-5, err_msg=name
        )
