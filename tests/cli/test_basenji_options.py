"""Old command lines: each option of Basenji's scripts does what `docs/basenji.md` says of it."""

import importlib
import json
import re

import pytest

from akita_bayes.cli import akita_train, basenji_options
from tests import tiny

PLACEHOLDERS = ("BED", "DIR", "FASTA", "FILE", "GENOME", "TARGETS")

# The options of bin/*.py of Basenji at commit 74b8671, script by script.
BASENJI = {
    "akita_data": "-b --break -c -d -f -g -k -l --limit --local -o -p -r --restart --sample --seed "
    "--stride_train --stride_test --st --split_test -t -u --umap_midpoints --umap_t --umap_set -w "
    "-v --snap --as_obsexp --global_obsexp --no_log",
    "akita_train": "-k -m -o --restore --trunk --tfr_train --tfr_eval",
    "akita_test": "--ai --bi --head --mc --peak --peaks -o --rank --rc --save --shifts --step -t "
    "--split --tfr",
    # akita_predict.py and basenji_predict_bed.py
    "akita_predict": "-b -g --mc -o --rc --shifts -t --ti --split --tfr --head -e -f -l -p -s",
    # akita_scd.py and akita_scd_multi.py
    "akita_scd": "-f -l -m -o -p --rc --shifts --stats -t --cpu --name --max_proc -q -r",
    # akita_sat_vcf.py and basenji_sat_bed.py
    "akita_sat": "-f -g -l -m -n -o --rc --shifts -t -w -d --plots -p --stats -u",
}


def rows(repository):
    """(command, option and value, what becomes of it) of every row of the page."""
    command, options = "", []
    for line in (repository / "docs" / "basenji.md").read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"### (\w+)\.py", line):
            command = heading[1]
        elif command and (row := re.match(r"\| `(-[^`]*)` \| (\w+) \|", line)):
            options.append((command, row[1], row[2]))
    return options


def parse(command, option, tmp_path):
    """The options of an old command line, with files where it needs some."""
    for name in PLACEHOLDERS:
        (tmp_path / name).write_text("")
    (tmp_path / "data").mkdir(exist_ok=True)
    where = "data" if command in ("akita_train", "akita_test") else "BED"
    files = ["FASTA", "TARGETS"] if command == "akita_data" else ["FILE", "FILE", where]
    if command == "akita_train":
        files = ["FILE", "data"]
    needed = ["-f", str(tmp_path / "FASTA")] if command in ("akita_scd", "akita_sat") else []
    flag, *values = option.split()
    values = [str(tmp_path / value) if value in PLACEHOLDERS else value for value in values]
    paths = [str(tmp_path / name) for name in files]
    parser = importlib.import_module(f"akita_bayes.cli.{command}")._parser()
    # Basenji's usage has options first; an option without value stands before a file.
    return parser.parse_args([*needed, flag, *values, *paths]), flag


def test_the_page_has_a_row_for_each_option_of_basenji_and_no_other(repository):
    options_by_command = {}
    for command, option, _ in rows(repository):
        options_by_command.setdefault(command, []).append(option.split()[0])
    assert {command: sorted(options) for command, options in options_by_command.items()} == {
        command: sorted(options.split()) for command, options in BASENJI.items()
    }


def test_the_page_says_same_of_what_a_command_decides_by_itself(repository):
    for command, option, fate in rows(repository):
        table = {
            flag: "refused" if entry.refused else "noted"
            for entry in basenji_options.OPTIONS[command]
            for flag in entry.flags
        }
        assert table.get(option.split()[0], "same") == fate, (command, option)


@pytest.mark.parametrize("command", BASENJI)
def test_each_option_is_read_as_the_page_says(repository, tmp_path, command, capsys, caplog):
    for of_command, option, fate in rows(repository):
        if of_command != command:
            continue
        caplog.clear()
        sentences = {
            flag: entry.sentence
            for entry in basenji_options.OPTIONS[command]
            for flag in entry.flags
        }
        if fate == "refused":
            with pytest.raises(SystemExit) as stopped:
                parse(command, option, tmp_path)
            assert stopped.value.code == 2
            (line,) = capsys.readouterr().err.splitlines()
            flag = option.split()[0]
            assert line.startswith(f"error: {flag}: {sentences[flag]}; ")
            continue
        options, flag = parse(command, option, tmp_path)
        if fate == "noted":
            assert caplog.messages == [f"{flag}: {sentences[flag]}."]
        else:
            assert caplog.messages == []
            dest = next(
                action.dest
                for action in importlib.import_module(f"akita_bayes.cli.{command}")
                ._parser()
                ._actions
                if flag in action.option_strings
            )
            value = getattr(options, dest)
            text = option.partition(" ")[2]
            if text in PLACEHOLDERS:
                assert value == str(tmp_path / text)
            elif not text:
                assert value
            else:
                shown = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
                assert shown == text or float(shown) == float(text)


def test_a_line_of_basenjis_readme_is_read_whole(tmp_path, caplog):
    """As users have it in their scripts, options first."""
    for name in ("params.json", "model.h5", "hg38.fa", "variants.vcf"):
        (tmp_path / name).write_text("")
    parser = importlib.import_module("akita_bayes.cli.akita_scd")._parser()
    line = f"-f {tmp_path}/hg38.fa -l 0.2 -m -o out -p 4 --rc --shifts 1,0,-1 --stats SCD,SSD"
    paths = [str(tmp_path / name) for name in ("params.json", "model.h5", "variants.vcf")]
    options = parser.parse_args([*line.split(), *paths])
    assert (options.plot_limit, options.maps, options.workers) == (0.2, 10, 4)
    assert (options.shifts, options.scores) == ((1, 0, -1), ("SCD", "SSD"))
    assert caplog.messages == []


def test_k_of_akita_train_trains_and_says_what_it_was(tmp_path, caplog):
    (tmp_path / "params.json").write_text(json.dumps(tiny.spec_json(train_epochs_max=1)))
    data = tiny.write_data(tmp_path / "data", train=8, valid=4, test=4)
    line = ["-k", "-o", str(tmp_path / "run"), "--no_tensorboard"]
    assert akita_train.main([*line, str(tmp_path / "params.json"), str(data)]) == 0
    assert caplog.messages[0].startswith(
        "-k: has no effect; training always uses the loop of akita_bayes"
    )
    assert (tmp_path / "run" / "model_best.keras").is_file()
