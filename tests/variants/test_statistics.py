"""Columns beside a score: what they are called, what they say, and that they are true."""

import json

import h5py
import numpy as np
import pandas as pd
import pysam
import pytest
from scipy import stats

from akita_bayes import errors
from akita_bayes.data import genome
from akita_bayes.files import output_directory, seals
from akita_bayes.variants import engine, interval_files
from akita_bayes.variants.alleles import records
from akita_bayes.variants.options import Options
from akita_bayes.variants.scores import background, conformal, score_table
from tests.variants.long import HEADER
from tests.variants.scored_files.test_score_directory import LINES, contents, run


@pytest.fixture
def vcf(write_vcf):
    return write_vcf(*LINES, header=HEADER)


def test_statistics_become_columns_that_say_what_they_are(
    latent_model, vcf, long_genome, tmp_path, caplog
):
    widening = conformal.Widening(0.1, 0.5, (), (-2.0,), (1.0,), level=0.8)
    interval_files.save(tmp_path / "i.json", {"SCD": widening})
    options = Options(scores=("SCD", "SSD"), draws=4, intervals=str(tmp_path / "i.json"))
    out = tmp_path / "out"
    run(latent_model, vcf, long_genome, out, options=options, null=6)
    datasets, about = contents(out / "scd.h5")
    scored = datasets["reason"] == b""
    draw_statistics = ["sd", "mcse", "draw_q05", "draw_q95", "draw_exceeds_noise"]
    names = {"SCD": [*draw_statistics, "ci_low", "ci_high", "p_value", "quantile"]}
    names["SSD"] = [*draw_statistics, "p_value", "quantile"]
    for score, statistics in names.items():
        assert {name for name in datasets if name.startswith(score)} == {
            score,
            *(f"{score}_{name}" for name in statistics),
        }
        for name in statistics:
            assert np.isfinite(datasets[f"{score}_{name}"][scored]).all(), name
            assert np.isnan(datasets[f"{score}_{name}"][~scored]).all(), name
    ends = widening.interval(datasets["SCD"][scored], datasets["SCD_sd"][scored])
    np.testing.assert_allclose(datasets["SCD_ci_low"][scored], ends[0], rtol=1e-5)
    np.testing.assert_allclose(datasets["SCD_ci_high"][scored], ends[1], rtol=1e-5)
    assert json.loads(about["interval_levels"]) == {"SCD": 0.8}
    table = pd.read_csv(out / "scores.tsv", sep="\t")
    columns = [f"SCD_{name}:GM" for name in names["SCD"]]
    start = list(table).index(columns[0])
    assert list(table)[start : start + len(columns)] == columns
    with pysam.VariantFile(str(out / "toy.scored.vcf")) as file:
        descriptions = {name: row.description for name, row in file.header.info.items()}
    assert descriptions["AKITA_SCD_P_VALUE"] == (
        "p-value of SCD, small for an unusual effect: (r + 1) / (N + 1), where r of N random "
        "variants of the same type, size and GC content have a score that is as large or larger; "
        "of the mean over targets"
    )
    assert "as far or farther from their common median; of" in descriptions["AKITA_SSD_P_VALUE"]
    assert descriptions["AKITA_SCD_DRAW_Q05"] == (
        "5 % quantile of SCD over posterior draws, which is not the end of an interval for the "
        "true effect; mean over targets"
    )
    assert descriptions["AKITA_SCD_CI_HIGH"] == (
        "upper end of an interval that holds the true SCD of 80 % of variants like those of known "
        "effect that it was fitted to; mean of the ends over targets, which is not an interval "
        "of this level for the mean score"
    )
    assert "AKITA_SSD_CI_LOW" not in descriptions
    messages = [text for text in caplog.messages if "quantiles of draws are not" in text]
    assert len(messages) == 1
    assert messages[0].startswith("SSD: ")


def test_the_variant_file_has_the_p_value_of_the_mean_over_targets(
    small_model, vcf, long_genome, tmp_path
):
    """The mean of the targets' p-values is not a p-value."""
    options = Options(scores=("SSD",))
    run(small_model, vcf, long_genome, tmp_path, options=options, null=19)
    datasets, _ = contents(tmp_path / "scd.h5")
    with genome.Genome(long_genome) as opened:
        scorer = engine.Engine(small_model, opened, options)
        row = next(records.read(vcf, opened))
        stratum = background.stratum(row, opened)
        random = scorer.score(background.sample(stratum, opened, 19)).values["SSD"]
    null = random[np.isfinite(random).all(axis=1)]
    for target in range(2):
        expected = background.rarity(datasets["SSD"][0], null, signed=True)
        assert datasets["SSD_p_value"][0, target] == pytest.approx(expected.p_value[target])
    with pysam.VariantFile(str(tmp_path / "toy.scored.vcf")) as file:
        info = next(iter(file)).info
    pooled = background.rarity(
        datasets["SSD"][0].mean(keepdims=True), null.mean(1)[:, None], signed=True
    )
    assert info["AKITA_SSD_P_VALUE"] == pytest.approx(pooled.p_value.tolist())
    assert info["AKITA_SSD_QUANTILE"] == pytest.approx(pooled.quantile.tolist())


def test_what_draws_tell_does_not_depend_on_the_background(
    latent_model, vcf, long_genome, tmp_path
):
    options = Options(scores=("SCD",), draws=5)
    run(latent_model, vcf, long_genome, tmp_path / "plain", options=options)
    run(latent_model, vcf, long_genome, tmp_path / "null", options=options, null=4)
    plain, _ = contents(tmp_path / "plain/scd.h5")
    null, _ = contents(tmp_path / "null/scd.h5")
    names = {name for name in plain if name.startswith("SCD")}
    assert {name for name in null if name.startswith("SCD")} - names == {
        "SCD_p_value",
        "SCD_quantile",
    }
    for name in names:
        np.testing.assert_array_equal(null[name], plain[name])


@pytest.mark.parametrize("score", ["SCD", "SSD", "PEARSON"])
def test_p_values_of_random_variants_are_uniform(
    small_model, write_vcf, long_genome, tmp_path, score
):
    """SNVs drawn like the background's, all of one stratum: scored as any user's file is.

    Their p-values share N null scores, so the distance from uniform is that of two samples:
    of M and N, above 1.63 sqrt(1 / M + 1 / N) in one of 100.
    """
    count = 150
    with genome.Genome(long_genome) as opened:
        stratum = background.Stratum("SNV", 1, 1, 4)
        variants = background.sample(stratum, opened, count, seed=99)
    variants.sort(key=lambda row: (row.chrom, row.position))
    lines = [f"{row.chrom} {row.position + 1} {row.ref} {row.inserted}" for row in variants]
    options = Options(scores=(score,), targets=(1,), share_windows=64)
    run(
        small_model,
        write_vcf(*lines, header=HEADER),
        long_genome,
        tmp_path / "out",
        options=options,
        null=count,
    )
    datasets, _ = contents(tmp_path / "out/scd.h5")
    p = datasets[f"{score}_p_value"][:, 0]
    assert p.min() >= np.float32(1 / (count + 1))
    distance = stats.kstest(p, "uniform").statistic
    assert distance < 1.63 * np.sqrt(2 / count) + 1 / (count + 1)


def test_parts_of_other_statistics_are_not_relabelled(latent_model, vcf, long_genome, tmp_path):
    options = Options(scores=("SCD",), draws=3)
    run(latent_model, vcf, long_genome, tmp_path, options=options)
    inputs = json.loads((tmp_path / output_directory.INPUTS).read_text())
    part = next((tmp_path / "parts").iterdir())
    part.write_bytes(part.read_bytes().partition(seals.MARK)[0])  # as an earlier version left it
    with h5py.File(part, "r+") as file:
        identity = str(file.attrs["identity"])
        assert score_table.load(part, identity) is not None
        file.move("statistics/SCD/draw_q05", "statistics/SCD/q05")
    assert score_table.load(part, identity) is None
    del inputs["of"]["statistics"]  # as an earlier version left it
    (tmp_path / output_directory.INPUTS).write_text(json.dumps(inputs))
    with pytest.raises(
        errors.RunError, match=r"holds scores of other inputs \(statistics\); choose"
    ):
        run(latent_model, vcf, long_genome, tmp_path, options=options)


def test_scores_alone_go_on_in_a_directory_of_an_earlier_version(
    small_model, vcf, long_genome, tmp_path
):
    run(small_model, vcf, long_genome, tmp_path)
    assert "statistics" not in json.loads((tmp_path / output_directory.INPUTS).read_text())["of"]
