"""Defines the option for the format of figures, once for all commands that write figures."""

import argparse

from akita_bayes.plots import figure_files


def add(parser: argparse._ActionsContainer) -> None:
    """Adds --format to a parser; `console.run` writes all figures of the command in it."""
    parser.add_argument(
        "--format",
        dest="figure_format",
        choices=figure_files.FORMATS,
        default=figure_files.FORMATS[0],
        help="format of figures; pdf and svg stay sharp at any size",
    )
