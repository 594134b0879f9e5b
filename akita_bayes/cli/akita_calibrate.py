"""Checks on held-out windows whether a model's intervals are correct, and corrects them.

Posterior draws of the validation split give factors per target and genomic distance. They are
stored in the run directory, by head. Every later posterior of that head applies them; the factors
of an ensemble are applied when exactly these runs are loaded together. The test split then shows,
before and after: negative log-likelihood, CRPS, coverage of the 50, 80, 90 and 95 % intervals,
sharpness, and how well the stated standard deviation ranks the errors, with 95 % intervals from a
block bootstrap over windows.

Writes calibration.json, calibration.tsv and figures into RUN/calibration, or into OUT_DIR. For one
head of several the default is RUN/calibration/HEAD, for an ensemble RUN/calibration_ensemble.

With --variants N, the command calibrates variant scores instead. It needs data of
akita_simulate.py, where the true effects are known. It fits intervals to N variants of each of
eight kinds on the chromosomes of the fit split, and tests them on as many variants of the other
split. It writes variant_intervals.json, which akita_scd.py takes as --intervals, and
variant_intervals.tsv, which lists the tested variants beside their true effects.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from akita_bayes import errors, files
from akita_bayes.cli import console, model_options

if TYPE_CHECKING:
    import pandas as pd

    from akita_bayes.evaluate import calibrate
    from akita_bayes.variants import known_effects
    from akita_bayes.variants.scores import conformal

_PRINTED_SCORES = (
    "nll",
    "crps",
    "rmse",
    "mean_sd",
    "calibration_error",
    "error_sd_spearman",
    "ause",
)


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(__doc__, "akita_calibrate.py runs/demo/run runs/demo/data")
    parser.add_argument("run", help="run directory of a trained model")
    parser.add_argument(
        "data_dir", help="data directory; with --variants it must come from akita_simulate.py"
    )
    parser.add_argument("-o", "--out_dir", help="directory to write (default: RUN/calibration)")
    model_options.add(
        parser,
        "--ensemble",
        help="further run directories, comma-separated; the factors are fitted to all together",
    )
    model_options.add(
        parser,
        "--draws",
        type=console.positive_integer,
        default=32,
        help="posterior draws per window; use the same number when you score variants",
    )
    model_options.add(parser, "--seed", help="seed of the draws, the bootstrap and the variants")
    model_options.add(parser, "--head")
    parser.add_argument("--split", default="test", help="split to test the intervals on")
    parser.add_argument("--fit_split", default="valid", help="split to fit the factors on")
    parser.add_argument(
        "--distances", type=console.positive_integer, default=8, help="number of distance strata"
    )
    parser.add_argument(
        "--variants",
        type=console.positive_integer,
        metavar="N",
        help="fit intervals for variant scores to N variants of each kind in each split",
    )
    model_options.add(
        parser, "--stats", default=("SCD",), help="with --variants: scores that are never negative"
    )
    parser.add_argument(
        "--level",
        type=console.share,
        default=0.9,
        help="with --variants: share of true scores that the intervals contain",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = _parser().parse_args(argv)
    out = options.out_dir
    if out is None and os.path.isdir(options.run):
        # Folders of heads lie in this one, and their factors in one file of the run.
        out = str(_output_folder([options.run, *options.ensemble], None))
    if options.variants is not None:
        return console.run(lambda: _variants(options), out=out, claims="report")

    def command() -> None:
        from akita_bayes.data.preparation import targets
        from akita_bayes.data.records import dataset
        from akita_bayes.evaluate import calibrate
        from akita_bayes.models import load, recalibration

        runs = [options.run, *options.ensemble]
        _check(runs)
        model = load.load_model(runs if options.ensemble else options.run)
        windows = sum(
            dataset.open_split(options.data_dir, split, batch_size=1).records
            for split in (options.fit_split, options.split)
        )
        with console.progress("Drawing", windows) as advance:
            report = calibrate.calibrate(
                model,
                options.data_dir,
                draws=options.draws,
                seed=options.seed,
                split=options.split,
                fit_split=options.fit_split,
                head=options.head,
                distances=options.distances,
                advance=advance,
            )
        names = targets.names(options.data_dir, report.tested[0].mean.shape[-1])
        several = len(model.spec.head_names) > 1
        out = Path(options.out_dir or _output_folder(runs, report.head if several else None))
        write(report, names, out)
        recalibration.save(runs, report.head, report.recalibration)
        _show(report, out)

    return console.run(command, out=out, claims="report")


def _variants(options: argparse.Namespace) -> None:
    """Fits intervals for variant scores, tests them, and writes intervals and tests."""
    from akita_bayes.models import load
    from akita_bayes.simulate import design_json
    from akita_bayes.variants import known_effects

    runs = [options.run, *options.ensemble]
    _check(runs)
    if options.split == options.fit_split:
        raise errors.DataError(
            f'intervals fitted on "{options.fit_split}" cannot be judged on it; name another split.'
        )
    model = load.load_model(runs if options.ensemble else options.run)
    settings = model_options.scoring(options)
    design = design_json.read(options.data_dir)

    def compare(split: str) -> "known_effects.KnownEffects":
        with console.progress(f"Scoring and simulating {split}") as advance:
            return known_effects.compare(
                model,
                options.data_dir,
                split,
                count=options.variants,
                options=settings,
                seed=options.seed,
                level=options.level,
                advance=advance,
            )

    fitted, tested = compare(options.fit_split), compare(options.split)
    widenings = known_effects.fit(fitted, level=options.level)
    several = len(model.spec.head_names) > 1
    out = Path(options.out_dir or _output_folder(runs, options.head if several else None))
    write_variants(widenings, out)
    rows = known_effects.table(tested, design.cell_types, widenings)
    with files.atomic(out / "variant_intervals.tsv") as temporary:
        rows.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    _show_variants(rows, options, out)


def write_variants(widenings: "Mapping[str, conformal.Widening]", out: Path) -> Path:
    """Writes intervals for variant scores into a directory; returns the file."""
    from akita_bayes.variants.scores import conformal

    path = out / "variant_intervals.json"
    conformal.save(path, widenings)
    return path


def _show_variants(rows: "pd.DataFrame", options: argparse.Namespace, out: Path) -> None:
    import rich.table

    from akita_bayes.variants import known_effects

    title = f"Share of true scores inside their {100 * options.level:g} % interval"
    table = rich.table.Table("kind", "variants", *options.scores, title=title)
    shares = {name: known_effects.coverage(group) for name, group in rows.groupby("name")}
    counts = rows.drop_duplicates(["id", "kind"])["kind"].value_counts()
    for kind in shares[options.scores[0].upper()].index:
        count = counts.sum() if kind == "all" else counts[kind]
        cells = [f"{shares[name.upper()][kind]:.3f}" for name in options.scores]
        table.add_row(kind.replace("_", " "), str(count), *cells)
    console.stdout.print(table)
    console.stdout.print(
        f"Give {out / 'variant_intervals.json'} to akita_scd.py as --intervals.",
        highlight=False,
        soft_wrap=True,
    )


def _check(runs: Sequence[str]) -> None:
    """Raises an error when a run cannot store the factors, before they are computed."""
    paths = [Path(run).resolve() for run in runs]
    for run, path in zip(runs, paths, strict=True):
        if path.is_file():
            raise errors.RunError(
                f"{run}: a file; give the run directory, which will store the factors."
            )
        if paths.count(path) > 1:
            raise errors.RunError(f"{run}: is named twice; name each run of an ensemble once.")


def _output_folder(runs: Sequence[str], head: str | None) -> Path:
    """Returns the folder of a report; each head and the ensemble have their own folder."""
    folder = Path(runs[0]) / ("calibration" if len(runs) == 1 else "calibration_ensemble")
    return folder if head is None else folder / head


def write(report: "calibrate.Report", names: Sequence[str], out: Path) -> None:
    """Writes the numbers and figures of a report into a directory."""
    from akita_bayes.plots import calibration_plots as plots

    files.write_json(
        out / "calibration.json", {"before": report.before, "after": report.after, "targets": names}
    )
    with files.atomic(out / "calibration.tsv") as temporary:
        temporary.write_text(_table(report, names), encoding="utf-8")
    example = report.tested[0]
    pixels = _example_pixels(len(example.mean))
    figures = {
        "reliability": plots.reliability(
            {"as stated": report.before, "recalibrated": report.after}
        ),
        "coverage_by_distance": plots.coverage_by_distance(
            report.after, names, bin_width=report.bin_width
        ),
        "sd_beside_error": plots.sd_beside_error(
            example.target[:, 0],
            example.mean[:, 0],
            example.sd[:, 0],
            diagonal_offset=report.diagonal_offset,
            title=f"{names[0]}, first window of the split",
        ),
        "pixels": plots.pixel_distributions(
            report.draws[:, pixels, 0],
            example.aleatoric_sd[pixels, 0],
            example.target[pixels, 0],
            [_pixel_name(report, pixel) for pixel in pixels],
            title=f"{names[0]}, first window of the split",
        ),
    }
    for name, figure in figures.items():
        with files.atomic(out / f"{name}.png") as temporary:
            figure.savefig(temporary, dpi=130)


def _example_pixels(pixels: int) -> list[int]:
    """Returns eight evenly spaced pixels, each in the middle of an eighth of the triangle."""
    return [round(pixels * (k + 0.5) / 8) for k in range(8)]


def _pixel_name(report: "calibrate.Report", pixel: int) -> str:
    from akita_bayes import triangle

    bins = triangle.bins(len(report.tested[0].mean), report.diagonal_offset)
    rows, columns = triangle.indices(bins, report.diagonal_offset)
    return f"bins {rows[pixel]} and {columns[pixel]}"


def _table(report: "calibrate.Report", names: Sequence[str]) -> str:
    """Returns one line for each target and distance stratum, before and after recalibration."""
    edges = report.after["distance_edges"]
    columns = ["nll", "crps", "rmse", "mean_sd", "sharpness", "error_sd_spearman", "ause"]
    columns += [f"coverage_{level:.0%}" for level in report.after["levels"]]
    lines = ["\t".join(["target", "from_bp", "to_bp", "state", *columns])]
    for state, summary in (("stated", report.before), ("recalibrated", report.after)):
        for name, strata in zip(names, summary["strata"], strict=True):
            for d, stratum in enumerate(strata):
                interval = [str(edge * report.bin_width) for edge in (edges[d], edges[d + 1])]
                values = [
                    "" if stratum[c] is None else f"{stratum[c]['estimate']:.5f}" for c in columns
                ]
                lines.append("\t".join([name, *interval, state, *values]))
    return "\n".join(lines) + "\n"


def _show(report: "calibrate.Report", out: Path) -> None:
    import rich.table

    table = rich.table.Table("", "as stated", "recalibrated")
    rows = [*_PRINTED_SCORES, *(f"coverage_{level:.0%}" for level in report.after["levels"])]
    for row in rows:
        cells = [_cell(summary["overall"][row]) for summary in (report.before, report.after)]
        table.add_row(row.replace("_", " "), *cells)
    console.stdout.print(table)
    console.stdout.print(f"Figures and tables are in {out}.", highlight=False, soft_wrap=True)


def _cell(value: dict[str, Any] | None) -> str:
    if value is None:
        return "-"
    return f"{value['estimate']:.3f} ({value['lower']:.3f} to {value['upper']:.3f})"
