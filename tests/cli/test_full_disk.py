"""Commands on a full disk; a limit on the size of files stands for the end of a disk."""

import importlib
import json
import sys

import h5py
import numpy as np
import pytest

from akita_bayes.cli import akita_predict
from akita_bayes.data import genome
from akita_bayes.models import build, zoo
from tests import tiny
from tests.full_disk import disk_of

COMMANDS = {
    "akita_predict": ["regions.bed", "--cool"],
    "akita_predict --cool mcool": ["regions.bed", "--cool", "mcool", "--draws", "2"],
    "akita_scd": ["variants.vcf", "--null", "2", "--bgzip"],
    "akita_sat": ["regions.bed", "-l", "8"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("disk")
    (folder / "params.json").write_text(json.dumps(tiny.spec_json()))
    build.build(zoo.parse_spec(tiny.spec_json())).save(folder / "model.keras")
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 4000))
    genome.write_fasta(folder / "genome.fa", {"chr1": letters})
    genome.Genome(folder / "genome.fa").__exit__(None, None, None)  # writes the index
    (folder / "regions.bed").write_text("chr1\t300\t3300\n")
    lines = [f"chr1\t{at}\tv\t{letters[at - 1]}\t<DEL>\t.\t.\tEND={at + 9}" for at in (900, 1700)]
    (folder / "variants.vcf").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_full_disk_is_reported_wherever_it_ends(folder, tmp_path, capsys, command):
    name, (first, *options) = command.split()[0], COMMANDS[command]
    main = importlib.import_module(f"akita_bayes.cli.{name}").main
    inputs = [str(folder / file) for file in ("params.json", "model.keras", first)]
    line = [*inputs, "-f", str(folder / "genome.fa"), *options]
    assert main([*line, "-o", str(tmp_path / "whole")]) == 0
    whole = {path.name: path for path in (tmp_path / "whole").rglob("*") if path.is_file()}
    sizes = sorted(path.stat().st_size for path in whole.values())
    for room in (0, sizes[-1] // 2, sizes[-1] - 1):
        out = tmp_path / str(room)
        capsys.readouterr()
        with disk_of(room):
            status = main([*line, "-o", str(out)])
        (error,) = capsys.readouterr().err.strip().splitlines()[-1:]
        assert status == 2, room
        assert error.startswith("error: the disk is full"), room
        assert not list(tmp_path.rglob("*.partial.*"))
        for path in out.rglob("*.h5"):
            with h5py.File(path) as file:
                assert len(file)
    assert main([*line, "-o", str(out)]) == 0


def test_messages_on_the_full_disk_do_not_end_a_command_by_a_traceback(
    folder, tmp_path, monkeypatch
):
    """A job often writes its log beside its results: no room is left for bar and message."""
    words = [str(folder / file) for file in ("params.json", "model.keras", "regions.bed")]
    words += ["-f", str(folder / "genome.fa"), "-o", str(tmp_path / "out")]
    log = tmp_path / "log"
    with log.open("w", buffering=1, encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with disk_of(5):
            assert akita_predict.main(words) == 2
