"""Two strains with measured maps fit intervals, which the next scoring of the model applies."""

import json

import pandas as pd
import pytest

from akita_bayes.cli import akita_calibrate, akita_scd
from akita_bayes.models import build, zoo
from tests import tiny
from tests.variants.intervals import test_natural_differences as strains


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strains")
    model = build.build(zoo.parse_spec(tiny.spec_json()))
    strains.write_individuals(folder, model)
    (folder / "run").mkdir()
    (folder / "run" / "params.json").write_text(json.dumps(tiny.spec_json()))
    model.save(folder / "run" / "model_best.keras")
    return folder


def calibrate(folder, *more):
    words = [str(folder / "run"), str(folder / "data"), "--differences", str(folder / "other")]
    return akita_calibrate.main([*words, *more])


def sample(folder):
    words = ["-f", str(folder / "genome.fa"), "--haplotype", "other"]
    return [*words, "--vcf", str(folder / "other.vcf")]


def test_intervals_of_strains_are_applied(folder, capsys):
    assert calibrate(folder, *sample(folder), "--level", "0.8") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "of 108 measured squares of 54 windows lie in their 80% interval" in printed
    rows = pd.read_csv(folder / "run" / "calibration" / "variant_intervals.tsv", sep="\t")
    assert len(rows) == 108
    assert (rows["ci_low"] <= rows["score"]).all()
    intervals = str(folder / "run" / "calibration" / "variant_intervals.json")
    words = [str(folder / name) for name in ("run/params.json", "run", "other.vcf")]
    words += ["-f", str(folder / "genome.fa"), "-o", str(folder / "scored")]
    assert akita_scd.main([*words, "--intervals", intervals, "--stats", "SCD"]) == 0
    scores = pd.read_csv(folder / "scored" / "scores.tsv", sep="\t")
    assert (scores["SCD_ci_high:0"] >= scores["SCD:0"]).all()
    assert len(scores) == 162


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "--differences and --fasta belong together"),
        (("--variants", "3"), "--differences replaces --variants and --measured"),
        (("--stats", "MSE"), "give intervals of SCD alone"),
    ],
)
def test_what_does_not_belong_together_is_refused(folder, capsys, words, says):
    of_sample = sample(folder) if "--stats" in words else []
    try:
        status = calibrate(folder, *of_sample, *words, "-o", str(folder / "none"))
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2
    assert says in " ".join(capsys.readouterr().err.split())
    assert not (folder / "none" / "variant_intervals.json").exists()
