"""What commands share: every error that a user can mend is one line and exit 2."""

import argparse
import ast
import errno
import json
import os
from pathlib import Path

import pytest
import tensorflow as tf

from akita_bayes import files
from akita_bayes.cli import console


def onto_a_file(folder):
    (folder / "out").write_text("years of work")
    (folder / "out").mkdir(exist_ok=True)


def into_a_file(folder):
    (folder / "out").write_text("years of work")
    (folder / "out" / "deeper").mkdir(parents=True)


def onto_a_directory(folder):
    (folder / "out").mkdir()
    (folder / "table").write_text("new")
    os.replace(folder / "table", folder / "out")


def absent(folder):
    (folder / "out").read_text()


def absent_in_hdf5(folder):
    raise FileNotFoundError(f"Unable to open file (name = '{folder}/out.h5', errno = 2)")


def absent_without_name(folder):
    raise FileNotFoundError("nothing there")


def too_many_files(folder):
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(folder / "out"))


def too_many_files_in_hdf5(folder):
    raise OSError(f"Unable to open file (name = '{folder}/out', errno = 24, error message = 'x')")


def forbidden(folder):
    with files.atomic(folder / "out") as temporary:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(temporary))


def forbidden_in_hdf5(folder):
    with files.atomic(folder / "out.h5") as temporary:
        raise PermissionError(f"Unable to create file (name = '{temporary}', errno = 13)")


def read_only(folder):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(folder / "out"))


def too_long(folder):
    (folder / ("x" * 300)).write_bytes(b"")


def full_disk(folder):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "out"))


def full_disk_in_hdf5(folder):
    raise OSError("Can't write data (file write failed: errno = 28, error message = 'No space')")


def full_disk_in_tensorflow(folder):
    raise tf.errors.ResourceExhaustedError(None, None, "out/variables; No space left on device")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (onto_a_file, "out: a file is where a directory is needed; choose another name."),
        (into_a_file, "out/deeper: a file is where a directory is needed; choose another name."),
        (onto_a_directory, "out: a directory is where a file is needed; choose another name."),
        (absent, "out: no such file or directory."),
        (absent_in_hdf5, "error: {folder}/out.h5: no such file or directory."),
        (absent_without_name, "error: a file: no such file or directory."),
        (
            too_many_files,
            "{folder}/out: too many files are open; raise the limit, as with "
            "`ulimit -n 4096`, and run again.",
        ),
        (
            too_many_files_in_hdf5,
            "{folder}/out: too many files are open; raise the limit, as with "
            "`ulimit -n 4096`, and run again.",
        ),
        (forbidden, "{folder}/out: permission denied."),
        (forbidden_in_hdf5, "{folder}/out.h5: permission denied."),
        (read_only, "{folder}/out: Read-only file system; choose another file or -o."),
        (too_long, "xxx: File name too long; choose another file or -o."),
        (full_disk, "the disk is full while writing {folder}/out; free some space and run again."),
        (full_disk_in_hdf5, "the disk is full; free some space and run again."),
        (full_disk_in_tensorflow, "the disk is full; free some space and run again."),
    ],
)
def test_what_a_user_can_mend_is_one_line(tmp_path, capsys, command, message):
    assert console.run(lambda: command(tmp_path)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert line.endswith(message.format(folder=tmp_path))


@pytest.mark.parametrize(
    "defect",
    [
        ValueError("a defect"),
        OSError(errno.EIO, "input/output error"),
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
        json.JSONDecodeError("No space left on device", "", 0),
    ],
)
def test_anything_else_keeps_its_traceback(defect):
    def command():
        raise defect

    with pytest.raises(type(defect)):
        console.run(command)


def test_sentences_are_printed_as_they_are(capsys, monkeypatch):
    """Without a break at the width of the terminal, colours of numbers, or markup."""
    narrow = console.rich.console.Console(width=20, force_terminal=True)
    monkeypatch.setattr(console, "stdout", narrow)
    text = 'The 12 windows [bold] are in "out/a rather long name/windows[/b].h5".'
    console.say(text)
    assert capsys.readouterr().out == f"{text}\n"


def test_commands_print_plain_sentences_by_say():
    folder = Path(console.__file__).parent
    calls = [
        (path.name, node)
        for path in sorted(folder.glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "console.stdout.print"
    ]
    assert calls
    assert not [
        (name, node.lineno)
        for name, node in calls
        if isinstance(node.args[0], ast.JoinedStr | ast.Constant)
        and not any(keyword.arg == "style" for keyword in node.keywords)
    ]


def test_brackets_in_names_are_printed(capsys):
    console.stdout.print("Wrote out[/b] and a[bold].")
    with console.progress("out[/b]", 1) as advance:
        advance(note="a[/bold]")
    assert capsys.readouterr().out == "Wrote out[/b] and a[bold].\n"


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (console.whole_number, {"0": 0, "12": 12}, ["-1", "1.5", "", "many"]),
        (console.seed, {"0": 0, "2147483647": 2**31 - 1}, ["-1", "2147483648", "1.5"]),
        (console.positive_integer, {"1": 1, "128": 128}, ["0", "-1", "1.5", ""]),
        (console.positive_number, {"0.25": 0.25, "1e6": 1e6}, ["0", "-0.5", "nan", "inf", "two"]),
    ],
)
def test_numbers_from_the_command_line(kind, right, wrong):
    assert {text: kind(text) for text in right} == right
    for text in wrong:
        with pytest.raises(argparse.ArgumentTypeError, match="is not a"):
            kind(text)


@pytest.fixture
def parser(tmp_path, monkeypatch):
    """Options as commands have them, and a file to name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.json").write_text("{}")
    parser = console.parser("Does it.", "do.py")
    parser.add_argument("params", type=console.existing_file)
    parser.add_argument("-s", "--shifts", type=console.integers, default=(0,))
    parser.add_argument("--rc", action="store_true")
    parser.add_argument("-m", "--maps", nargs="?", type=console.whole_number, const=10, default=0)
    parser.add_argument("--cool", nargs="?", const="cool", choices=("cool", "mcool"))
    return parser


@pytest.mark.parametrize("name", ["--shifts", "-s"])
@pytest.mark.parametrize(
    ("text", "shifts"),
    [("-1,0,1", (-1, 0, 1)), ("0,-1", (0, -1)), ("-1,-2", (-1, -2)), ("-1", (-1,)), ("2", (2,))],
)
def test_a_list_may_start_with_a_minus(parser, name, text, shifts):
    for option_words in ([name, text], [f"{name}={text}"]):
        for words in (["params.json", *option_words], [*option_words, "params.json"]):
            options = parser.parse_args(words)
            assert (options.params, options.shifts) == ("params.json", shifts)


@pytest.mark.parametrize(
    ("words", "maps", "cool"),
    [
        (["-m", "params.json"], 10, None),
        (["--maps", "params.json"], 10, None),
        (["-m", "3", "params.json"], 3, None),
        (["params.json", "-m"], 10, None),
        (["-m", "--rc", "params.json"], 10, None),
        (["--cool", "params.json"], 0, "cool"),
        (["--cool", "mcool", "params.json", "-m"], 10, "mcool"),
    ],
)
def test_a_file_is_no_value_that_may_be_left_out(parser, words, maps, cool):
    options = parser.parse_args(words)
    assert (options.params, options.maps, options.cool) == ("params.json", maps, cool)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["params.json", "--rc", "-1,0"], "argument --rc: ignored explicit argument '-1,0'"),
        (["params.json", "-1,0"], "unrecognized arguments: -1,0"),
        (["--ai", "0", "none.json"], "unrecognized arguments: --ai;"),
        (["-x3", "none.json", "--shift=1"], "unrecognized arguments: -x3;"),
        (["none.json"], "none.json: no such file"),
        (["params.json", "-m", "-3"], "'-3' is not a whole number"),
        (["-m", "none.json", "params.json"], "'none.json' is not a whole number"),
        (["--cool", "warm", "params.json"], "invalid choice: 'warm'"),
    ],
)
def test_what_is_no_value_is_refused_still(parser, capsys, words, message):
    with pytest.raises(SystemExit):
        parser.parse_args(words)
    assert message in capsys.readouterr().err


def test_reads_the_command_line_itself(parser, monkeypatch):
    monkeypatch.setattr("sys.argv", ["do.py", "--shifts", "-1,0,1", "-m", "params.json"])
    options = parser.parse_args()
    assert (options.shifts, options.maps, options.params) == ((-1, 0, 1), 10, "params.json")


@pytest.mark.parametrize("name", ["out", "out/deeper/still"])
def test_a_file_in_the_way_of_the_output_is_told_before_any_work(tmp_path, capsys, name):
    (tmp_path / "out").write_text("years of work")
    worked = []
    assert console.run(lambda: worked.append(1), out=str(tmp_path / name)) == 2
    message = f"error: {tmp_path / name}: a file is where a directory is needed"
    assert capsys.readouterr().err.startswith(message)
    assert worked == []
    assert console.run(lambda: worked.append(1), out=str(tmp_path / "new" / "folder")) == 0
    assert not (tmp_path / "new").exists()


def test_a_directory_in_place_of_a_file_is_called_one(tmp_path):
    for kind in (console.existing_file, console.readable):
        with pytest.raises(argparse.ArgumentTypeError, match="a directory is where a file is need"):
            kind(str(tmp_path))
        with pytest.raises(argparse.ArgumentTypeError, match="none: no such file"):
            kind(str(tmp_path / "none"))


def test_a_pipe_serves_where_a_file_is_read_once(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert console.readable(str(pipe)) == str(pipe)
    with pytest.raises(argparse.ArgumentTypeError, match="pipe can be read only once; give a file"):
        console.existing_file(str(pipe))
