"""Writes the maps of some tested windows to `windows.h5`, and reads them again for reports.

The file holds, for W windows, P pixels and T targets, float32 [W, P, T]: `measured` (NaN where
not measured), `predicted`, `sd` (with draws) and `truth` (of simulated data); `chrom`, `start` and
`end` [W] of the part of the genome that a map covers; and `targets` [T]. Attributes are `bins`,
`bin_width` and `diagonal_offset`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, files, regions, triangle
from akita_bayes.files import damage, hdf5_reader, hdf5_writer

if TYPE_CHECKING:  # a report is read without TensorFlow
    from akita_bayes.evaluate.accuracy import Report

FILE = "windows.h5"
LAYERS = ("measured", "predicted", "sd", "truth")

_KIND, _ADVICE = "maps of tested windows", "test again with akita_test.py"


class WindowMaps(NamedTuple):
    """Holds the maps of some windows.

    Attributes:
        regions: The part of the genome that each map covers. [W].
        targets: Identifiers of the targets. [T].
        bins: Bins N of a map.
        bin_width: Bases of a bin.
        diagonal_offset: First diagonal of a map.
        layers: Name -> pixels, in the order of `LAYERS`. [W, P, T].
    """

    regions: list[regions.Region]
    targets: list[str]
    bins: int
    bin_width: int
    diagonal_offset: int
    layers: dict[str, NDArray[np.float32]]


def write(report: "Report", targets: Sequence[str], out_dir: str | Path) -> None:
    """Writes the examples of a report; removes an earlier file when it has no maps.

    Args:
        report: Accuracy on a split.
        targets: Identifiers of its targets.
        out_dir: Folder of the file.
    """
    path = Path(out_dir) / FILE
    geometry, examples = report.geometry, report.examples
    if geometry is None or geometry.diagonal_offset is None or not examples:
        files.remove(path)
        return
    layers: dict[str, list[NDArray[Any] | None]] = {
        "measured": [np.where(example.mask, example.target, np.nan) for example in examples],
        "predicted": [example.prediction for example in examples],
        "sd": [example.sd for example in examples],
        "truth": [example.truth for example in examples],
    }
    text = h5py.string_dtype()
    with hdf5_writer.create(path) as file:
        for name, maps in layers.items():
            present = [np.asarray(values, np.float32) for values in maps if values is not None]
            if len(present) == len(examples):
                stacked = np.stack(present)
                file.create_dataset(name, data=stacked, compression="gzip", shuffle=True)
        spans = [example.region for example in examples]
        file.create_dataset("chrom", data=[span.chrom for span in spans], dtype=text)
        file["start"] = np.array([span.start for span in spans], np.int64)
        file["end"] = np.array([span.end for span in spans], np.int64)
        file.create_dataset("targets", data=list(targets), dtype=text)
        for name in ("bins", "bin_width", "diagonal_offset"):
            file.attrs[name] = getattr(geometry, name)


def read(path: str | Path) -> WindowMaps:
    """Reads `windows.h5`.

    Raises:
        DataError: The file is damaged.
    """
    with (
        hdf5_reader.opened(path, _KIND, _ADVICE) as file,
        damage.explained(path, _KIND, _ADVICE),
    ):
        maps = WindowMaps(
            [
                regions.Region(str(chrom), int(start), int(end))
                for chrom, start, end in zip(
                    file["chrom"].asstr()[:], file["start"][:], file["end"][:], strict=True
                )
            ],
            [str(name) for name in file["targets"].asstr()[:]],
            int(file.attrs["bins"]),
            int(file.attrs["bin_width"]),
            int(file.attrs["diagonal_offset"]),
            {name: file[name][:] for name in LAYERS if name in file},
        )
    shape = (
        len(maps.regions),
        triangle.length(maps.bins, maps.diagonal_offset),
        len(maps.targets),
    )
    for name, layer in maps.layers.items():
        if layer.shape != shape:
            raise errors.DataError(
                f"{path}: {name} has the shape {layer.shape}; expected {shape}; {_ADVICE}."
            )
    return maps
