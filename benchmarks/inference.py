"""Inference of whole windows: the plain pass of Keras against the compiled inference pass.

    python -m benchmarks.inference [--only v1,tiny]

Every case runs in a process of its own, so that its peak memory is its own. The cases of a network
take turns, and seconds are those of the processor (user and system), so that a machine that is busy
with other things changes the comparison little. The first call, which compiles, is counted apart.
The environment and the load before and after stand with each network.
Weights are random, statistics of normalisation included.
"""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import asked_process, environment, plain_pass, random_weights, run

RESULT = run.RESULTS / "inference.json"
DRAWS = 20
NETWORKS = {
    "tiny": ("akita_tiny", ("plain", "float32", "bfloat16")),
    "v1": ("akita_v1", ("plain", "float32", "bfloat16")),
    "v2": ("akita_v2", ("plain", "float32", "bfloat16")),
    "vae": ("akita_vae", ("plain", "float32", "draws_float32", "draws_bfloat16")),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and writes `results/inference.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", help="networks, comma-separated; the file keeps the others")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--case", nargs=2, metavar=("SPEC", "CASE"))
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    if options.case:
        serve(*options.case)
        return
    networks = options.only.split(",") if options.only else list(NETWORKS)
    measurements = {}
    if options.only and options.result.is_file():
        measurements = json.loads(options.result.read_text(encoding="utf-8"))["measurements"]
    for name in networks:
        spec, cases = NETWORKS[name]
        before = environment.load()
        cases_report = compare(spec, cases, options.turns)
        load = {"load_before": before, "load_after": environment.load()}
        measurements[name] = {**cases_report, **load, "environment": environment.describe()}
        print(name, json.dumps(measurements[name], indent=1), flush=True)
        run.write(options.result, {"measurements": measurements, "missing": missing(measurements)})


def missing(measurements: Mapping[str, Any]) -> dict[str, list[str]]:
    """Returns the cases of each network that were not measured."""
    cases = {
        name: [case for case in cases if case not in measurements.get(name, {})]
        for name, (_, cases) in NETWORKS.items()
    }
    return {name: names for name, names in cases.items() if names}


def compare(spec: str, cases: Sequence[str], turns: int) -> dict[str, Any]:
    """Runs the processes of all cases in turn; returns medians and peak memory of each."""
    calls: dict[str, list[dict[str, float]]] = {case: [] for case in cases}
    report: dict[str, Any] = {"turns": turns}
    with contextlib.ExitStack() as stack:
        processes = {case: stack.enter_context(case_process(spec, case)) for case in cases}
        for _ in range(turns + 1):
            for case, process in processes.items():
                calls[case].append(process.ask("call"))
        for case, process in processes.items():
            first, *later_calls = calls[case]
            report[case] = {
                "first_call_cpu_seconds": first["cpu"],
                "cpu_seconds_median": float(np.median([call["cpu"] for call in later_calls])),
                "cpu_seconds_min": min(call["cpu"] for call in later_calls),
                "cpu_seconds_max": max(call["cpu"] for call in later_calls),
                "wall_seconds_median": float(np.median([call["wall"] for call in later_calls])),
                **process.ask("end"),
            }
    plain = report["plain"]["cpu_seconds_median"]
    for case in cases[1:]:
        report[case]["plain_passes"] = report[case]["cpu_seconds_median"] / plain
    return report


def case_process(spec: str, case: str) -> asked_process.AskedProcess:
    """Starts one case of a spec in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.inference", "--case", spec, case]
    return asked_process.AskedProcess(f"{spec}, {case}", command, folder=run.ROOT)


def serve(name: str, case: str) -> None:
    """Runs one case: a call for each line `call`, then its peak memory for `end`."""
    from akita_bayes.models import zoo

    spec = zoo.load_network(run.ROOT / "models" / "json" / f"{name}.json")
    # Only now is TensorFlow loaded, so that a spec that is missing is told at once.
    from akita_bayes.models import build

    spec = spec.only(spec.head_names[0])
    model = build.build(spec)
    random_weights.assign(model)
    random = np.random.default_rng(0)
    x = np.eye(4, dtype=np.uint8)[random.integers(0, 4, (1, spec.model.seq_length))]
    call = _call(model, x, case)
    for line in sys.stdin:
        if line.strip() == "end":
            print(json.dumps({"peak_memory_gb": round(run.peak_memory_gb(), 3)}), flush=True)
            return
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps(spent), flush=True)


def _call(model: Any, x: np.ndarray, case: str) -> Callable[[], Any]:
    from akita_bayes.models import posterior, predict

    if case == "plain":
        layers = plain_pass.compiled(model)
        return lambda: layers(x)
    if case.startswith("draws_"):
        precision = case.removeprefix("draws_")
        return lambda: posterior.sample_posterior(model, x, draws=DRAWS, precision=precision)
    return lambda: predict.predict(model, x, precision=case)


if __name__ == "__main__":
    main()
