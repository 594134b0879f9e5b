import numpy as np
import pytest

import akita_bayes as ab
from akita_bayes import dna, errors, regions, triangle
from akita_bayes.data import genome
from akita_bayes.evaluate import prediction_files
from tests import tiny

L, POOL, CROP, OFFSET = tiny.SEQ_LENGTH, tiny.POOL, tiny.CROP, tiny.OFFSET


@pytest.fixture(scope="module")
def fasta(tmp_path_factory):
    path = tmp_path_factory.mktemp("region") / "genome.fa"
    letters = "".join(np.random.default_rng(3).choice(list("ACGT"), 2000))
    genome.write_fasta(path, {"chr1": letters})
    return path


def whole_map(model, fasta, start):
    with genome.Genome(fasta) as opened:
        x = dna.to_one_hot(opened.padded("chr1", start, start + L))[None]
    return triangle.to_matrix(ab.predict(model, x)[0], diagonal_offset=OFFSET)


def test_a_window_gives_the_whole_map(small_model, fasta):
    region_map = ab.predict_region(small_model, f"chr1:512-{512 + L}", fasta=fasta)
    np.testing.assert_allclose(
        region_map.values, whole_map(small_model, fasta, 512), atol=1e-5, equal_nan=True
    )
    crop = CROP * POOL
    assert region_map.region == regions.Region("chr1", 512 + crop, 512 + L - crop)
    assert region_map.sd is region_map.noise_sd is None


def test_a_narrower_region_is_cut_out_of_the_middle(small_model, fasta):
    region_map = ab.predict_region(small_model, regions.Region("chr1", 1000, 1090), fasta=fasta)
    assert region_map.region == regions.Region("chr1", 992, 1104)  # the bins that it touches
    assert region_map.values.shape == (7, 7, tiny.TARGETS)
    middle = (1000 + 1090 - L) // 2 // POOL * POOL
    first = (992 - middle) // POOL - CROP
    expected = whole_map(small_model, fasta, middle)[first : first + 7, first : first + 7]
    np.testing.assert_allclose(region_map.values, expected, atol=1e-5, equal_nan=True)


def test_draws_give_both_standard_deviations(latent_model, fasta):
    region_map = ab.predict_region(latent_model, "chr1:1000-1090", fasta=fasta, draws=4)
    pixels = triangle.indices(7, OFFSET)
    assert (region_map.sd[pixels] > 0).all()
    assert (region_map.noise_sd[pixels] > 0).all()
    again = ab.predict_region(latent_model, "chr1:1000-1090", fasta=fasta, draws=4)
    np.testing.assert_array_equal(region_map.sd, again.sd)


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ("chr1:100-1100", "one map of the model covers 192; give a narrower region"),
        ("chr1:1900-2100", "leaves chr1, which has 2,000 bases"),
        ("chr7:1-90", 'no chromosome "chr7"'),
        ("chr1", "one map of the model covers"),
    ],
)
def test_regions_that_do_not_fit_are_refused(small_model, fasta, region, message):
    with pytest.raises(errors.DataError, match=message):
        ab.predict_region(small_model, region, fasta=fasta)


def test_a_region_takes_every_setting_of_predictions(small_model, fasta):
    settings = prediction_files.PredictionSettings(rc=True, shifts=(0, 16))
    region_map = ab.predict_region(
        small_model, f"chr1:512-{512 + L}", fasta=fasta, settings=settings
    )
    with genome.Genome(fasta) as opened:
        x = dna.to_one_hot(opened.padded("chr1", 512, 512 + L))[None]
    expected = ab.predict(small_model, x, rc=True, shifts=(0, 16))[0]
    np.testing.assert_allclose(
        region_map.values, triangle.to_matrix(expected, diagonal_offset=OFFSET), atol=1e-5
    )
    with pytest.raises(errors.DataError, match="leaves nothing of a window"):
        ab.predict_region(small_model, "chr1:1000-1090", fasta=fasta, shifts=(L,))


def test_draws_exclude_both_strands(small_model, fasta):
    with pytest.raises(errors.SpecError, match="cannot be combined with --rc or --shifts"):
        ab.predict_region(small_model, "chr1:1000-1090", fasta=fasta, draws=2, rc=True)
