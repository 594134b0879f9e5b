"""Writes the maps of variants to one HDF5 file, a variant at a time, and reads them again."""

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, regions, triangle
from akita_bayes.files import damage, hdf5_reader, hdf5_writer
from akita_bayes.variants.alleles import bin_loci

FILE = "maps.h5"
EVERY = sys.maxsize
"""Number of variants to save for all that have scores."""

LAYERS = ("reference", "alternative", "difference", "sd")
"""Datasets of pixels, float32 [M, P, T]; `sd` exists for scores with draws."""

_KIND, _ADVICE = "maps of variants", "save them again with akita_scd.py --save_maps"
_PACKED = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
_STRETCH = ("map", "chrom", "start", "end", "strand", "first_bin", "last_bin")


class SavedMap(NamedTuple):
    """Holds the maps of one variant as pixels of the upper triangle.

    Attributes:
        row: Row of the variant in `scores.tsv`, counted from 0.
        title: Name, position, type and alleles of the variant.
        region: Bases from the first reference base of the frame, as many as the frame has.
        site: First bin of the event and one past its last.
        stretches: Stretches of the genome in the frame, from left to right.
        reference: Map of REF, mean over draws, NaN in pixels that REF lacks. [P, T].
        alternative: Map of ALT, NaN in pixels that ALT lacks. [P, T].
        difference: ALT - REF of pixels that show the same contact in both, else NaN. [P, T].
        sd: Standard deviation of the difference over draws, NaN as there; None without draws.
            [P, T].
    """

    row: int
    title: str
    region: regions.Region
    site: tuple[int, int]
    stretches: list[bin_loci.Stretch]
    reference: NDArray[np.float32]
    alternative: NDArray[np.float32]
    difference: NDArray[np.float32]
    sd: NDArray[np.float32] | None


class Frame(NamedTuple):
    """Describes what all maps of a file have in common.

    Attributes:
        bins: Bins of a map, N.
        bin_width: Bases of a bin.
        diagonal_offset: First diagonal that a map has.
        targets: Identifiers of the targets T.
        spread: True for maps with an sd.
    """

    bins: int
    bin_width: int
    diagonal_offset: int
    targets: list[str]
    spread: bool

    @property
    def pixels(self) -> int:
        """Returns the number of pixels P."""
        return triangle.length(self.bins, self.diagonal_offset)


def write(
    path: str | Path,
    maps: Iterable[SavedMap],
    frame: Frame,
    *,
    count: int,
    attributes: Mapping[str, Any],
) -> None:
    """Writes the maps of variants atomically; one of them is in memory at a time.

    Args:
        path: File name.
        maps: Maps, `count` of them.
        frame: What all maps have in common.
        count: Number of maps, M.
        attributes: Attributes of the file; values other than text and numbers become JSON.
    """
    text = h5py.string_dtype()
    shape = (count, frame.pixels, len(frame.targets))
    layers = LAYERS if frame.spread else LAYERS[:-1]
    with hdf5_writer.create(path) as file:
        for name in layers:
            # A chunk is one variant; the sum of bytes at the same place compresses floats well.
            chunks = (1, *shape[1:]) if count else None
            packed = (
                {"compression": "gzip", "compression_opts": 4, "shuffle": True} if count else {}
            )
            file.create_dataset(name, shape, np.float32, chunks=chunks, **packed)
        about: list[SavedMap] = []
        for number, variant in enumerate(maps):
            for name in layers:
                file[name][number] = getattr(variant, name)
            about.append(_without_pixels(variant))
            file.check()
        file["row"] = np.array([variant.row for variant in about], np.int64)
        file["site"] = np.array([variant.site for variant in about], np.int32).reshape(-1, 2)
        file["span"] = np.array([v.region[1:] for v in about], np.int64).reshape(-1, 2)
        file.create_dataset("chrom", data=[v.region.chrom for v in about], dtype=text)
        file.create_dataset("title", data=[v.title for v in about], dtype=text)
        file.create_dataset("targets", data=frame.targets, dtype=text)
        _write_stretches(file, about)
        file.attrs["bins"], file.attrs["bin_width"] = frame.bins, frame.bin_width
        file.attrs["diagonal_offset"] = frame.diagonal_offset
        for name, value in attributes.items():
            plain = isinstance(value, str | int | float)
            file.attrs[name] = value if plain else json.dumps(value)


def _without_pixels(variant: SavedMap) -> SavedMap:
    nothing = np.empty((0, 0), np.float32)
    return variant._replace(reference=nothing, alternative=nothing, difference=nothing, sd=None)


def _write_stretches(file: h5py.File, maps: Sequence[SavedMap]) -> None:
    """Writes one row for each stretch of each map, in columns."""
    rows = [
        (number, *part.region, part.strand, part.first, part.last)
        for number, variant in enumerate(maps)
        for part in variant.stretches
    ]
    columns = list(zip(*rows, strict=True)) or [()] * len(_STRETCH)
    for name, column in zip(_STRETCH, columns, strict=True):
        kind: Any = h5py.string_dtype() if name == "chrom" else np.int64
        kind = np.float64 if name.endswith("_bin") else kind
        file.create_dataset(f"stretches/{name}", data=list(column), dtype=kind)


class SavedMaps:
    """Reads the maps of an open file, one variant at a time.

    Args:
        file: The file.
        path: Its name, for messages.

    Attributes:
        frame: What all maps have in common.
        rows: Rows of the variants in `scores.tsv`, strongest first. [M].
        attributes: Attributes of the file: versions, digests and options.
    """

    def __init__(self, file: h5py.File, path: str | Path) -> None:
        self._file, self._path = file, path
        self.attributes = dict(file.attrs)
        self.frame = Frame(
            int(file.attrs["bins"]),
            int(file.attrs["bin_width"]),
            int(file.attrs["diagonal_offset"]),
            [str(name) for name in file["targets"].asstr()[:]],
            "sd" in file,
        )
        self.rows = [int(row) for row in file["row"][:]]
        shape = (len(self.rows), self.frame.pixels, len(self.frame.targets))
        for name in LAYERS if self.frame.spread else LAYERS[:-1]:
            if file[name].shape != shape:
                raise errors.DataError(
                    f"{path}: {name} has the shape {file[name].shape}; expected {shape}; {_ADVICE}."
                )
        self._stretches = {
            name: file[f"stretches/{name}"].asstr()[:]
            if name == "chrom"
            else file[f"stretches/{name}"][:]
            for name in _STRETCH
        }

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, number: int) -> SavedMap:
        """Reads the maps of the variant with this number in `rows`."""
        file, column = self._file, self._stretches
        with damage.explained(self._path, _KIND, _ADVICE):
            start, end = (int(edge) for edge in file["span"][number])
            return SavedMap(
                self.rows[number],
                str(file["title"].asstr()[number]),
                regions.Region(str(file["chrom"].asstr()[number]), start, end),
                (int(file["site"][number][0]), int(file["site"][number][1])),
                [
                    bin_loci.Stretch(
                        float(column["first_bin"][k]),
                        float(column["last_bin"][k]),
                        regions.Region(
                            str(column["chrom"][k]), int(column["start"][k]), int(column["end"][k])
                        ),
                        int(column["strand"][k]),
                    )
                    for k in np.flatnonzero(column["map"] == number)
                ],
                file["reference"][number],
                file["alternative"][number],
                file["difference"][number],
                file["sd"][number] if self.frame.spread else None,
            )


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator[SavedMaps]:
    """Opens the maps that `akita_scd.py --save_maps` wrote.

    Args:
        path: `maps.h5`, or the directory that holds it.

    Raises:
        DataError: The file is missing or damaged.
    """
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise errors.DataError(f"{path}: no such file; {_ADVICE}.")
    with hdf5_reader.opened(path, _KIND, _ADVICE) as file:
        yield SavedMaps(file, path)
