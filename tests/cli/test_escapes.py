"""Names in inputs that would leave the output directory, each run through its command."""

import json
import os

import cooler
import numpy as np
import pytest

from akita_bayes.cli import akita_data, akita_predict, akita_train
from akita_bayes.data import genome
from akita_bayes.models import build, zoo
from tests import tiny


def everything(folder):
    return {os.path.join(where, name) for where, _, names in os.walk(folder) for name in names}


@pytest.mark.parametrize("split", ["../../../evil", "/tmp/evil", "a/b", "..", "fold*", "x.tfr"])
def test_splits_cannot_leave_the_output(cooler_world, monkeypatch, capsys, split):
    monkeypatch.chdir(cooler_world)
    rows = ["chr1\t0\t3200\ttrain", f"chr1\t6400\t9600\t{split}"]
    (cooler_world / "windows.bed").write_text("\n".join(rows) + "\n")
    before = everything(cooler_world.parent)
    line = "genome.fa targets.txt -o a/b/out --windows windows.bed -w 128"
    assert akita_data.main(line.split()) == 2
    (error,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert "windows.bed: the split" in error
    assert {name for name in everything(cooler_world.parent) - before if "fa." not in name} == set()


@pytest.fixture
def folder(tmp_path):
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 1000))
    genome.write_fasta(tmp_path / "genome.fa", {"chr1": letters})
    (tmp_path / "regions.bed").write_text("chr1\t64\t320\n")
    return tmp_path


def predict(folder, spec, identifiers):
    (folder / "params.json").write_text(json.dumps(spec))
    build.build(zoo.parse_spec(spec)).save(folder / "model.keras")
    rows = [f"{number}\t{name}\ta.cool" for number, name in enumerate(identifiers)]
    (folder / "targets.txt").write_text("index\tidentifier\tfile\n" + "\n".join(rows) + "\n")
    inputs = [str(folder / name) for name in ("params.json", "model.keras", "regions.bed")]
    out = folder / "a" / "b" / "out"
    options = ["-f", str(folder / "genome.fa"), "-o", str(out), "--cool"]
    if identifiers:
        options += ["--targets_file", str(folder / "targets.txt")]
    before = everything(folder.parent)
    assert akita_predict.main([*inputs, *options]) == 0
    new = everything(folder.parent) - before
    assert {path for path in new if not path.startswith(str(out))} <= {f"{folder}/genome.fa.fai"}
    return sorted(path.name for path in out.glob("*.cool"))


@pytest.mark.parametrize("names", [("../../evil", "/tmp/evil"), ("A/b", "a/B"), ("x" * 400, "..")])
def test_targets_cannot_leave_the_output(folder, names):
    written = predict(folder, tiny.spec_json(), names)
    assert len({name.casefold() for name in written}) == 2


def test_heads_with_equal_targets_have_coolers_each(folder):
    """Numbers stand for missing names: A_0, A_1, B_0 and B_1."""
    spec = tiny.spec_json(heads=("A", "B"))
    assert predict(folder, spec, ()) == ["A_0.cool", "A_1.cool", "B_0.cool", "B_1.cool"]
    assert predict(folder, spec, ("HFF", "GM")) == sorted(
        {"A_0.cool", "A_1.cool", "B_0.cool", "B_1.cool"}
        | {f"{head}_{name}.cool" for head in "AB" for name in ("HFF", "GM")}
    )
    out = folder / "a" / "b" / "out"
    assert len(cooler.Cooler(str(out / "A_HFF.cool")).pixels()[:]) == tiny.PIXELS


@pytest.mark.parametrize("head", ["../../evil", "/tmp/evil", "a/b", ".x", "x" * 300])
def test_heads_cannot_leave_the_output(folder, capsys, head):
    (folder / "params.json").write_text(json.dumps(tiny.spec_json(heads=(head,))))
    tiny.write_data(folder / "data", train=1, valid=1, test=1)
    out = str(folder / "out")
    assert akita_train.main([str(folder / "params.json"), str(folder / "data"), "-o", out]) == 2
    assert "error: " in capsys.readouterr().err
    assert not (folder / "out").exists()
