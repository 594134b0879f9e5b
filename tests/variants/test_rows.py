"""What a row says beside its scores: its window, its contacts, why it has none."""

import numpy as np

from akita_bayes import regions, triangle
from akita_bayes.data import genome
from akita_bayes.variants import engine
from akita_bayes.variants.alleles import records
from akita_bayes.variants.options import Options
from tests.variants.long import BINS, CHR1, HEADER, K, L, W, line, score


def test_an_event_that_leaves_no_contact_is_not_scored(small_model, long_genome, write_vcf):
    """Of 192 bases of map a deletion of 170 leaves one whole bin, and contacts are two apart."""
    path = write_vcf(
        line(2004, alt="<DEL>", info="SVTYPE=DEL;END=2174"),
        line(2004, alt="<DEL>", info="SVTYPE=DEL;END=2374"),
        header=HEADER,
    )
    with genome.Genome(long_genome) as opened:
        scored = engine.Engine(small_model, opened, Options()).score(records.read(path, opened))
    assert scored.reasons[0] == "no contact of the window can be compared"
    assert "larger than" in scored.reasons[1]
    assert np.isnan(scored.values["SCD"]).all()
    assert scored.pixels[:, 0].tolist() == [0, 0]
    assert scored.window[0][0] == "chr1"
    assert scored.window[1] == ("", -1, -1)


def test_contacts_of_a_row_are_counted(small_model, long_genome, write_vcf):
    """A deletion loses contacts and an insertion gains some; a changed base keeps them all."""
    pixels = triangle.length(BINS, K)
    path = write_vcf(
        line(1000),
        line(1800, alt="<DEL>", info="SVTYPE=DEL;END=1850"),
        line(1800, alt=CHR1[1799] + CHR1[100:150]),
        header=HEADER,
    )
    table = score(small_model, path, long_genome)
    counts = table[["pixels_compared", "pixels_lost", "pixels_gained"]].to_numpy()
    assert counts[0].tolist() == [pixels, 0, 0]
    assert (counts.sum(axis=1) <= pixels).all()
    assert (counts[:, 0] > 0).all()
    assert ((counts[:, 1:] > 0) == [[False, False], [True, False], [False, True]]).all()


def test_the_window_of_a_row_has_its_event_in_the_middle(small_model, write_vcf, long_genome):
    """To within a bin; of a junction it is that of the piece that comes first, on its strand."""
    base = CHR1[2499]
    lines = [
        (line(1000), "chr1", 999.5),
        (line(1800, alt="<DEL>", info="SVTYPE=DEL;END=1850"), "chr1", 1825),
        (line(2500, alt=f"{base}[chr2:900["), "chr1", 2500),
        (line(2500, alt=f"{base}]chr2:900]"), "chr1", 2500),
        (line(2500, alt=f"]chr2:900]{base}"), "chr2", 900),
        (line(2500, alt=f"[chr2:900[{base}"), "chr2", 899),
    ]
    path = write_vcf(*(text for text, *_ in lines), header=HEADER)
    table = score(small_model, path, long_genome)
    for window, (text, chrom, middle) in zip(table["window"], lines, strict=True):
        region = regions.parse(window)
        assert (region.chrom, region.width) == (chrom, L), text
        assert abs((region.start + region.end) / 2 - middle) <= W, text


def test_no_rows_are_a_table_with_the_same_columns(small_model, long_genome, write_vcf):
    path = write_vcf(line(1000), header=HEADER)
    table = score(small_model, path, long_genome)
    none = score(small_model, path, long_genome, region=regions.Region("chr1", 2000, 3000))
    assert len(none) == 0
    assert none.columns.tolist() == table.columns.tolist()


def test_groups_of_different_windows_are_bounded(
    small_model, long_genome, write_vcf, windows_predicted
):
    """A bin apart, each has two windows of its own; the maps of a group are held together."""
    count = engine.GROUP + 5
    path = write_vcf(*(line(1000 + W * i) for i in range(count)), header=HEADER)
    score(small_model, path, long_genome, batch_size=1)
    assert windows_predicted == [2 * engine.GROUP, 2 * 5]
