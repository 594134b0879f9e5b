"""Predictions on disk: windows of regions, HDF5 with the coordinates of every value, coolers.

`predict.h5` holds, for W windows, N bins, P pixels and T targets,

    chrom [W], start [W], end [W]          the windows read, counted from 0, half-open
    region [W]                             number of the region asked for, in the order of the file
    preds [W, P, T] or [W, N, T]           float32 predictions of maps or tracks
    bin_start [W, N], bin_end [W, N]       genomic interval of every output bin
    row [P], column [P]                    bins of every pixel, of maps only
    epistemic_sd, aleatoric_sd             like preds, when drawn from a posterior

and for several heads all but the windows in a group per head. A window that leaves its chromosome
was read with N there; its bins keep their coordinates, which may be negative.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors, files, regions, triangle
from akita_bayes.specs.geometry import Geometry

NAME = "predict.h5"


def windows(
    region: regions.Region,
    place: Geometry,
    *,
    chrom_size: int,
    stride: int | None = None,
) -> list[regions.Region]:
    """Windows whose outputs cover a region as far as the chromosome allows.

    A region of a window's width is that window. A narrower one is put into the middle of a window.
    A wider one, or one that no window on the grid of bins shows, is tiled. Windows made here start
    on that grid, and inside the chromosome if it holds one.

    Args:
        region: What is asked for.
        place: The model's geometry.
        chrom_size: Bases of the chromosome.
        stride: Bases from one tile to the next, a multiple of the bin width; None takes half of
            the output.

    Raises:
        DataError: The stride is no multiple of the bin width, or leaves gaps.
    """
    length, width = place.seq_length, place.bin_width
    span = place.bins * width
    if region.width == length:
        return [region]
    stride = stride or max(1, place.bins // 2) * width
    if stride % width or not 0 < stride <= span:
        raise errors.DataError(
            f"a stride of {stride} bp is no multiple of the {width}-bp bins up to {span} bp."
        )
    # On the grid, the last window that shows the region's first base, and the first its last one.
    first = (region.start - place.crop_bp) // width * width
    final = -(-(region.end - place.crop_bp - span) // width) * width
    if final <= first:
        middle = (region.start + region.end - length) // 2 // width * width
        starts = [max(middle, final)]
    else:
        tiles = -(-(final - first) // stride) + 1
        starts = [first + tile * stride for tile in range(tiles)]
    last = (chrom_size - length) // width * width
    inside = [min(max(start, 0), last) if last >= 0 else start for start in starts]
    return [regions.Region(region.chrom, at, at + length) for at in dict.fromkeys(inside)]


class Writer:
    """Writes `predict.h5`, atomically: a body that raises leaves no file.

    Args:
        path: Name of the file.
        places: Head -> geometry of its outputs.
        attributes: Of the file: what the numbers were made from.
    """

    def __init__(
        self, path: str | Path, places: Mapping[str, Geometry], attributes: Mapping[str, Any]
    ) -> None:
        self._places = places
        self._atomic = files.atomic(path)
        self._attributes = attributes

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            temporary = stack.enter_context(self._atomic)
            self._file = stack.enter_context(h5py.File(temporary, "w"))
            self._file.attrs.update(self._attributes)
            for head, place in self._places.items():
                group = self._file.require_group(group_name(head, self._places))
                group.attrs["bin_width"] = place.bin_width
                group.attrs["crop_bp"] = place.crop_bp
                if place.diagonal_offset is not None:
                    group.attrs["diagonal_offset"] = place.diagonal_offset
                    rows, columns = triangle.indices(place.bins, place.diagonal_offset)
                    group["row"], group["column"] = rows.astype(np.int32), columns.astype(np.int32)
            self._opened = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.__exit__(kind, error, trace)

    def write(
        self,
        batch: Sequence[regions.Region],
        region: Sequence[int],
        outputs: Mapping[str, Mapping[str, NDArray]],
    ) -> None:
        """Appends windows.

        Args:
            batch: The windows.
            region: For each, the number of the region that it was made for.
            outputs: Head -> dataset -> [B, P or N, T].
        """
        starts = np.array([window.start for window in batch], np.int64)
        append(self._file, "chrom", np.array([w.chrom for w in batch], h5py.string_dtype()))
        append(self._file, "start", starts)
        append(self._file, "end", np.array([window.end for window in batch], np.int64))
        append(self._file, "region", np.array(region, np.int64))
        for head, datasets in outputs.items():
            group, place = self._file[group_name(head, self._places)], self._places[head]
            first = starts[:, None] + place.crop_bp + np.arange(place.bins) * place.bin_width
            append(group, "bin_start", first)
            append(group, "bin_end", first + place.bin_width)
            for name, values in datasets.items():
                append(group, name, values.astype(np.float32))


def group_name(head: str, heads: Mapping[str, Any]) -> str:
    """Where a head's datasets are: at the root when it is the only one."""
    return f"/{head}" if len(heads) > 1 else "/"


def write_coolers(
    predictions: str | Path,
    out_dir: str | Path,
    *,
    chrom_sizes: Mapping[str, int],
    names: Sequence[str],
    head: str = "/",
    zoom: bool = False,
) -> list[Path]:
    """Writes the predicted maps of each target as a cooler; overlapping windows are averaged.

    The value, log observed over expected, is in the column `count`. Bins that are not wholly
    inside their chromosome are left out.

    Args:
        predictions: `predict.h5`.
        out_dir: Where NAME.cool, or NAME.mcool, is written.
        chrom_sizes: Chromosome -> bases.
        names: Of the targets.
        head: The head's group in the file.
        zoom: Write .mcool: coarser resolutions, of which each holds means, beside the first.

    Raises:
        DataError: The file holds tracks, or a window that is not on the grid of bins.
    """
    with h5py.File(predictions) as file:
        group = file[head]
        if "row" not in group:
            raise errors.DataError(f"{predictions}: holds tracks; a cooler is made of maps.")
        written = []
        for target, name in enumerate(names):
            path = Path(out_dir) / f"{name}.{'mcool' if zoom else 'cool'}"
            with files.atomic(path) as temporary:
                _write_cooler(temporary, file, group, target, chrom_sizes, zoom=zoom)
            written.append(path)
    return written


def _write_cooler(
    path: Path,
    file: h5py.File,
    group: h5py.Group,
    target: int,
    chrom_sizes: Mapping[str, int],
    *,
    zoom: bool,
) -> None:
    import cooler

    width, count = int(group.attrs["bin_width"]), group["bin_start"].shape[1]
    bins = cooler.binnify(pd.Series(dict(chrom_sizes)), width)
    base = path.with_name(path.name + ".base") if zoom else path
    dtypes = {"count": np.float32}
    try:
        pixels = _pixels(file, group, target, chrom_sizes)
        cooler.create_cooler(str(base), bins, pixels, dtypes=dtypes, ordered=True)
        if zoom:
            levels = max(1, (count // 8).bit_length())
            cooler.zoomify_cooler(
                str(base),
                str(path),
                [width * 2**level for level in range(levels)],
                chunksize=10**7,
                dtypes=dtypes,
                agg={"count": "mean"},
            )
    finally:
        if zoom:
            files.remove(base)


def _pixels(
    file: h5py.File, group: h5py.Group, target: int, chrom_sizes: Mapping[str, int]
) -> Iterator[pd.DataFrame]:
    """Chromosome by chromosome, every predicted pixel once, its windows averaged."""
    width = int(group.attrs["bin_width"])
    rows, columns = group["row"][()].astype(np.int64), group["column"][()].astype(np.int64)
    chroms = file["chrom"].asstr()[()]
    offset = 0
    for chrom, size in chrom_sizes.items():
        total = -(-size // width)
        keys, values = [], []
        for window in np.flatnonzero(chroms == chrom):
            starts = group["bin_start"][window]
            if starts[0] % width:
                region = regions.Region(
                    chrom, *(int(file[end][window]) for end in ("start", "end"))
                )
                raise errors.DataError(
                    f"{region}: starts off the grid of {width}-bp bins, so a cooler has no place "
                    "for it; move it, or ask for a region of another width, which is put onto it."
                )
            inside = (starts >= 0) & (starts + width <= size)
            kept = inside[rows] & inside[columns]
            first = starts[0] // width
            keys.append((first + rows[kept]) * total + first + columns[kept])
            values.append(group["preds"][window, :, target][kept])
        if keys:
            pixel, inverse, seen = np.unique(
                np.concatenate(keys), return_inverse=True, return_counts=True
            )
            mean = np.bincount(inverse, np.concatenate(values), len(pixel)) / seen
            yield pd.DataFrame(
                {
                    "bin1_id": offset + pixel // total,
                    "bin2_id": offset + pixel % total,
                    "count": mean.astype(np.float32),
                }
            )
        offset += total


def append(group: h5py.Group, name: str, values: NDArray) -> None:
    """Adds rows to the end of a dataset, which the first rows create."""
    if name not in group:
        limit = (None, *values.shape[1:])
        group.create_dataset(name, data=values, maxshape=limit, chunks=(1, *values.shape[1:]))
        return
    dataset = group[name]
    dataset.resize(len(dataset) + len(values), axis=0)
    dataset[-len(values) :] = values
