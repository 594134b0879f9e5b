"""Fits intervals of variant scores for `akita_calibrate.py`, and prints their tests."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from akita_bayes.cli import console, model_options

if TYPE_CHECKING:
    import pandas as pd

    from akita_bayes.evaluate.intervals import simulation_match
    from akita_bayes.models.protocol import Model


def load(options: argparse.Namespace) -> "tuple[list[str], Model]":
    """Returns the run directories that the options name, and their model or ensemble."""
    from akita_bayes.evaluate.intervals import calibration_files
    from akita_bayes.models import load, predict

    runs = [options.run, *options.ensemble]
    calibration_files.check_runs(runs)
    model = load.load_model(runs if options.ensemble else options.run)
    predict.check_precision(model, options.precision)
    return runs, model


def out_dir(options: argparse.Namespace, model: "Model", head: str | None) -> Path:
    """Returns the folder of the results; a model of one head has no folder of its head."""
    from akita_bayes.evaluate.intervals import calibration_files

    several = len(model.spec.head_names) > 1
    runs = [options.run, *options.ensemble]
    return Path(
        options.out_dir or calibration_files.default_folder(runs, head if several else None)
    )


def of_simulated_variants(options: argparse.Namespace) -> Path:
    """Fits intervals for variant scores, tests them, and writes intervals and tests."""
    from akita_bayes.evaluate.intervals import simulation_match
    from akita_bayes.simulate import design_json
    from akita_bayes.variants.intervals import score_intervals

    settings = score_intervals.IntervalOptions(
        count=options.variants,
        seed=options.seed,
        level=options.level,
        fit_split=options.fit_split,
        split=options.split,
        other_genome=options.simulation is not None,
    )
    _, model = load(options)
    if options.simulation is not None:
        design_json.read(options.simulation)  # before predictions that take minutes
        match = simulation_match.compare(
            model, options.data_dir, options.simulation, split=options.fit_split
        )
        _show_match(match)
        match.check(options.simulation)
    intervals = score_intervals.calibrate_scores(
        model,
        options.simulation or options.data_dir,
        scoring=model_options.scoring(options),
        options=settings,
        open_bar=console.progress,
    )
    folder = out_dir(options, model, options.head)
    path = score_intervals.write(intervals, folder)
    _show_variants(intervals.tested, options, path)
    return folder


def of_measured_edits(options: argparse.Namespace) -> Path:
    """Fits intervals to measured scores, tests them, and writes intervals and tests."""
    from akita_bayes.variants.intervals import measured_effects, score_intervals

    _, model = load(options)
    intervals = measured_effects.calibrate_scores(
        model, options.data_dir, options.measured, scores=options.scores, level=options.level
    )
    folder = out_dir(options, model, intervals.fitted_to.scoring["head"])
    path = score_intervals.write(intervals, folder)
    _show_variants(intervals.tested, options, path, "measured")
    return folder


def of_natural_differences(options: argparse.Namespace) -> Path:
    """Fits intervals to the differences of two individuals, tests them, and writes both."""
    from akita_bayes.variants.intervals import (
        measured_differences,
        natural_differences,
        score_intervals,
    )

    _, model = load(options)
    sources = measured_differences.Sources.of_sample(
        options.data_dir,
        options.differences,
        fasta=options.fasta,
        vcf=options.vcf,
        sample=options.haplotype,
        splits=(*options.fit_split.split(","), *options.split.split(",")),
    )
    intervals = natural_differences.calibrate_scores(
        model,
        sources,
        scoring=model_options.scoring(options),
        level=options.level,
        open_bar=console.progress,
    )
    folder = out_dir(options, model, options.head)
    path = score_intervals.write(intervals, folder)
    rows = intervals.tested
    inside = rows["square"].between(rows["square_low"], rows["square_high"])
    console.say(
        f"{inside.mean():.1%} of {len(rows)} measured squares of {rows['id'].nunique()} windows "
        f"lie in their {options.level:.0%} interval, which contains the noise."
    )
    console.say(f"Give {path} to akita_scd.py as --intervals.")
    return folder


def _show_match(match: "simulation_match.Match") -> None:
    """Prints how the model predicts the data and the simulation, by distance; means of targets."""
    import rich.table

    title = "The model on the data, and on the simulation"
    table = rich.table.Table("distance", "slope", "spread", "r", title=title)
    for number, stratum in enumerate(match.strata):
        pairs = zip(match.data, match.simulation, strict=True)
        cells = [f"{a[:, number].mean():.3f}, {b[:, number].mean():.3f}" for a, b in pairs]
        table.add_row(stratum, *cells)
    console.stdout.print(table)


def _show_variants(
    rows: "pd.DataFrame", options: argparse.Namespace, path: Path, column: str = "truth"
) -> None:
    """Prints how often intervals contain the true scores, or the measured ones."""
    import rich.table

    from akita_bayes.variants.intervals import known_effects

    source = "true" if column == "truth" else column
    title = f"Share of {source} scores inside their {100 * options.level:g} % interval"
    table = rich.table.Table("kind", "variants", *options.scores, title=title)
    shares = {name: known_effects.coverage(group, column) for name, group in rows.groupby("name")}
    counts = rows.drop_duplicates(["chrom", "pos", "id", "kind"])["kind"].value_counts()
    for kind in shares[options.scores[0].upper()].index:
        count = counts.sum() if kind == "all" else counts[kind]
        cells = [f"{shares[name.upper()][kind]:.3f}" for name in options.scores]
        table.add_row(kind.replace("_", " "), str(count), *cells)
    console.stdout.print(table)
    console.say(f"Give {path} to akita_scd.py as --intervals.")
