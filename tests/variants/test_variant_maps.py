from pathlib import Path

import numpy as np
import pytest

import akita_bayes as ab
from akita_bayes import errors, triangle
from akita_bayes.data import genome
from akita_bayes.variants import engine
from akita_bayes.variants.alleles import written_variants
from akita_bayes.variants.options import Options
from tests import tiny

POS = 1001
OFFSET = tiny.OFFSET


@pytest.fixture(scope="module")
def snv(long_genome):
    with genome.Genome(long_genome) as opened:
        ref = opened.fetch(ab.regions.Region("chr1", POS - 1, POS))
    alt = "C" if ref != "C" else "A"
    return f"chr1:{POS}:{ref}:{alt}"


def test_the_maps_give_the_score_of_the_variant(small_model, long_genome):
    deletion = "chr1:1,000-1,032:DEL"
    maps = ab.predict_variant(small_model, deletion, fasta=long_genome)
    assert maps.reference.shape == (tiny.BINS, tiny.BINS, tiny.TARGETS)
    assert maps.sd is None
    assert maps.targets == ["0", "1"]
    np.testing.assert_allclose(
        maps.difference, maps.alternative - maps.reference, rtol=1e-6, atol=1e-6
    )
    pixels = triangle.indices(tiny.BINS, OFFSET)
    changes = np.nan_to_num(maps.difference[pixels])
    with genome.Genome(long_genome) as opened:
        rows = written_variants.read([deletion], opened)
        table = ab.score_variants(small_model, rows, fasta=long_genome, scores="SCD")
    for target in range(tiny.TARGETS):
        expected = np.sqrt((changes[:, target] ** 2).sum())
        assert expected > 0
        np.testing.assert_allclose(table[f"SCD:{target}"][0], expected, rtol=2e-3)


def test_draws_give_the_spread_of_the_difference(latent_model, long_genome, snv):
    maps = ab.predict_variant(latent_model, snv, fasta=long_genome, draws=4)
    with genome.Genome(long_genome) as opened:
        (row,) = written_variants.read([snv], opened)
        scorer = engine.Engine(latent_model, opened, Options(draws=4))
        changes = [alt - ref for _, ref, alt in scorer.maps(row)]
    expected = triangle.to_matrix(np.std(changes, axis=0, ddof=1), diagonal_offset=OFFSET)
    np.testing.assert_allclose(maps.sd, expected, rtol=1e-4, atol=1e-7)
    assert np.nanmax(maps.sd) > 0


def test_the_region_is_that_of_the_frame(small_model, long_genome):
    """A deletion is in the middle; bins of the frame count from the left of its window."""
    maps = ab.predict_variant(small_model, "chr1:1,000-1,032:DEL", fasta=long_genome)
    assert maps.region.chrom == "chr1"
    assert maps.region.width == tiny.BINS * tiny.POOL
    first, last = maps.site
    assert maps.region.start + first * tiny.POOL <= 1000 < maps.region.start + last * tiny.POOL


def test_the_region_of_a_frame_that_begins_before_its_chromosome(small_model, long_genome):
    maps = ab.predict_variant(small_model, "chr1:20-52:DEL", fasta=Path(long_genome))
    assert maps.region.start < 0
    assert maps.region.width == tiny.BINS * tiny.POOL
    first, last = maps.site
    assert maps.region.start + first * tiny.POOL <= 20 < maps.region.start + last * tiny.POOL
    padding = -maps.region.start // tiny.POOL
    assert padding > 0
    assert np.isnan(maps.difference[:padding]).all()
    assert np.isfinite(maps.difference[padding, -1]).all()


def test_the_spread_is_blank_where_the_difference_is(latent_model, long_genome):
    maps = ab.predict_variant(latent_model, "chr1:1,000-1,032:DEL", fasta=long_genome, draws=3)
    blank = np.isnan(maps.difference)
    band = np.abs(np.subtract.outer(range(tiny.BINS), range(tiny.BINS))) >= OFFSET
    assert blank[band].any()
    np.testing.assert_array_equal(np.isnan(maps.sd), blank)


def test_a_variant_that_cannot_be_scored_is_refused_with_its_reason(small_model, long_genome):
    with pytest.raises(errors.VariantError, match="chr9:5:A:C: "):
        ab.predict_variant(small_model, "chr9:5:A:C", fasta=long_genome)
    with pytest.raises(errors.VariantError, match="is not a variant"):
        ab.predict_variant(small_model, "chr1:5", fasta=long_genome)
