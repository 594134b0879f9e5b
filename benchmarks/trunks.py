"""Convolutions or attention in the trunk: trained until the validation loss stops, three seeds.

    akita_simulate.py --preset small --no_coolers --seed 1 -o runs/trunks/small
    python -m benchmarks.trunks runs/trunks/small -o runs/trunks/runs [--trunks NAMES]

All trunks have the same convolutions first (`benchmarks/specs/accuracy_*.json`); then one has
dilated convolutions, one the encoder of Vaswani et al., and one Basenji's attention with relative
positions. Every trunk gets the same epochs, and the rate of the lowest validation loss among the
same rates, each tried for four epochs. Networks are compared on the test split, against the
measured maps and against the noise-free truth. Finished runs are not trained again.

    python -m benchmarks.trunks runs/trunks/small -o runs/trunks/more --start runs/trunks/runs
        --trunks convolution,added --epochs 12 --rates 0.006

continues the convolutional network of every seed, as it is and with attention behind it ("added").
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import files, triangle
from benchmarks import accuracy, environment, run

RESULT = run.RESULTS / "trunks.json"
TRUNKS = ("convolution", "transformer", "relative")
RATES = (0.006, 0.012, 0.024)
EPOCHS = 24
BASES = 131_072
"""Bases of a batch: windows that are longer make smaller batches, and as many steps."""
FAR = 0.5
"""Pixels farther apart than this share of the map's bins are "far"."""


def main(argv: Sequence[str] | None = None) -> None:
    """Trains what is missing, and adds the data set to `results/trunks.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, help="simulated data directory")
    parser.add_argument("-o", "--out_dir", type=Path, default=Path("runs/trunks/runs"))
    parser.add_argument("--trunks", default=",".join(TRUNKS), help="trunks to train")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--rates", default=",".join(map(str, RATES)), help="rates to compare")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--start", type=Path, help="start at the convolutional runs of this folder")
    parser.add_argument("--name", help="name of the data in the result (default: of its folder)")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    rows: list[dict[str, Any]] = []
    rates = {}
    for trunk in options.trunks.split(","):
        rates[trunk] = searched(trunk, options)
        losses = rates[trunk]
        rate = min(losses, key=lambda name: losses[name]) if losses else options.rates
        for seed in map(int, options.seeds.split(",")):
            spec = spec_of(trunk, options.data, float(rate), options.epochs)
            path = options.out_dir / f"{trunk}-{seed}"
            twin = options.start and options.start / f"convolution-{seed}"
            accuracy.fit_spec(spec, seed, options.data, path, twin=twin)
            rows.append({"trunk": trunk, "seed": seed, "rate": float(rate)} | judged(path, options))
            print(json.dumps(rows[-1]), flush=True)
    data_sets = files.read_json(options.result)["data"] if options.result.is_file() else {}
    data_sets[options.name or options.data.name] = {
        **environment.describe(),
        "simulation": files.read_json(options.data / "simulation.json"),
        "ceiling": files.read_json(options.data / "truth" / "ceiling.json")["test"],
        "epochs": options.epochs,
        "continued": options.start is not None,
        "search": rates,
        "rows": rows,
    }
    files.write_json(options.result, {"data": data_sets})
    print(table(data_sets))


def spec_of(trunk: str, data: Path, rate: float, epochs: int) -> dict[str, Any]:
    """Returns the spec of a trunk: up to the rate and down again, then averaged weights."""
    spec = _spec(trunk, data)
    spec["train"] |= {
        **accuracy.rates_of(rate),
        "train_epochs_cycle1": 3 * epochs // 8,
        "train_epochs_max": epochs,
        "patience": epochs,
    }
    spec["train"]["swa"]["start"] = epochs - 3
    return spec


def searched(trunk: str, options: argparse.Namespace) -> dict[str, float]:
    """Returns the lowest validation loss after four epochs with each rate; one is not tried."""
    rates = [float(rate) for rate in options.rates.split(",")]
    losses = {}
    for rate in rates if len(rates) > 1 else []:
        spec = _spec(trunk, options.data)
        spec["train"] |= accuracy.SEARCH | accuracy.rates_of(rate)
        path = options.out_dir / f"search_{trunk}_{rate}"
        accuracy.fit_spec(spec, accuracy.SEARCH_SEED, options.data, path)
        losses[str(rate)] = float(_history(path).min())
    return losses


def _spec(trunk: str, data: Path) -> dict[str, Any]:
    """Returns the committed spec of a trunk with the windows and the targets of the data.

    "added" is the convolutional trunk with the attention of "relative" behind it.
    """
    name = "convolution" if trunk == "added" else trunk
    spec: dict[str, Any] = files.read_json(accuracy.SPECS / f"accuracy_{name}.json")
    if trunk == "added":
        attention = files.read_json(accuracy.SPECS / "accuracy_relative.json")["model"]["trunk"][-1]
        spec["model"]["trunk"].append(attention)
    statistics = files.read_json(data / "statistics.json")
    batch_size = max(1, round(BASES / statistics["seq_length"]))
    spec["train"] |= {"elbo": dict(accuracy.ELBO), "batch_size": batch_size}
    spec["model"]["seq_length"] = statistics["seq_length"]
    spec["model"]["head_hic"][-1]["units"] = statistics["num_targets"]
    return spec


def _history(path: Path) -> pd.Series:
    """Returns the validation losses of the epochs, without that of averaged weights."""
    history = pd.read_csv(path / "history.csv")
    return history.loc[history["train_loss"].notna(), "valid_loss"].reset_index(drop=True)


def judged(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Returns the accuracy of a network on the test split; means over targets."""
    from akita_bayes.data.records import dataset
    from akita_bayes.models import load, predict

    model = load.load_model(path)
    geometry = model.spec.geometry(model.spec.head_names[0])
    assert geometry.diagonal_offset is not None
    truth = np.load(options.data / "truth" / "test.npz")["truth"].astype(np.float32)
    maps, measured, mask = [], [], []
    for batch in dataset.open_split(options.data, "test", batch_size=8).batches():
        maps.append(predict.predict(model, batch["sequence"].numpy()))
        measured.append(batch["target"].numpy())
        mask.append(batch["mask"].numpy())
    prediction, target, usable = (np.concatenate(parts) for parts in (maps, measured, mask))
    distances = triangle.distances(geometry.bins, geometry.diagonal_offset)
    far = np.broadcast_to((distances > FAR * geometry.bins)[:, None], usable.shape[1:])
    losses = _history(path)
    return {
        "r": accuracy.per_target(accuracy.pearson, prediction, target, usable),
        "r_truth": accuracy.per_target(accuracy.pearson, prediction, truth, usable),
        "r_truth_far": accuracy.per_target(accuracy.pearson, prediction, truth, usable & far),
        "r_truth_difference": _of_differences(prediction, truth, usable),
        "valid_loss": float(losses.min()),
        "best_epoch": int(losses.argmin()) + 1,
        "gain_of_last_quarter": float(losses[: 3 * len(losses) // 4].min() - losses.min()),
        "seconds": files.read_json(path / "seconds.json"),
    }


def _of_differences(
    prediction: NDArray[np.float32], truth: NDArray[np.float32], usable: NDArray[np.bool_]
) -> float | None:
    """Returns r of the predicted and the true difference of two targets; None of one target."""
    if truth.shape[-1] != 2:
        return None
    both = usable.all(axis=-1)
    predicted, true = (values[both][:, 0] - values[both][:, 1] for values in (prediction, truth))
    return float(np.corrcoef(predicted, true)[0, 1])


def table(data_sets: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns means over seeds ± their standard deviation, a Markdown row per data and trunk."""
    columns = ["data", "trunk", "rate", "r, data", "r, truth", "r, truth, far pixels"]
    columns += ["r, truth, differences of cell types", "r, truth, by seed"]
    columns += ["gain of the loss in the last quarter"]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name, content in data_sets.items():
        rows = pd.DataFrame(content["rows"])
        for trunk, of_trunk in rows.groupby("trunk", sort=False):
            cells = [name, str(trunk), f"{of_trunk['rate'].iloc[0]:g}"]
            for field in ("r", "r_truth", "r_truth_far"):
                spread = f" ± {of_trunk[field].std():.3f}" if len(of_trunk) > 1 else ""
                cells.append(f"{of_trunk[field].mean():.3f}{spread}")
            differences = of_trunk.get("r_truth_difference", pd.Series(dtype=float)).dropna()
            cells.append(", ".join(f"{value:.3f}" for value in differences) or "-")
            cells.append(", ".join(f"{value:.3f}" for value in of_trunk["r_truth"]))
            cells.append(f"{of_trunk['gain_of_last_quarter'].mean():.3f}")
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
