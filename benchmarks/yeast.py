"""A real genome: predicts the folding of budding yeast from sequence, on chromosomes never seen.

    python -m benchmarks.yeast --data data/yeast -o runs/yeast [--fold 0] [--seed 0] [--spec S]

Makes the data of a fold, measures how reproducible they are, trains (an interrupted training
continues where it stopped), tests the run, and writes `results/yeast.json` and a figure from all
runs in the folder; rows of other folders stay in the result file. Run it again with other folds,
seeds and specs to add rows; runs of one fold and spec are also tested as an ensemble. `--stage
ceiling` and `--stage collect` do only that. `--stage picture` draws a whole test chromosome by the
shipped model, and tests its intervals on the second experiment (`yeast_picture`, `yeast_second`).
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akita_bayes import files
from benchmarks import environment, kmer_ridge, map_ceiling, yeast_data

ROOT = Path(__file__).resolve().parents[1]
SPEC = ROOT / "models" / "json" / "akita_yeast.json"
RESULT = ROOT / "benchmarks" / "results" / "yeast.json"
FIGURE = ROOT / "docs" / "images" / "yeast.png"
DRAWS = 8
"""SWAG draws of each training, all that the spec stores."""

LATENT_DRAWS = 16
"""Draws of a latent or a Bayesian last layer, instead of strands and shifts."""

LENGTHS, KERNELS = (64_000, 128_000, 256_000), (0.0, 1.0, 1.5, 2.0)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs what is missing and writes the result file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("data") / "yeast",
        help="folder with the map, the genome and the second map, as docs/real.md describes it",
    )
    parser.add_argument("-o", "--out_dir", type=Path, default=Path("runs/yeast"))
    parser.add_argument("--fold", type=int, default=0, choices=range(len(yeast_data.FOLDS)))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--spec", type=Path, default=SPEC)
    parser.add_argument(
        "--restore", help="weights to start from, for example akita_yeast for a posterior of fold 0"
    )
    parser.add_argument(
        "--stage", choices=("all", "ceiling", "train", "collect", "picture"), default="all"
    )
    parser.add_argument("--result", type=Path, default=RESULT)
    parser.add_argument("--figure", type=Path, default=FIGURE)
    options = parser.parse_args(argv)
    out = options.out_dir
    out.mkdir(parents=True, exist_ok=True)
    if options.stage != "collect":
        sources = yeast_data.Sources.under(options.data)
        data = yeast_data.make(sources, options.fold, out)
    if options.stage in ("all", "ceiling"):
        _ceilings(sources, data, out, options.fold)
    if options.stage in ("all", "train"):
        run = train(options.spec, data, out, options.fold, options.seed, restore=options.restore)
        _tested([run], data, out)
        runs = [run, *_other_runs(run)]
        if len(runs) > 1:
            _tested(sorted(runs), data, out)
    if options.stage == "picture":
        _picture(sources, out)
    earlier = files.read_json(options.result) if options.result.is_file() else {}
    result = collect(out, earlier)
    files.write_json(options.result, {**environment.describe(), **result})
    print(f"wrote {options.result}")
    _report(result, out, options.figure)


def train(
    spec: Path, data: Path, out: Path, fold: int, seed: int, *, restore: str | None = None
) -> Path:
    """Trains by `akita_train.py`, or continues an interrupted training; returns the run."""
    from akita_bayes.cli import akita_train

    run = out / f"{spec.stem}_fold{fold}_seed{seed}"
    done = run / "training.json"
    if done.is_file():
        return run
    interrupted = (run / "provenance.json").is_file()
    started = time.monotonic(), time.process_time()
    arguments = [str(spec), str(data), "-o", str(run), "--seed", str(seed), "--no_tensorboard"]
    arguments += ["--checkpoint_minutes", "3", *(["--resume"] if interrupted else [])]
    arguments += ["--restore", restore] if restore else []
    if status := akita_train.main(arguments):
        raise SystemExit(status)
    seconds = {
        "seconds": time.monotonic() - started[0],
        "cpu_seconds": time.process_time() - started[1],
    }
    # An interrupted training has no time that could be compared.
    files.write_json(
        done, {"spec": spec.stem, "fold": fold, "seed": seed, **({} if interrupted else seconds)}
    )
    return run


def _other_runs(run: Path) -> list[Path]:
    """Returns the finished runs of the same spec and fold with other seeds."""
    group = run.name.rpartition("_seed")[0]
    return [
        path.parent
        for path in run.parent.glob(f"{group}_seed*/training.json")
        if path.parent != run
    ]


def _ceilings(sources: yeast_data.Sources, data: Path, out: Path, fold: int) -> None:
    path, transform = sources.cooler, yeast_data.TRANSFORM
    names = yeast_data.NAMES
    genome = {
        "choices": lambda: map_ceiling.choices(path, LENGTHS, KERNELS, transform),
        "second_experiment": lambda: map_ceiling.second_experiment(path, sources.second, names),
    }
    splits = {
        split: lambda split=split: map_ceiling.measure(
            path, map_ceiling.windows(data, split), transform
        )
        for split in ("valid", "test")
    }
    fasta = out / yeast_data.FASTA
    ridge = {
        "ridge": lambda: kmer_ridge.measure(data, fasta),
        "gc": lambda: kmer_ridge.measure(data, fasta, k=1),
    }
    for file, measurements in (
        ("genome.json", genome),
        (f"fold{fold}.json", splits),
        (f"ridge_fold{fold}.json", ridge),
    ):
        if not (out / file).is_file():
            files.write_json(out / file, {name: call() for name, call in measurements.items()})


def _tested(runs: list[Path], data: Path, out: Path) -> None:
    """Tests a run, or several as an ensemble, once; the answer is kept beside them."""
    answer = runs[0] / "test.json" if len(runs) == 1 else out / f"{_group(runs[0])}_ensemble.json"
    about = [files.read_json(run / "training.json") for run in runs]
    seeds = [row["seed"] for row in about]
    if answer.is_file() and files.read_json(answer)["seeds"] == seeds:
        return
    row = {"spec": about[0]["spec"], "fold": about[0]["fold"], "seeds": seeds, **judge(runs, data)}
    validated = judge(runs, data, "valid")
    row["valid"] = {key: validated[key] for key in ("pearsonr", "r2", "insulation")}
    row["valid"]["plain"] = validated["plain"]["pearsonr"]
    if len(runs) == 1:
        row["training"] = {k: about[0][k] for k in ("seconds", "cpu_seconds") if k in about[0]}
    files.write_json(answer, row)
    print(json.dumps(row))


def _group(run: Path) -> str:
    return run.name.rpartition("_seed")[0]


def judge(runs: list[Path], data: Path, split: str = "test") -> dict[str, Any]:
    """Returns accuracy and calibration of a run, or of an ensemble of runs, on a split.

    The numbers are those of `akita_test.py --rc --shifts=-2,-1,0,1,2`, or for a latent or a
    Bayesian last layer of `akita_test.py --draws 16`; of `akita_test.py` alone (`plain`); and of
    `akita_calibrate.py`, which writes the factors into the first run.
    """
    from akita_bayes.evaluate import accuracy
    from akita_bayes.evaluate.intervals import calibrate
    from akita_bayes.models import load, recalibration
    from akita_bayes.models.passes import cut

    model = load.load_model([str(run) for run in runs] if len(runs) > 1 else runs[0])
    maps: list[NDArray[Any]] = []
    has_posterior = any(cut.posteriors(member) for member in model.members)
    averaged: dict[str, Any] = (
        {"draws": LATENT_DRAWS} if has_posterior else {"rc": True, "shifts": yeast_data.SHIFTS}
    )
    report = accuracy.assess(model, data, split=split, examples=0, save=maps.append, **averaged)
    plain = accuracy.assess(model, data, split=split, examples=0)
    row: dict[str, Any] = {
        "windows": len(report.windows[0]),
        **_first(report.model.table()),
        "pearsonr_95%": interval(maps, data, split),
        "plain": _first(plain.model.table()),
        "distance_only": _first(report.baseline.table()),
        "strata": report.strata,
        "by_distance": [float(r[0]) for r in report.by_distance],
        "insulation": None if report.insulation is None else float(report.insulation[0]),
        "by_window": {
            name: float(r[0]) for name, r in zip(report.windows[0], report.windows[1], strict=True)
        },
    }
    if split == "test":
        calibrated = calibrate.calibrate(model, data, draws=DRAWS * len(runs))
        recalibration.save(runs, calibrated.head, calibrated.recalibration)
        states = {"stated": calibrated.before, "recalibrated": calibrated.after}
        row["calibration"] = {name: _overall(summary) for name, summary in states.items()}
    return row


def interval(
    maps: Sequence[NDArray[Any]], data: Path, split: str, *, draws: int = 2000
) -> tuple[float, float]:
    """Returns the 95 % interval of Pearson's r by a bootstrap over windows.

    Args:
        maps: Predicted maps of all windows in the order of the split. [P, 1] each.
        data: The data directory.
        split: The split.
        draws: Number of resamplings.
    """
    from akita_bayes.data.records import dataset

    sums = []
    batches = dataset.open_split(data, split, batch_size=1).batches()
    for predicted, batch in zip(maps, batches, strict=True):
        mask = batch["mask"].numpy()[0]
        x = predicted[mask].astype(float)
        y = batch["target"].numpy()[0][mask].astype(float)
        sums.append([len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y])
    weights = np.random.default_rng(0).multinomial(len(sums), [1 / len(sums)] * len(sums), draws)
    n, x, y, xx, yy, xy = (weights @ np.array(sums)).T
    r = (n * xy - x * y) / np.sqrt((n * xx - x**2) * (n * yy - y**2))
    low, high = np.quantile(r, (0.025, 0.975))
    return float(low), float(high)


def _overall(summary: Mapping[str, Any]) -> dict[str, float]:
    names = ("coverage_50%", "coverage_90%", "crps", "nll")
    scores = {name: summary["overall"].get(name) for name in names}
    return {name: score["estimate"] for name, score in scores.items() if score}


def _first(table: dict[str, list[float]]) -> dict[str, float]:
    """Returns the scores of the first target, the only one."""
    return {name: values[0] for name, values in table.items()}


def _picture(sources: yeast_data.Sources, out: Path) -> None:
    """Draws a test chromosome by the shipped model, and tests it on the second experiment."""
    from benchmarks import yeast_picture, yeast_second

    fasta = out / yeast_data.FASTA
    names = yeast_data.FOLDS[0]
    chromosomes = yeast_picture.chromosomes(sources, fasta, (*names, *yeast_data.VALID))
    tested = [chromosomes[name] for name in names]
    yeast_picture.draw(tested)
    files.write_json(
        out / "second.json",
        {
            "model": yeast_picture.MODEL,
            "r_by_chromosome": {item.region.chrom: item.r for item in tested},
            **yeast_second.measure(sources, chromosomes, yeast_data.VALID, names),
        },
    )


def collect(out: Path, earlier: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Gathers the ceilings and rows that lie in the folder.

    Args:
        out: The folder.
        earlier: An earlier result, whose rows and ceilings stay unless the folder has newer ones.
    """
    earlier = earlier or {}
    rows = [files.read_json(path) for path in sorted(out.glob("*_seed*/test.json"))]
    ensembles = [files.read_json(path) for path in sorted(out.glob("*_ensemble.json"))]
    ceilings = dict(earlier.get("ceilings", {})) | {
        str(fold): {
            **files.read_json(out / f"fold{fold}.json"),
            **files.read_json(out / f"ridge_fold{fold}.json"),
        }
        for fold in range(len(yeast_data.FOLDS))
        if (out / f"fold{fold}.json").is_file()
    }
    for row in (*rows, *ensembles):
        if str(row["fold"]) in ceilings:
            ceiling = ceilings[str(row["fold"])]["test"]["ceiling"]
            row["share_of_ceiling"] = row["pearsonr"] / ceiling
    whole = {
        name: files.read_json(out / file) if (out / file).is_file() else earlier.get(name)
        for name, file in (("genome", "genome.json"), ("second", "second.json"))
    }
    return {
        "folds": {str(fold): list(names) for fold, names in enumerate(yeast_data.FOLDS)},
        "valid": list(yeast_data.VALID),
        **whole,
        "ceilings": dict(sorted(ceilings.items())),
        "rows": _merged(earlier.get("rows", []), rows),
        "ensembles": _merged(earlier.get("ensembles", []), ensembles),
    }


def _merged(
    earlier: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Returns all rows by spec, fold and seeds; a new row replaces an earlier one."""
    rows = {
        (row["spec"] != SPEC.stem, row["spec"], row["fold"], tuple(row["seeds"])): row
        for row in (*earlier, *new)
    }
    return [rows[key] for key in sorted(rows)]


def _report(result: dict[str, Any], out: Path, path: Path) -> None:
    """Writes the tables of docs/real.md, and the figure if its run lies in the folder."""
    from benchmarks import yeast_report

    if not result["rows"]:
        return
    yeast_report.write_tables(yeast_report.tables(result))
    row = result["rows"][0]
    run = out / f"{row['spec']}_fold{row['fold']}_seed{row['seeds'][0]}"
    if not run.is_dir():
        return
    figure = yeast_report.figure(
        row, result["ceilings"][str(row["fold"])], run, out / f"data_fold{row['fold']}"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
