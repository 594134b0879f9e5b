"""Accepts options of Basenji's scripts that a command does not need: notes or refuses each.

Options with the same meaning are options of the command itself. `docs/basenji.md` lists them all.
"""

import argparse
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

_log = logging.getLogger(__name__)


class Option(NamedTuple):
    """Describes an option of Basenji that this command does not need.

    Attributes:
        flags: Its spellings.
        sentence: Text of the log or of the error message.
        has_value: True when a value follows the option.
        refused: True when the command stops; False when it continues without the option.
    """

    flags: tuple[str, ...]
    sentence: str
    has_value: bool = True
    refused: bool = False


_MONTE_CARLO = Option(("--mc",), "has no effect, as in Basenji; --draws draws from a posterior")
_SIZES = Option(("-g",), "is not needed; the FASTA gives the lengths of the chromosomes")
_ONE_VALUE = "a map has one value for each pair of bins, but such files have one for each position"

OPTIONS: dict[str, tuple[Option, ...]] = {
    "akita_data": (Option(("--umap_set",), "has no effect, as in Basenji"),),
    "akita_train": (
        Option(
            ("-k",),
            "has no effect; training always uses the loop of akita_bayes and writes TensorBoard "
            'events. To choose the best epoch by r, as -k does in Basenji, set "criterion": "r" in '
            "the parameter file",
            has_value=False,
        ),
    ),
    "akita_test": (
        _MONTE_CARLO,
        Option(
            ("--bi",),
            f"{_ONE_VALUE}; give --save for preds.h5, or write coolers with akita_predict.py "
            "--cool",
            refused=True,
        ),
        Option(
            ("--peak", "--peaks"),
            "peaks need counts of coverage, but maps hold ln(observed / expected); leave out this "
            "option. acc.txt and metrics.json hold the accuracy of maps",
            has_value=False,
            refused=True,
        ),
    ),
    "akita_predict": (
        _MONTE_CARLO,
        _SIZES,
        Option(("--ti",), "has no effect without -b; predict.h5 and preds.h5 hold all targets"),
        Option(
            ("-b",),
            f"{_ONE_VALUE}; write coolers with --cool, or tracks from predict.h5",
            refused=True,
        ),
        Option(
            ("-e",),
            "outputs of inner layers are not written; in Python, build a keras.Model with the "
            "layer's output",
            refused=True,
        ),
        Option(
            ("-l",),
            "outputs are always written as a whole; choose the bins of a site by bin_start and "
            "bin_end in predict.h5",
            refused=True,
        ),
        Option(
            ("-p",), "only one process predicts; to use several, split the BED file", refused=True
        ),
        Option(
            ("-s",),
            "sums over sites are not written; sum the bins of preds in predict.h5",
            has_value=False,
            refused=True,
        ),
    ),
    "akita_scd": (
        Option(("--cpu",), "set CUDA_VISIBLE_DEVICES=-1 instead", has_value=False, refused=True),
        *(
            Option(
                (flag,),
                "is for Slurm; use -p for processes on this machine, or --shard i/N for job i of N",
            )
            for flag in ("--name", "--max_proc", "-q")
        ),
        Option(("-r",), "is not needed; a stopped run always continues", has_value=False),
    ),
    "akita_sat": (
        Option(("-g",), "has no effect, as in Basenji", has_value=False),
        Option(("-n",), "is not needed; finished scans are always used again", has_value=False),
        Option(("--plots",), "is not needed; figures are always drawn", has_value=False),
        Option(("-p",), "only one process scans; to use several, split the BED file", refused=True),
    ),
}
"""Options of each command, for `add`."""


def add(parser: argparse.ArgumentParser, command: str) -> None:
    """Adds the options in OPTIONS to a parser; the help text does not list them."""
    for option in OPTIONS[command]:
        parser.add_argument(
            *option.flags,
            action=_Refuse if option.refused else _Note,
            dest=argparse.SUPPRESS,
            nargs=None if option.has_value else 0,
            const=option.sentence,
            help=argparse.SUPPRESS,
        )


class _Note(argparse.Action):
    """Logs why an option has no effect."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        _log.warning("%s: %s.", option_string, self.const)


class _Refuse(argparse.Action):
    """Ends the command with a message that names the replacement."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        parser.error(f"{option_string}: {self.const}")
