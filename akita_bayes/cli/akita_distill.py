"""Trains one network, the student, to predict as an ensemble does, with the ensemble's spread.

The runs given as --teacher label every window of the data directory, and mutated copies of them,
with mean and standard deviation over their draws. The student learns both, so that it states the
spread of the ensemble at the cost of one network. The measured targets are not read. Writes the
labels as a data directory, and an ordinary run directory, which every command takes.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from akita_bayes.cli import console, figure_options, training_options

if TYPE_CHECKING:
    from akita_bayes.specs.spec import Spec
    from akita_bayes.training.fit import Run


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(
        __doc__, "akita_distill.py akita_tiny data/demo --teacher run0,run1,run2 -o student"
    )
    add = parser.add_argument
    add(
        "params",
        type=console.spec_file,
        help="JSON spec of the student; its output becomes normal_final",
    )
    add(
        "data_dir",
        type=console.existing_directory,
        help="data directory with the windows that the teachers label",
    )
    add("-o", "--out_dir", default="distill_out", help="run directory to write")
    add(
        "--teacher",
        required=True,
        type=_models,
        help="runs that teach as one ensemble, comma-separated; a single one needs a posterior",
    )
    add(
        "--labels",
        help="data directory of labels to write, or to use again (default: OUT_DIR_labels)",
    )
    add("--head", help="head that teaches and learns, of several")
    add(
        "--draws",
        type=console.positive_integer,
        default=64,
        help="most draws of the teachers, dealt to them in turn",
    )
    add(
        "--mutated",
        type=console.whole_number,
        default=1,
        help="mutated copies of every training window that the teachers label too",
    )
    add(
        "--mutation_rate",
        type=console.share,
        default=0.02,
        help="share of the bases that are replaced in a copy",
    )
    add(
        "--spread_weight",
        type=console.positive_number,
        help="factor of the error of the standard deviation in the loss (default: that of the "
        "spec, or 1)",
    )
    training_options.add(
        parser,
        *("--epochs", "--seed", "--resume", "--deterministic", "--mixed_precision", "--devices"),
        *("--restore", "--trunk", "--checkpoint_steps", "--checkpoint_minutes"),
        "--no_tensorboard",
    )
    figure_options.add(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    training_options.check(parser, options)

    def train(spec: "Spec", stop: Callable[[], bool], bars: training_options.Bars) -> "Run":
        from akita_bayes.training import distil

        return distil.distil(
            spec,
            options.data_dir,
            options.teacher,
            out_dir=options.out_dir,
            options=distil.DistilOptions(
                head=options.head,
                draws=options.draws,
                mutated=options.mutated,
                mutation_rate=options.mutation_rate,
                spread_weight=options.spread_weight,
                labels_dir=options.labels,
            ),
            fit_options=training_options.fit_options(options, stop),
            observer=bars,
            open_bar=console.progress,
        )

    return training_options.run(options, train)


def _models(text: str) -> tuple[str, ...]:
    """Returns the paths of comma-separated trained models; an argparse type."""
    return tuple(console.model_source(word) for word in console.words(text))


if __name__ == "__main__":
    raise SystemExit(main())
