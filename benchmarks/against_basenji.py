"""Basenji and this package on the same weights and inputs, side by side.

    python -m benchmarks.against_basenji --basenji PYTHON --source FOLDER [--only v1,step]

PYTHON is the interpreter of an environment with what Basenji needs (TensorFlow 2.15.1, NumPy below
2, and the packages of its requirements.txt); FOLDER holds a clone of github.com/calico/basenji.
Nothing of Basenji is part of this package: its process imports it from FOLDER.

Each side runs in a process of its own, so that its peak memory is its own. The sides take turns,
and seconds are those of the processor (user and system, all threads), so that a machine that is
busy with other things changes the comparison little. A call that compiles comes first and is not
counted. Ratios compare neighbouring turns; their median, least and largest are written, with the
load of the machine. Networks get the same random weights, and predictions of both sides must agree.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import asked_process, environment, run, whole_process

RESULT = run.RESULTS / "against_basenji.json"
SIDES = Path(__file__).with_name("basenji_side.py"), Path(__file__).with_name("own_side.py")
TURNS = 3
LIMIT = 1e-3
"""Largest difference of both predictions, in standard deviations of the prediction."""

CASES = {
    "forward_v1": ("akita_v1", "forward", 1, ("float32", "bfloat16")),
    "forward_v2": ("akita_v2", "forward", 1, ("float32", "bfloat16")),
    "step_v1": (
        "akita_v1",
        "step",
        2,
        ("float32", "bfloat16", "recompute", "bfloat16_recompute"),
    ),
}
SCD = (8, 100)
"""Numbers of SNVs of the whole process of akita_scd.py."""


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and writes `results/against_basenji.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--basenji", required=True, help="interpreter that has TensorFlow 2.15.1")
    parser.add_argument("--source", type=Path, required=True, help="clone of Basenji")
    parser.add_argument("--only", help="measurements, comma-separated; the file keeps the others")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    names = [*CASES, "imports", *(f"scd_{count}" for count in SCD)]
    requested = options.only.split(",") if options.only else names
    measurements: dict[str, Any] = {}
    if options.result.is_file():
        measurements = json.loads(options.result.read_text(encoding="utf-8"))["measurements"]
    for name in requested:
        before = environment.load()
        if name in CASES:
            rows = _networks(name, options)
        elif name == "imports":
            rows = _imports(options)
        else:
            rows = _scd(int(name.removeprefix("scd_")), options)
        load = {"load_before": before, "load_after": environment.load()}
        measurements[name] = {**rows, **load, "environment": environment.describe()}
        print(name, json.dumps(measurements[name], indent=1), flush=True)
        missing = [name for name in names if name not in measurements]
        run.write(options.result, {"measurements": measurements, "missing": missing})


def summary(sides: Mapping[str, Sequence[Mapping[str, float]]], base: str) -> dict[str, Any]:
    """Returns medians of each side, and the ratios of a base to the others, turn by turn.

    Args:
        sides: Name of a side -> its turns, with `cpu` and `wall` seconds and `peak_memory_gb`.
        base: The side to compare with; a ratio above 1 says how many times faster another is.
    """
    result: dict[str, Any] = {}
    for name, turns in sides.items():
        result[name] = {
            "turns": len(turns),
            "cpu_seconds_median": float(np.median([turn["cpu"] for turn in turns])),
            "cpu_seconds": [round(turn["cpu"], 3) for turn in turns],
            "wall_seconds_median": float(np.median([turn["wall"] for turn in turns])),
            "peak_memory_gb": max(turn["peak_memory_gb"] for turn in turns),
        }
    for name, turns in sides.items():
        if name == base:
            continue
        pairs = zip(sides[base], turns, strict=True)
        ratios = [reference["cpu"] / turn["cpu"] for reference, turn in pairs]
        result[name]["times_faster"] = float(np.median(ratios))
        result[name]["times_faster_least"] = min(ratios)
        result[name]["times_faster_most"] = max(ratios)
        result[name]["memory_ratio"] = (
            result[name]["peak_memory_gb"] / result[base]["peak_memory_gb"]
        )
    return result


def _networks(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Lets Basenji and each way of computing of this package take turns on one network."""
    spec, work, batch, ways = CASES[name]
    turns: dict[str, list[dict[str, float]]] = {"basenji": [], **{way: [] for way in ways}}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        inputs = _inputs(spec, batch, Path(folder), options)
        commands = {side: [work, spec, str(inputs), side] for side in turns}
        processes = {}
        if work != "step":
            for side, command in commands.items():
                processes[side] = stack.enter_context(start_side(side, command, options))
                processes[side].ask("call")
        for _ in range(options.turns):
            for side, command in commands.items():
                if side in processes:
                    turns[side].append(processes[side].ask("call"))
                    continue
                # A process keeps the memory of a step, so the next one starts when it has ended.
                with start_side(side, command, options) as process:
                    process.ask("call")
                    turns[side].append(process.ask("call"))
        difference = {
            way: _difference(inputs / "basenji.npy", inputs / f"{way}.npy") for way in ways
        }
    if difference["float32"] > LIMIT:
        raise SystemExit(f"{name}: predictions differ by {difference['float32']} sd.")
    return {
        "batch": batch,
        "sides": summary(turns, "basenji"),
        "largest_difference_in_sd": difference,
    }


def _inputs(spec: str, batch: int, folder: Path, options: argparse.Namespace) -> Path:
    """Writes parameters, inputs, and weights of a network as Basenji makes and saves them."""
    from akita_bayes.models import zoo
    from akita_bayes.specs import spec as specs

    full = zoo.load_network(run.ROOT / "models" / "json" / f"{spec}.json")
    network = full.only(full.head_names[0])
    random = np.random.default_rng(0)
    geometry = network.geometry(network.head_names[0])
    assert geometry.units is not None
    shape = (batch, geometry.target_length, geometry.units)
    np.save(folder / "x.npy", random.integers(0, 4, (batch, network.model.seq_length), np.uint8))
    np.save(folder / "target.npy", random.normal(size=shape).astype(np.float32))
    (folder / "own.json").write_text(specs.dumps(network), encoding="utf-8")
    raw = json.loads((run.ROOT / "models" / "json" / f"{spec}.json").read_text(encoding="utf-8"))
    heads = [key for key in raw["model"] if key.startswith("head")]
    for key in heads[1:]:
        del raw["model"][key]
    (folder / "params.json").write_text(json.dumps(raw), encoding="utf-8")
    with start_side("basenji", ["weights", spec, str(folder), "basenji"], options) as process:
        process.ask("end")
    return folder


def _difference(expected: Path, path: Path) -> float:
    """Returns the largest difference of two predictions, in standard deviations of the first."""
    a, b = np.load(expected).astype(np.float64), np.load(path).astype(np.float64)
    return float(np.abs(a - b).max() / a.std())


def start_side(
    name: str, arguments: Sequence[str], options: argparse.Namespace
) -> asked_process.AskedProcess:
    """Starts one side in a process of its own.

    Args:
        name: "basenji", or a way of computing of this package.
        arguments: Arguments of the program of the side.
        options: Options with the interpreter and the clone of Basenji.
    """
    theirs = name == "basenji"
    command = [options.basenji if theirs else sys.executable, "-W", "ignore"]
    return asked_process.AskedProcess(
        name,
        [*command, str(SIDES[0] if theirs else SIDES[1]), *arguments],
        environment=_variables(options if theirs else None),
    )


def _variables(options: argparse.Namespace | None) -> dict[str, str]:
    """Returns the environment of a side: the clone of Basenji, or this package, to import from."""
    path = str(run.ROOT if options is None else options.source.resolve())
    return {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}


def _imports(options: argparse.Namespace) -> dict[str, Any]:
    """Compares the import of what a prediction needs, and of TensorFlow alone."""
    commands = {
        "basenji": ([options.basenji, "-c", "from basenji import seqnn"], options),
        "basenji's tensorflow": ([options.basenji, "-c", "import tensorflow"], options),
        "akita_bayes": (
            [sys.executable, "-c", "import akita_bayes as ab; ab.predict, ab.load_model"],
            None,
        ),
        "own tensorflow": ([sys.executable, "-c", "import tensorflow"], None),
    }
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    for turn in range(options.turns + 1):
        for name, (command, side) in commands.items():
            spent = whole_process.spent(command, variables=_variables(side))
            if turn:  # The first turn only fills the cache of the disk.
                turns[name].append(spent)
    return {"sides": summary(turns, "basenji")}


def _scd(count: int, options: argparse.Namespace) -> dict[str, Any]:
    """Compares akita_scd.py on SNVs of one window, whole process, with full-size Akita v1."""
    from akita_bayes.data import genome

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs = _inputs("akita_v1", 1, folder, options)
        length = np.load(inputs / "x.npy").shape[1]
        random = np.random.default_rng(1)
        size = length + count * 4000
        letters = "".join(random.choice(list("ACGT"), size))
        genome.write_fasta(folder / "genome.fa", {"chr1": letters})
        rows = ["##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
        for number in range(count):
            position = length // 2 + number * 4000
            ref = letters[position - 1]
            alt = "ACGT"["ACGT".index(ref) - 1]
            rows.append(f"chr1\t{position}\tsnv{number}\t{ref}\t{alt}\t.\t.\t.")
        (folder / "snvs.vcf").write_text("\n".join(rows) + "\n", encoding="utf-8")
        common = [str(folder / "snvs.vcf"), "-f", str(folder / "genome.fa"), "-o"]
        weights = str(folder / "weights.h5")
        theirs = [
            *(options.basenji, str(options.source / "bin" / "akita_scd.py")),
            *(str(folder / "params.json"), weights, *common, str(folder / "theirs")),
        ]
        own = [
            *(sys.executable, str(run.ROOT / "bin" / "akita_scd.py")),
            *(str(folder / "own.json"), weights, *common),
        ]
        turns: dict[str, list[dict[str, float]]] = {"basenji": [], "float32": []}
        for number in range(options.turns):
            turns["basenji"].append(whole_process.spent(theirs, variables=_variables(options)))
            turns["float32"].append(whole_process.spent([*own, str(folder / f"own{number}")]))
    return {"snvs": count, "sides": summary(turns, "basenji")}


if __name__ == "__main__":
    main()
