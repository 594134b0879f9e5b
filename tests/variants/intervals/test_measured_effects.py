"""Intervals are fitted to measured edits, and tested on edits that did not fit them."""

import shutil

import numpy as np
import pandas as pd
import pytest

from akita_bayes import errors
from akita_bayes.variants import interval_files
from akita_bayes.variants.intervals import measured_effects, score_intervals
from akita_bayes.variants.options import Options
from akita_bayes.variants.scores import conformal
from tests.variants.conftest import LONG
from tests.variants.scored_files.test_score_directory import run

HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
OPTIONS = Options(scores=("SCD", "SSD"), draws=2)
OTHER = {"A": "C", "C": "G", "G": "T", "T": "A"}


@pytest.fixture(scope="module")
def scored(latent_model, long_genome, tmp_path_factory):
    """A directory of scores of 28 edits of chr1 and 24 of chr2."""
    folder = tmp_path_factory.mktemp("scored")
    rows = []
    for chrom, count in (("chr1", 28), ("chr2", 24)):
        for number in range(count):
            position = 1100 + 40 * number
            ref = LONG[chrom][position - 1]
            rows.append(f"{chrom}\t{position}\te{len(rows)}\t{ref}\t{OTHER[ref]}\t.\t.\t.\n")
    (folder / "edits.vcf").write_text(HEADER + "".join(rows))
    run(latent_model, folder / "edits.vcf", long_genome, folder / "out", options=OPTIONS)
    return folder / "out"


def table_of(scored, seed=0):
    """Measured scores of the edits: the predicted ones times a random factor."""
    scores = pd.read_csv(scored / "scores.tsv", sep="\t")
    factors = np.random.default_rng(seed).lognormal(0.1, 0.5, (len(scores), 2))
    table = scores[["chrom", "pos", "ref", "alt"]].copy()
    for target, name in enumerate(("HFF", "GM")):
        table[f"SCD:{name}"] = scores[f"SCD:{name}"] * factors[:, target]
    return table


@pytest.fixture
def calibrate(latent_model, scored, tmp_path):
    def calibrated(table, scores=("SCD",), folder=scored, model=latent_model, level=0.8):
        path = tmp_path / "edits.tsv"
        table.to_csv(path, sep="\t", index=False, na_rep="NA")
        return measured_effects.calibrate_scores(model, folder, path, scores=scores, level=level)

    return calibrated


def test_all_edits_fit_the_intervals_for_later_scores(
    calibrate, scored, latent_model, long_genome, tmp_path
):
    table = table_of(scored)
    intervals = calibrate(table)
    scores = pd.read_csv(scored / "scores.tsv", sep="\t")
    measured, predicted, spread = (
        np.concatenate([rows[f"{name}:{target}"] for target in ("HFF", "GM")])
        for rows, name in ((table, "SCD"), (scores, "SCD"), (scores, "SCD_sd"))
    )
    edits = np.tile(np.arange(len(table)), 2)
    expected = conformal.fit(measured, predicted, spread, level=0.8, variants=edits)
    np.testing.assert_allclose(intervals.widenings["SCD"].high, expected.high, rtol=1e-4)
    path = score_intervals.write(intervals, tmp_path / "fit")
    origin = interval_files.load(path).fitted_to
    assert origin == interval_files.fitted_to(latent_model, OPTIONS, long_genome)
    options = Options(scores=("SCD",), draws=2, intervals=str(path))
    vcf = scored.parent / "edits.vcf"
    run(latent_model, vcf, long_genome, tmp_path / "again", options=options)
    assert "SCD_ci_low:HFF" in pd.read_csv(tmp_path / "again" / "scores.tsv", sep="\t")


def test_every_chromosome_is_tested_with_the_intervals_of_the_others(calibrate, scored):
    table = table_of(scored)
    rows = calibrate(table).tested
    assert len(rows) == 104
    assert set(rows["target"]) == {"HFF", "GM"}
    on_first = table["chrom"] == "chr1"
    table.loc[on_first, ["SCD:HFF", "SCD:GM"]] *= 9
    changed = calibrate(table).tested
    pd.testing.assert_frame_equal(rows[["id", "target"]], changed[["id", "target"]])
    first = rows["chrom"] == "chr1"
    ends = ["ci_low", "ci_high"]
    pd.testing.assert_frame_equal(rows.loc[first, ends], changed.loc[first, ends])
    assert (rows.loc[~first, "ci_high"] < changed.loc[~first, "ci_high"]).all()


def test_edits_of_one_chromosome_are_divided_into_stretches(calibrate, scored):
    table = table_of(scored).query("chrom == 'chr1'")
    rows = calibrate(table).tested
    table = table.copy()
    lowest = table["pos"] < 1100 + 40 * 6  # the first of five stretches of 28 edits
    table.loc[lowest, "SCD:HFF"] *= 9
    changed = calibrate(table).tested
    same = (rows["ci_high"] == changed["ci_high"]).to_numpy()
    assert same[rows["pos"].astype(int) < 1340].all()
    assert not same[rows["pos"].astype(int) >= 1340].all()


def test_scores_that_were_not_measured_are_left_out(calibrate, scored):
    table = table_of(scored)
    table.loc[[0, 7, 30], "SCD:GM"] = np.nan
    rows = calibrate(table.drop(index=3)).tested
    assert len(rows) == 104 - 3 - 2
    table = table_of(scored).drop(columns="SCD:GM").query("chrom == 'chr1'")
    rows = calibrate(table.assign(chrom="1"), level=0.5).tested
    assert len(rows) == 28
    assert set(rows["target"]) == {"HFF"}


def test_edits_without_a_score_are_left_out_and_counted(calibrate, scored, tmp_path, caplog):
    copy = tmp_path / "copy"
    shutil.copytree(scored, copy)
    lines = (copy / "scores.tsv").read_text().splitlines()
    names = lines[0].split("\t")
    cells = lines[4].split("\t")
    for column in [name for name in names if name.startswith("SCD")]:
        cells[names.index(column)] = "NA"
    (copy / "scores.tsv").write_text("\n".join([*lines[:4], "\t".join(cells), *lines[5:]]) + "\n")
    assert len(calibrate(table_of(scored), folder=copy).tested) == 104 - 2
    assert "1 measured SCD:HFF are left out" in caplog.text


def changed(column, row, value):
    def change(table):
        table = table.astype(object)
        table.loc[row, column] = value
        return table

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed("pos", 2, 77), r"line 4: chr1:77 .* is not in .*scores\.tsv; score it by"),
        (changed("SCD:GM", 5, -1), 'line 7: SCD:GM is "-1"; expected a number of at least 0'),
        (changed("SCD:GM", 5, "high"), 'line 7: SCD:GM is "high"'),
        (lambda table: pd.concat([table, table[3:4]]), "line 54: repeats chr1:1220 "),
        (lambda table: table.drop(columns="ref"), 'no column "ref"'),
        (lambda table: table.rename(columns={"SCD:GM": "SCD:K562"}), '"SCD:K562" is not in'),
        (lambda table: table.drop(columns=["SCD:GM", "SCD:HFF"]), 'no column "SCD:TARGET"'),
        (lambda table: table[:0], "has no edit"),
        (lambda table: table[:22], "of all other edits, which are"),
    ],
)
def test_refuses_a_table_that_cannot_be_used(calibrate, scored, change, message):
    with pytest.raises(errors.AkitaBayesError, match=message):
        calibrate(change(table_of(scored)))


def test_refuses_other_models_signed_scores_and_unfinished_scores(
    calibrate, scored, small_model, tmp_path
):
    table = table_of(scored)
    with pytest.raises(errors.VariantError, match="scores are of another model"):
        calibrate(table, model=small_model)
    with pytest.raises(errors.VariantError, match="SSD: has values below 0"):
        calibrate(table, scores=("SSD",))
    with pytest.raises(errors.RunError, match="holds no scores; give"):
        calibrate(table, folder=tmp_path)
