"""One declaration of each option serves every command that takes it."""

import dataclasses
import json
import shutil

import pytest

from akita_bayes.cli import (
    akita_calibrate,
    akita_predict,
    akita_sat,
    akita_scd,
    akita_test,
    console,
    model_options,
)
from akita_bayes.data import genome
from akita_bayes.models import build, zoo
from akita_bayes.models.incremental import tower_tiles
from akita_bayes.models.passes import inference
from akita_bayes.variants.options import Options
from tests import tiny


@pytest.mark.parametrize("command", [akita_scd, akita_sat])
def test_every_option_of_a_score_reaches_it(command, tmp_path):
    """A field that a command has an option for takes its value, whatever it is called there."""
    for name in ("params.json", "where", "genome.fa", "b.json"):
        (tmp_path / name).write_text("")
    (tmp_path / "model").mkdir()
    args = [str(tmp_path / name) for name in ("params.json", "model", "where")]
    args += ["-f", str(tmp_path / "genome.fa"), "--stats", "SCD,INS8", "--rc", "--shifts", "-1,1"]
    args += ["--head", "human", "--targets", "3,1", "--draws", "5", "--seed", "7"]
    args += ["--precision", "bfloat16"]
    expected = Options(
        ("SCD", "INS8"), "human", (3, 1), 5, 7, rc=True, shifts=(-1, 1), precision="bfloat16"
    )
    assert model_options.scoring(command._parser().parse_args(args)) == expected
    if command is akita_scd:
        bed = str(tmp_path / "where")
        fitted = str(tmp_path / "b.json")
        more = ["--share_windows", "64", "--roi", bed, "--intervals", fitted]
        options = model_options.scoring(command._parser().parse_args([*args, *more]))
        assert options == dataclasses.replace(expected, share_windows=64, roi=bed, intervals=fitted)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("precision")
    (folder / "params.json").write_text(json.dumps(tiny.spec_json()))
    (folder / "run").mkdir()
    build.build(zoo.parse_spec(tiny.spec_json())).save(folder / "run" / "model_best.keras")
    tiny.write_data(folder / "data", train=1, valid=2, test=2)
    genome.write_fasta(folder / "genome.fa", {"chr1": "ACGTTGCAAC" * 60})
    (folder / "regions.bed").write_text("chr1\t200\t204\n")
    (folder / "variants.vcf").write_text(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        "chr1\t301\tsnv\tA\tC\t.\t.\t.\n"
    )
    return folder


PRECISE = {
    akita_predict: "{params} {run} {regions} -f {fasta} -o {out}",
    akita_test: "{params} {run} {data} -o {out}",
    akita_calibrate: "{run} {data} -o {out} --draws 2 --distances 2",
    akita_scd: "{params} {run} {variants} -f {fasta} -o {out}",
    akita_sat: "{params} {run} {regions} -f {fasta} -o {out}",
}


@pytest.mark.parametrize("command", PRECISE, ids=lambda command: command.__name__)
def test_a_precision_reaches_every_pass_of_a_command(command, folder, tmp_path, monkeypatch):
    precisions = set()
    for owner in (inference.InferencePass, tower_tiles.Tower):
        begin = owner.__init__

        def record(self, *arguments, begin=begin, **options):
            precisions.add(options["precision"])
            begin(self, *arguments, **options)

        monkeypatch.setattr(owner, "__init__", record)
    run = tmp_path / "run"
    shutil.copytree(folder / "run", run)
    names = {
        "params": folder / "params.json",
        "run": run,
        "data": folder / "data",
        "regions": folder / "regions.bed",
        "variants": folder / "variants.vcf",
        "fasta": folder / "genome.fa",
        "out": tmp_path / "out",
    }
    arguments = [part.format(**names) for part in PRECISE[command].split()]
    assert command.main([*arguments, "--precision", "bfloat16"]) == 0
    assert precisions == {"bfloat16"}


def test_the_precisions_of_commands_are_those_of_the_pass():
    parser = console.parser("Does it.", "do.py")
    model_options.add(parser, "--precision")
    assert parser.parse_args([]).precision is None
    for precision in inference.PRECISIONS:
        assert parser.parse_args(["--precision", precision]).precision == precision


def test_gradients_have_no_other_precision(folder, tmp_path, capsys):
    paths = [str(folder / name) for name in ("params.json", "run", "regions.bed")]
    options = ["-f", str(folder / "genome.fa"), "-o", str(tmp_path), "--method", "gradient"]
    assert akita_sat.main([*paths, *options, "--precision", "bfloat16"]) == 2
    assert "gradients are computed in float32; leave out the precision" in capsys.readouterr().err


def test_a_command_says_what_differs_and_nothing_else():
    parser = console.parser("Does it.", "do.py")
    model_options.add(parser, "--draws", "--seed", help="of something else")
    options = vars(parser.parse_args(["--draws", "3"]))
    assert options.pop("command_line")[1:] == ["--draws", "3"]
    assert options == {"draws": 3, "seed": 0}
    help_text = parser.format_help()
    assert help_text.count("of something else (default: 0)") == 2
    model_options.add(second_parser := console.parser("Does it.", "do.py"), "--seed")
    assert "of the draws (default: 0)" in second_parser.format_help()
