"""One network with the knowledge of an ensemble: accuracy, coverage and cost beside both.

    akita_simulate.py --preset small --no_coolers --seed 1 -o DATA
    python -m benchmarks.distillation DATA -o RUNS

Trains `specs/akita_half.json` with five seeds; students of the five together, without and with
mutated windows; and judges each on the test split, against the measurement and against the
noise-free truth. Intervals are fitted on the validation split. Finished trainings and rows are not
computed again, so that a stopped benchmark continues, and several processes can share it (--only).
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from akita_bayes import dna, files
from benchmarks import environment, run

RESULT = run.RESULTS / "distillation.json"
SPECS = Path(__file__).with_name("specs")
SPEC = SPECS / "akita_half.json"
SEEDS = range(5)
DRAWS = 8
TIMED = 30
"""Test windows by which the cost of a prediction is measured, and alleles are compared."""

EDITED = 1024
"""Bases in the middle of a window that its other allele has inverted."""


class Student(NamedTuple):
    """Describes a student.

    Attributes:
        folder: Name of its run directory.
        mutated: Mutated copies of each window.
        epochs: Epochs of its training.
        seed: Seed of its training.
        trunk: Run directory of the member with whose trunk it begins, if any.
        spec: Spec of its network and of its schedule.
    """

    folder: str
    mutated: int
    epochs: int
    seed: int
    trunk: str | None = None
    spec: Path = SPEC


LONG = SPECS / "akita_half_long.json"
WIDE = SPECS / "akita_half_wide.json"
STUDENTS = {
    "student": [Student("s0", 0, 5, 0), Student("s1", 0, 5, 1)],
    "student, mutated windows": [Student("sm0", 1, 3, 0)],
    "student, trunk of a member": [Student("st0", 0, 3, 0, "m4")],
    "long student, trunk of a member": [Student("lt0", 0, 16, 0, "m4", LONG)],
    "long student, trunk of a member, mutated windows": [Student("ltm0", 1, 16, 0, "m4", LONG)],
    "wide student": [Student("w0", 0, 16, 0, None, WIDE)],
}
"""The students: 1,805 steps, 2,169 with one mutated copy of each window, and 1,083 that begin with
the trunk of the member of the lowest validation loss. Long ones take 5,776 and 11,568 steps, and
the wide one, which has twice the channels of a member, 5,776."""


def main(argv: Sequence[str] | None = None) -> None:
    """Runs what is missing, and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--out_dir", type=Path, default=Path("runs/distillation"))
    parser.add_argument("--only", help='rows to judge, separated by ";"')
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    rows = rows_of(options.out_dir)
    names = options.only.split(";") if options.only else list(rows)
    judged = {name: _row(name, rows, options) for name in names}
    if set(names) == set(rows):
        result = {
            **environment.describe(),
            "data": files.read_json(options.data / "simulation.json"),
            "spec": SPEC.stem,
            "rows": judged,
            "summary": summarised(judged),
        }
        files.write_json(options.result, result)
        print(as_table(result["summary"]))


def rows_of(out_dir: Path) -> dict[str, list[Path]]:
    """Returns the runs of each row: singles, the ensemble of them, and students."""
    singles = {f"single network {seed}": [out_dir / f"m{seed}"] for seed in SEEDS}
    students = {
        f"{name} {number}": [out_dir / student.folder]
        for name, group in STUDENTS.items()
        for number, student in enumerate(group)
    }
    return {**singles, "ensemble": [out_dir / f"m{seed}" for seed in SEEDS], **students}


def _row(name: str, rows: Mapping[str, list[Path]], options: argparse.Namespace) -> dict[str, Any]:
    path = options.out_dir / "rows" / f"{name.replace(', ', '_').replace(' ', '_')}.json"
    if path.is_file():
        return dict(files.read_json(path))
    for member in rows[name]:
        _train(member, rows["ensemble"], options)
    row = judge(rows[name], rows["ensemble"], options.data)
    files.write_json(path, row)
    print(name, json.dumps(row), flush=True)
    return row


def _train(path: Path, members: Sequence[Path], options: argparse.Namespace) -> None:
    """Trains a member of the ensemble or a student by its command, if it is not there."""
    from akita_bayes.cli import akita_distill, akita_train

    if (path / "history.png").is_file():
        return
    common = ["-o", str(path), "--no_tensorboard", "--resume"]
    if path in members:
        seed = path.name.removeprefix("m")
        status = akita_train.main([str(SPEC), str(options.data), "--seed", seed, *common])
    else:
        (student,) = (
            student
            for group in STUDENTS.values()
            for student in group
            if path.name == student.folder
        )
        for member in members:
            _train(member, members, options)
        first: list[str] = []
        if student.trunk is not None:
            first = ["--restore", str(options.out_dir / student.trunk), "--trunk"]
        status = akita_distill.main(
            [
                *(str(student.spec), str(options.data), "--teacher", ",".join(map(str, members))),
                *("--mutated", str(student.mutated), "--epochs", str(student.epochs)),
                *("--labels", str(options.out_dir / f"l{student.mutated}")),
                *("--seed", str(student.seed), *first, *common),
            ]
        )
    if status:
        raise SystemExit(f"{path}: the training ended with status {status}")


def judge(runs: Sequence[Path], members: Sequence[Path], data: Path) -> dict[str, Any]:
    """Judges a network or an ensemble on the test split.

    Args:
        runs: Runs of the model.
        members: Runs of the ensemble, with whose prediction and spread it is compared.
        data: Simulated data directory.
    """
    from akita_bayes.data.records import dataset
    from akita_bayes.evaluate import accuracy
    from akita_bayes.evaluate.intervals import calibrate
    from akita_bayes.models import load, posterior

    model = load.load_model(list(runs))
    ensemble = load.load_model(list(members))
    report = calibrate.calibrate(model, data, draws=DRAWS)
    split = dataset.open_split(data, "test", batch_size=1)
    truth = accuracy.read_truth(data, "test", split.records)
    assert truth is not None
    mean, target, mask = (
        np.stack([np.asarray(getattr(window, name)) for window in report.tested])
        for name in ("mean", "target", "mask")
    )
    x = np.concatenate([batch["sequence"].numpy() for batch in split.batches()])
    x = dna.one_hot_to_index(x)
    stated = posterior.sample_posterior(model, x, draws=DRAWS, recalibrated=False)
    taught = posterior.sample_posterior(ensemble, x, draws=DRAWS, recalibrated=False)
    few = x[:TIMED]
    started = time.process_time()
    posterior.sample_posterior(model, few, draws=DRAWS, recalibrated=False)
    seconds = (time.process_time() - started) / len(few)
    whole = np.ones_like(mask)
    row: dict[str, Any] = {
        "r target": pearson(mean, target, mask),
        "r truth": pearson(mean, truth, mask),
        "r ensemble": pearson(mean, taught.mean, whole),
        "crps": report.after["overall"]["crps"]["estimate"],
        "seconds per window": seconds,
    }
    for state in ("before", "after"):
        overall = report.maps[state]["overall"]
        row[f"measurement in 90 %, {state}"] = overall["measurement_coverage"]
        row[f"truth in 90 %, {state}"] = overall["truth_coverage"]
    if stated.epistemic_sd.any():
        row["sd / ensemble"] = rms(stated.epistemic_sd) / rms(taught.epistemic_sd)
        row["rho of sd"] = spearman(stated.epistemic_sd, taught.epistemic_sd)
        own, teaching = (_allele_sd(drawn_model, few) for drawn_model in (model, ensemble))
        row["sd of alleles / ensemble"] = rms(own) / rms(teaching)
        row["rho of sd of alleles"] = spearman(own, teaching)
    return row


def _allele_sd(model: Any, x: NDArray[np.uint8]) -> NDArray[Any]:
    """Returns the sd over draws of the difference between two alleles. [W, P, T]."""
    from akita_bayes.models import posterior

    middle = slice((x.shape[1] - EDITED) // 2, (x.shape[1] + EDITED) // 2)
    edited = x.copy()
    edited[:, middle] = dna.reverse_complement_index(x[:, middle])
    draws = [
        posterior.sample_posterior(
            model, alleles, draws=DRAWS, recalibrated=False, keep_draws=True
        ).draws
        for alleles in (x, edited)
    ]
    assert draws[0] is not None
    assert draws[1] is not None
    sd: NDArray[Any] = (draws[1] - draws[0]).std(axis=0, ddof=1)
    return sd


def pearson(x: NDArray[Any], y: NDArray[Any], mask: NDArray[Any]) -> float:
    """Returns Pearson's correlation of all pixels, as a mean over targets. [W, P, T]."""
    return float(
        np.mean(
            [
                np.corrcoef(x[..., t][mask[..., t]], y[..., t][mask[..., t]])[0, 1]
                for t in range(x.shape[-1])
            ]
        )
    )


def spearman(x: NDArray[Any], y: NDArray[Any]) -> float:
    """Returns Spearman's correlation of all pixels, as a mean over targets. [W, P, T]."""
    targets = range(x.shape[-1])
    return float(
        np.mean([scipy.stats.spearmanr(x[..., t].ravel(), y[..., t].ravel())[0] for t in targets])
    )


def rms(x: NDArray[Any]) -> float:
    """Returns the root mean square."""
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def summarised(rows: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Returns mean, smallest and largest value of each number over the seeds of a row."""
    groups: dict[str, list[Mapping[str, float]]] = {}
    for name, row in rows.items():
        groups.setdefault(name.rstrip("0123456789 "), []).append(row)
    return {
        name: {
            "seeds": len(group),
            **{
                key: [float(pick([row[key] for row in group])) for pick in (np.mean, min, max)]
                for key in group[0]
            },
        }
        for name, group in groups.items()
    }


def as_table(summary: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the summary as a table of Markdown: the mean, and the range of several seeds."""
    measures = list(dict.fromkeys(key for row in summary.values() for key in row))
    measures.remove("seeds")
    names = [f"{name} ({row['seeds']})" for name, row in summary.items()]
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for measure in measures:
        cells = [_cell(row.get(measure)) for row in summary.values()]
        lines.append(f"| {measure} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(value: Sequence[float] | None) -> str:
    if value is None:
        return "-"
    mean, low, high = (f"{number:.3f}" for number in value)
    return mean if low == high else f"{mean} ({low} to {high})"


if __name__ == "__main__":
    main()
