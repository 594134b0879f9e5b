"""Lists all commands, and runs one of them by its name.

`python -m akita_bayes` works where the scripts are not on the PATH.
"""

import argparse
import ast
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from akita_bayes import errors
from akita_bayes.cli import console

_FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Returns the names of all commands, such as "akita_predict"."""
    return sorted(
        path.stem for path in _FOLDER.glob("*.py") if path.stem.startswith(("akita_", "mpra_"))
    )


def summary(name: str) -> str:
    """Returns the first line of a command's documentation, without importing the command."""
    text = (_FOLDER / f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(__doc__, "python -m akita_bayes akita_predict --help")
    parser.add_argument("command", nargs="?", help="command to run; without it, all are listed")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of the command")
    parser.add_argument(
        "--completion",
        choices=("bash", "zsh", "tcsh"),
        help="print the completion of all commands for this shell",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in names():
        # The command reads its own arguments, so that its `--help` and `--version` are its own.
        sys.argv[0] = words[0]
        return int(importlib.import_module(f"akita_bayes.cli.{words[0]}").main(words[1:]))
    options = _parser().parse_args(words)

    def command() -> None:
        if options.completion is not None:
            console.say(_completion(options.completion))
        elif options.command is None:
            _print_list()
        else:
            hint = errors.did_you_mean(options.command, names())
            raise errors.RunError(
                f"{options.command}: no such command; python -m akita_bayes lists all.{hint}"
            )

    return console.run(command)


def _print_list() -> None:
    width = max(map(len, names()))
    for name in names():
        console.say(f"{name:{width}}  {summary(name)}")


def _completion(shell: str) -> str:
    """Returns the completion scripts of all commands, for `eval` in a shell's start-up file."""
    import shtab

    scripts = []
    for name in names():
        parser = importlib.import_module(f"akita_bayes.cli.{name}")._parser()
        for prog in (name, f"{name}.py"):
            parser.prog = prog
            scripts.append(shtab.complete(parser, shell=shell))
    return "\n".join(scripts)
