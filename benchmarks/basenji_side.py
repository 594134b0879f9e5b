"""The side of Basenji in `benchmarks.against_basenji`; imports Basenji from PYTHONPATH.

It runs in the environment of Basenji, so it imports nothing of this package.
"""

import json
import resource
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def main(work: str, folder: Path) -> None:
    """Runs a call for each line `call` and writes its seconds and the peak memory."""
    call = {"weights": _weights, "forward": _forward, "step": _step}[work](folder)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps({**spent, "peak_memory_gb": round(peak, 3)}), flush=True)


def _network(folder: Path) -> tuple[Any, dict[str, Any]]:
    import tensorflow as tf
    from basenji import seqnn

    tf.random.set_seed(0)
    params = json.loads((folder / "params.json").read_text(encoding="utf-8"))
    return seqnn.SeqNN({**params["model"], "verbose": False}), params


def _weights(folder: Path) -> Callable[[], Any]:
    """Saves weights with every residual branch open and statistics that are not trivial."""
    network, _ = _network(folder)
    random = np.random.default_rng(0)
    for variable in network.model.variables:
        if "gamma" in variable.name:
            variable.assign(random.normal(1, 0.2, variable.shape))
        elif "beta" in variable.name or "moving_mean" in variable.name:
            variable.assign(random.normal(0, 0.2, variable.shape))
        elif "moving_variance" in variable.name:
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
    network.save(str(folder / "weights.h5"))
    return lambda: None


def _inputs(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    x = np.eye(4, dtype=np.float32)[np.load(folder / "x.npy")]
    return x, np.load(folder / "target.npy")


def _forward(folder: Path) -> Callable[[], Any]:
    network, _ = _network(folder)
    network.restore(str(folder / "weights.h5"))
    network.build_ensemble(False, [0])  # as its commands do before they predict
    x, _ = _inputs(folder)
    return lambda: np.save(folder / "basenji.npy", network.predict(x, verbose=0))


def _step(folder: Path) -> Callable[[], Any]:
    from basenji import trainer

    network, params = _network(folder)
    network.restore(str(folder / "weights.h5"))
    x, target = _inputs(folder)
    # One window at a time, because the peak of memory shall be that of the step.
    predictions = [network.model.predict_on_batch(window[None]) for window in x]
    np.save(folder / "basenji.npy", np.concatenate(predictions))
    data = types.SimpleNamespace(batch_size=len(x), batches_per_epoch=lambda: 1)
    own = trainer.Trainer(params["train"], data, data, str(folder))
    own.compile(network)
    return lambda: network.model.train_on_batch(x, target)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[3]))
