"""The command trains a student that every other command takes, and refuses unfit teachers."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest

from akita_bayes import files
from akita_bayes.cli import (
    akita_calibrate,
    akita_distill,
    akita_predict,
    akita_scd,
    akita_test,
    akita_train,
)
from akita_bayes.data import genome
from akita_bayes.models import load, posterior
from tests import tiny
from tests.training.teachers import constant_runs

LETTERS = "".join(np.random.default_rng(0).choice(list("ACGT"), 2000))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Data, two teachers, a genome with a variant, and the student."""
    folder = tmp_path_factory.mktemp("distill")
    tiny.write_data(folder / "data", train=8, valid=12, test=12)
    for number in range(2):
        constant_runs.write(folder / f"run{number}", 1.0 + number)
    (folder / "params.json").write_text(
        json.dumps(tiny.spec_json(train_epochs_max=1)), encoding="utf-8"
    )
    genome.write_fasta(folder / "genome.fa", {"chr1": LETTERS})
    alternative = "ACGT"["CGTA".index(LETTERS[999])]
    (folder / "variant.vcf").write_text(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        f"chr1\t1000\tv\t{LETTERS[999]}\t{alternative}\t.\t.\t.\n",
        encoding="utf-8",
    )
    assert akita_distill.main(words(folder, folder / "student")) == 0
    return folder


def words(world, out, *further, teachers=("run0", "run1"), mutated="1"):
    runs = ",".join(str(world / name) for name in teachers)
    return [
        *(str(world / "params.json"), str(world / "data"), "--teacher", runs, "-o", str(out)),
        *("--mutated", mutated, "--no_tensorboard", *further),
    ]


def test_the_student_is_an_ordinary_run_with_a_stated_spread(world):
    student = world / "student"
    assert (world / "student_labels" / "statistics.json").is_file()
    assert pd.read_csv(student / "history.csv")["step"].iloc[-1] == 4
    post = posterior.sample_posterior(load.load_model(student), tiny.one_hot(2), draws=8)
    assert post.epistemic_sd.min() > 0
    record = files.read_json(student / "provenance.json")
    assert [entry["name"] for entry in record["data"][0]["teachers"]] == ["run0", "run1"]


def test_a_student_is_tested_and_calibrated(world):
    params, run, data = (str(world / name) for name in ("student/params.json", "student", "data"))
    out = world / "test"
    assert akita_test.main([params, run, data, "-o", str(out), "--draws", "8"]) == 0
    assert akita_calibrate.main([run, data, "--draws", "8", "--distances", "2"]) == 0
    model = load.load_model(run)
    stated, mended = (
        posterior.sample_posterior(model, tiny.one_hot(2), draws=8, recalibrated=recalibrated)
        for recalibrated in (False, True)
    )
    factors = model.recalibrations["hic"].factors(tiny.PIXELS)
    np.testing.assert_allclose(
        mended.epistemic_sd, stated.epistemic_sd * factors.epistemic, rtol=1e-4
    )


def test_predictions_and_scores_of_a_student_have_its_spread(world, tmp_path, caplog):
    params, run = str(world / "student" / "params.json"), str(world / "student")
    (tmp_path / "regions.bed").write_text("chr1\t1000\t1256\n", encoding="utf-8")
    common = ["-f", str(world / "genome.fa"), "--draws", "8"]
    command = [params, run, str(tmp_path / "regions.bed"), "-o", str(tmp_path / "maps"), *common]
    assert akita_predict.main(command) == 0
    with h5py.File(tmp_path / "maps" / "predict.h5") as file:
        sd = file["epistemic_sd"][:]
    assert sd.shape[1:] == (tiny.PIXELS, tiny.TARGETS)
    assert sd.min() > 0
    command = [params, run, str(world / "variant.vcf"), "-o", str(tmp_path / "scores"), *common]
    with caplog.at_level("WARNING"):
        assert akita_scd.main(command) == 0
    assert "a student learned the spread of each map, not that of the difference" in caplog.text
    table = pd.read_csv(tmp_path / "scores" / "scores.tsv", sep="\t")
    spreads = table.filter(regex="sd$|_sd_")
    assert len(table) == 1
    assert np.isfinite(spreads.to_numpy(float)).all()


def test_labels_are_used_again_and_train_other_networks(world, tmp_path):
    labels = world / "student_labels"
    before = {path: path.stat().st_mtime_ns for path in labels.rglob("*") if path.is_file()}
    command = words(world, tmp_path / "second", "--labels", str(labels), "--seed", "5")
    assert akita_distill.main(command) == 0
    assert {p: p.stat().st_mtime_ns for p in labels.rglob("*") if p.is_file()} == before
    # Any network may learn the mean of the teachers.
    command = [str(world / "params.json"), str(labels), "-o", str(tmp_path / "plain")]
    assert akita_train.main([*command, "--no_tensorboard"]) == 0


def refused(command, capsys):
    assert akita_distill.main(command) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return line


def test_unfit_teachers_and_occupied_directories_are_refused(world, tmp_path, capsys):
    raw = tiny.spec_json()
    raw["model"]["head_hic"][-1]["units"] = 3
    constant_runs.write(world / "three", 1.0, raw=raw)
    line = refused(words(world, tmp_path / "out", teachers=("run0", "three")), capsys)
    assert line.endswith(
        "its num_targets is 3, that of the data 2; give runs that were trained on targets, bins "
        "and windows like these."
    )
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out_labels").exists()
    line = refused(words(world, tmp_path / "out", teachers=("run0",)), capsys)
    assert "one draw has no spread" in line
    line = refused(words(world, world / "student"), capsys)
    assert "student: not empty; choose another -o, or continue the run" in line
    labels = ("--labels", str(world / "student_labels"))
    line = refused(words(world, tmp_path / "out", *labels, mutated="2"), capsys)
    assert "student_labels: holds training data of other inputs (options: mutated 1 and 2)" in line
    assert line.endswith("choose another directory of labels, or remove it.")


def test_a_spec_with_a_posterior_is_refused_before_labelling(world, tmp_path, capsys):
    raw = tiny.spec_json(loss="elbo")
    raw["model"]["head_hic"].insert(0, {"name": "normal_latent", "units": 3})
    (tmp_path / "latent.json").write_text(json.dumps(raw), encoding="utf-8")
    command = words(world, tmp_path / "out")
    assert "normal_latent holds a posterior" in refused(
        [str(tmp_path / "latent.json"), *command[1:]], capsys
    )
    assert not (tmp_path / "out_labels").exists()


def test_the_trunk_alone_needs_weights_to_restore(world, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        akita_distill.main(words(world, tmp_path / "out", "--trunk"))
    assert stopped.value.code == 2
    assert "--trunk limits what --restore loads" in capsys.readouterr().err
