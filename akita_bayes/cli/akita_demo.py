"""Runs every step once, in minutes: simulates, trains, tests, calibrates, scores variants, exports.

Needs no download and no GPU. Afterwards the folder contains data/, run/, test/, calibration/,
variants/, saved_model/, two figures of held-out windows, and report.html, the variants as a page.
"""

import argparse
import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from akita_bayes import files
from akita_bayes.cli import console, figure_options
from akita_bayes.files import output_directory
from akita_bayes.origins import provenance
from akita_bayes.plots import figure_files

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from akita_bayes.evaluate.accuracy import Report
    from akita_bayes.evaluate.intervals import calibrate
    from akita_bayes.evaluate.intervals.spread_factors import Prediction
    from akita_bayes.models.protocol import Model
    from akita_bayes.simulate.designs import Design

_BEST, _REPLICATE = "target_truth_pearson", "replicate_pearson"
_PARTS = (
    *("data", "run", "test", "calibration", "variants", "saved_model"),
    *(f"{name}.{ending}" for name in ("maps", "triangles") for ending in figure_files.FORMATS),
    *("report.html", provenance.FILE),
)
_DRAWS = 8
_SCORE_DRAWS = 4
_KNOWN = 4  # variants of each kind that intervals are fitted to
_TESTED = 1  # variants of each kind that are scored
_MAPS = 10  # strongest variants whose maps are in the report
_NULL = 19  # random variants of each stratum, so that no p-value is below 0.05


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = _parser().parse_args(argv)

    def command() -> None:
        with output_directory.claim(options.out, kind="demo", content="own"):
            _demo(options)

    return console.run(command, options=options, out=options.out)


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(__doc__, "akita_demo.py -o runs/demo")
    add = parser.add_argument
    add("-o", "--out", metavar="DIR", default="runs/demo", help="folder; replaces an earlier demo")
    add("--params", type=console.spec_file, default="akita_tiny", help="JSON spec of the model")
    add("--preset", choices=("tiny", "small", "medium"), default="small", help="simulated data")
    add(
        "--epochs",
        type=console.positive_integer,
        help="number of epochs, instead of the number in the spec",
    )
    add("--seed", type=console.seed, default=0, help="seed of the data and of the training")
    add(
        "-p",
        "--processes",
        type=console.positive_integer,
        default=2,
        help="chromosomes to simulate at the same time",
    )
    figure_options.add(parser)
    return parser


def _demo(options: argparse.Namespace) -> None:
    out, start_time = Path(options.out), time.monotonic()
    _clear(out)
    design = _simulate(out, options)

    # TensorFlow is imported only now, after the processes of the simulation have ended.
    import numpy as np

    from akita_bayes.cli import training_options
    from akita_bayes.data.records import dataset
    from akita_bayes.evaluate import accuracy, accuracy_files
    from akita_bayes.evaluate.intervals import calibrate
    from akita_bayes.models import export, load, predict, recalibration, zoo
    from akita_bayes.plots import simulated_windows
    from akita_bayes.plots.reports import accuracy_report, calibration_report
    from akita_bayes.report import directories
    from akita_bayes.training import fit

    data = out / "data"
    spec = zoo.load_network(options.params)
    with training_options.Bars() as bars:
        run = fit.fit(
            spec,
            data,
            out_dir=out / "run",
            options=fit.FitOptions(seed=options.seed, epochs=options.epochs, tensorboard=False),
            observer=bars,
        )
    model = run.model()
    names = accuracy_files.target_names(data)
    records = {
        split: dataset.open_split(data, split, batch_size=1).records
        for split in ("train", "valid", "test")
    }
    with console.progress("testing", records["train"] + records["test"]) as advance:
        report = accuracy.assess(model, data, examples=records["test"], advance=advance)
    with console.progress("calibrating", records["valid"] + records["test"]) as advance:
        belief = calibrate.calibrate(model, data, draws=_DRAWS, advance=advance)
        recalibration.save([run.out_dir], belief.head, belief.recalibration)
        calibration_report.write(belief, list(names["identifier"]), out / "calibration")
    effects = _variants(out, model, design)
    page = directories.write(out / "variants", out / "report.html")
    with console.progress("exporting and drawing", 3) as advance:
        windows = simulated_windows.choose(report)
        examples = [report.examples[window] for window in windows]
        report = dataclasses.replace(report, examples=examples)
        accuracy_report.write(report, names, out / "test")
        advance()
        export.export(model, out / "saved_model")
        batch = next(iter(dataset.open_split(data, "test", batch_size=2).batches()))
        x = batch["sequence"].numpy()
        exported = predict.predict(load.load_model(out / "saved_model"), x)
        difference = float(np.abs(exported - predict.predict(model, x)).max())
        advance()
        _draw(out, design, report, _spread(belief.tested[windows.contrast]))
        advance()
    _show(out, report, belief, difference, time.monotonic() - start_time)
    _show_effects(effects)
    console.say(
        f"To look at the variants and their maps, open {page.resolve().as_uri()} in a browser."
    )


def _clear(out: Path) -> None:
    """Removes an earlier demo, and nothing else."""
    for name in _PARTS:
        files.remove(out / name)


def _simulate(out: Path, options: argparse.Namespace) -> "Design":
    from akita_bayes.simulate import designs
    from akita_bayes.simulate.simulation_folder import simulation

    design = dataclasses.replace(designs.PRESETS[options.preset], variants=_TESTED)
    with console.progress("simulating") as advance:
        simulation.simulate(
            out / "data",
            design,
            seed=options.seed,
            workers=options.processes,
            with_coolers=False,
            advance=advance,
        )
    return design


def _variants(out: Path, model: "Model", design: "Design") -> "pd.DataFrame":
    """Returns scores of held-out variants beside the truth, with intervals fitted to others.

    Intervals are fitted to variants of the validation chromosome, as `akita_calibrate.py
    --variants` does. Variants of the test chromosome are scored as `akita_scd.py` does.
    """
    import pandas as pd

    from akita_bayes.data import genome
    from akita_bayes.simulate.simulation_folder import effect_files
    from akita_bayes.variants import interval_files, variant_windows, writers
    from akita_bayes.variants.intervals import known_effects, score_intervals
    from akita_bayes.variants.options import Options, geometry_of
    from akita_bayes.variants.scored_files import score_directory

    data, options = out / "data", Options(scores=("SCD",), draws=_SCORE_DRAWS)
    with console.progress("fitting intervals of variant scores") as advance:
        fitted = known_effects.compare(
            model, data, "valid", count=_KNOWN, options=options, advance=advance
        )
    intervals = out / "calibration" / score_intervals.INTERVALS
    fitted_to = interval_files.fitted_to(model, options, data / "genome.fa")
    interval_files.save(intervals, known_effects.fit(fitted), fitted_to)
    options = dataclasses.replace(options, intervals=str(intervals))
    summary = score_directory.score_file(
        model,
        data / effect_files.VARIANTS,
        fasta=data / "genome.fa",
        out_dir=out / "variants",
        options=options,
        targets=writers.Targets(list(design.cell_types), [""] * len(design.cell_types)),
        null=_NULL,
        null_path=out / "run" / "null.h5",
        maps=_MAPS,
        open_bar=console.progress,
    )
    assert summary.results is not None
    kinds = pd.read_csv(data / effect_files.TABLE, sep="\t")["kind"].tolist()
    with genome.Genome(data / "genome.fa") as letters:
        geometry = geometry_of(model, options.head)
        windows = variant_windows.VariantWindows(geometry, letters, options)
        true_effects = known_effects.truth(windows, letters, design, summary.results.variants)
    effects = known_effects.table(
        known_effects.KnownEffects(kinds, summary.results, true_effects), design.cell_types
    )
    score_intervals.write_table(effects, out / "variants" / "effects.tsv")
    return effects


def _show_effects(effects: "pd.DataFrame") -> None:
    """Prints a row for each variant: its score and the true score in the first cell type."""
    import rich.table

    cell = effects["target"].iloc[0]
    rows = effects[effects["target"] == cell].sort_values(["kind", "pos"])
    table = rich.table.Table(title=f"Variants that were not used in any fit, cell type {cell}")
    for column in ("kind", "SCD", "90 % interval", "truth", "p-value"):
        table.add_column(column, justify="left" if column == "kind" else "right")
    for row in rows.itertuples():
        table.add_row(
            row.kind.replace("_", " "),
            f"{row.score:.3g}",
            f"{row.ci_low:.2g} to {row.ci_high:.2g}",
            f"{row.truth:.3g}",
            f"{row.p_value:.2f}",
        )
    console.stdout.print(table)


def _spread(belief: "Prediction") -> tuple[str, "NDArray[Any]"]:
    """Returns name and values of the epistemic sd, or of the whole sd without a posterior."""
    if belief.epistemic_sd.any():
        return "how unsure of the map", belief.epistemic_sd
    return "how unsure of a measurement", belief.sd


def _draw(
    out: Path, design: "Design", report: "Report", spread: tuple[str, "NDArray[Any]"]
) -> None:
    """Draws two figures of held-out windows, with the sites that shape the true maps."""
    from akita_bayes.plots import simulated_windows

    offset = report.diagonal_offset or 0
    median, contrast = (
        simulated_windows.rows(out / "data", design, example, offset) for example in report.examples
    )
    figures = {
        "maps": simulated_windows.beside_spread(contrast, *spread, offset),
        "triangles": simulated_windows.truth_above_prediction(median[0]),
    }
    figure_files.write(figures, out, dpi=120)


def _show(
    out: Path, report: "Report", belief: "calibrate.Report", difference: float, seconds: float
) -> None:
    """Prints the files that were written, and the accuracy of the model."""
    import rich.table

    results = rich.table.Table(title="Files of the demo")
    results.add_column("path")
    results.add_column("content")
    for name, content in (
        ("data", "a simulated genome, its contact maps as training records, and the true maps"),
        ("run", "the trained model, its history and its settings"),
        ("test", "accuracy on held-out windows: tables and figures"),
        ("calibration", "a test of the stated uncertainty: table, figures, and intervals"),
        ("variants", "scores of held-out variants with intervals, p-values and true scores"),
        (
            "saved_model",
            f"the model for any TensorFlow program, largest difference {difference:.0e}",
        ),
        (
            figure_files.file_name("maps"),
            "a held-out window: measured, true and predicted map, and uncertainty",
        ),
        ("report.html", "the variants and their maps, for a browser"),
        (
            figure_files.file_name("triangles"),
            "another held-out window: true and predicted map face to face",
        ),
    ):
        results.add_row(str(out / name), content)
    accuracy = rich.table.Table(title=f"On {len(report.windows[0])} held-out windows")
    accuracy.add_column("")
    accuracy.add_column("Pearson r", justify="right")
    ceiling = {key: _mean(report.ceiling, key) for key in (_REPLICATE, _BEST)}
    truth = report.truth.table()["pearsonr"][-1] if report.truth else float("nan")
    for comparison, r in (
        ("prediction against the noise-free truth", truth),
        ("prediction against the measured maps", report.model.table()["pearsonr"][-1]),
        ("  the best possible: the noise-free truth against them", ceiling[_BEST]),
        ("one replicate against the other, each with half of the reads", ceiling[_REPLICATE]),
        ("  the same, extrapolated to all reads", _at_double_depth(ceiling[_REPLICATE])),
        ("distance alone against the measured maps", report.baseline.table()["pearsonr"][-1]),
    ):
        accuracy.add_row(comparison, f"{r:.3f}")
    covered = belief.after["overall"]["coverage_90%"]["estimate"]
    accuracy.add_section()
    accuracy.add_row("share of measured pixels inside their 90 % interval", f"{covered:.3f}")
    console.stdout.print(results)
    console.stdout.print(accuracy)
    console.say(f"Done in {seconds / 60:.1f} minutes.")


def _at_double_depth(r: float) -> float:
    """Returns the correlation of two measurements at twice the depth of two with correlation r.

    This is the formula of Spearman and Brown.
    """
    return 2 * r / (1 + r)


def _mean(ceiling: Mapping[str, Sequence[float]] | None, key: str) -> float:
    values = (ceiling or {}).get(key, [])
    return sum(values) / len(values) if values else float("nan")


if __name__ == "__main__":
    raise SystemExit(main())
