"""Which model predicts best, and which one knows how sure it may be: the same data, three seeds.

Trains every model below on a simulated data set, with one schedule and likelihood for all rows,
recalibrates it on the validation split, and judges it on the test split against the measured maps
and against the noise-free truth. Finished runs are kept and not trained again, so an interrupted
benchmark goes on where it stopped, and several processes can share the rows (--only).

    akita_simulate.py --preset medium --no_coolers -o runs/accuracy/data
    python -m benchmarks.accuracy runs/accuracy/data -o runs/accuracy [--only ROWS] [--seeds 0,1,2]
"""

import argparse
import json
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.stats

from akita_bayes import dna, files
from benchmarks import accuracy_report, environment

ROOT = Path(__file__).resolve().parents[1]
ZOO = ROOT / "models" / "json"
DRAWS = 32
MEMBERS = 5
SCHEDULE = {
    "learning_rate": None,
    "warmup_steps": 0,
    "initial_learning_rate": 0.001,
    "maximal_learning_rate": 0.006,
    "final_learning_rate": 0.0005,
    "train_epochs_cycle1": 2,
    "train_epochs_max": 6,
    "swa": {"start": 4, "annealing_epochs": 1, "learning_rate": 0.001, "snapshots": 5},
    "loss": "elbo",
    "elbo": {"observation_noise": "target", "initial_noise": 0.5},
}
"""What every row trains with: up, down, two epochs of averaging; a Gaussian whose noise is learned
per target. Rows differ in trunk and posterior alone."""


class Entry(NamedTuple):
    """Holds a row of the table.

    Attributes:
        spec: File of the zoo.
        run: Name of the training that it reads; several rows may share one.
        train: Further changes to the spec's train section.
        posterior: Which posterior is drawn: "point", "latent", "weights", "swag" or "ensemble".
    """

    spec: str
    run: str
    train: dict[str, Any]
    posterior: str


SWAG = {"swa": {"swag_rank": 8}}
ENTRIES = {
    "akita": Entry("akita_tiny", "akita", {}, "point"),
    "transformer": Entry("akita_transformer_tiny", "transformer", SWAG, "point"),
    "vae": Entry("akita_vae_tiny", "vae", {"elbo": {"kl_warmup": 2.0}}, "latent"),
    "vae (paper's objective)": Entry(
        "akita_vae_tiny",
        "vae_paper",
        {"elbo": {"reduction": "paper", "free_bits": 0.0, "kl_warmup": 0.0}},
        "latent",
    ),
    "dense_variational": Entry("akita_dense_variational_tiny", "dense_variational", {}, "weights"),
    "SWAG": Entry("akita_transformer_tiny", "transformer", SWAG, "swag"),
    "ensemble of 5": Entry("akita_tiny", "akita", {}, "ensemble"),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Runs what is missing, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, help="simulated data directory")
    parser.add_argument("-o", "--out_dir", type=Path, default=Path("runs/accuracy"))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", help="rows to run, comma-separated")
    parser.add_argument("--result", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args(argv)
    seeds = [int(seed) for seed in options.seeds.split(",")]
    names = options.only.split(",") if options.only else list(ENTRIES)
    rows = []
    for name in names:
        for seed in seeds if ENTRIES[name].posterior != "ensemble" else seeds[:1]:
            rows.append(_row(name, seed, options))
            print(json.dumps(rows[-1]), flush=True)
    if set(names) == set(ENTRIES):
        ceiling = files.read_json(options.data / "truth" / "ceiling.json")
        result = {
            **environment.describe(),
            "data": files.read_json(options.data / "simulation.json"),
            "ceiling": ceiling,
            "draws": DRAWS,
            "rows": rows,
        }
        files.write_json(options.result / "accuracy.json", result)
        accuracy_report.write(result)


def _row(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    row_file = options.out_dir / "rows" / f"{re.sub('[^a-z0-9]+', '_', name.lower())}-{seed}.json"
    if row_file.is_file():
        return files.read_json(row_file)
    entry = ENTRIES[name]
    seeds = range(MEMBERS) if entry.posterior == "ensemble" else (seed,)
    runs = [_train(entry, seed, options) for seed in seeds]
    row = {"model": name, "seed": seed, **_judge(entry, runs, options.data)}
    row["epochs"] = float(np.mean([_epochs(run) for run in runs]))
    seconds = [files.read_json(run / "seconds.json") for run in runs]
    row["seconds"] = None if None in seconds else sum(seconds)
    files.write_json(row_file, row)
    return row


def _train(entry: Entry, seed: int, options: argparse.Namespace) -> Path:
    """Trains in this process; the run directory is the answer."""
    from akita_bayes.models import zoo
    from akita_bayes.training import fit

    run = options.out_dir / f"{entry.run}-{seed}"
    if (run / "seconds.json").is_file():
        return run
    raw = files.read_json(ZOO / f"{entry.spec}.json")
    own = {"elbo": raw["train"].get("elbo", {})}
    raw["train"] = {k: v for k, v in {**raw["train"], **SCHEDULE}.items() if v is not None}
    for key, value in [*own.items(), *entry.train.items()]:
        raw["train"][key] = {**raw["train"].get(key, {}), **value}
    interrupted = (run / "history.csv").is_file()
    started = time.monotonic()
    fit.fit(
        zoo.parse_spec(raw),
        options.data,
        out_dir=run,
        seed=seed,
        resume=True,
        tensorboard=False,
    )
    # an interrupted training has no time that could be compared
    files.write_json(run / "seconds.json", None if interrupted else time.monotonic() - started)
    return run


def _epochs(run: Path) -> int:
    """Passes over the data; the row of the averaged weights is none."""
    return int(pd.read_csv(run / "history.csv")["train_loss"].count())


def _judge(entry: Entry, runs: list[Path], data: Path) -> dict[str, Any]:
    from akita_bayes.evaluate.intervals import calibrate
    from akita_bayes.models import load

    model = load.load_model([str(run) for run in runs] if len(runs) > 1 else runs[0])
    if entry.posterior == "point":
        for member in model.members:
            member.swag_draws = None
    report = calibrate.calibrate(model, data, draws=DRAWS)
    truth = np.load(data / "truth" / "test.npz")["truth"].astype(np.float32)
    mean = np.stack([part.mean for part in report.tested])
    target = np.stack([part.target for part in report.tested])
    mask = np.stack([part.mask for part in report.tested])
    after = report.after
    spread = np.stack([part.epistemic_sd for part in report.tested])
    truth_coverage = {
        state: report.maps[state]["overall"]["truth_coverage"] if spread.any() else None
        for state in ("before", "after")
    }
    coverage = [
        stratum["coverage_90%"]["estimate"]
        for target_strata in after["strata"]
        for stratum in target_strata
        if stratum["coverage_90%"] is not None
    ]
    history = pd.read_csv(runs[0] / "history.csv")
    return {
        "mse": float(np.mean((mean - target)[mask] ** 2)),
        "pearson": _per_target(_pearson, mean, target, mask),
        "spearman": _per_target(_spearman, mean, target, mask),
        "pearson_truth": _per_target(_pearson, mean, truth, mask),
        "spearman_truth": _per_target(_spearman, mean, truth, mask),
        "crps": after["overall"]["crps"]["estimate"],
        "crps_constant_sd": _crps_of_constant_sd(mean, target, mask),
        "nll": after["overall"]["nll"]["estimate"],
        "coverage_90": after["overall"]["coverage_90%"]["estimate"],
        "coverage_90_lowest": min(coverage),
        "coverage_90_highest": max(coverage),
        "truth_90_stated": truth_coverage["before"],
        "truth_90": truth_coverage["after"],
        **_strangeness(model, data),
        "kl": _of_best(history, "valid_kl"),
        "active_units": _of_best(history, "valid_active_units"),
    }


def _crps_of_constant_sd(mean: Any, target: Any, mask: Any) -> float:
    """CRPS with the best constant sd of each target, which no model can know beforehand."""
    from akita_bayes.evaluate.intervals import calibration

    residuals = [(target - mean)[..., t][mask[..., t]] for t in range(mean.shape[-1])]
    scores = [calibration.crps(row / row.std(), np.full(row.shape, row.std())) for row in residuals]
    return float(np.mean(np.concatenate(scores)))


def _strangeness(model: Any, data: Path) -> dict[str, float | None]:
    """Mean epistemic sd on strange sequences, relative to that on the test windows themselves."""
    from akita_bayes.data.records import dataset
    from akita_bayes.models import posterior

    split = dataset.open_split(data, "test", batch_size=16)
    x = np.concatenate([batch["sequence"].numpy() for batch in split.batches()])[:32]
    usual = posterior.sample_posterior(model, x, draws=DRAWS).epistemic_sd.mean()
    if usual == 0:
        return {"epistemic_shuffled": None, "epistemic_gc": None}
    generator = np.random.default_rng(0)
    shuffled = np.stack([generator.permutation(window) for window in x])
    gc_rich = dna.index_to_one_hot(
        generator.choice(4, x.shape[:2], p=[0.15, 0.35, 0.35, 0.15]).astype(np.uint8)
    )
    scores = [
        posterior.sample_posterior(model, strange, draws=DRAWS).epistemic_sd.mean()
        for strange in (shuffled, gc_rich)
    ]
    return {
        "epistemic_shuffled": float(scores[0] / usual),
        "epistemic_gc": float(scores[1] / usual),
    }


def _of_best(history: pd.DataFrame, column: str) -> float | None:
    """A column's value for the weights that are kept and judged."""
    return float(history[history["best"] == 1][column].iloc[-1]) if column in history else None


def _per_target(function: Any, first: Any, second: Any, mask: Any) -> float:
    values: Iterator[float] = (
        function(first[..., t][mask[..., t]], second[..., t][mask[..., t]])
        for t in range(first.shape[-1])
    )
    return float(np.mean(list(values)))


def _pearson(a: Any, b: Any) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def _spearman(a: Any, b: Any) -> float:
    return float(scipy.stats.spearmanr(a, b).statistic)


if __name__ == "__main__":
    main()
