"""Contacts to targets: windows per second of the pipeline and of the step-by-step recipe.

    python bin/akita_simulate.py --preset medium -o data/simulated
    python -m benchmarks.contacts data/simulated/coolers/alpha.cool

Both compute the targets of the same windows of one cooler, to memory and disk respectively, and
the numbers are compared before the times. The two take turns, so that other work on the machine
meets both alike; every ratio is of one pair, and their median and extremes are written. Rates per
core divide by CPU seconds; scaling divides by elapsed seconds.
"""

import argparse
import concurrent.futures
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cooler
import numpy as np

from akita_bayes import files, regions
from akita_bayes.data import assembly
from akita_bayes.data.contacts import counts_to_targets, reference_target
from akita_bayes.data.preparation import targets, training_windows, window_blocks
from benchmarks import environment

CLIP = 2.0
RESULTS = Path(__file__).with_name("results")


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and writes `results/contacts.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("cooler", help="a balanced cooler")
    parser.add_argument("--bins", type=int, default=512, help="bins of a window")
    parser.add_argument("--strides", default="4,16", help="windows' overlap, as parts of a window")
    parser.add_argument("--most", type=int, default=48, help="windows to measure at most")
    parser.add_argument("--repeats", type=int, default=9, help="pairs of measurements")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each scaling measurement")
    parser.add_argument("--result", type=Path, default=RESULTS / "contacts.json")
    options = parser.parse_args(argv)
    clr = cooler.Cooler(options.cooler)
    width = int(clr.binsize)
    transform = counts_to_targets.Transform(
        options.bins * width, width, options.bins // 16 * width, as_obsexp=True
    )
    sources = window_blocks.Sources(
        assembly.of({name: int(size) for name, size in clr.chromsizes.items()}),
        (targets.TargetFile("benchmark", str(Path(options.cooler).resolve()), CLIP, "", ""),),
        transform,
    )
    rates = []
    for part in map(int, options.strides.split(",")):
        selected = _windows(sources, options.bins // part * width)[: options.most]
        rates.append({"stride": f"1/{part}", **_rate(clr, selected, sources, options.repeats)})
        print(rates[-1])
    scaling = _scaling(_windows(sources, options.bins // 16 * width), sources, options.seconds)
    print(scaling)
    result = {
        **environment.describe(),
        "cooler": Path(options.cooler).name,
        "bins": options.bins,
        "rates": rates,
        "scaling": scaling,
    }
    files.write_json(options.result, result)


def _windows(sources: window_blocks.Sources, stride: int) -> list[training_windows.Window]:
    length = sources.transform.seq_length
    return [
        training_windows.Window(regions.Region(chrom, start, start + length), "train")
        for chrom, size in sources.genome.lengths
        for start in range(0, size - length + 1, stride)
    ]


def _rate(
    clr: cooler.Cooler,
    selected: list[training_windows.Window],
    sources: window_blocks.Sources,
    repeats: int,
) -> dict[str, Any]:
    """Windows per CPU second of both, on the same windows, in turns."""
    grouped = window_blocks.group(selected, sources.transform, 1)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{index}.h5" for index in range(len(grouped))]

        def pipeline() -> None:
            for block, path in zip(grouped, paths, strict=True):
                window_blocks.compute(block, sources, path)

        def step_by_step() -> None:
            twins.clear()
            for window in selected:
                target = reference_target.target(clr, window.region, sources.transform, clip=CLIP)
                twins[window] = target.values

        twins: dict[training_windows.Window, np.ndarray] = {}
        pipeline()
        step_by_step()
        worst, usable = 0.0, 0
        for block, path in zip(grouped, paths, strict=True):
            lost = {entry.window for entry in window_blocks.dropped(block, path)}
            for window in set(block.windows) - lost:
                values, _ = window_blocks.row(block, path, window)
                difference = np.abs(values[:, 0].astype(np.float64) - twins[window])
                worst = max(worst, float(difference.max()))
                usable += 1
        pairs = [(_seconds(step_by_step), _seconds(pipeline)) for _ in range(repeats)]
    slow, fast = np.array(pairs).transpose(1, 2, 0)
    return {
        "windows": len(selected),
        "blocks": len(grouped),
        "compared": usable,
        "largest_difference": worst,
        "recipe_per_core_second": _spread(len(selected) / slow[0]),
        "pipeline_per_core_second": _spread(len(selected) / fast[0]),
        "times_faster": _spread(slow[0] / fast[0]),
        "times_faster_elapsed": _spread(slow[1] / fast[1]),
    }


def _seconds(function: Callable[[], None]) -> tuple[float, float]:
    """CPU and elapsed seconds of one run."""
    cpu, elapsed = time.process_time(), time.perf_counter()
    function()
    return time.process_time() - cpu, time.perf_counter() - elapsed


def _spread(values: np.ndarray) -> dict[str, float]:
    """Median and extremes of the repeats."""
    summary = {"median": np.median(values), "least": values.min(), "most": values.max()}
    return {name: round(float(value), 2) for name, value in summary.items()}


def _scaling(
    selected: list[training_windows.Window], sources: window_blocks.Sources, seconds: float
) -> list[dict[str, Any]]:
    """Windows per elapsed second with 1, 2, ... all cores, workers warm.

    Windows per core and second of CPU time tell what the workers cost each other where other work
    takes the cores away.
    """
    grouped = window_blocks.group(selected, sources.transform, 1)
    cores = multiprocessing.cpu_count()
    counts = sorted({1, *(2**power for power in range(1, 8) if 2**power < cores), cores})
    measured = []
    for workers in counts:
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
            barrier = [pool.submit(_work, grouped, sources, 0.0, 1) for _ in range(workers)]
            concurrent.futures.wait(barrier)
            start = time.perf_counter()
            jobs = [pool.submit(_work, grouped, sources, seconds, seed) for seed in range(workers)]
            done, cpu = np.sum([job.result() for job in jobs], axis=0)
            rate = done / (time.perf_counter() - start)
        measured.append(
            {
                "workers": workers,
                "windows_per_second": round(rate, 2),
                "windows_per_core_second": round(done / cpu, 2),
                "load": round(os.getloadavg()[0], 1),
            }
        )
    for row in measured:
        row["of_one"] = round(row["windows_per_second"] / measured[0]["windows_per_second"], 2)
    return measured


def _work(
    grouped: list[window_blocks.Block], sources: window_blocks.Sources, seconds: float, seed: int
) -> tuple[int, float]:
    """Computes random blocks for a while; returns the number of windows and CPU seconds."""
    random = np.random.default_rng(seed)
    end = time.perf_counter() + seconds
    cpu = time.process_time()
    done = 0
    with tempfile.TemporaryDirectory() as folder:
        while done == 0 or time.perf_counter() < end:
            block = grouped[random.integers(len(grouped))]
            done += window_blocks.compute(block, sources, Path(folder) / "block.h5")
    return done, time.process_time() - cpu


if __name__ == "__main__":
    main()
