"""Examines the installation, and data directories or runs: what is wrong, and what to do.

The exit status is 1 when there is an error, and 0 when there are at most warnings.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from akita_bayes.cli import console

if TYPE_CHECKING:
    from akita_bayes.evaluate import health

_COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(__doc__, "akita_doctor.py data_dir run")
    parser.add_argument("paths", nargs="*", metavar="DIR", help="data directories and runs")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = _parser().parse_args(argv)
    states: list[str] = []

    def command() -> None:
        from akita_bayes.evaluate import health

        states.extend(_show("installation", health.installation()))
        for path in options.paths:
            is_data = (Path(path) / "statistics.json").exists()
            examine = health.data_directory if is_data else health.run
            states.extend(_show(path, examine(path)))

    return console.run(command) or int("error" in states)


def _show(title: str, diagnoses: "list[health.Diagnosis]") -> list[str]:
    """Prints the diagnoses of one subject and returns their states."""
    console.stdout.print(f"\n{title}", style="bold", markup=False, highlight=False)
    for diagnosis in diagnoses:
        console.stdout.print(f"  {diagnosis.state:8}", style=_COLOURS[diagnosis.state], end="")
        console.say(f"{diagnosis.subject}: {diagnosis.text}")
    return [diagnosis.state for diagnosis in diagnoses]


if __name__ == "__main__":
    raise SystemExit(main())
