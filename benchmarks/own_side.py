"""The side of this package in `benchmarks.against_basenji`: one network in a process of its own."""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def main(work: str, folder: Path, way: str) -> None:
    """Runs a call for each line `call` and writes its seconds and the peak memory."""
    call = {"forward": _forward, "step": _step}[work](folder, way)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps({**spent, "peak_memory_gb": round(peak, 3)}), flush=True)


def _model(folder: Path, precision: str) -> Any:
    import keras

    from akita_bayes.models import build, weights, zoo

    keras.utils.set_random_seed(0)
    model = build.Network(zoo.load_network(folder / "own.json"), precision=precision)
    weights.load_weights(model, folder / "weights.h5")
    return model


def _forward(folder: Path, way: str) -> Callable[[], Any]:
    from akita_bayes.models import predict

    model, x = _model(folder, "float32"), np.load(folder / "x.npy")

    def call() -> None:
        np.save(folder / f"{way}.npy", predict.predict(model, x, precision=way))

    return call


def _step(folder: Path, way: str) -> Callable[[], Any]:
    import tensorflow as tf

    from akita_bayes import dna
    from akita_bayes.models import predict
    from akita_bayes.training import loop_settings, step, strategy
    from akita_bayes.training.updates import clipping, optimizers

    model = _model(folder, "mixed_bfloat16" if "bfloat16" in way else "float32")
    x, target = np.load(folder / "x.npy"), np.load(folder / "target.npy")
    rows = tf.constant(dna.index_to_one_hot(x), tf.float32)
    # The prediction compares weights; training draws strands and shifts. `predict` needs less
    # memory than the step, whose peak is measured.
    np.save(folder / f"{way}.npy", predict.predict(model, x))
    batch = {"sequence": rows, "target": tf.constant(target), "mask": tf.ones(target.shape, bool)}
    optimizer = optimizers.from_spec(model.spec.train)
    optimizer.build(model.trainable_variables)
    training = step.Step(
        model,
        loop_settings.objective(model.spec.train, model, 2),
        optimizer,
        clipping.from_spec(model.spec.train),
        strategy.choose(),
        step.Memory(recompute="recompute" in way),
    )
    return lambda: training.apply(training.gradients(batch))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[3]), sys.argv[4])
