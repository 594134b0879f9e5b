"""Options of Basenji's scripts that a command does not need: each is noted or refused in a line.

What decides the same here is an option of the command itself. `docs/basenji.md` lists all of them.
"""

import argparse
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

_log = logging.getLogger(__name__)


class Option(NamedTuple):
    """An option that old command lines may have.

    Attributes:
        flags: Its spellings.
        sentence: What the log or the refusal says.
        has_value: True when a value follows it.
        refused: True when the command stops; otherwise it goes on without the option.
    """

    flags: tuple[str, ...]
    sentence: str
    has_value: bool = True
    refused: bool = False


_MONTE_CARLO = Option(("--mc",), "has no effect, as in Basenji; --draws draws from a posterior")
_SIZES = Option(("-g",), "is not needed; the FASTA says how long chromosomes are")
_ONE_VALUE = "a map has a value for each pair of bins, and these files one for each position"

OPTIONS: dict[str, tuple[Option, ...]] = {
    "akita_data": (Option(("--umap_set",), "has no effect, as in Basenji"),),
    "akita_train": (
        Option(
            ("-k",),
            "the training loop is always that of akita_bayes, and always writes TensorBoard events;"
            ' Basenji\'s -k chooses the best epoch by r, which "criterion": "r" in the parameter '
            "file does",
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
            "peaks are called from counts of coverage, which ln(observed / expected) is not; leave "
            "it out, acc.txt and metrics.json hold the accuracy of maps",
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
            "layers inside the network are not written; give the layer's output to keras.Model in "
            "Python",
            refused=True,
        ),
        Option(
            ("-l",),
            "whole outputs are written; bin_start and bin_end of predict.h5 say which bins are in "
            "a site",
            refused=True,
        ),
        Option(("-p",), "one process predicts; split the BED for several", refused=True),
        Option(
            ("-s",),
            "sums of sites are not written; sum the bins of preds in predict.h5",
            has_value=False,
            refused=True,
        ),
    ),
    "akita_scd": (
        Option(("--cpu",), "set CUDA_VISIBLE_DEVICES=-1 instead", has_value=False, refused=True),
        *(
            Option((flag,), "is for Slurm; -p starts processes here, --shard i/N is one of N jobs")
            for flag in ("--name", "--max_proc", "-q")
        ),
        Option(("-r",), "is not needed; a stopped run always continues", has_value=False),
    ),
    "akita_sat": (
        Option(("-g",), "has no effect, as in Basenji", has_value=False),
        Option(("-n",), "is not needed; finished scans are always used again", has_value=False),
        Option(("--plots",), "is not needed; figures are always drawn", has_value=False),
        Option(("-p",), "one process scans; split the BED for several", refused=True),
    ),
}
"""Command -> such options, for `add`."""


def add(parser: argparse.ArgumentParser, command: str) -> None:
    """Lets a parser read the options of OPTIONS; its help does not list them."""
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
    """Logs why an option decides nothing."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        _log.warning("%s: %s.", option_string, self.const)


class _Refuse(argparse.Action):
    """Ends the command with what to use instead."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        parser.error(f"{option_string}: {self.const}")
