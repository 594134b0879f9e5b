"""Reader, forward pass, training step and posterior of full-size Akita: time and peak memory.

    python -m benchmarks.run [--only NAMES]

Every measurement has a process of its own, so that its peak memory is its own. For scale: Basenji
on TensorFlow 2.15 on one 4-core machine took 0.44 s for a full-size v1 forward pass of one window,
and 4.4 s and 9.5 GB for a training step of two.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from akita_bayes import files
from benchmarks import environment

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_name("results")
RECORDS = 32
DRAWS = 20
VAE = ["--spec", str(ROOT / "models" / "json" / "akita_vae.json")]

MEASUREMENTS = {
    "reader": ["reader"],
    "forward_v1_batch_1": ["forward", "--batch", "1"],
    "forward_v1_batch_2": ["forward", "--batch", "2"],
    "training_step_v1_batch_1": ["training_step", "--batch", "1"],
    "training_step_v1_batch_2": ["training_step", "--batch", "2"],
    "training_step_v1_batch_2_bfloat16": [
        *("training_step", "--batch", "2", "--precision", "mixed_bfloat16")
    ],
    "training_step_vae_batch_2": ["training_step", "--batch", "2", *VAE],
    "posterior_vae_20_draws": ["posterior", *VAE],
}


def main(argv: Sequence[str] | None = None) -> None:
    """Runs every measurement and writes `results/run.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("measure", nargs="?", choices=("reader", *WORK))
    parser.add_argument("--only", help="measurements, comma-separated; the file keeps the others")
    parser.add_argument("--spec", default=ROOT / "models" / "json" / "akita_v1.json")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--result", type=Path, default=RESULTS / "run.json")
    options = parser.parse_args(argv)
    if options.measure:
        print(json.dumps(_measure(options)))
        return
    repeats = ["--repeats", str(options.repeats)]
    names = options.only.split(",") if options.only else list(MEASUREMENTS)
    measurements = {name: in_own_process([*MEASUREMENTS[name], *repeats]) for name in names}
    if options.only:
        measurements = {
            **json.loads(options.result.read_text(encoding="utf-8"))["measurements"],
            **measurements,
        }
    write(options.result, {**environment.describe(), "measurements": measurements})


def in_own_process(arguments: Sequence[str], module: str = "benchmarks.run") -> dict[str, Any]:
    """Runs a measurement in a fresh process; its last line of output is its JSON."""
    command = [sys.executable, "-W", "ignore", "-m", module, *arguments]
    print(" ".join(command[3:]), flush=True)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    result = json.loads(done.stdout.splitlines()[-1])
    print(f"  {result}", flush=True)
    return result


def write(path: Path, result: dict[str, Any]) -> None:
    """Writes a result file; what is not a number becomes null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(path, _without_nan(result))
    print(f"wrote {path}")


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def timed(call: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Measures wall and CPU seconds of a call after two that warm it up: least and median."""
    for _ in range(2):
        call()
    wall, cpu = [], []
    for _ in range(repeats):
        started = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - started[0])
        cpu.append(time.process_time() - started[1])
    return {
        "seconds_min": min(wall),
        "seconds_median": float(np.median(wall)),
        "cpu_seconds_min": min(cpu),
        "cpu_seconds_median": float(np.median(cpu)),
        "repeats": repeats,
    }


def peak_memory_gb() -> float:
    """Returns the largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def stepping(model: Any, spec: Any) -> Any:
    """Returns the training step of a model on the first device."""
    from akita_bayes.training import loop_settings, step, strategy
    from akita_bayes.training.updates import clipping, optimizers

    optimizer = optimizers.from_spec(spec.train)
    optimizer.build(model.trainable_variables)
    return step.Step(
        model,
        loop_settings.objective(spec.train, model, RECORDS),
        optimizer,
        clipping.from_spec(spec.train),
        strategy.choose(),
    )


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    from akita_bayes.models import zoo

    spec = zoo.load_network(options.spec)
    if options.measure == "reader":
        measured = _reader(spec, options.repeats)
    else:
        measured = _network(spec, options)
    return {**measured, "peak_memory_gb": round(peak_memory_gb(), 2)}


def _reader(spec: Any, repeats: int) -> dict[str, Any]:
    """Records per second of a shuffled epoch of full-size records, written here."""
    from akita_bayes import regions
    from akita_bayes.data.records import dataset, statistics, tfrecord

    geometry, random = spec.geometry(spec.head_names[0]), np.random.default_rng(0)
    shape = (geometry.target_length, geometry.units)
    with tempfile.TemporaryDirectory() as folder:
        written = statistics.Statistics(
            seq_length=geometry.seq_length,
            target_length=geometry.target_length,
            num_targets=geometry.units,
            pool_width=geometry.bin_width,
            crop_bp=geometry.crop_bp,
            diagonal_offset=geometry.diagonal_offset,
            seq_1hot=True,
            seqs={"train": RECORDS},
        )
        statistics.write(folder, written)
        for number in range(4):
            tfrecord.write_records(
                Path(folder) / "tfrecords" / f"train-{number}.tfr",
                (
                    tfrecord.Record(
                        random.integers(0, 4, geometry.seq_length, np.uint8),
                        random.normal(size=shape).astype(np.float16),
                        random.random(shape) > 0.05,
                        regions.Region("chr1", 0, geometry.seq_length),
                    )
                    for _ in range(RECORDS // 4)
                ),
            )
        split = dataset.open_split(folder, "train", batch_size=2, shuffle=True)
        measured = timed(lambda: [None for _ in split.epoch(0)], repeats)
    return {**measured, "records_per_second": RECORDS / measured["seconds_median"]}


def _network(spec: Any, options: argparse.Namespace) -> dict[str, Any]:
    import keras

    from akita_bayes.models import build

    keras.utils.set_random_seed(0)
    spec = spec.only(spec.head_names[0])
    model = build.Network(spec, precision=options.precision)
    random = np.random.default_rng(0)
    x = np.eye(4, dtype=np.float32)[random.integers(0, 4, (options.batch, spec.model.seq_length))]
    return timed(WORK[options.measure](model, x), options.repeats)


def _forward(model: Any, x: np.ndarray) -> Callable[[], Any]:
    from akita_bayes.models import predict

    return lambda: predict.forward(model, x)


def _posterior(model: Any, x: np.ndarray) -> Callable[[], Any]:
    from akita_bayes.models import posterior

    return lambda: posterior.sample_posterior(model, x, draws=DRAWS)


def _training_step(model: Any, x: np.ndarray) -> Callable[[], Any]:
    import tensorflow as tf

    shape = (len(x), *model.output.shape[1:])
    batch = {
        "sequence": tf.constant(x),
        "target": tf.constant(np.random.default_rng(1).normal(size=shape).astype(np.float32)),
        "mask": tf.ones(shape, tf.bool),
    }
    training = stepping(model, model.spec)
    return lambda: training.apply(training.gradients(batch))


WORK = {"forward": _forward, "posterior": _posterior, "training_step": _training_step}

if __name__ == "__main__":
    main()
