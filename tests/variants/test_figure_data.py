import numpy as np
import pytest

from akita_bayes import regions
from akita_bayes.data import genome
from akita_bayes.variants import engine, figure_data, genes
from akita_bayes.variants.alleles import bin_loci, records
from akita_bayes.variants.options import Options

EVENTS = {
    "DEL": ("<DEL>", 2000, 2048, ""),
    "DUP": ("<DUP>", 2000, 2048, ""),
    "INS": ("N", 2000, 2000, "ACGT" * 12),
    "SNV": ("C", 2000, 2001, "C"),
}


def collect(model, fasta, kind, draws=0, annotation=()):
    alt, start, end, put = EVENTS[kind]
    row = records.Variant(0, 1, "chr1", start, "rs1", "N", alt, kind, start, end, put)
    with genome.Genome(fasta) as opened:
        scorer = engine.Engine(model, opened, Options(draws=draws))
        return figure_data.collect(scorer, row, target=1, annotation=annotation)


@pytest.mark.parametrize(
    ("kind", "hidden"), [("DEL", "alt"), ("DUP", "both"), ("INS", "both"), ("SNV", "none")]
)
def test_a_map_is_blank_where_it_shows_nothing(small_model, long_genome, kind, hidden):
    figure = collect(small_model, long_genome, kind)
    band = np.abs(np.subtract.outer(range(12), range(12))) >= 2
    assert np.isnan(figure.ref[~band]).all()
    blank = {name: np.isnan(getattr(figure, name)[band]).sum() for name in ("ref", "alt")}
    assert (blank["ref"] > 0) == (hidden == "both")
    assert (blank["alt"] > 0) == (hidden != "none")
    assert np.isfinite(figure.ref[figure.mask]).all()
    assert np.isfinite(figure.alt[figure.mask]).all()
    assert np.nanmax(np.abs(figure.alt - figure.ref)[figure.mask]) > 1e-3
    assert figure.sd is None


def test_genes_follow_the_frame(small_model, long_genome):
    annotation = [
        genes.Gene("A", regions.Region("chr1", 1960, 1976), "+"),
        genes.Gene("B", regions.Region("1", 2008, 2024), "-"),
        genes.Gene("C", regions.Region("chr2", 1960, 1976), "+"),
    ]
    figure = collect(small_model, long_genome, "DUP", annotation=annotation)
    placed = {gene.name: gene.spans for gene in figure.genes}
    assert set(placed) == {"A", "B"}
    assert len(placed["A"]) == 1
    assert len(placed["B"]) == 2  # once in each copy
    (first, last), (again, _) = placed["B"]
    assert last - first == pytest.approx(1)
    assert again - first == pytest.approx(3)


def test_the_frame_knows_what_its_bins_are(small_model, long_genome):
    snv = collect(small_model, long_genome, "SNV")
    assert snv.stretches == [bin_loci.Stretch(0.0, 12.0, snv.region, 1)]
    first, copy = collect(small_model, long_genome, "DUP").stretches
    assert (first.region.end, copy.region.start) == (2048, 2000)
    assert first.last == copy.first
    before, after = collect(small_model, long_genome, "INS").stretches
    assert before.region.end == after.region.start == 2000
    bases = (after.first - before.last) * before.region.width / (before.last - before.first)
    assert bases == pytest.approx(48)


def test_a_turned_side_runs_from_right_to_left(small_model, long_genome):
    mate = records.Breakend("chr2", 1500, True, False)  # [chr2:1501[t
    row = records.Variant(0, 1, "chr1", 1999, ".", "N", "[chr2:1501[N", "BND", 1999, 2000, "", mate)
    with genome.Genome(long_genome) as opened:
        scorer = engine.Engine(small_model, opened, Options())
        far, near = figure_data.collect(scorer, row).stretches
    assert (far.strand, near.strand) == (-1, 1)
    assert far.region.chrom == "chr2"
    assert (far.region.start, near.region.start) == (1500, 1999)


def test_draws_give_an_sd_of_the_difference(latent_model, long_genome):
    figure = collect(latent_model, long_genome, "SNV", draws=5)
    assert (figure.sd[figure.mask] > 0).any()
    assert figure.title == "rs1  chr1:2,001  SNV N > C"
