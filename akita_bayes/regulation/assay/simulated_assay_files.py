"""Writes a simulated reporter assay to disk, in the formats of real assays.

One unnamed library sorted into bins becomes `files.txt` and one `ct seq` file per bin, as the lac
data were published; several libraries, or read-outs, become one table `assay.csv.gz`. `truth.json`
holds the parameters and `params.json` the mechanism.
"""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from akita_bayes import dna, files
from akita_bayes.files import output_directory
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import assay_table
from akita_bayes.regulation.assay import simulated_assay as simulator

TRUTH = "truth.json"


def write(
    simulated: simulator.Simulated,
    mechanism: mechanism_spec.Mechanism,
    design: simulator.Design,
    out_dir: str | Path,
) -> None:
    """Writes a simulated experiment into a directory, in place of a former one.

    Raises:
        RunError: The directory holds files of another kind, or another process writes to it.
    """
    with (
        output_directory.claim(out_dir, kind="assay", content="own"),
        files.atomic(out_dir, directory=True) as folder,
    ):
        (library, *more_libraries) = simulated.table.libraries
        if len(library.columns) > 1 and not more_libraries and not library.name:
            _write_bins(library, folder)
        else:
            _write_table(simulated.table, folder / "assay.csv.gz")
        files.write_json(folder / "params.json", mechanism.model_dump(mode="json", by_alias=True))
        files.write_json(folder / TRUTH, truth_as_json(simulated, mechanism, design))


def truth_as_json(
    simulated: simulator.Simulated, mechanism: mechanism_spec.Mechanism, design: simulator.Design
) -> dict[str, Any]:
    """Returns the parameters of a simulation: constants in the mechanism's unit, matrices in kT."""
    return {
        "unit": mechanism.unit,
        "constants": simulated.truth.constants,
        "matrices": {
            name: {base: matrix[:, i].tolist() for i, base in enumerate(dna.ALPHABET)}
            for name, matrix in simulated.truth.matrices.items()
        },
        "activities": simulated.truth.activities,
        "gates": {name: gates.tolist() for name, gates in simulated.gates.items()},
        "measurement": {
            name: {weight: value for weight, value in weights.items() if np.isfinite(value)}
            for name, weights in simulated.weights.items()
        },
        "design": vars(design),
        "sequences": {lib.name: len(lib.index) for lib in simulated.table.libraries},
        "reads": {lib.name: float(lib.observed.sum()) for lib in simulated.table.libraries},
    }


def _write_bins(library: assay_table.Library, folder: Path) -> None:
    sequences = np.array(library.sequences)
    listing = []
    for name, counts in zip(library.columns, library.observed.T, strict=True):
        with_reads = counts > 0
        frame = pd.DataFrame({"ct": counts[with_reads].astype(int), "seq": sequences[with_reads]})
        file = "library.txt" if name == "0" else f"bin_{name}.txt"
        _write_csv(frame, folder / f"{file}.gz", "\t")
        listing.append({"bin": name, "file": file})
    pd.DataFrame(listing).to_csv(folder / "files.txt", sep="\t", index=False)


def _write_table(table: assay_table.Table, path: Path) -> None:
    frames = []
    for library in table.libraries:
        counted = len(library.columns) > 1
        columns = [f"ct_{name}" if counted else name for name in library.columns]
        frame = pd.DataFrame(library.observed, columns=columns)
        if counted or columns == ["count"]:
            frame = frame.astype(int)
        if library.name:
            frame.insert(0, "library", library.name)
        frame.insert(0, "sequence", library.sequences)
        frames.append(frame)
    _write_csv(pd.concat(frames), path, ",")


def _write_csv(frame: pd.DataFrame, path: Path, separator: str) -> None:
    """Writes gzip without a time stamp, so that the same seed gives the same bytes."""
    text = frame.to_csv(sep=separator, index=False, lineterminator="\n").encode("ascii")
    path.write_bytes(gzip.compress(text, mtime=0))
