"""Tests a trained model on held-out windows and compares it with a prediction from distance alone.

Writes acc.txt with Basenji's columns and further ones, a row for each target; metrics.json with the
same numbers, their mean, all targets pooled, and accuracy by distance, by window and of insulation;
figures; and with --save preds.h5 and targets.h5. For simulated data it adds the accuracy against
the noise-free truth and the best accuracy that is possible on these data.
"""

import argparse
import contextlib
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from akita_bayes.cli import basenji_options, console, figure_options, model_options

if TYPE_CHECKING:
    import pandas as pd

    from akita_bayes.evaluate import accuracy


_log = logging.getLogger(__name__)


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(
        __doc__,
        "akita_test.py models/json/akita_tiny.json runs/demo/run runs/demo/data -o test_out",
    )
    model_options.add(parser, "params", "model")
    parser.add_argument("data_dir", type=console.existing_directory, help="data directory")
    parser.add_argument("-o", "--out_dir", default="test_out", help="directory to write")
    model_options.add(parser, "--head", "--rc", "--shifts", "--trust")
    model_options.add(parser, "--draws", help="predict the mean of this many posterior draws")
    model_options.add(parser, "--seed", "--precision")
    parser.add_argument("--split", default="test", help="split to test on")
    parser.add_argument(
        "--tfr",
        help="pattern of record files to test on, for example fold1-*.tfr, instead of --split",
    )
    parser.add_argument(
        "--train_split",
        type=console.words,
        help="splits whose mean is the baseline (default: train, or all folds but the tested one)",
    )
    model_options.add(
        parser,
        "--targets_file",
        help="table of targets: the first column holds their numbers, identifier their names",
    )
    parser.add_argument(
        "--rank",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compute Spearman's correlation too, which needs all pixels in memory",
    )
    parser.add_argument(
        "--maps", type=console.whole_number, default=3, help="number of windows to draw"
    )
    parser.add_argument(
        "--ai",
        type=console.integers,
        metavar="TARGETS",
        help="numbers of the targets in scatter.png, comma-separated (default: the first 16)",
    )
    parser.add_argument(
        "--save",
        action="store_true",
        help="write preds.h5 and targets.h5 in float16, as Basenji does",
    )
    parser.add_argument(
        "--step",
        type=console.positive_integer,
        default=1,
        help="with --save: keep one of this many positions",
    )
    figure_options.add(parser)
    basenji_options.add(parser, "akita_test")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.tfr and options.split != parser.get_default("split"):
        parser.error("--tfr and --split both choose the records to test on; give only one")
    if options.step != 1 and not options.save:
        parser.error("--step reduces the positions that --save writes; give --save too")
    options.split = options.tfr or options.split
    return console.run(
        lambda: _test(options), options=options, out=options.out_dir, claims="report"
    )


def _test(options: argparse.Namespace) -> None:
    from akita_bayes.data.records import dataset
    from akita_bayes.evaluate import accuracy, accuracy_files, baseline
    from akita_bayes.plots.reports import accuracy_report

    model = model_options.load(options)
    baseline_splits = options.train_split or baseline.training_splits(
        options.data_dir, options.split
    )
    windows = sum(
        dataset.open_split(options.data_dir, split, batch_size=1).records
        for split in (options.split, baseline_splits)
    )
    names = accuracy_files.target_names(options.data_dir, options.targets_file)
    scattered = _scattered(options.ai, names)
    targets = None if options.targets_file is None else list(names.index)
    saved = accuracy_files.saved_predictions(
        options.out_dir, options.data_dir, options.split, targets=targets, step=options.step
    )
    with (
        console.progress("Testing", windows) as advance,
        saved if options.save else contextlib.nullcontext() as save,
    ):
        report = accuracy.assess(
            model,
            options.data_dir,
            options=accuracy.AccuracyOptions(
                split=options.split,
                train_split=baseline_splits,
                head=options.head,
                rc=options.rc,
                shifts=options.shifts,
                draws=options.draws,
                seed=options.seed,
                targets=targets,
                rank=options.rank,
                examples=options.maps,
                precision=options.precision,
            ),
            save=save,
            advance=advance,
        )
    accuracy_report.write(report, names, options.out_dir, scattered=scattered)
    _show(report, options.out_dir)
    if report.uniformity is not None and not report.uniformity.holds:
        _log.warning("%s", report.uniformity.in_words(options.split))


def _scattered(numbers: "tuple[int, ...] | None", names: "pd.DataFrame") -> list[int] | None:
    """Returns the rows of the table of targets that `scatter.png` will show; None without --ai.

    Raises:
        DataError: A number is not in the table of targets.
    """
    from akita_bayes import errors

    if numbers is None:
        return None
    indices = list(names.index)
    for target in numbers:
        if target not in indices:
            raise errors.DataError(
                f"--ai: {target} is not the number of a target; expected some of "
                f"{', '.join(map(str, indices[:20]))}."
            )
    return [indices.index(target) for target in numbers]


def _show(report: "accuracy.Report", out: str) -> None:
    import rich.table

    targets = len(report.scatter)
    title = f"{len(report.windows[0])} windows, mean over {targets} target{'s' * (targets > 1)}"
    if report.learned:
        title += (
            f"; {report.learned} of them overlap windows that the model was trained on, so these "
            "numbers do not show how well it predicts other windows"
        )
    table = rich.table.Table(title=title)
    for heading in ("", "MSE", "Pearson", "Spearman", "R2"):
        table.add_column(heading, justify="left" if not heading else "right")
    comparisons = [
        ("model", report.model),
        ("distance alone" if report.strata else "training mean", report.baseline),
    ]
    if report.truth is not None:
        comparisons.append(("model, against the truth", report.truth))
    for name, scores in comparisons:
        numbers = scores.table()
        table.add_row(
            name,
            *(
                f"{sum(numbers[key][:-1]) / targets:.4f}" if key in numbers else "-"
                for key in ("mse", "pearsonr", "spearmanr", "r2")
            ),
        )
    if report.ceiling is not None:
        values = report.ceiling["target_truth_pearson"]
        table.add_row("best possible on these data", "", f"{sum(values) / len(values):.4f}", "", "")
    console.stdout.print(table)
    console.say(f"Tables and figures are in {out}.")


if __name__ == "__main__":
    raise SystemExit(main())
