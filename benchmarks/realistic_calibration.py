"""Do intervals hold the truth on maps that look measured? Accuracy and coverage by preset.

    python -m benchmarks.realistic_calibration -o runs/realistic [--presets small realistic]

Simulates each preset, trains `akita_tiny` on it, tests and calibrates it with the commands and
their defaults (8 draws), and reads what they write. `replicates` is the calibration with the
`noise.tsv` of the simulation, from replicates; `parts` is one whose noise comes from random parts
of the pooled counts, as for a map without replicates. Folders that exist are used again. Writes
`results/realistic_calibration.json` and a table into docs/simulator.md.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from akita_bayes import files
from akita_bayes.data import noise_table
from akita_bayes.data.contacts import counts_to_targets, measurement_noise
from akita_bayes.simulate import chromatin, design_json, experiment, reads, replicate_agreement
from benchmarks import environment, run, simulated_statistics_report

RESULT = run.RESULTS / "realistic_calibration.json"
SPEC = run.ROOT / "models" / "json" / "akita_tiny.json"
DONE = "training.json"
"""File that marks a training that reached its end."""

DRAWS = 8
SEED = 0


def main(argv: Sequence[str] | None = None) -> None:
    """Runs what is missing and writes the result file and the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-o", "--out_dir", type=Path, required=True)
    parser.add_argument("--presets", nargs="*", default=("small", "realistic"))
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    options.out_dir.mkdir(parents=True, exist_ok=True)
    rows = {preset: measure(preset, options.out_dir) for preset in options.presets}
    result = {"spec": SPEC.stem, "draws": DRAWS, "presets": rows}
    files.write_json(options.result, {**environment.describe(), **result})
    simulated_statistics_report.write_tables({"calibration": table(rows)})


def measure(preset: str, folder: Path) -> dict[str, Any]:
    """Returns accuracy, ceiling and the coverage of intervals of a preset."""
    from akita_bayes.cli import akita_calibrate, akita_simulate, akita_test, akita_train

    data, trained = folder / preset, folder / f"run_{preset}"
    if not data.exists():
        _call(akita_simulate, "--preset", preset, "--no_coolers", "-o", data, "--seed", SEED)
    if not (trained / DONE).exists():
        resume = ["--resume"] if (trained / "provenance.json").exists() else []
        options = ["--seed", SEED, "--no_tensorboard", *resume]
        _call(akita_train, SPEC, data, "-o", trained, *options)
        files.write_json(trained / DONE, {"spec": SPEC.stem, "seed": SEED})
    if not (trained / "test" / "metrics.json").exists():
        _call(akita_test, SPEC, trained, data, "-o", trained / "test")
    if not (trained / "calibration" / "calibration.json").exists():
        _call(akita_calibrate, trained, data, "--draws", DRAWS)
    parts, of_parts = folder / f"{preset}_parts", folder / f"run_{preset}_parts"
    if not (of_parts / "calibration" / "calibration.json").exists():
        shutil.rmtree(parts, ignore_errors=True)
        shutil.rmtree(of_parts, ignore_errors=True)
        shutil.copytree(data, parts)
        shutil.copytree(trained, of_parts, ignore=shutil.ignore_patterns("calibration*", "test"))
        noise_table.write(parts, noise_of_parts(data))
        _call(akita_calibrate, of_parts, parts, "--draws", DRAWS)
    metrics = files.read_json(trained / "test" / "metrics.json")
    return {
        "accuracy": {
            "data_r": metrics["model"]["pearsonr"]["mean"],
            "truth_r": metrics["against_truth"]["pearsonr"]["mean"],
            "distance_r": metrics["distance_only"]["pearsonr"]["mean"],
            "ceiling_r": metrics["ceiling_mean"]["target_truth_pearson"],
            "replicate_r": metrics["ceiling_mean"]["replicate_pearson"],
        },
        "calibration": {
            "replicates": coverage(trained / "calibration" / "calibration.json"),
            "parts": coverage(of_parts / "calibration" / "calibration.json"),
        },
    }


def _call(command: Any, *arguments: object) -> None:
    if status := command.main([str(argument) for argument in arguments]):
        raise SystemExit(status)


def noise_of_parts(data: Path) -> noise_table.NoiseTable:
    """Returns the noise of the targets from random parts of the pooled counts, of validation."""
    content = json.loads((data / design_json.FILE).read_text(encoding="utf-8"))
    design, seed = design_json.read(data), content["seed"]
    solved = replicate_agreement.solve(design, seed)
    size = design.physics.bin_size
    bins = design.seq_length // size
    transform = chromatin.transform(bins, size, design.crop // size, design.measurement)
    name = next(n for n, (_, split) in design.chromosomes().items() if split == "valid")
    source = experiment.generator(seed, name)
    world = experiment.fold(name, solved, seed, source)
    counts = experiment.measure(world, name, solved, seed, source)
    sums = noise_table.NoiseSums(len(counts), transform.map_bins, chromatin.DIAGONAL_OFFSET)
    random = np.random.default_rng(seed)
    for region, _ in design.windows():
        if region.chrom != name:
            continue
        first = region.start // size
        columns = []
        for cell in counts:
            square = reads.window(cell.pooled, first, bins)
            weights = cell.weights[first : first + bins]
            target = counts_to_targets.target(square, weights, transform, clip=chromatin.CLIP)
            squares = measurement_noise.of_counts(
                square, weights, transform, random, clip=chromatin.CLIP
            )
            columns.append((squares, target.values, target.mask))
        sums.add(*(np.stack(column, axis=-1) for column in zip(*columns, strict=True)))
    return sums.table(f"{measurement_noise.PARTS} parts of the counts")


def coverage(path: Path) -> dict[str, Any]:
    """Returns the share of true values in 90 % intervals, overall and by target and stratum."""
    content = files.read_json(path)["map"]["after"]
    strata = [[row["truth_coverage"] for row in target] for target in content["strata"]]
    return {
        "overall": content["overall"]["truth_coverage"],
        "measurement": content["overall"]["measurement_coverage"],
        "width": content["overall"]["width"],
        "true_error": content["overall"]["true_error"],
        "stated_error": content["overall"]["stated_error"],
        "strata": strata,
    }


def table(rows: dict[str, Any]) -> str:
    """Returns the Markdown table of the page."""
    lines = [
        "| preset | r with the data | with the truth | ceiling | r of replicates | noise from | "
        "truth in 90 % intervals | by stratum and target | measurement in 90 % intervals |",
        "|---" * 9 + "|",
    ]
    for preset, row in rows.items():
        accuracy = row["accuracy"]
        numbers = [accuracy[key] for key in ("data_r", "truth_r", "ceiling_r", "replicate_r")]
        for noise, coverage in row["calibration"].items():
            strata = np.array(coverage["strata"])
            cells = [preset, *(f"{number:.3f}" for number in numbers), noise]
            cells += [f"{coverage['overall']:.3f}", f"{strata.min():.3f} to {strata.max():.3f}"]
            lines.append(f"| {' | '.join(cells)} | {coverage['measurement']:.3f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
