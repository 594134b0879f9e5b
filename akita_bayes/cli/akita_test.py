"""Tests a trained model on held-out windows and compares it with a prediction from distance alone.

Writes acc.txt with Basenji's columns and further ones, a row for each target; metrics.json with the
same numbers, their mean, all targets pooled, and accuracy by distance, by window and of insulation;
figures; and with --save preds.h5 and targets.h5. For simulated data it adds the accuracy against
the noise-free truth and the best accuracy that is possible on these data.
"""

import argparse
import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from akita_bayes import files
from akita_bayes.cli import basenji_options, console, model_options

_MOST_SCATTER_PLOTS = 16
"""Number of targets in scatter.png without --ai."""

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from akita_bayes.evaluate import accuracy


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(
        __doc__,
        "akita_test.py models/json/akita_tiny.json runs/demo/run runs/demo/data -o test_out",
    )
    model_options.add(parser, "params", "model")
    parser.add_argument("data_dir", help="data directory")
    parser.add_argument("-o", "--out_dir", default="test_out", help="directory to write")
    model_options.add(parser, "--head", "--rc", "--shifts")
    model_options.add(parser, "--draws", help="predict the mean of this many posterior draws")
    model_options.add(parser, "--seed")
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
    return console.run(lambda: _test(options), out=options.out_dir, claims="report")


def _test(options: argparse.Namespace) -> None:
    from akita_bayes.data.records import dataset
    from akita_bayes.evaluate import accuracy, baseline

    model = model_options.load(options)
    baseline_splits = options.train_split or baseline.training_splits(
        options.data_dir, options.split
    )
    windows = sum(
        dataset.open_split(options.data_dir, split, batch_size=1).records
        for split in (options.split, baseline_splits)
    )
    names = target_names(options.data_dir, options.targets_file)
    scattered = _scattered(options.ai, names)
    targets = None if options.targets_file is None else list(names.index)
    with console.progress("Testing", windows) as advance, _saving(options, targets) as save:
        report = accuracy.assess(
            model,
            options.data_dir,
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
            save=save,
            advance=advance,
        )
    write(report, names, Path(options.out_dir), scattered=scattered)
    _show(report, Path(options.out_dir))


def _scattered(numbers: "tuple[int, ...] | None", names: "pd.DataFrame") -> list[int]:
    """Returns the rows of the table of targets that `scatter.png` will show.

    Raises:
        DataError: A number is not in the table of targets.
    """
    from akita_bayes import errors

    if numbers is None:
        return list(range(len(names)))[:_MOST_SCATTER_PLOTS]
    indices = list(names.index)
    for target in numbers:
        if target not in indices:
            raise errors.DataError(
                f"--ai: {target} is not the number of a target; expected some of "
                f"{', '.join(map(str, indices[:20]))}."
            )
    return [indices.index(target) for target in numbers]


@contextlib.contextmanager
def _saving(
    options: argparse.Namespace, targets: list[int] | None
) -> "Iterator[Callable[[NDArray], None]]":
    """Yields a function that appends the prediction of a window to `preds.h5`, or does nothing.

    Writes `targets.h5` too, when the predictions are complete.
    """
    from akita_bayes.data.records import dataset, split_arrays

    if not options.save:
        yield lambda prediction: None
        return
    out = Path(options.out_dir)
    with split_arrays.appended(
        out / "preds.h5", split_arrays.PREDICTIONS, step=options.step
    ) as append:
        yield append
        split = dataset.open_split(options.data_dir, options.split, batch_size=1)
        split_arrays.write_targets(out / "targets.h5", split, targets=targets, step=options.step)


def target_names(data_dir: str, table: str | None) -> "pd.DataFrame":
    """Returns a table with identifier and description of each target, indexed by its number."""
    import pandas as pd

    from akita_bayes import errors
    from akita_bayes.data.preparation import targets
    from akita_bayes.data.records import statistics

    path = Path(table or Path(data_dir) / targets.FILE_NAME)
    count = statistics.read(data_dir).num_targets
    if table is None and not path.is_file():
        return pd.DataFrame(
            {"identifier": targets.names(data_dir, count), "description": [""] * count}
        )
    labels = targets.labels(path)
    wrong = [label.number for label in labels if label.number not in map(str, range(count))]
    if wrong or (table is None and len(labels) != count):
        raise errors.DataError(
            f"{path}: its first column must hold the numbers of the {count} targets of "
            f"{data_dir}; got {wrong[0] if wrong else len(labels)}."
        )
    columns = {
        "identifier": [label.identifier for label in labels],
        "description": [label.description for label in labels],
    }
    return pd.DataFrame(columns, index=[int(label.number) for label in labels])


def write(
    report: "accuracy.Report",
    names: "pd.DataFrame",
    out: Path,
    *,
    scattered: Sequence[int] | None = None,
) -> None:
    """Writes the tables and figures of a report into a directory.

    Args:
        report: Accuracy on a split.
        names: Identifier and description of its targets.
        out: The directory.
        scattered: Rows of `names` to show in the scatter plot; None for the first 16.
    """
    table = _table(report, names)
    with files.atomic(out / "acc.txt") as temporary:
        table.to_csv(temporary, sep="\t", float_format="%.5f", index_label="index")
    files.write_json(out / "metrics.json", metrics(report, names))
    panels = range(len(names))[:_MOST_SCATTER_PLOTS] if scattered is None else scattered
    for name, figure in _figures(report, list(names["identifier"]), panels).items():
        with files.atomic(out / f"{name}.png") as temporary:
            figure.savefig(temporary, dpi=130)


def metrics(report: "accuracy.Report", names: "pd.DataFrame") -> dict[str, Any]:
    """Returns the content of `metrics.json`: each score pooled, as a mean, and for each target."""
    identifiers = list(names["identifier"])

    def by_target(values: Any) -> dict[str, float]:
        return {name: float(value) for name, value in zip(identifiers, values, strict=True)}

    def described(scores: "accuracy.Scores | None") -> dict[str, Any] | None:
        if scores is None:
            return None
        return {
            name: {
                "pooled": values[-1],
                "mean": sum(values[:-1]) / len(identifiers),
                "targets": by_target(values[:-1]),
            }
            for name, values in scores.table().items()
        }

    window_regions, window_r = report.windows
    content = {
        "windows": len(window_regions),
        "model": described(report.model),
        "distance_only": described(report.baseline),
        "against_truth": described(report.truth),
        "ceiling": report.ceiling
        and {key: by_target(values) for key, values in report.ceiling.items() if key != "targets"},
        "ceiling_mean": report.ceiling
        and {
            key: sum(values) / len(values)
            for key, values in report.ceiling.items()
            if key != "targets"
        },
        "insulation_pearsonr": None if report.insulation is None else by_target(report.insulation),
        "pearsonr_by_distance": {
            label: by_target(values)
            for label, values in zip(report.strata, report.by_distance, strict=True)
        },
        "pearsonr_by_window": {
            region: by_target(values)
            for region, values in zip(window_regions, window_r, strict=True)
        },
    }
    if report.truth_by_distance is not None:
        content["truth_pearsonr_by_distance"] = {
            label: by_target(values)
            for label, values in zip(report.strata, report.truth_by_distance, strict=True)
        }
    return {name: value for name, value in content.items() if value}


def _table(report: "accuracy.Report", names: "pd.DataFrame") -> "pd.DataFrame":
    """Returns the rows of `acc.txt`, one for each target, as Basenji's file has them."""
    import pandas as pd

    count = len(names)  # each list has one more number, for all targets pooled
    model, baseline = report.model.table(), report.baseline.table()
    columns: dict[str, Any] = {
        name: model[name][:count] for name in ("pearsonr", "spearmanr", "r2") if name in model
    }
    columns |= {name: list(names[name]) for name in ("identifier", "description")}
    columns["mse"] = model["mse"][:count]
    columns |= {f"distance_{name}": baseline[name][:count] for name in ("pearsonr", "r2", "mse")}
    if report.truth is not None:
        truth = report.truth.table()
        columns |= {f"truth_{name}": truth[name][:count] for name in truth if name in columns}
    if report.ceiling is not None:
        columns["ceiling_pearsonr"] = report.ceiling["target_truth_pearson"]
    return pd.DataFrame(columns, index=names.index)


def _figures(
    report: "accuracy.Report", names: list[str], scattered: Sequence[int]
) -> dict[str, Any]:
    from akita_bayes import triangle
    from akita_bayes.plots import accuracy_plots as plots
    from akita_bayes.plots import map_plots

    offset, pearson = report.diagonal_offset, report.model.table()["pearsonr"]
    figures = {
        "scatter": plots.scatter(
            [report.scatter[row] for row in scattered],
            [names[row] for row in scattered],
            [pearson[row] for row in scattered],
            unit="coverage" if offset is None else map_plots.LOG_RATIO,
        )
    }
    if offset is None:
        return figures
    curves = {"the data": report.by_distance}
    if report.truth_by_distance is not None:
        curves["the noise-free truth"] = report.truth_by_distance
    figures["by_distance"] = plots.by_distance(report.strata, curves, names)
    rows = []
    for example in report.examples:
        measured = example.target.copy()
        measured[~example.mask] = float("nan")
        maps = {"measured": measured, "predicted": example.prediction}
        if example.truth is not None:
            maps["noise-free truth"] = example.truth
        rows += [
            map_plots.Row(
                names[target],
                example.region,
                {
                    title: triangle.to_matrix(values, diagonal_offset=offset)[..., target]
                    for title, values in maps.items()
                },
            )
            for target in range(min(2, len(names)))
        ]
    if rows:
        figures["maps"] = map_plots.compare(rows)
    return figures


def _show(report: "accuracy.Report", out: Path) -> None:
    import rich.table

    targets = len(report.scatter)
    table = rich.table.Table(
        title=f"{len(report.windows[0])} windows, mean over {targets} target{'s' * (targets > 1)}"
    )
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
    console.stdout.print(f"Tables and figures are in {out}.", highlight=False, soft_wrap=True)
