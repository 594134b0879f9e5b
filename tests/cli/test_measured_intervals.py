"""A table of measured scores fits intervals, which the next scoring of the same model applies."""

import json

import pandas as pd
import pytest

from akita_bayes.cli import akita_calibrate, akita_scd
from tests.faults import commands


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    commands.write_inputs(folder)
    words = [str(folder / name) for name in ("params.json", "run", "variants.vcf")]
    words += ["-f", str(folder / "genome.fa"), "-o", str(folder / "scored")]
    assert akita_scd.main(words) == 0
    scores = pd.read_csv(folder / "scored" / "scores.tsv", sep="\t")
    table = scores[["chrom", "pos", "ref", "alt"]].copy()
    for column in ("SCD:0", "SCD:1"):
        table[column] = 1.2 * scores[column]
    table.to_csv(folder / "edits.tsv", sep="\t", index=False)
    return folder


def calibrate(folder, *more):
    measured = ["--measured", str(folder / "edits.tsv")]
    return akita_calibrate.main([str(folder / "run"), str(folder / "scored"), *measured, *more])


def scored_with(folder, out, *more):
    words = [str(folder / name) for name in ("params.json", "run", "variants.vcf")]
    intervals = str(folder / "run" / "calibration" / "variant_intervals.json")
    words += ["-f", str(folder / "genome.fa"), "-o", str(folder / out), "--intervals", intervals]
    return akita_scd.main([*words, *more])


def test_intervals_of_measured_edits_are_applied(folder, capsys):
    assert calibrate(folder) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "Share of measured scores inside their 90 % interval" in printed
    rows = pd.read_csv(folder / "run" / "calibration" / "variant_intervals.tsv", sep="\t")
    assert len(rows) == 2 * 150
    inside = (rows["ci_low"] <= rows["measured"]) & (rows["measured"] <= rows["ci_high"])
    assert inside.mean() >= 0.85
    assert scored_with(folder, "applied") == 0
    scores = pd.read_csv(folder / "applied" / "scores.tsv", sep="\t")
    assert (scores["SCD_ci_high:0"] > scores["SCD:0"]).all()
    capsys.readouterr()
    assert scored_with(folder, "shifted", "--shifts", "1") == 2
    assert "fitted to scores with shifts = [0], not [1]" in capsys.readouterr().err
    assert not (folder / "shifted").exists()


def test_refuses_two_sources_and_a_table_of_other_edits(folder, capsys):
    with pytest.raises(SystemExit):
        calibrate(folder, "--variants", "3")
    assert "--measured and --variants fit the same intervals" in capsys.readouterr().err
    table = pd.read_csv(folder / "edits.tsv", sep="\t")
    table.assign(pos=table["pos"] + 1).to_csv(folder / "edits.tsv", sep="\t", index=False)
    assert calibrate(folder, "-o", str(folder / "none")) == 2
    assert "line 2: chr1:501" in capsys.readouterr().err.replace("\n", " ")
    assert not (folder / "none" / "variant_intervals.json").exists()


def test_scores_of_another_run_are_refused(folder, capsys):
    record = folder / "scored" / "inputs.json"
    content = json.loads(record.read_text())
    content["of"]["model_digest"] = "0" * 64
    record.write_text(json.dumps(content))
    assert calibrate(folder, "-o", str(folder / "none")) == 2
    assert "these scores are of another model" in capsys.readouterr().err.replace("\n", " ")
