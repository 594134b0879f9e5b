"""Tests that every command records where its results come from."""

import argparse
import hashlib
import importlib
import json

import pytest

from akita_bayes.cli import all_commands, command_record, console
from akita_bayes.origins import provenance, stack


def test_an_origin_names_versions_seeds_and_digests(tmp_path):
    genome = tmp_path / "hg38.fa"
    genome.write_bytes(b">chr1\nACGT\n")
    origin = provenance.origin(
        seeds={"seed": 3}, inputs={"genome": genome, "maps": [genome, genome], "roi": None}
    )
    entry = {"name": "hg38.fa", "sha256": hashlib.sha256(genome.read_bytes()).hexdigest()}
    assert origin["versions"] == stack.versions()
    assert origin["seeds"] == {"seed": 3}
    assert origin["inputs"] == {"genome": entry, "maps": [entry, entry]}
    assert json.loads(provenance.text(origin)) == origin
    assert str(tmp_path) not in provenance.text(origin)
    genome.write_bytes(b">chr1\nACGA\n")
    assert provenance.digest(genome) != entry["sha256"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("/home/me/hg38.fa", "hg38.fa"),
        ("--fasta=/home/me/hg38.fa", "--fasta=hg38.fa"),
        ("/a/run_1,/a/run_2/", "run_1,run_2"),
        ("../data/hg38.fa", "../data/hg38.fa"),
        ("chr1:1,000-2,000", "chr1:1,000-2,000"),
        ("-1,0,1", "-1,0,1"),
    ],
)
def test_a_command_line_names_no_folder_of_the_user(word, expected):
    with provenance.command(["akita_predict.py", word]):
        record = provenance.record()
    assert record["command"] == ["akita_predict.py", expected]
    assert record["threads"]["processors"] >= 1
    assert provenance.record()["command"] is None


def test_a_run_has_the_digest_of_what_it_predicts_with(tmp_path):
    (tmp_path / "params.json").write_text("{}")
    (tmp_path / "model_best.keras").write_bytes(b"weights")
    before = provenance.digest(tmp_path)
    (tmp_path / "history.csv").write_text("epoch\n")
    assert provenance.digest(tmp_path) == before
    (tmp_path / "recalibration.json").write_text("{}")
    assert provenance.digest(tmp_path) != before


def test_a_directory_of_an_assay_has_the_digest_of_all_its_files(tmp_path):
    (tmp_path / "params.json").write_text("{}")
    (tmp_path / "bin_1.txt").write_text("1\n")
    before = provenance.digest(tmp_path)
    (tmp_path / "bin_1.txt").write_text("2\n")
    assert provenance.digest(tmp_path) != before


FILES = {"existing_file", "readable", "spec_file", "model_source", "_regions", "_variants"}


def test_every_option_that_names_a_file_is_an_input(monkeypatch):
    """A new option of a command must appear in the table, or its file is not recorded."""
    options = set()
    genuine = argparse.ArgumentParser.add_argument

    def noted(self, *flags, **settings):
        action = genuine(self, *flags, **settings)
        if getattr(settings.get("type"), "__name__", "") in FILES:
            options.add(action.dest)
        return action

    monkeypatch.setattr(argparse.ArgumentParser, "add_argument", noted)
    for name in set(all_commands.names()) - {"akita_report"}:  # which writes a page alone
        module = importlib.import_module(f"akita_bayes.cli.{name}")
        with pytest.raises(SystemExit):
            module.main(["--version"])
    assert options >= {"params", "model", "fasta", "variants", "regions", "genes", "roi"}
    assert options <= set(command_record.INPUTS)


def test_a_command_writes_its_record(tmp_path):
    genome, out = tmp_path / "hg38.fa", tmp_path / "out"
    genome.write_bytes(b">chr1\nACGT\n")
    parser = console.parser("Tests.", "example")
    parser.add_argument("--fasta")
    parser.add_argument("--seed", type=int)
    parser.add_argument("-o", "--out_dir")
    options = parser.parse_args(["--fasta", str(genome), "--seed", "5", "-o", str(out)])

    def run(claims="report"):
        status = console.run(lambda: None, options=options, out=str(out), claims=claims)
        return status, json.loads((out / provenance.FILE).read_text())

    status, record = run()
    assert status == 0
    assert record["seeds"] == {"seed": 5}
    assert record["inputs"]["genome"]["name"] == "hg38.fa"
    assert record["command"][1:] == ["--fasta", "hg38.fa", "--seed", "5", "-o", "out"]
    assert str(tmp_path) not in json.dumps(record)
    assert run() == (0, record)
