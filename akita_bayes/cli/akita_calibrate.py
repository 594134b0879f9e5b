"""Checks on held-out windows whether a model's intervals are correct, and corrects them.

Posterior draws of the validation split give factors per target and genomic distance. Where the
data directory has a noise.tsv, the error of the map is fitted apart from the noise, so that
intervals of the underlying map hold the truth; otherwise these are not calibrated. The factors are
stored in the run directory, by head. Every later posterior of that head applies them; the factors
of an ensemble are applied when exactly these runs are loaded together. The test split then shows,
before and after, and beside one standard deviation for each distance: negative log-likelihood,
CRPS, coverage of the 50, 80, 90 and 95 % intervals, sharpness, and how well the stated standard
deviation ranks the errors, with 95 % intervals from a block bootstrap over windows.

Writes calibration.json, calibration.tsv and figures into RUN/calibration, or into OUT_DIR. For one
head of several the default is RUN/calibration/HEAD, for an ensemble RUN/calibration_ensemble.

With --variants N, the command calibrates variant scores instead. It needs data of
akita_simulate.py, where the true effects are known. It fits intervals to N variants of each kind on
the chromosomes of the fit split, and tests them on as many variants of the other split. It writes
variant_intervals.json, which akita_scd.py takes as --intervals, and variant_intervals.tsv, which
lists the tested variants beside their true effects. A model of measured maps takes the variants of
a simulation that resembles them, --simulation DIR; the command compares how the model predicts
both, and refuses a simulation that it predicts differently.

With --measured TABLE, the intervals are fitted to edits whose scores were measured; data_dir is
then the directory into which akita_scd.py scored them. TABLE has the columns chrom, pos, ref and
alt of scores.tsv, and measured scores in columns such as SCD:TARGET. Every edit is tested with
intervals that were fitted to the edits of other chromosomes.

With --differences OTHER, the intervals are fitted to the differences between two strains or
individuals with measured maps. data_dir has the maps of the reference, OTHER those of the other
individual in the same windows, and --vcf the variants of the sample that --haplotype names.
"""

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from akita_bayes import errors
from akita_bayes.cli import (
    calibrated_scores,
    console,
    figure_options,
    haplotype_options,
    model_options,
)

if TYPE_CHECKING:
    import rich.table

    from akita_bayes.evaluate.intervals import calibrate

_log = logging.getLogger(__name__)

_PRINTED_SCORES = (
    "nll",
    "crps",
    "rmse",
    "mean_sd",
    "calibration_error",
    "error_sd_spearman",
    "ause",
)

_NOISE_UNKNOWN = (
    "The noise of these data is unknown, as the data directory has no noise.tsv: intervals of a "
    "measurement are calibrated, intervals of the underlying map are not."
)


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(__doc__, "akita_calibrate.py runs/demo/run runs/demo/data")
    parser.add_argument("run", type=console.model_name, help="run directory of a trained model")
    parser.add_argument(
        "data_dir",
        type=console.existing_directory,
        help="data directory; --variants needs one of akita_simulate.py, or --simulation; "
        "--measured needs a directory of akita_scd.py",
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
    model_options.add(parser, "--head", "--precision")
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
    parser.add_argument(
        "--simulation",
        type=console.existing_directory,
        metavar="DIR",
        help="with --variants: folder of akita_simulate.py whose variants are used; data_dir has "
        "the measured maps, and a simulation on which the model errs otherwise is refused",
    )
    parser.add_argument(
        "--measured",
        type=console.existing_file,
        metavar="TABLE",
        help="fit intervals for variant scores to the measured scores in this table",
    )
    parser.add_argument(
        "--differences",
        type=console.existing_directory,
        metavar="OTHER",
        help="fit intervals for variant scores to the differences between the maps of data_dir and "
        "those of this data directory, of another strain or individual; with --fasta, --haplotype "
        "and --vcf",
    )
    model_options.add(
        parser, "--fasta", required=False, help="with --differences: genome of data_dir"
    )
    haplotype_options.add(
        parser,
        help="with --differences: sample of the phased variants whose maps are in OTHER",
        default_vcf="no default",
    )
    model_options.add(
        parser,
        "--stats",
        default=("SCD",),
        help="with --variants or --measured: scores that are never negative",
    )
    parser.add_argument(
        "--level",
        type=console.share,
        default=0.9,
        help="with --variants, --measured or --differences: share of true scores that the "
        "intervals contain",
    )
    figure_options.add(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.simulation is not None and options.variants is None:
        parser.error("--simulation needs --variants N; name the number of variants of each kind")
    if options.measured is not None and options.variants is not None:
        parser.error("--measured and --variants fit the same intervals; give one of them")
    if options.differences is not None and (options.variants or options.measured):
        parser.error("--differences replaces --variants and --measured; give one of them")
    for name in ("fasta", "haplotype", "vcf"):
        if (options.differences is None) != (getattr(options, name) is None):
            parser.error(f"--differences and --{name} belong together; give both")
    command = _maps if options.variants is None else calibrated_scores.of_simulated_variants
    if options.measured is not None:
        command = calibrated_scores.of_measured_edits
    if options.differences is not None:
        command = calibrated_scores.of_natural_differences
    return console.run(
        lambda: command(options), options=options, out=_claimed(options), claims="report"
    )


def _claimed(options: argparse.Namespace) -> str | None:
    """Returns the folder to lock, which holds those of heads; None before there is a run."""
    if options.out_dir is not None or not os.path.isdir(options.run):
        return None if options.out_dir is None else str(options.out_dir)
    console.quiet()
    from akita_bayes.evaluate.intervals import calibration_files

    return str(calibration_files.default_folder([options.run, *options.ensemble], None))


def _maps(options: argparse.Namespace) -> Path:
    """Fits factors for maps, tests them, stores them in the run, and writes a report."""
    from akita_bayes.data.preparation import targets
    from akita_bayes.data.records import dataset
    from akita_bayes.evaluate import novelty_statistics
    from akita_bayes.evaluate.intervals import calibrate
    from akita_bayes.models import build, fingerprint, recalibration
    from akita_bayes.models.intervals import novelty
    from akita_bayes.plots.reports import calibration_report

    settings = calibrate.CalibrationOptions(
        draws=options.draws,
        seed=options.seed,
        split=options.split,
        fit_split=options.fit_split,
        head=options.head,
        distances=options.distances,
        precision=options.precision,
    )
    runs, model = calibrated_scores.load(options)
    windows = sum(
        dataset.open_split(options.data_dir, split, batch_size=1).records
        for split in (options.fit_split, options.split)
    )
    with console.progress("Drawing", windows) as advance:
        report = calibrate.calibrate(model, options.data_dir, options=settings, advance=advance)
    names = targets.names(options.data_dir, report.tested[0].mean.shape[-1])
    out = calibrated_scores.out_dir(options, model, report.head)
    calibration_report.write(report, names, out)
    recalibration.save(runs, report.head, report.recalibration)
    if isinstance(model, build.Network):
        # A directory of held-out windows alone can be calibrated, and has no training windows.
        try:
            statistics = novelty_statistics.of_data(
                model, options.data_dir, held_out_split=options.fit_split
            )
        except errors.DataError as error:
            _log.warning("The novelty of windows is not stored: %s", error)
        else:
            weights = fingerprint.fingerprint(Path(runs[0]) / recalibration.WEIGHTS)
            novelty.save(runs[0], statistics, weights)
    _show(report, out)
    if report.uniformity is not None and not report.uniformity.holds:
        _log.warning("%s", report.uniformity.in_words(options.split))
    return out


def _show(report: "calibrate.Report", out: Path) -> None:
    summaries = (report.before, report.constant, report.after)
    table = _states_table("measurement")
    rows = [*_PRINTED_SCORES, *(f"coverage_{level:.0%}" for level in report.after["levels"])]
    for row in rows:
        cells = [_cell(summary["overall"][row]) for summary in summaries]
        table.add_row(row.replace("_", " "), *cells)
    console.stdout.print(table)
    _show_maps(report)
    console.say(f"Figures and tables are in {out}.")


def _states_table(subject: str) -> "rich.table.Table":
    import rich.table

    table = rich.table.Table()
    table.add_column(subject, no_wrap=True)
    for state in ("as stated", "one sd for each distance", "recalibrated"):
        table.add_column(state)
    return table


def _show_maps(report: "calibrate.Report") -> None:
    """Prints the intervals of the map and of the noise, or that they are not calibrated."""
    if report.maps["noise"] is None:
        console.say(_NOISE_UNKNOWN)
    states = [report.maps[state]["overall"] for state in ("before", "constant", "after")]
    level = f"{report.maps['level']:.0%}"
    table = _states_table("map")
    for key, label in (
        ("stated_error", "sd of its error"),
        ("error_by_moments", "  from residuals and noise"),
        ("true_error", "  from the truth"),
        ("width", f"width {level}"),
        ("truth_coverage", f"truth in {level} interval"),
        ("stated_noise", "sd of the noise"),
    ):
        values = [state.get(key) for state in states]
        if any(value is not None for value in values):
            table.add_row(label, *("-" if value is None else f"{value:.3f}" for value in values))
    console.stdout.print(table)


def _cell(value: dict[str, Any] | None) -> str:
    if value is None:
        return "-"
    return f"{value['estimate']:.3f} ({value['lower']:.3f} to {value['upper']:.3f})"


if __name__ == "__main__":
    raise SystemExit(main())
