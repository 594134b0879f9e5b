"""A real Akita v2 window: written, read back, predicted and learned from at full size.

    python -m benchmarks.real_window chr11_99928064_101238784.fa.gz ..._target.npy

Takes 1,310,720 bp of hg38 and the target [1, 130305, 5] that belongs to it, writes them as a record
of Akita v2, reads it back and compares every base and value, then runs akita_v2.json (human head)
forward and through training steps on it.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import environment, run

SPEC = run.ROOT / "models" / "json" / "akita_v2.json"
BATCH = 1


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and writes `results/real_window.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("fasta", help="the window's sequence, the only one in the file")
    parser.add_argument("target", help=".npy of float16 [1, P, T]")
    parser.add_argument("--measure", choices=("forward", "training_step"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--result", type=Path, default=run.RESULTS / "real_window.json")
    options = parser.parse_args(argv)
    if options.measure:
        print(json.dumps(measure(options)))
        return
    files = [str(Path(options.fasta).resolve()), str(Path(options.target).resolve())]
    repeats = ["--repeats", str(options.repeats)]
    measurements = {
        name: run.in_own_process([*files, *repeats, "--measure", name], "benchmarks.real_window")
        for name in ("forward", "training_step")
    }
    run.write(
        options.result, {**environment.describe(), "spec": SPEC.name, "measurements": measurements}
    )


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Writes and reads the record in a temporary directory, and runs the model on it."""
    import keras

    from akita_bayes.models import build, predict, zoo

    spec = zoo.load_network(SPEC)
    spec = spec.only(spec.head_names[0])
    with tempfile.TemporaryDirectory() as folder:
        batch, size = round_trip(spec, options.fasta, options.target, Path(folder))
    keras.utils.set_random_seed(0)
    model = build.build(spec)
    measured: dict[str, Any]
    if options.measure == "forward":
        prediction = predict.forward(model, batch["sequence"])[spec.head_names[0]]
        assert prediction.shape == batch["target"].shape
        assert np.isfinite(prediction).all()
        measured = {**run.timed(lambda: predict.forward(model, batch["sequence"]), options.repeats)}
    else:
        training = run.stepping(model, spec)
        losses: list[float] = []

        def one_step() -> None:
            gradients = training.gradients({k: v for k, v in batch.items() if k != "region"})
            training.apply(gradients)
            losses.append(gradients.outcome.loss)

        measured = {**run.timed(one_step, options.repeats), "losses": losses}
        assert np.isfinite(losses).all()
    return {
        **measured,
        "batch": BATCH,
        "record_bytes": size,
        "peak_memory_gb": round(run.peak_memory_gb(), 2),
    }


def round_trip(spec: Any, fasta: str, target: str, folder: Path) -> tuple[dict[str, Any], int]:
    """Writes the window as a record and reads it as a batch; every base and value is compared."""
    import pysam

    from akita_bayes import dna, regions
    from akita_bayes.data.records import dataset, statistics, tfrecord

    with pysam.FastxFile(fasta) as file:
        letters = (next(iter(file)).sequence or "").upper()
    index, values = dna.to_index(letters), np.load(target)[0]
    geometry = spec.geometry()
    written = statistics.Statistics(
        seq_length=len(index),
        target_length=values.shape[0],
        num_targets=values.shape[1],
        pool_width=geometry.bin_width,
        crop_bp=geometry.crop_bp,
        diagonal_offset=geometry.diagonal_offset,
        seq_1hot=True,
        seqs={"test": 1},
    )
    spec.check_statistics(written.to_json())
    statistics.write(folder, written)
    region = regions.Region("chr11", 99_928_064, 101_238_784)
    path = folder / "tfrecords" / f"test-0{tfrecord.SUFFIX}"
    tfrecord.write_records(path, [tfrecord.Record(index, values, None, region)])
    batch = next(iter(dataset.open_split(folder, "test", batch_size=BATCH)))
    assert dna.from_one_hot(batch["sequence"].numpy()[0].astype(np.uint8)) == letters
    np.testing.assert_array_equal(batch["target"].numpy()[0], values.astype(np.float32))
    assert batch["mask"].numpy().all()
    return batch, path.stat().st_size


if __name__ == "__main__":
    main()
