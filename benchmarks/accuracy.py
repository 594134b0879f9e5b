"""Which posterior, on which trunk: accuracy and intervals on the same simulated data, three seeds.

    akita_simulate.py --preset small --no_coolers --seed 1 -o runs/accuracy/data
    python -m benchmarks.accuracy runs/accuracy/data -o runs/accuracy [--only ROWS] [--seeds 0,1,2]

Both trunks have the same convolutions, and then dilated convolutions or attention. Every posterior
is on both trunks. Networks without posterior train until their validation loss stops; the last
layer and the latent start at this deterministic twin and train for three more epochs. Every network
is recalibrated on the validation split, and judged on the test split against the measured maps and
against the noise-free truth. `python -m benchmarks.accuracy DATA --search` compares learning rates
on the validation split, as many for each trunk. Finished runs are not trained again, so that a
stopped benchmark continues, and several processes can share the rows (--only).
"""

import argparse
import copy
import json
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import scipy.stats

from akita_bayes import dna, files
from benchmarks import accuracy_report, environment

ROOT = Path(__file__).resolve().parents[1]
SPECS = ROOT / "benchmarks" / "specs"
DRAWS = 32
TRUNKS = ("convolution", "transformer")
Posterior = Literal["none", "SWAG", "last layer", "latent", "latent, paper's objective", "ensemble"]
POSTERIORS: tuple[Posterior, ...] = (
    "none",
    "SWAG",
    "last layer",
    "latent",
    "latent, paper's objective",
    "ensemble",
)

RATES = (0.003, 0.006, 0.012)
"""Largest learning rates that `--search` compares, for each trunk."""

SEARCH_SEED = 100
SEARCH = {"train_epochs_cycle1": 2, "train_epochs_max": 4, "swa": None}
"""The trainings of `--search`: up, down, and two epochs at the lowest rate."""

POSTERIOR_EPOCHS = 3
LATENT = {"name": "normal_latent", "initial_scale": 0.05}
ELBO = {"observation_noise": "target", "initial_noise": 0.4, "kl_warmup": 1.0}


class Row(NamedTuple):
    """Names a row of the table.

    Attributes:
        trunk: Name of the trunk.
        posterior: What is drawn; the ensemble draws the networks of all seeds.
    """

    trunk: str
    posterior: Posterior

    @property
    def name(self) -> str:
        """Returns the name in the table."""
        return self.trunk if self.posterior == "none" else f"{self.trunk}, {self.posterior}"

    @property
    def has_own_training(self) -> bool:
        """Returns True for posteriors that are trained, and not made from networks without."""
        return self.posterior not in ("none", "SWAG", "ensemble")


ROWS = {row.name: row for row in (Row(t, p) for t in TRUNKS for p in POSTERIORS)}


def main(argv: Sequence[str] | None = None) -> None:
    """Runs what is missing, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, help="simulated data directory")
    parser.add_argument("-o", "--out_dir", type=Path, default=Path("runs/accuracy"))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", help='rows to run, separated by ";"')
    parser.add_argument("--search", action="store_true", help="compare learning rates, and stop")
    parser.add_argument("--result", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args(argv)
    if options.search:
        print(json.dumps(_search(options), indent=2))
        return
    seeds = [int(seed) for seed in options.seeds.split(",")]
    names = options.only.split(";") if options.only else list(ROWS)
    rows = []
    for name in names:
        for seed in seeds if ROWS[name].posterior != "ensemble" else seeds[:1]:
            rows.append(_row(ROWS[name], seed, seeds, options))
            print(json.dumps(rows[-1]), flush=True)
    if set(names) == set(ROWS):
        ceiling = files.read_json(options.data / "truth" / "ceiling.json")
        result = {
            **environment.describe(),
            "data": files.read_json(options.data / "simulation.json"),
            "ceiling": ceiling,
            "draws": DRAWS,
            "search": _searched(options.out_dir),
            "rows": rows,
        }
        files.write_json(options.result / "accuracy.json", result)
        accuracy_report.write(result)


def spec_of(row: Row) -> dict[str, Any]:
    """Returns the spec of a row as parsed JSON: that of its trunk, with the posterior added."""
    spec: dict[str, Any] = files.read_json(SPECS / f"accuracy_{row.trunk}.json")
    spec["train"]["elbo"] = dict(ELBO)
    if not row.has_own_training:
        return spec
    train, head = spec["train"], spec["model"]["head_hic"]
    if row.posterior == "last layer":
        head[-1]["name"] = "dense_variational"
    else:
        channels = spec["model"]["trunk"][-1].get("units") or _channels(spec)
        head.insert(0, {**LATENT, "units": channels})
    if row.posterior == "latent, paper's objective":
        train["elbo"] |= {"reduction": "paper", "kl_warmup": 0.0}
    rate = train["maximal_learning_rate"]
    train |= {
        "initial_learning_rate": rate / 12,
        "maximal_learning_rate": rate / 4,
        "final_learning_rate": rate / 24,
        "train_epochs_cycle1": 1,
        "train_epochs_max": POSTERIOR_EPOCHS,
        "swa": None,
    }
    return spec


def _channels(spec: dict[str, Any]) -> int:
    """Returns the channels of the trunk, with which a latent can start at its twin."""
    from akita_bayes.models import build, zoo

    return int(build.trunk(build.build(zoo.parse_spec(spec))).output.shape[-1])


def _row(row: Row, seed: int, seeds: Sequence[int], options: argparse.Namespace) -> dict[str, Any]:
    row_file = (
        options.out_dir / "rows" / f"{re.sub('[^a-z0-9]+', '_', row.name.lower())}-{seed}.json"
    )
    if row_file.is_file():
        return files.read_json(row_file)
    members = seeds if row.posterior == "ensemble" else (seed,)
    twins = [_train(Row(row.trunk, "none"), member, options) for member in members]
    runs = twins
    if row.has_own_training:
        runs = [_train(row, seed, options, twin=twins[0])]
    judged = {"model": row.name, "seed": seed, **_judge(row, runs, options.data)}
    judged["epochs"] = float(np.mean([_epochs(run) for run in runs]))
    seconds = [files.read_json(run / "seconds.json") for run in runs]
    judged["seconds"] = None if None in seconds else sum(seconds)
    files.write_json(row_file, judged)
    return judged


def _train(row: Row, seed: int, options: argparse.Namespace, *, twin: Path | None = None) -> Path:
    """Trains in this process, unless the run is finished; returns its directory."""
    name = re.sub("[^a-z0-9]+", "_", row.name.lower())
    return fit_spec(spec_of(row), seed, options.data, options.out_dir / f"{name}-{seed}", twin=twin)


def fit_spec(
    spec: dict[str, Any], seed: int, data: Path, run: Path, *, twin: Path | None = None
) -> Path:
    from akita_bayes.models import zoo
    from akita_bayes.training import fit

    if (run / "seconds.json").is_file():
        return run
    interrupted = (run / "history.csv").is_file()
    started = time.process_time()
    fit.fit(
        zoo.parse_spec(spec),
        data,
        out_dir=run,
        seed=seed,
        resume=True,
        restore=twin,
        tensorboard=False,
    )
    # An interrupted training has no time that could be compared.
    files.write_json(run / "seconds.json", None if interrupted else time.process_time() - started)
    return run


def _search(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Trains each trunk with each rate; returns the lowest validation losses."""
    for trunk in TRUNKS:
        for rate in RATES:
            spec = copy.deepcopy(spec_of(Row(trunk, "none")))
            spec["train"] |= SEARCH | rates_of(rate)
            run = options.out_dir / f"search_{trunk}_{rate}"
            fit_spec(spec, SEARCH_SEED, options.data, run)
    return _searched(options.out_dir)


def rates_of(rate: float) -> dict[str, float]:
    """Returns the rates of a schedule whose largest is given."""
    return {
        "initial_learning_rate": rate / 4,
        "maximal_learning_rate": rate,
        "final_learning_rate": rate / 12,
    }


def _searched(out_dir: Path) -> dict[str, dict[str, float]]:
    """Returns the lowest validation loss of each trunk and rate whose training is finished."""
    return {
        trunk: {
            str(rate): float(pd.read_csv(run / "history.csv")["valid_loss"].min())
            for rate in RATES
            if (run := out_dir / f"search_{trunk}_{rate}").joinpath("seconds.json").is_file()
        }
        for trunk in TRUNKS
    }


def _epochs(run: Path) -> int:
    """Counts the passes over the data; the row of averaged weights in the history is none."""
    return int(pd.read_csv(run / "history.csv")["train_loss"].count())


def _judge(row: Row, runs: list[Path], data: Path) -> dict[str, Any]:
    from akita_bayes.evaluate.intervals import calibrate
    from akita_bayes.models import load

    model = load.load_model([str(run) for run in runs] if len(runs) > 1 else runs[0])
    if row.posterior in ("none", "ensemble"):
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
        "pearson": per_target(pearson, mean, target, mask),
        "spearman": per_target(_spearman, mean, target, mask),
        "pearson_truth": per_target(pearson, mean, truth, mask),
        "spearman_truth": per_target(_spearman, mean, truth, mask),
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
        "bound": _of_best(history, "valid_bound"),
        **_latent_channels(model, data),
    }


def _latent_channels(model: Any, data: Path) -> dict[str, float | None]:
    """Returns the share of active channels whose divergence has a gradient, above the free bits.

    The channels of all validation windows are counted; None without a latent.
    """
    from akita_bayes.data.records import dataset
    from akita_bayes.layers import latent, stochastic
    from akita_bayes.training.objectives import elbo

    network = model.members[0]
    if not any(isinstance(layer, latent.NormalLatent) for layer in network.layers):
        return {"active_with_gradient": None}
    free_bits = network.spec.train.elbo.free_bits
    nats = []
    for batch in dataset.open_split(data, "valid", batch_size=8).batches():
        with stochastic.collecting() as divergences:
            network(batch["sequence"], training=False)
        nats += [divergence.kl.numpy().mean(1) for divergence in divergences]
    channels = np.concatenate(nats)
    active = channels > elbo.ACTIVE
    share = float((channels[active] > free_bits).mean()) if active.any() else None
    return {"active_with_gradient": share}


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


def per_target(function: Any, first: Any, second: Any, mask: Any) -> float:
    values: Iterator[float] = (
        function(first[..., t][mask[..., t]], second[..., t][mask[..., t]])
        for t in range(first.shape[-1])
    )
    return float(np.mean(list(values)))


def pearson(a: Any, b: Any) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def _spearman(a: Any, b: Any) -> float:
    return float(scipy.stats.spearmanr(a, b).statistic)


if __name__ == "__main__":
    main()
