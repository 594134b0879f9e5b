"""Cost against size: window length, variants, windows, draws, workers and reads.

    python -m benchmarks.growth [--only variants,draws]
    python -m benchmarks.growth --only plot

Every size runs in a process of its own, so that its peak memory is its own. Seconds are those of
the processor, of all processes of a measurement, without the import of TensorFlow. `exponent` is
the slope of log seconds over log size between the two largest sizes: 1 is linear. Variants and
windows use the smallest network (`specs/growth.json`), so that reading, writing and bookkeeping
count and not the network; window lengths use Akita v1, draws use akita_vae_tiny.
"""

import argparse
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import environment, run

RESULT = run.RESULTS / "growth.json"
FIGURE = run.ROOT / "docs" / "images" / "growth.png"
SPEC = Path(__file__).with_name("specs") / "growth.json"
SIZES: dict[str, tuple[int, ...]] = {
    "variants": (100, 1_000, 10_000, 100_000),
    "windows": (100, 1_000, 10_000),
    "bases": tuple(2**power for power in range(17, 22)),
    "draws": (1, 4, 16, 64, 256),
    "workers": (1, 2),
    "reads": (10_000, 100_000, 1_000_000),
}
TITLES = {
    "variants": "variants scored by akita_scd",
    "windows": "windows predicted by akita_predict",
    "bases": "bases of a window (Akita v1)",
    "draws": "draws of a latent posterior",
    "workers": "workers of akita_scd, 2,000 variants",
    "reads": "reads of a reporter assay",
}
ROWS_OF_WORKERS = 2_000
EVALUATIONS = 10
SPACING = 40  # bases between variants and between windows


def main(argv: Sequence[str] | None = None) -> None:
    """Measures, and writes `results/growth.json` and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", help="measurements, comma-separated; the file keeps the others")
    parser.add_argument("--most", type=int, help="leave out larger sizes; the file keeps them")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "SIZE"), help="measure one size here")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    if options.one:
        name, size = options.one
        print(json.dumps(_measure(name, int(size))))
        return
    measurements: dict[str, Any] = {}
    if options.result.is_file():
        measurements = json.loads(options.result.read_text(encoding="utf-8"))["measurements"]
    names = options.only.split(",") if options.only else [*SIZES, "plot"]
    for name in names:
        if name == "plot":
            plot(measurements)
            continue
        rows = {row["size"]: row for row in measurements.get(name, {}).get("rows", [])}
        for size in SIZES[name]:
            if options.most is None or size <= options.most:
                before = environment.load()
                row = run.in_own_process(["--one", name, str(size)], module="benchmarks.growth")
                rows[size] = {"size": size, **row, "load_before": before}
        table = [rows[size] for size in sorted(rows)]
        measurements[name] = {
            "title": TITLES[name],
            "rows": table,
            "exponent": exponent(table),
            "environment": environment.describe(),
        }
        missing = {name: sizes for name, sizes in absent(measurements).items() if sizes}
        run.write(options.result, {"measurements": measurements, "missing": missing})


def absent(measurements: dict[str, Any]) -> dict[str, list[int]]:
    """Returns the sizes of each measurement that have no row."""
    return {
        name: sorted(
            set(sizes) - {row["size"] for row in measurements.get(name, {}).get("rows", [])}
        )
        for name, sizes in SIZES.items()
    }


def exponent(rows: Sequence[dict[str, Any]]) -> float | None:
    """Returns the slope of log seconds over log size between the two largest sizes."""
    if len(rows) < 2:
        return None
    a, b = rows[-2:]
    return math.log(b["cpu_seconds"] / a["cpu_seconds"]) / math.log(b["size"] / a["size"])


def plot(measurements: dict[str, Any], path: Path = FIGURE) -> None:
    """Draws seconds over size for each measurement, beside a line of linear growth."""
    from matplotlib import figure, ticker

    names = [name for name in SIZES if name in measurements]
    drawing = figure.Figure(figsize=(12, 6.5), layout="constrained")
    axes = drawing.subplots(2, math.ceil(len(names) / 2), squeeze=False).flatten()
    for panel in axes[len(names) :]:
        panel.set_visible(False)
    for panel, name in zip(axes, names, strict=False):
        rows = measurements[name]["rows"]
        sizes = np.array([row["size"] for row in rows], float)
        seconds = np.array([row["cpu_seconds"] for row in rows])
        panel.loglog(sizes, seconds, "o-", color="#0072B2", label="processor seconds")
        panel.loglog(sizes, seconds[-1] * sizes / sizes[-1], "--", color="grey", label="linear")
        panel.set(title=measurements[name]["title"], xlabel=name, ylabel="processor seconds")
        panel.set_xticks(sizes, [_short(size) for size in sizes.astype(int)])
        panel.xaxis.set_minor_formatter(ticker.NullFormatter())
        memory = panel.twinx()
        gigabytes = [row["peak_memory_gb"] for row in rows]
        memory.plot(sizes, gigabytes, "s:", color="#D55E00")
        memory.set_ylim(0, 1.3 * max(gigabytes))
        memory.set_ylabel("peak memory, GB", color="#D55E00")
    axes[0].legend(loc="upper left", fontsize=8)
    drawing.savefig(path, dpi=110)
    print(f"wrote {path}")


def _short(size: int) -> str:
    """Returns 100000 as 100k and 2097152 as 2.1M."""
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if size >= unit:
            return f"{size / unit:.2g}{name}" if size < 100 * unit else f"{size // unit}{name}"
    return str(size)


def _measure(name: str, size: int) -> dict[str, Any]:
    call = {
        "variants": lambda: _variants(size, 1),
        "windows": lambda: _windows(size),
        "bases": lambda: _bases(size),
        "draws": lambda: _draws(size),
        "workers": lambda: _variants(ROWS_OF_WORKERS, size),
        "reads": lambda: _reads(size),
    }[name]()
    return {**call, "peak_memory_gb": round(run.peak_memory_gb(), 3)}


def _spent(call: Callable[[], Any]) -> dict[str, float]:
    """Returns wall seconds, and processor seconds of this process and its children, of a call."""
    times = time.perf_counter(), _processor()
    call()
    return {
        "wall_seconds": time.perf_counter() - times[0],
        "cpu_seconds": _processor() - times[1],
    }


def _processor() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _network(folder: Path) -> tuple[Path, Path]:
    """Writes spec and weights of the smallest network."""
    import keras

    import akita_bayes as ab

    keras.utils.set_random_seed(0)
    model = ab.build(ab.load_spec(SPEC))
    model.save(folder / "model.keras")
    return SPEC, folder / "model.keras"


def _genome(folder: Path, bases: int) -> tuple[Path, str]:
    from akita_bayes.data import genome

    letters = np.random.default_rng(0).choice(np.frombuffer(b"ACGT", "S1"), bases)
    text = letters.tobytes().decode("ascii")
    genome.write_fasta(folder / "genome.fa", {"chr1": text})
    return folder / "genome.fa", text


def _variants(count: int, workers: int) -> dict[str, Any]:
    """Scores SNVs by the command; counts the rows that it wrote."""
    import pandas as pd

    from akita_bayes.cli import akita_scd

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec, weights = _network(folder)
        fasta, letters = _genome(folder, count * SPACING + 1024)
        with open(folder / "snvs.vcf", "w", encoding="utf-8") as file:
            file.write("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
            for number in range(count):
                position = 512 + number * SPACING
                ref = letters[position - 1]
                alt = "ACGT"["ACGT".index(ref) - 1]
                file.write(f"chr1\t{position}\ts{number}\t{ref}\t{alt}\t.\t.\t.\n")
        words = [spec, weights, folder / "snvs.vcf", "-f", fasta, "-o", folder / "out"]
        words += ["--workers", workers] if workers > 1 else []
        status: list[int] = []
        spent = _spent(lambda: status.append(akita_scd.main([str(word) for word in words])))
        assert status == [0]
        table = pd.read_csv(folder / "out" / "scores.tsv", sep="\t")
        scored = int(np.isfinite(table.filter(regex="^SCD")).all(axis=1).sum())
        assert len(table) == scored == count, (len(table), scored, count)
        return {**spent, "rows": len(table), "rows_per_cpu_second": count / spent["cpu_seconds"]}


def _windows(count: int) -> dict[str, Any]:
    """Predicts the maps of windows by the command; counts the maps that it wrote."""
    import h5py

    from akita_bayes.cli import akita_predict

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec, weights = _network(folder)
        fasta, _ = _genome(folder, count * SPACING + 1024)
        lines = (f"chr1\t{n * SPACING}\t{n * SPACING + 256}\n" for n in range(count))
        (folder / "windows.bed").write_text("".join(lines), encoding="utf-8")
        words = [spec, weights, folder / "windows.bed", "-f", fasta, "-o", folder / "out"]
        status: list[int] = []
        spent = _spent(lambda: status.append(akita_predict.main([str(word) for word in words])))
        assert status == [0]
        with h5py.File(folder / "out" / "predict.h5") as file:
            maps = len(file["preds"])
        assert maps == count, (maps, count)
        return {**spent, "rows": maps, "rows_per_cpu_second": count / spent["cpu_seconds"]}


def _bases(length: int) -> dict[str, Any]:
    """Predicts one window of a length by Akita v1, cropped to 7/8 of its bins."""
    import akita_bayes as ab
    from akita_bayes.models import zoo
    from benchmarks import random_weights

    path = run.ROOT / "models" / "json" / "akita_v1.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["model"]["seq_length"] = length
    for key, blocks in raw["model"].items():
        for block in blocks if key.startswith("head") else ():
            if block["name"] == "cropping_2d":
                block["cropping"] = length // 2048 // 16
    spec = zoo.parse_spec(raw)
    model = ab.build(spec.only(spec.head_names[0]))
    random_weights.assign(model)
    x = np.random.default_rng(0).integers(0, 4, (1, length), np.uint8)
    ab.predict(model, x)  # compiles
    return {**_spent(lambda: ab.predict(model, x)), "pixels": int(model.output.shape[1])}


def _draws(count: int) -> dict[str, Any]:
    import akita_bayes as ab
    from benchmarks import random_weights

    model = ab.build(ab.load_spec(run.ROOT / "models" / "json" / "akita_vae_tiny.json"))
    random_weights.assign(model)
    x = np.random.default_rng(0).integers(0, 4, (4, model.spec.model.seq_length), np.uint8)
    ab.sample_posterior(model, x, draws=2)  # compiles
    return _spent(lambda: ab.sample_posterior(model, x, draws=count))


def _reads(count: int) -> dict[str, Any]:
    """Reads a simulated reporter assay, and evaluates its likelihood with gradient ten times."""
    from akita_bayes.mechanisms import mechanism_spec
    from akita_bayes.regulation.assay import assay_files, simulated_assay, simulated_assay_files
    from akita_bayes.regulation.model import likelihood

    mechanism = mechanism_spec.load(run.ROOT / "models" / "json" / "lac_thermodynamic.json")
    design = simulated_assay.Design(sequences=count // 10, reads=count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "assay"
        simulated = simulated_assay.simulate(mechanism, design, seed=0)
        simulated_assay_files.write(simulated, mechanism, design, folder)
        table = assay_files.read(folder)
        parameters = likelihood.Likelihood(mechanism, table).parameters
        theta = parameters.start(np.random.default_rng(0))

        def read_and_evaluate() -> None:
            function = likelihood.Likelihood(mechanism, assay_files.read(folder))
            for _ in range(EVALUATIONS):
                function.value_and_gradient(theta)

        return {**_spent(read_and_evaluate), "reads": int(table.libraries[0].observed.sum())}


if __name__ == "__main__":
    main()
