"""Every command that writes a directory refuses one that another process writes to."""

import importlib
import json
import logging

import numpy as np
import pytest

from akita_bayes.cli import akita_train
from akita_bayes.data import genome
from akita_bayes.files import output_directory
from akita_bayes.models import build, zoo
from akita_bayes.training import fit, observers
from tests import coolers, tiny

MECHANISM = {
    "kind": "thermodynamic",
    "name": "toy",
    "sequence_length": 4,
    "wild_type": "ACGT",
    "energies": {"a": {"site": [0, 4]}},
    "states": {"off": {}, "on": {"energies": ["a"], "activity": 1}},
    "measurement": {"kind": "bins", "hidden": 4},
    "truth": {"a": {"constant": 0.0}},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("locks")
    (folder / "params.json").write_text(json.dumps(tiny.spec_json(train_epochs_max=1)))
    (folder / "run").mkdir()
    build.build(zoo.parse_spec(tiny.spec_json())).save(folder / "run" / "model_best.keras")
    tiny.write_data(folder / "data", train=4, valid=4)
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 2000))
    genome.write_fasta(folder / "genome.fa", {"chr1": letters})
    alt = "A" if letters[499] != "A" else "C"
    (folder / "variants.vcf").write_text(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        f"chr1\t500\t.\t{letters[499]}\t{alt}\t.\t.\t.\n"
    )
    (folder / "regions.bed").write_text("chr1\t500\t504\n")
    (folder / "world").mkdir()
    coolers.world(folder / "world")
    (folder / "toy.json").write_text(json.dumps(MECHANISM))
    (folder / "assay.csv").write_text("sequence,ct_0,ct_1\nACGT,3,4\nACGA,1,2\nTCGT,5,1\n")
    return folder


@pytest.fixture(autouse=True)
def working_directory(folder, monkeypatch):
    monkeypatch.chdir(folder)


COMMANDS = {
    "train": "akita_train params.json data --devices cpu",
    "resumed training": "akita_train params.json data --devices cpu --resume",
    "data": "akita_data world/genome.fa world/targets.txt -l 3200 -v 0.1 -t 0.1 --as_obsexp",
    "windows": "akita_data world/genome.fa world/targets.txt -l 3200 --st",
    "scores": "akita_scd params.json run variants.vcf -f genome.fa",
    "shard": "akita_scd params.json run variants.vcf -f genome.fa --shard 1/2",
    "scan": "akita_sat params.json run regions.bed -f genome.fa",
    "regions": "akita_predict params.json run regions.bed -f genome.fa",
    "split": "akita_predict params.json run data",
    "test": "akita_test params.json run data",
    "calibration": "akita_calibrate run data",
    "export": "akita_export params.json run",
    "simulation": "akita_simulate --preset tiny",
    "demo": "akita_demo --preset tiny",
    "fit": "mpra_fit toy.json assay.csv",
    "predicted sequences": "mpra_predict run assay.csv",
    "posterior": "mpra_posterior toy.json assay.csv",
    "comparison": "mpra_compare toy.json assay.csv",
    "assay": "mpra_simulate toy.json",
    "design": "mpra_simulate toy.json --design",
}


@pytest.mark.parametrize("line", COMMANDS.values(), ids=COMMANDS)
def test_a_directory_that_is_written_to_is_refused(tmp_path, capsys, line):
    name, *words = line.split()
    module = importlib.import_module(f"akita_bayes.cli.{name}")
    out = tmp_path / "out"
    with output_directory.claim(out, kind="report"):
        assert module.main([*words, "-o", str(out)]) == 2
        assert [path.name for path in out.iterdir()] == [".lock"]
    errors = [row for row in capsys.readouterr().err.splitlines() if row.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0].startswith(f"error: {out}: ")
    assert "writes to it for 0 min; wait for it, or choose another -o." in errors[0]


def test_of_two_trainings_into_one_directory_the_second_is_refused(folder, tmp_path, capsys):
    out, statuses = tmp_path / "run", []

    class Second(observers.Silent):
        def end_step(self, loss, learning_rate):
            if not statuses:
                line = ["params.json", "data", "-o", str(out), "--seed", "2", "--devices", "cpu"]
                statuses.extend(akita_train.main([*line, *more]) for more in ([], ["--resume"]))

    spec = zoo.load_network(folder / "params.json")
    options = {"devices": "cpu", "tensorboard": False, "observer": Second()}
    run = fit.fit(spec, folder / "data", out_dir=out, **options)
    assert statuses == [2, 2]
    stderr = capsys.readouterr().err
    assert "not empty; choose another -o, or continue the run in it with --resume." in stderr
    assert "writes to it for 0 min" in stderr
    assert run.epochs == 1
    assert not (out / ".lock").exists()


def test_the_lock_of_a_killed_command_is_reported_and_removed(tmp_path, caplog):
    out = tmp_path / "out"
    with output_directory.claim(out, kind="report"):
        lock = (out / ".lock").read_text()
    out.mkdir()
    (out / ".lock").write_text(lock.replace('"started": "', '"started": "long ago '))
    module = importlib.import_module("akita_bayes.cli.akita_export")
    with caplog.at_level(logging.WARNING):
        assert module.main(["params.json", "run", "-o", str(out)]) == 0
    assert "has ended without finishing; its lock is removed." in caplog.text
    assert (out / "saved_model.pb").exists()
