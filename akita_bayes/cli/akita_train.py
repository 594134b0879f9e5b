"""Trains the model of a spec on one or several data directories.

Writes a run directory: params.json with all defaults, provenance.json, history.csv, history.png,
model_best.keras, model_best.h5 for Basenji, checkpoint/ and tensorboard/. --resume continues a run
that was stopped and reaches the same numbers as a run without a stop.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from akita_bayes.cli import basenji_options, console, figure_options, training_options

if TYPE_CHECKING:
    from akita_bayes.specs.spec import Spec
    from akita_bayes.training.fit import Run


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(__doc__, "akita_train.py models/json/akita_tiny.json data/demo -o run")
    parser.add_argument("params", type=console.spec_file, help="JSON spec of the model")
    parser.add_argument(
        "data_dir",
        nargs="+",
        type=console.existing_directory,
        help="data directory; one for each head, in the order of the spec",
    )
    parser.add_argument("-o", "--out_dir", default="train_out", help="run directory to write")
    training_options.add(
        parser,
        *("--epochs", "--seed", "--resume", "--deterministic", "--mixed_precision", "--devices"),
    )
    parser.add_argument("--heads", type=console.words, help="heads to train, comma-separated")
    training_options.add(parser, "--restore", "--trunk")
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        "--lr_trunk",
        type=console.share,
        help="factor of the learning rate for the trunk, 0 to 1, instead of trunk_rate in the spec",
    )
    rate.add_argument(
        "--freeze",
        choices=("trunk", "none"),
        help="trunk: leave the trunk as it is; none: train all at the same rate",
    )
    parser.add_argument(
        "--tfr_train",
        type=console.words,
        default=("train",),
        help="splits to train on, or a pattern of record files",
    )
    parser.add_argument(
        "--tfr_eval",
        type=console.words,
        default=("valid",),
        help="splits for validation, or a pattern of record files",
    )
    training_options.add(parser, "--checkpoint_steps", "--checkpoint_minutes", "--no_tensorboard")
    figure_options.add(parser)
    basenji_options.add(parser, "akita_train")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    training_options.check(parser, options)

    def train(spec: "Spec", stop: Callable[[], bool], bars: training_options.Bars) -> "Run":
        from akita_bayes.training import fit

        settings = training_options.fit_options(
            options,
            stop,
            heads=options.heads,
            trunk_rate=_trunk_rate(options),
            train_split=options.tfr_train,
            valid_split=options.tfr_eval,
        )
        return fit.fit(
            spec, options.data_dir, out_dir=options.out_dir, options=settings, observer=bars
        )

    return training_options.run(options, train)


def _trunk_rate(options: argparse.Namespace) -> float | None:
    """Returns the factor of the trunk's rate that the options ask for; None for the spec's."""
    rates = {"trunk": 0.0, "none": 1.0}
    return rates[options.freeze] if options.freeze else options.lr_trunk


if __name__ == "__main__":
    raise SystemExit(main())
