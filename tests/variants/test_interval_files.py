"""A file of intervals says which scores it was fitted to, and is refused for others."""

import json
import logging

import pytest

from akita_bayes import errors
from akita_bayes.data import genome
from akita_bayes.variants import engine, interval_files
from akita_bayes.variants.options import Options
from akita_bayes.variants.scores import conformal
from tests.variants.long import HEADER, line
from tests.variants.scored_files.test_score_directory import run

WIDENING = conformal.Widening(0.1, 0.5, (1.0,), (-2.0, -1.0), (1.0, 0.5), level=0.8)
SCORED = Options(scores=("SCD",), draws=3, shifts=(0, 1))


@pytest.fixture
def path(tmp_path, latent_model, long_genome):
    path = tmp_path / "i.json"
    origin = interval_files.fitted_to(latent_model, SCORED, long_genome)
    interval_files.save(path, {"SCD": WIDENING}, origin)
    return path


def test_survives_writing_and_reading(path, latent_model, long_genome):
    plain = WIDENING._replace(of_draws=False)
    origin = interval_files.fitted_to(latent_model, SCORED)
    assert (origin.genome, origin.genome_digest) == (None, None)
    interval_files.save(path, {"SCD": WIDENING, "MSE": plain}, origin)
    content = interval_files.load(path)
    assert content == ({"SCD": WIDENING, "MSE": plain}, origin)
    interval_files.save(path, {"SCD": WIDENING})
    assert interval_files.load(path) == ({"SCD": WIDENING}, None)


def used(path, model, fasta, **options):
    """Intervals that an engine reads for the scores of a model."""
    settings = {"scores": ("SCD",), "draws": 3, "shifts": (0, 1), "intervals": str(path)}
    with genome.Genome(fasta) as letters:
        return engine.Engine(model, letters, Options(**settings | options)).widened


def test_scores_that_were_made_in_the_same_way_get_the_intervals(path, latent_model, long_genome):
    assert used(path, latent_model, long_genome) == {"SCD": WIDENING}
    assert used(path, latent_model, long_genome, seed=5, targets=(1,)) == {"SCD": WIDENING}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 4}, "scores with draws = 3, not 4"),
        ({"shifts": (0,)}, r"scores with shifts = \[0, 1\], not \[0\]"),
        ({"window": "basenji"}, "scores with window = anchored, not basenji"),
        ({"members": "all"}, "scores with members = held_out, not all"),
    ],
)
def test_scores_that_were_made_otherwise_are_refused(
    path, latent_model, long_genome, options, message
):
    with pytest.raises(errors.VariantError, match=message):
        used(path, latent_model, long_genome, **options)


def test_another_head_is_refused(path, latent_model, long_genome):
    content = json.loads(path.read_text())
    content["fitted_to"]["scoring"]["head"] = "hic_of_mice"
    path.write_text(json.dumps(content))
    with pytest.raises(errors.VariantError, match="with head = hic_of_mice, not hic"):
        used(path, latent_model, long_genome)


def test_other_weights_are_refused(path, latent_model, small_model, long_genome):
    content = json.loads(path.read_text())
    content["fitted_to"]["model_digest"] = "0" * 64
    path.write_text(json.dumps(content))
    with pytest.raises(errors.VariantError, match="fitted to another model"):
        used(path, latent_model, long_genome)


def test_draws_do_not_count_for_a_model_without_a_posterior(path, small_model, long_genome):
    origin = interval_files.fitted_to(small_model, Options(draws=32), long_genome)
    plain = {"SCD": WIDENING._replace(of_draws=False)}
    interval_files.save(path, plain, origin)
    assert used(path, small_model, long_genome, draws=0, shifts=(0,)) == plain


def test_variants_of_another_genome_are_refused(
    path, latent_model, long_genome, write_vcf, tmp_path
):
    vcf = write_vcf(line(1000), header=HEADER)
    options = Options(scores=("SCD",), draws=3, shifts=(0, 1), intervals=str(path))
    run(latent_model, vcf, long_genome, tmp_path / "out", options=options)
    changed = tmp_path / "changed.fa"
    changed.write_text(long_genome.read_text() + ">chr3\nACGT\n")
    with pytest.raises(errors.VariantError, match=r"of long\.fa \(SHA-256 .*, not of changed\.fa"):
        run(latent_model, vcf, changed, tmp_path / "other", options=options)
    assert not (tmp_path / "other").exists()
    origin = interval_files.fitted_to(latent_model, SCORED)  # of a simulation of another genome
    interval_files.save(path, {"SCD": WIDENING}, origin)
    run(latent_model, vcf, changed, tmp_path / "other", options=options)


def test_a_file_of_an_earlier_version_is_used_with_a_warning(
    path, latent_model, long_genome, caplog
):
    old = {"floor": 1.0, "spread": 1.0, "starts": [], "low": [-1], "high": [1]}
    path.write_text(json.dumps({"SCD": old}))
    with caplog.at_level(logging.WARNING):
        widening = used(path, latent_model, long_genome, draws=7)["SCD"]
    assert (widening.level, widening.of_draws) == (0.9, True)
    assert "does not say which model and options its intervals were fitted to" in caplog.text


@pytest.mark.parametrize(
    "row",
    [
        {"floor": 1},
        {"low": [-1]},
        {"high": "x"},
        {"level": 90},
        {"level": None},
    ],
)
def test_a_damaged_file_is_refused(path, row):
    complete = json.loads(path.read_text())["scores"]["SCD"]
    scores = {"SCD": row if "floor" in row else complete | row}
    path.write_text(json.dumps({"scores": scores}))
    with pytest.raises(errors.DataError, match="not a file of intervals"):
        interval_files.load(path)


def test_a_damaged_origin_or_a_missing_file_is_refused(path):
    content = json.loads(path.read_text())
    for origin in ({"model_digest": "x"}, {**content["fitted_to"], "scoring": 3}, [1]):
        path.write_text(json.dumps({**content, "fitted_to": origin}))
        with pytest.raises(errors.DataError, match="not a file of intervals"):
            interval_files.load(path)
    with pytest.raises(errors.AkitaBayesError, match=r"none\.json: no such file"):
        interval_files.load(path.with_name("none.json"))
