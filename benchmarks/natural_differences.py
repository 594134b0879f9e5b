"""Intervals of variant scores from the differences between two strains, against the truth.

    akita_simulate.py --preset small --no_coolers --strain 0.01 -o runs/strains/1
    akita_simulate.py --preset small --no_coolers --strain 0.003 -o runs/strains/03
    akita_train.py akita_tiny runs/strains/1 -o runs/strains/run --seed 0
    python -m benchmarks.natural_differences runs/strains/run runs/strains/1 runs/strains/03

All folders have the same reference, and strains in which another share of the bases differs. The
intervals are fitted to measured maps alone. Reported for each strain: the share of measured squares
inside their intervals, which a user sees; the share of true differences of windows inside, on
chromosomes that did not fit the intervals; and the same for single variants of the test chromosome.
Beside them: sizes of measured squares without a model of their noise; intervals that are fitted to
variants of known effect on the validation chromosome; and one constant interval for all variants.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from akita_bayes.simulate import strains
from benchmarks import environment, run
from benchmarks.simulation_transfer import LEVEL, interval_score, scored

RESULT = run.RESULTS / "natural_differences.json"
SPLITS = ("valid", "test")


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and writes `results/natural_differences.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("run", type=Path, help="run directory trained on the reference")
    parser.add_argument("data", type=Path, nargs="+", help="folders of akita_simulate.py --strain")
    parser.add_argument("--variants", type=int, default=30, help="of each kind")
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    import akita_bayes as ab
    from akita_bayes.variants import options as settings

    model = ab.load_model(options.run)
    scoring = settings.Options(scores=("SCD",), draws=options.draws)
    fitted, tested = (
        scored(model, options.data[0], split, options.variants, scoring, seed=seed)
        for seed, split in enumerate(SPLITS)
    )
    rows: dict[str, Any] = {"reference": reference(fitted, tested)}
    for data in options.data:
        name = f"{substituted_share(data):.1%}"
        rows[name] = strain(model, data, tested, scoring)
        print(name, rows[name], flush=True)
    run.write(options.result, {**environment.describe(), "strains": rows})
    print(table(rows))


def substituted_share(data: Path) -> float:
    """Returns the share of bases of held-out windows in which the strain differs."""
    from akita_bayes import regions

    with open(data / strains.VARIANTS, encoding="ascii") as lines:
        variants = sum(not line.startswith("#") for line in lines)
    held_out = {
        region.chrom: region.end
        for region, (split, *_) in regions.read_bed(data / "sequences.bed")
        if split in SPLITS
    }
    return variants / sum(held_out.values())


def reference(fitted: pd.DataFrame, tested: pd.DataFrame) -> dict[str, Any]:
    """Returns intervals from variants of known effect, and one constant interval."""
    from akita_bayes.variants.scores import conformal

    columns = (fitted[name].to_numpy() for name in ("truth", "score", "sd"))
    widening = conformal.fit(*columns, level=LEVEL, variants=fitted["id"].to_numpy())
    low, high = np.quantile(fitted["truth"], (0.05, 0.95))
    size = np.ones(len(tested))
    return {
        "known effects": single(tested, *widening.interval(*_predicted(tested))),
        "constant": single(tested, low * size, high * size),
    }


def strain(model: Any, data: Path, tested: pd.DataFrame, scoring: Any) -> dict[str, Any]:
    """Fits intervals to the differences of a strain, with and without a model of their noise."""
    from akita_bayes.variants.intervals import (
        cross_fitted,
        measured_differences,
        natural_differences,
    )

    sources = measured_differences.Sources.of_sample(
        data,
        data / strains.FOLDER,
        fasta=str(data / "genome.fa"),
        vcf=str(data / strains.VARIANTS),
        sample=strains.SAMPLE,
    )
    intervals = natural_differences.calibrate_scores(model, sources, scoring=scoring, level=LEVEL)
    rows = with_truth(intervals.tested, data)
    sizes = cross_fitted.fit(rows.assign(edit=pd.factorize(rows["id"])[0]), "SCD", LEVEL)
    widening = intervals.widenings["SCD"]
    return {
        "windows": int(rows["id"].nunique()),
        "noise": float(np.sqrt(rows["variance"].mean())),
        "median truth": float(rows["truth"].median()),
        "squares": float(rows["square"].between(rows["square_low"], rows["square_high"]).mean()),
        "differences": of_windows(rows),
        "without noise": of_windows(sizes.tested),
        "variants": single(tested, *widening.interval(*_predicted(tested))),
        "variants without noise": single(tested, *sizes.widening.interval(*_predicted(tested))),
    }


def with_truth(rows: pd.DataFrame, data: Path) -> pd.DataFrame:
    """Returns the rows with the true score of every window and target."""
    from akita_bayes import regions

    windows: dict[str, list[str]] = {split: [] for split in SPLITS}
    for region, (split, *_) in regions.read_bed(data / "sequences.bed"):
        if split in windows:
            windows[split].append(str(region))
    true: dict[str, np.ndarray] = {}
    for split, names in windows.items():
        first, second = (
            np.load(folder / "truth" / f"{split}.npz")["truth"].astype(np.float64)
            for folder in (data, data / strains.FOLDER)
        )
        true |= dict(zip(names, np.sqrt(np.sum((second - first) ** 2, axis=1)), strict=True))
    targets = {name: number for number, name in enumerate(dict.fromkeys(rows["target"]))}
    values = [
        true[window][targets[name]] for window, name in zip(rows["id"], rows["target"], strict=True)
    ]
    return rows.assign(truth=values)


def _predicted(rows: pd.DataFrame) -> tuple[Any, Any]:
    return rows["score"].to_numpy(), rows["sd"].to_numpy()


def of_windows(rows: pd.DataFrame) -> dict[str, float]:
    """Returns how often intervals contain the true difference of windows, and their width."""
    inside = rows["truth"].between(rows["ci_low"], rows["ci_high"])
    thirds = pd.qcut(rows["score"], 3, labels=False)
    return {
        "inside": float(inside.mean()),
        "lowest third": float(inside.groupby(thirds).mean().min()),
        "width": float((rows["ci_high"] - rows["ci_low"]).mean()),
    }


def single(rows: pd.DataFrame, low: Any, high: Any) -> dict[str, Any]:
    """Returns how often intervals contain the true scores of single variants, and their score."""
    truth = rows["truth"].to_numpy()
    inside = pd.Series((low <= truth) & (truth <= high))
    by_kind = inside.groupby(rows["kind"].to_numpy()).mean()
    return {
        "inside": float(inside.mean()),
        "lowest kind": float(by_kind.min()),
        "width": float(np.mean(high - low)),
        "score": interval_score(low, high, truth),
    }


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the numbers as `docs/variant_truth.md` shows them."""
    columns = ["intervals from", "measured squares inside", "true differences inside"]
    columns += ["lowest third", "width", "single variants inside", "lowest kind", "width"]
    columns += ["interval score"]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name, row in rows.items():
        if name == "reference":
            continue
        for label, windows, variants in (
            (f"strain, {name} of bases", "differences", "variants"),
            ("the same, noise taken as difference", "without noise", "variants without noise"),
        ):
            squares = f"{row['squares']:.1%}" if windows == "differences" else ""
            own = row[windows]
            cells = [label, squares, f"{own['inside']:.1%}", f"{own['lowest third']:.1%}"]
            cells += [f"{own['width']:.1f}", *_single(row[variants])]
            lines.append(f"| {' | '.join(cells)} |")
    for label, name in (
        ("variants of known effect", "known effects"),
        ("one interval for all", "constant"),
    ):
        cells = [label, "", "", "", "", *_single(rows["reference"][name])]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _single(row: Mapping[str, float]) -> list[str]:
    shares = [f"{row[name]:.1%}" for name in ("inside", "lowest kind")]
    return [*shares, f"{row['width']:.1f}", f"{row['score']:.1f}"]


if __name__ == "__main__":
    main()
