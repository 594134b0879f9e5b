"""Start-up of commands: help, refusals, and one variant beside the bare import of TensorFlow.

    python -m benchmarks.start_up [--turns 3]

Every case is a whole process. The cases take turns; seconds are those of the processor (user and
system), which a busy machine changes little, and of the clock. `akita_scd` scores one SNV with
akita_tiny from a `.keras` file and a genome of 400,000 bases.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import environment, run, whole_process

RESULT = run.RESULTS / "start_up.json"
TENSORFLOW, SCD = "import tensorflow", "akita_scd, one SNV"


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and writes `results/start_up.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--only", help="'help' or 'variant'; the file keeps the others")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    measurements: dict[str, Any] = {}
    if options.result.is_file():
        measurements = json.loads(options.result.read_text(encoding="utf-8"))["measurements"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        groups = {"help": light(folder), "variant": heavy(folder)}
        for group in [options.only] if options.only else groups:
            before = environment.load()
            turns = measure(groups[group], folder, options.turns)
            load = {"load_before": before, "load_after": environment.load()}
            measurements[group] = {"cases": turns, **load, "environment": environment.describe()}
    if "variant" in measurements:
        cases = measurements["variant"]["cases"]
        ratios = [
            scd / bare
            for scd, bare in zip(cases[SCD]["cpu"], cases[TENSORFLOW]["cpu"], strict=True)
        ]
        measurements["variant"]["imports_of_tensorflow"] = statistics.median(ratios)
        measurements["variant"]["imports_of_tensorflow_most"] = max(ratios)
    run.write(options.result, {"measurements": measurements})


def light(folder: Path) -> dict[str, list[str]]:
    """Returns commands that must not import TensorFlow, by name; some end with exit status 2."""
    scripts = sorted((run.ROOT / "bin").glob("*.py"))
    helps = {f"{path.stem} --help": [str(path), "--help"] for path in scripts}
    bin_ = run.ROOT / "bin"
    missing = str(folder / "missing.fa")
    refusals = {
        "akita_scd, missing genome": ["akita_yeast", "x.vcf", "-f", missing, "-o", "out"],
        "akita_scd, unknown option": ["--no_such_option"],
    }
    return {
        "python alone": ["-c", "pass"],
        **helps,
        **{name: [str(bin_ / "akita_scd.py"), *words] for name, words in refusals.items()},
        "akita_test, missing data": [
            *(str(bin_ / "akita_test.py"), "akita_yeast", str(folder / "no_data"), "-o", "out")
        ],
    }


def heavy(folder: Path) -> dict[str, list[str]]:
    """Writes one variant, its genome and a network; returns the commands by name."""
    script = (
        "import sys, numpy as np, akita_bayes as ab\n"
        "from akita_bayes.data import genome\n"
        "spec = ab.load_spec(sys.argv[1])\n"
        "ab.build(spec).save(sys.argv[2] + '/model.keras')\n"
    )
    spec = run.ROOT / "models" / "json" / "akita_tiny.json"
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 400_000))
    (folder / "genome.fa").write_text(f">chr1\n{letters}\n", encoding="ascii")
    ref = letters[199_999]
    alt = "ACGT"["ACGT".index(ref) - 1]
    header = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    row = f"chr1\t200000\tsnv\t{ref}\t{alt}\t.\t.\t.\n"
    (folder / "one.vcf").write_text(header + row, encoding="ascii")
    whole_process.spent([sys.executable, "-W", "ignore", "-c", script, str(spec), str(folder)])
    words = [str(spec), str(folder / "model.keras"), str(folder / "one.vcf")]
    words += ["-f", str(folder / "genome.fa"), "-o", str(folder / "OUT")]
    return {
        TENSORFLOW: ["-c", "import tensorflow"],
        SCD: [str(run.ROOT / "bin" / "akita_scd.py"), *words],
    }


def measure(
    commands: dict[str, list[str]], folder: Path, turns: int
) -> dict[str, dict[str, list[float]]]:
    """Runs commands in turn; returns the seconds of each, after a turn that fills caches."""
    spent: dict[str, dict[str, list[float]]] = {name: {"cpu": [], "wall": []} for name in commands}
    for turn in range(turns + 1):
        for name, words in commands.items():
            out = str(folder / f"out{turn}")
            words = [out if word == str(folder / "OUT") else word for word in words]
            seconds = whole_process.spent([sys.executable, *words], statuses=(0, 2))
            if turn:
                for unit in ("cpu", "wall"):
                    spent[name][unit].append(seconds[unit])
    return spent


if __name__ == "__main__":
    main()
