"""Forward pass and training step of a network on whatever backend and device Keras runs.

The layers use `keras.ops` alone, so one graph serves TensorFlow, JAX and others. The backend is the
one that KERAS_BACKEND names; nothing of TensorFlow is needed for another.

    KERAS_BACKEND=jax python -m benchmarks.backends models/json/akita_v1.json --batches 1,2,8
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from akita_bayes.models import build, zoo

REPEATS = 10


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a JSON object per spec, precision and batch size."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("specs", nargs="+")
    parser.add_argument("--batches", default="1,2")
    parser.add_argument("--precisions", default="float32,mixed_bfloat16")
    options = parser.parse_args(argv)
    for spec in options.specs:
        for precision in options.precisions.split(","):
            for batch in map(int, options.batches.split(",")):
                print(json.dumps(measure(spec, precision, batch)), flush=True)


def measure(path: str, precision: str, batch: int) -> dict[str, Any]:
    """Measures seconds per forward pass and training step: least, median and largest of ten."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    spec = zoo.load_network(path)
    head = spec.head_names[0]
    model = build.Network(spec.only(head), precision=precision)
    generator = np.random.default_rng(0)
    shape = (batch, spec.model.seq_length)
    x = np.eye(4, dtype=np.float32)[generator.integers(0, 4, shape)]
    y = generator.normal(size=(batch, *model.output.shape[1:])).astype(np.float32)
    model.compile(optimizer=keras.optimizers.SGD(1e-4, momentum=0.98, clipnorm=10.0), loss="mse")
    return {
        "spec": path,
        "backend": keras.backend.backend(),
        "precision": precision,
        "batch": batch,
        "forward": _seconds(lambda: model.predict_on_batch(x)),
        "training_step": _seconds(lambda: model.train_on_batch(x, y)),
    }


def _seconds(call: Callable[[], Any]) -> dict[str, float]:
    for _ in range(2):
        np.asarray(call())
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        np.asarray(call())
        seconds.append(time.perf_counter() - started)
    return {"min": min(seconds), "median": float(np.median(seconds)), "max": max(seconds)}


if __name__ == "__main__":
    main()
