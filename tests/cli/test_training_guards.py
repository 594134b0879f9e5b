"""Tests that commands tell where a model was trained, and refuse another genome."""

import json

import numpy as np
import pandas as pd
import pysam
import pytest

import akita_bayes as ab
from akita_bayes import regions
from akita_bayes.cli import akita_predict, akita_sat, akita_scd, akita_test
from akita_bayes.data import genome
from akita_bayes.models import export, load, zoo
from akita_bayes.origins import training_regions
from tests import tiny

LETTERS = "".join(np.random.default_rng(0).choice(list("ACGT"), 3000))
OTHER = {"A": "C", "C": "G", "G": "T", "T": "A"}
HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run that learned from chr1:1,000-1,256 and chr1:1,128-1,384, and its data."""
    folder = tmp_path_factory.mktemp("guards")
    data = tiny.write_data(folder / "data")
    genome.write_fasta(data / "genome.fa", {"chr1": LETTERS})
    (data / "sequences.bed").write_text(
        "chr1\t1000\t1256\ttrain\nchr1\t1128\t1384\ttrain\nchr1\t2000\t2256\ttest\n"
    )
    spec = zoo.parse_spec(tiny.spec_json())
    ab.fit(spec, data, out_dir=folder / "run", epochs=1, devices="cpu", tensorboard=False)
    return folder


def write_vcf(path, rows):
    lines = [f"chr1\t{pos}\t.\t{ref}\t{alt}\t.\t.\t.\n" for pos, ref, alt in rows]
    path.write_text(HEADER + "".join(lines))
    return str(path)


def snv(pos):
    return pos, LETTERS[pos - 1], OTHER[LETTERS[pos - 1]]


def score(folder, variants, out, model="run"):
    paths = [str(folder / "run" / "params.json"), str(folder / model), variants]
    fasta = ["-f", str(folder / "data" / "genome.fa")]
    return akita_scd.main([*paths, *fasta, "-o", str(out), "--stats", "SCD"])


def test_a_run_keeps_the_regions_and_the_genome_of_its_training(folder):
    recorded = training_regions.read(folder / "run")["hic"]
    assert recorded.intervals == {"chr1": ((1000, 1384),)}
    assert recorded.sizes == {"chr1": 3000}
    assert recorded.genome == "genome.fa"


@pytest.mark.parametrize("model", ["run", "saved_model"])
def test_variants_inside_training_windows_are_flagged(folder, tmp_path, capsys, model):
    if model == "saved_model":
        export.export(load.load_model(folder / "run"), folder / model)
    positions = [1000, 1001, 1384, 1385, 2100]  # the first base of the windows is 1,001
    variants = write_vcf(tmp_path / "v.vcf", map(snv, positions))
    assert score(folder, variants, tmp_path / "out", model) == 0
    table = pd.read_csv(tmp_path / "out" / "scores.tsv", sep="\t", keep_default_na=False)
    flagged = [training_regions.FLAG in flags for flags in table["flags"]]
    assert flagged == [False, True, True, False, False]
    with pysam.VariantFile(str(tmp_path / "out" / "v.scored.vcf")) as file:
        assert training_regions.FLAG in file.header.info["AKITA_FLAGS"].description
        of_vcf = [record.info.get("AKITA_FLAGS") for record in file]
    assert of_vcf == [None, ("in_training_window",), ("in_training_window",), None, None]
    assert "2 lie in windows that the model was trained on" in capsys.readouterr().out


def test_a_run_without_the_record_says_nothing(folder, tmp_path, capsys):
    variants = write_vcf(tmp_path / "v.vcf", [snv(1100)])
    model = "run/model_best.keras"
    assert score(folder, variants, tmp_path / "out", model) == 0
    assert "in_training" not in (tmp_path / "out" / "scores.tsv").read_text()
    assert "trained on" not in capsys.readouterr().out


@pytest.mark.parametrize("command", [akita_scd, akita_predict, akita_sat])
def test_another_genome_is_refused(folder, tmp_path, capsys, command):
    genome.write_fasta(tmp_path / "hg19.fa", {"chr1": LETTERS[:-1]})
    (tmp_path / "r.bed").write_text("chr1\t500\t510\n")
    variants = write_vcf(tmp_path / "v.vcf", [snv(1100)])
    inputs = variants if command is akita_scd else str(tmp_path / "r.bed")
    run = [str(folder / "run" / "params.json"), str(folder / "run"), inputs]
    assert command.main([*run, "-f", str(tmp_path / "hg19.fa"), "-o", str(tmp_path / "out")]) == 2
    stderr = capsys.readouterr().err
    assert "chr1 has 2,999 bases" in stderr
    assert "(genome.fa) where it has 3,000" in stderr
    assert not (tmp_path / "out").exists()


def test_a_test_on_windows_of_the_training_says_so(folder, tmp_path, capsys):
    run = [str(folder / "run" / "params.json"), str(folder / "run"), str(folder / "data")]
    # The records of every split begin at chr1:0; only those of train reach beyond seven windows.
    beyond = regions.Region("chr1", 7 * tiny.SEQ_LENGTH, 24 * tiny.SEQ_LENGTH)
    recorded = training_regions.TrainingRegions.of([beyond], sizes={})
    before = training_regions.read(folder / "run")
    training_regions.write(folder / "run", {"hic": recorded})
    try:
        for split, expected in (("train", 17), ("test", 0)):
            out = tmp_path / split
            assert akita_test.main([*run, "-o", str(out), "--split", split, "--maps", "0"]) == 0
            metrics = json.loads((out / "metrics.json").read_text())
            assert metrics["windows_in_training"] == expected
            stdout = " ".join(capsys.readouterr().out.split())
            assert ("of them overlap windows that the model was trained on" in stdout) is (
                split == "train"
            )
    finally:
        training_regions.write(folder / "run", before)


def test_many_swapped_alleles_warn_about_the_genome_build(folder, tmp_path, caplog):
    swapped = [(pos, alt, ref) for pos, ref, alt in map(snv, range(2000, 2012))]
    variants = write_vcf(tmp_path / "swapped.vcf", swapped)
    assert score(folder, variants, tmp_path / "out") == 0
    assert "ALT instead of REF in 12 of 12 alleles" in caplog.text
    assert "another genome build than" in caplog.text
    caplog.clear()
    mixed = [*map(snv, range(2100, 2300)), *swapped[:9]]
    assert score(folder, write_vcf(tmp_path / "few.vcf", mixed), tmp_path / "few") == 0
    assert "genome build" not in caplog.text
