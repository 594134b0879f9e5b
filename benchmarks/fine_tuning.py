"""Fine-tuning on little data: the trunk of akita_yeast on another experiment at 10 kb.

    python -m benchmarks.fine_tuning --data FOLDER -o runs/fine_tuning [--seed 0]

The data are the 10-kb map `yeast.10kb.v3.cool`, in windows of 320 kb; two chromosomes train, and
validation and test chromosomes are those that akita_yeast did not train on (fold 0 of
`benchmarks.yeast`), without chrIII, which is shorter than a window. The network is that of
akita_yeast with averages over five further positions.

Four trainings differ only in their first weights and in the rate of the trunk. FOLDER is as for
`benchmarks.yeast`. The result file gains a row for every training.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from akita_bayes import files
from benchmarks import environment, yeast_data

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "fine_tuning.json"

TRAIN = ("chrIV", "chrXII")
VALID = ("chrVIII", "chrIX")
TEST = ("chrII", "chrXI", "chrXIV")
TRIALS: dict[str, dict[str, Any]] = {
    "from scratch": {},
    "trunk restored": {"restore": "akita_yeast", "trunk": True},
    "trunk restored, its rate x 0.1": {
        "restore": "akita_yeast",
        "trunk": True,
        "trunk_rate": 0.1,
    },
    "trunk restored and frozen": {"restore": "akita_yeast", "trunk": True, "trunk_rate": 0.0},
}
EPOCHS = 10


def spec() -> Any:
    """Returns the spec of akita_yeast for windows of 320 kb, bins of 10 kb and no averaging."""
    from akita_bayes.models import zoo

    params = files.read_json(ROOT / "models" / "json" / "akita_yeast.json")
    params["model"]["seq_length"] = 320_000
    pooling = {"name": "AveragePooling1D", "pool_size": 5}
    params["model"]["trunk"].insert(-1, pooling)
    params["train"] |= {"swa": None, "train_epochs_max": EPOCHS}
    return zoo.parse_spec(params)


def make_data(sources: yeast_data.Sources, out: Path) -> Path:
    """Writes the data directory by `akita_data.py`, unless it exists; returns it."""
    from akita_bayes.cli import akita_data
    from akita_bayes.data import genome

    data = out / "data"
    if (data / "statistics.json").is_file():
        return data
    table, limits = out / "targets.txt", out / "limits.bed"
    path = sources.second.resolve()
    table.write_text(f"index\tidentifier\tfile\tdescription\n0\tsecond\t{path}\t10 kb\n")
    with genome.Genome(sources.genome) as reference:
        rows = [f"{name}\t0\t{reference.sizes[name]}\n" for name in (*TRAIN, *VALID, *TEST)]
    limits.write_text("".join(rows))
    status = akita_data.main(
        [
            *(str(sources.genome), str(table), "-o", str(data), "--limit", str(limits)),
            *("-l", "320000", "-w", "10000", "-c", "40000", "--as_obsexp"),
            *("--stride_train", "20000", "--stride_test", "80000"),
            *("-v", ",".join(VALID), "-t", ",".join(TEST)),
        ]
    )
    if status:
        raise SystemExit(status)
    return data


def train(name: str, options: dict[str, Any], data: Path, out: Path, seed: int) -> dict[str, Any]:
    """Trains and tests one trial, unless its row exists; returns the row."""
    from akita_bayes.evaluate import accuracy
    from akita_bayes.training import fit

    run = out / f"{name.replace(' ', '_').replace(',', '')}_seed{seed}"
    row_file = run / "row.json"
    if row_file.is_file():
        return dict(files.read_json(row_file))
    run_options = fit.FitOptions(seed=seed, tensorboard=False, resume=run.is_dir(), **options)
    trained = fit.fit(spec(), data, out_dir=run, options=run_options)
    model = trained.model()
    row = {"trial": name, "seed": seed, "best_epoch": trained.best_epoch}
    for split in ("valid", "test"):
        report = accuracy.assess(model, data, split=split, rc=True, examples=0)
        row[split] = float(report.model.table()["pearsonr"][0])
        row[f"{split}_distance_only"] = float(report.baseline.table()["pearsonr"][0])
    files.write_json(row_file, row)
    return row


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the trials that are missing, and writes the result file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--out_dir", type=Path, default=Path("runs/fine_tuning"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    out = options.out_dir
    out.mkdir(parents=True, exist_ok=True)
    data = make_data(yeast_data.Sources.under(options.data), out)
    for name, trial in TRIALS.items():
        print(train(name, trial, data, out, options.seed))
    rows = [files.read_json(path) for path in sorted(out.glob("*_seed*/row.json"))]
    files.write_json(options.result, {**environment.describe(), "epochs": EPOCHS, "rows": rows})
    print(f"wrote {options.result}")


if __name__ == "__main__":
    main()
