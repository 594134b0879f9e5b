"""Defines the options for workers, once for all commands that compute parts."""

import argparse
import os

from akita_bayes import errors, workers
from akita_bayes.cli import console


def add(parser: argparse._ActionsContainer, *aliases: str) -> None:
    """Adds --workers and --scheduler to a parser.

    Args:
        parser: Parser of a command, or a group of its options.
        aliases: Further names of --workers, such as "-p".
    """
    parser.add_argument(
        *aliases,
        "--workers",
        dest="workers",
        metavar="N",
        type=console.positive_integer,
        default=1,
        help="processes on this machine that share the work",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="Dask scheduler whose workers share the work, such as tcp://node1:8786",
    )


def cluster(options: argparse.Namespace) -> workers.Cluster:
    """Returns the workers that the options name.

    Raises:
        RunError: Both options are given.
    """
    if options.scheduler is not None and options.workers > 1:
        raise errors.RunError("--workers and --scheduler both name the workers; give only one.")
    workers_of_options = workers.Cluster(options.workers, options.scheduler, console.quiet)
    if not workers_of_options.is_here:
        # This process loads the model too, and must not take all memory of a GPU.
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    return workers_of_options
