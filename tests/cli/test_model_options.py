"""One declaration of each option serves every command that takes it."""

import argparse
import dataclasses

import pytest

from akita_bayes.cli import akita_sat, akita_scd, console, model_options
from akita_bayes.variants.options import Options


@pytest.mark.parametrize("command", [akita_scd, akita_sat])
def test_every_option_of_a_score_reaches_it(command, tmp_path):
    """A field that a command has an option for takes its value, whatever it is called there."""
    for name in ("params.json", "where", "genome.fa"):
        (tmp_path / name).write_text("")
    given = [str(tmp_path / name) for name in ("params.json", "model", "where")]
    given += ["-f", str(tmp_path / "genome.fa"), "--stats", "SCD,INS8", "--rc", "--shifts", "-1,1"]
    given += ["--head", "human", "--targets", "3,1", "--draws", "5", "--seed", "7"]
    expected = Options(("SCD", "INS8"), "human", (3, 1), 5, 7, rc=True, shifts=(-1, 1))
    assert model_options.scoring(command._parser().parse_args(given)) == expected
    if command is akita_scd:
        bed = str(tmp_path / "where")
        more = ["--share_windows", "64", "--roi", bed, "--intervals", "b.json"]
        found = model_options.scoring(command._parser().parse_args([*given, *more]))
        assert found == dataclasses.replace(expected, share_windows=64, roi=bed, intervals="b.json")


def test_a_command_says_what_differs_and_nothing_else():
    parser = console.parser("Does it.", "do.py")
    model_options.add(parser, "--draws", "--seed", help="of something else")
    assert parser.parse_args(["--draws", "3"]) == argparse.Namespace(draws=3, seed=0)
    told = parser.format_help()
    assert told.count("of something else (default: 0)") == 2
    model_options.add(other := console.parser("Does it.", "do.py"), "--seed")
    assert "of the draws (default: 0)" in other.format_help()
