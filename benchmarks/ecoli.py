"""A second organism: predicts the folding of E. coli from sequence, on a fifth never seen.

    python -m benchmarks.ecoli --data data/ecoli -o runs/ecoli

The chromosome is a circle of 469 bins of 9,897 bp, and is too short for one test block to tell
much. Each of five folds therefore tests on another fifth; an eleventh validates, the rest trains,
and one window is left out between any two. The commands are those of `benchmarks.yeast`. What is
finished is not repeated. `--folds 0` runs one fold only; folds of the result file stay.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from akita_bayes import errors, files, regions
from akita_bayes.data import genome
from akita_bayes.data.contacts import counts_to_targets
from benchmarks import environment, kmer_ridge, map_ceiling, yeast, yeast_report

ROOT = Path(__file__).resolve().parents[1]
SPEC = ROOT / "benchmarks" / "specs" / "ecoli.json"
RESULT = ROOT / "benchmarks" / "results" / "ecoli.json"
GENOME = Path("genome") / "ecoli" / "GCF_000005845.2.fna.gz"
COOLER = Path("genome") / "ecoli" / "ecoli_SRX3451210_9897.cool"

BIN, BINS, WINDOW = 9897, 469, 20
FOLDS, VALID_BINS = 5, 43
STRIDES = {"train": 2, "valid": 4, "test": 4}
"""Bins between the starts of two windows of a split."""

TRANSFORM = counts_to_targets.Transform(
    WINDOW * BIN, BIN, crop=2 * BIN, as_obsexp=True, kernel_sigma=0.5
)
SURROUNDINGS = kmer_ridge.Surroundings(
    reach=25_000, flank=35_000, distances=(2, 4, 7, 16), every=1, part=464_000
)
_BASELINES = ("distance_only", "gc", "ridge", "ceiling")
LENGTHS, KERNELS = (16 * BIN, 20 * BIN, 24 * BIN, 32 * BIN), (0.0, 0.5, 1.0, 1.5)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs what is missing and writes the result file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of genome and map")
    parser.add_argument("-o", "--out_dir", type=Path, default=Path("runs/ecoli"))
    parser.add_argument("--folds", type=int, nargs="*", default=list(range(FOLDS)))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--spec", type=Path, default=SPEC)
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    out = options.out_dir
    out.mkdir(parents=True, exist_ok=True)
    for path in (options.data / GENOME, options.data / COOLER):
        if not path.is_file():
            raise errors.DataError(f"{path}: no such file; see docs/real.md for its source.")
    fasta = _twice_around(options.data / GENOME, out)
    for fold in options.folds:
        data = make(options.data, fold, out)
        limits = out / f"fold{fold}.json"
        if not limits.is_file():
            files.write_json(limits, _limits(options.data / COOLER, data, fasta))
        run = yeast.train(options.spec, data, out, fold, options.seed)
        if not (run / "test.json").is_file():
            row = {"fold": fold, "seed": options.seed, **yeast.judge([run], data)}
            row["valid_r"] = yeast.judge([run], data, "valid")["pearsonr"]
            files.write_json(run / "test.json", row)
    choices = out / "choices.json"
    if not choices.is_file():
        rows = map_ceiling.choices(options.data / COOLER, LENGTHS, KERNELS, TRANSFORM)
        files.write_json(choices, rows)
    earlier = files.read_json(options.result) if options.result.is_file() else {}
    result = collect(out, options.spec.stem, earlier)
    files.write_json(options.result, {**environment.describe(), **result})
    yeast_report.write_tables({"ecoli": table(result)})
    print(f"wrote {options.result}")


def windows(fold: int) -> list[tuple[int, str]]:
    """Returns the first bin and the split of each window of a fold.

    Bins count around the circle from 0 to 468. A window may cross the origin.
    """
    first, last = (round(BINS * edge / FOLDS) for edge in (fold, fold + 1))
    valid = last + WINDOW, last + WINDOW + VALID_BINS
    blocks = {
        "test": (first, last),
        "valid": valid,
        "train": (valid[1] + WINDOW, first + BINS - WINDOW),
    }
    return [
        (start % BINS, split)
        for split, (begin, end) in blocks.items()
        for start in range(begin, end - WINDOW + 1, STRIDES[split])
    ]


def make(folder: Path, fold: int, out: Path) -> Path:
    """Writes the data directory of a fold by `akita_data.py`, unless it exists; returns it."""
    from akita_bayes.cli import akita_data

    data = out / f"data_fold{fold}"
    if (data / "statistics.json").is_file():
        return data
    with genome.Genome(folder / GENOME) as source:
        (chrom,) = source.sizes
    table, bed = out / "targets.txt", out / f"windows_fold{fold}.bed"
    table.write_text(
        f"identifier\tfile\tdescription\necoli\t{(folder / COOLER).resolve()}\tMG1655\n"
    )
    bed.write_text(
        "".join(
            f"{chrom}\t{start * BIN}\t{(start + WINDOW) * BIN}\t{split}\n"
            for start, split in windows(fold)
        )
    )
    status = akita_data.main(
        [
            *(str(folder / GENOME), str(table), "-o", str(data), "--circular"),
            *("--windows", str(bed), "-w", str(BIN), "-c", str(TRANSFORM.crop)),
            *("--as_obsexp", "-k", str(TRANSFORM.kernel_sigma)),
        ]
    )
    if status:
        raise SystemExit(status)
    return data


def _twice_around(path: Path, out: Path) -> Path:
    """Writes the chromosome twice in a row, so that windows across the origin have a sequence."""
    fasta = out / "twice.fa"
    if not fasta.is_file():
        with genome.Genome(path) as source:
            sequences = {
                name: 2 * source.fetch(regions.Region(name, 0, size)).upper()
                for name, size in source.sizes.items()
            }
        with files.atomic(fasta) as temporary:
            genome.write_fasta(temporary, sequences)
    return fasta


def _limits(cooler: Path, data: Path, fasta: Path) -> dict[str, Any]:
    """Measures the ceiling and the regressions of a fold."""
    chosen_windows = map_ceiling.windows(data, "test")
    return {
        "test": map_ceiling.measure(cooler, chosen_windows, TRANSFORM, circular=True),
        "ridge": kmer_ridge.measure(data, fasta, surroundings=SURROUNDINGS),
        "gc": kmer_ridge.measure(data, fasta, k=1, surroundings=SURROUNDINGS),
    }


def collect(out: Path, spec: str, earlier: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Gathers the folds that lie in the folder, and their means.

    Args:
        out: The folder.
        spec: Name of the spec.
        earlier: An earlier result of this spec, whose folds stay unless the folder has newer ones.
    """
    earlier = earlier if earlier and earlier.get("spec") == spec else {}
    by_fold = {row["fold"]: row for row in earlier.get("rows", [])}
    limits = dict(earlier.get("limits", {}))
    for path in sorted(out.glob(f"{spec}_fold*_seed*/test.json")):
        row = files.read_json(path)
        by_fold[row["fold"]] = row
        limits[str(row["fold"])] = files.read_json(out / f"fold{row['fold']}.json")
    rows = [by_fold[fold] for fold in sorted(by_fold)]
    of_folds = {
        "model": [row["pearsonr"] for row in rows],
        "model_spearman": [row["spearmanr"] for row in rows],
        "model_insulation": [row["insulation"] for row in rows],
        "model_valid": [row["valid_r"] for row in rows],
        "distance_only": [row["distance_only"]["pearsonr"] for row in rows],
        **{
            name: [limits[str(row["fold"])][name]["map_r"] for row in rows]
            for name in ("ridge", "gc")
        },
        "ceiling": [limits[str(row["fold"])]["test"]["ceiling"] for row in rows],
    }
    return {
        "spec": spec,
        "choices": files.read_json(out / "choices.json"),
        "limits": limits,
        "rows": rows,
        "mean": {name: float(np.mean(values)) for name, values in of_folds.items()},
        "standard_error": {
            name: float(np.std(values, ddof=1) / np.sqrt(len(values)))
            for name, values in of_folds.items()
            if len(values) > 1
        },
    }


def table(result: Mapping[str, Any]) -> str:
    """Returns the Markdown table of all folds and their means."""
    rows = []
    for row in result["rows"]:
        limits = result["limits"][str(row["fold"])]
        low, high = row["pearsonr_95%"]
        values = (
            row["spearmanr"],
            row["insulation"],
            row["valid_r"],
            row["distance_only"]["pearsonr"],
            limits["gc"]["map_r"],
            limits["ridge"]["map_r"],
            limits["test"]["ceiling"],
        )
        name = f"fold {row['fold']}"
        own = f"{row['pearsonr']:.3f} ({low:.2f} to {high:.2f})"
        rows.append([name, own, *(f"{value:.3f}" for value in values)])
    mean, error = result["mean"], result["standard_error"]
    names = ("model", "model_spearman", "model_insulation", "model_valid", *_BASELINES)
    rows.append(
        ["mean and its standard error"]
        + [
            f"{mean[name]:.3f}" + (f" ± {error[name]:.3f}" if name in error else "")
            for name in names
        ]
    )
    headings = (
        *("", "Pearson", "Spearman", "insulation", "Pearson, validation", "distance alone"),
        *("GC content", "4-mer ridge", "ceiling"),
    )
    return yeast_report.markdown(headings, rows)


if __name__ == "__main__":
    main()
