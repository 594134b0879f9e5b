"""Compares the results of commands with 1, 2 and 4 threads: equal bytes, content, or numbers.

`python -m tests.faults.threads [COMMAND ...]` prints a line for each command: "bytes" when all
files are equal, "content" when only times inside of files differ, and else the largest difference
of a number, relative to the largest number of its array, with the files that differ.
"""

import re
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

from akita_bayes.origins import provenance
from tests.faults.commands import COMMANDS, results, write_inputs
from tests.faults.kills import Harness

_NUMBER = re.compile(r"-?\d+\.?\d*(?:e[-+]?\d+)?")
_TEXT = {".json", ".tsv", ".csv", ".vcf", ".txt", ".bedgraph"}


def differing(first_folder, second_folder):
    """Names of files that differ in a byte."""
    names = {path.relative_to(first_folder) for path in first_folder.rglob("*") if path.is_file()}
    names |= {
        path.relative_to(second_folder) for path in second_folder.rglob("*") if path.is_file()
    }
    return sorted(
        str(name)
        for name in names
        if name.name != provenance.FILE
        and _bytes(first_folder / name) != _bytes(second_folder / name)
    )


def _bytes(path):
    return path.read_bytes() if path.is_file() else None


def arrays(path):
    """Numbers of a file, as one array for each dataset."""
    if path.suffix in (".h5", ".cool"):
        with h5py.File(path) as file:
            datasets = []
            file.visititems(
                lambda _, item: (
                    datasets.append(item[()])
                    if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu"
                    else None
                )
            )
        return [np.atleast_1d(values).astype(float) for values in datasets]
    if path.suffix == ".npz":
        with np.load(path) as archive:
            return [
                archive[n].astype(float) for n in archive.files if archive[n].dtype.kind in "fiu"
            ]
    if path.suffix in _TEXT:
        return [np.array([float(number) for number in _NUMBER.findall(path.read_text())])]
    return []


def largest_difference(first_folder, second_folder, names):
    """Largest difference of two arrays of the same file, relative to the largest number."""
    largest = 0.0
    for name in names:
        for first, second in zip(
            arrays(first_folder / name), arrays(second_folder / name), strict=True
        ):
            if first.shape != second.shape:
                return float("inf")
            if first.size:
                scale = np.nanmax(np.abs(first)) or 1.0
                largest = max(largest, float(np.nanmax(np.abs(first - second))) / scale)
    return largest


def compared(harness, name):
    """How the results of a command with 2 and 4 threads differ from those with 1."""
    outs = {}
    for threads in (1, 2, 4):
        outs[threads] = harness.folder / f"{name}_{threads}"
        ended = harness.run(name, outs[threads], threads=threads)
        if ended.status != 0:
            return f"status {ended.status}: {ended.stderr[-300:]}"
    names = sorted({n for threads in (2, 4) for n in differing(outs[1], outs[threads])})
    if not names:
        return "bytes"
    contents = [results(COMMANDS[name], out) for out in outs.values()]
    if contents[0] == contents[1] == contents[2] and not COMMANDS[name].omitted:
        return f"content; bytes of {', '.join(names)} differ"
    numbers = max(largest_difference(outs[1], outs[threads], names) for threads in (2, 4))
    return f"largest relative difference {numbers:.1e} in {', '.join(names)}"


def main(words):
    """Compares all commands, or those that are named; returns the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        write_inputs(Path(folder))
        harness = Harness(Path(folder))
        for name in words or COMMANDS:
            print(f"{name}: {compared(harness, name)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
