"""Lays windows over regions, and writes predictions as HDF5 with coordinates.

`predict.h5` holds, for W windows, N bins, P pixels and T targets,

    chrom [W], start [W], end [W]          the windows read, counted from 0, half-open
    region [W]                             number of the requested region, in the order of the file
    preds [W, P, T] or [W, N, T]           float32 predictions of maps or tracks
    bin_start [W, N], bin_end [W, N]       genomic interval of every output bin
    row [P], column [P]                    bins of every pixel, of maps only
    epistemic_sd, aleatoric_sd             shaped as preds, when drawn from a posterior
    targets [T]                            names of the targets, where they are known
    novelty [W]                            distance from the training windows, when the model has
                                           their statistics (`models.intervals.novelty`)

Of a haplotype, `reference_start` and `reference_end` [W, N] are the bases of the reference at the
ends of every bin; all other coordinates are those of the windows on the reference.

With several heads, all datasets except those of the windows lie in one group per head. Outside its
chromosome, a window reads N; its bins keep their coordinates, which may be negative.
"""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, regions, triangle
from akita_bayes.data import personal_genome
from akita_bayes.files import hdf5_writer
from akita_bayes.specs.geometry import Geometry

NAME = "predict.h5"


def windows(
    region: regions.Region,
    geometry: Geometry,
    *,
    chrom_size: int,
    stride: int | None = None,
) -> list[regions.Region]:
    """Returns windows whose outputs cover a region as far as the chromosome allows.

    A region as wide as a window is returned as the only window. A narrower region lies in the
    middle of one window. A wider region, or one that crosses the output of every window on the grid
    of bins, is tiled. Windows made here start on that grid, and lie inside the chromosome if it is
    long enough.

    Args:
        region: The region to predict.
        geometry: Geometry of the model.
        chrom_size: Bases of the chromosome.
        stride: Bases from one tile to the next, a multiple of the bin width; None takes half of
            the output.

    Raises:
        DataError: The stride is not a multiple of the bin width, or leaves gaps.
    """
    length, width = geometry.seq_length, geometry.bin_width
    span = geometry.bins * width
    if region.width == length:
        return [region]
    stride = stride or max(1, geometry.bins // 2) * width
    if stride % width or not 0 < stride <= span:
        raise errors.DataError(
            f"a stride of {stride} bp is not a multiple of the {width}-bp bins up to {span} bp."
        )
    # `first` is the last start on the grid at which the output contains the region's first base,
    # `final` the first start at which it contains the region's last base. With bins of 10, crop_bp
    # 20 and an output of 60, region 100-200 gives first = 80 and final = 120: tiles are needed.
    first = (region.start - geometry.crop_bp) // width * width
    final = -(-(region.end - geometry.crop_bp - span) // width) * width
    if final <= first:
        middle = (region.start + region.end - length) // 2 // width * width
        starts = [max(middle, final)]
    else:
        tiles = -(-(final - first) // stride) + 1
        starts = [first + tile * stride for tile in range(tiles)]
    last_start = (chrom_size - length) // width * width
    clamped = [min(max(start, 0), last_start) if last_start >= 0 else start for start in starts]
    return [regions.Region(region.chrom, at, at + length) for at in dict.fromkeys(clamped)]


class Writer:
    """Writes `predict.h5`, atomically: a body that raises leaves no file.

    Args:
        path: Name of the file.
        geometries: Head -> geometry of its outputs.
        attributes: Attributes of the file, as model and options of the predictions.
        haplotype: The haplotype that windows were read from; None for the reference.
        targets: Head -> names of its targets, where they are known.
    """

    def __init__(
        self,
        path: str | Path,
        geometries: Mapping[str, Geometry],
        attributes: Mapping[str, Any],
        haplotype: personal_genome.OnReference | None = None,
        targets: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._haplotype = haplotype
        self._targets = targets or {}
        self._geometries = geometries
        self._path = path
        self._attributes = attributes

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._file = stack.enter_context(hdf5_writer.create(self._path))
            self._file.attrs.update(self._attributes)
            for head, geometry in self._geometries.items():
                group = self._file.require_group(group_name(head, self._geometries))
                group.attrs["bin_width"] = geometry.bin_width
                group.attrs["crop_bp"] = geometry.crop_bp
                if names := self._targets.get(head):
                    group.create_dataset("targets", data=list(names), dtype=h5py.string_dtype())
                if geometry.diagonal_offset is not None:
                    group.attrs["diagonal_offset"] = geometry.diagonal_offset
                    rows, columns = triangle.indices(geometry.bins, geometry.diagonal_offset)
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
        outputs: Mapping[str, Mapping[str, NDArray[Any]]],
    ) -> None:
        """Appends windows.

        Args:
            batch: The windows. [B].
            region: Number of the requested region of each window. [B].
            outputs: Head -> dataset -> [B, P or N, T], or [B] for the novelty of windows.
        """
        starts = np.array([window.start for window in batch], np.int64)
        append(self._file, "chrom", np.array([w.chrom for w in batch], h5py.string_dtype()))
        append(self._file, "start", starts)
        append(self._file, "end", np.array([window.end for window in batch], np.int64))
        append(self._file, "region", np.array(region, np.int64))
        for head, datasets in outputs.items():
            group, geometry = self._file[group_name(head, self._geometries)], self._geometries[head]
            first = (
                starts[:, None] + geometry.crop_bp + np.arange(geometry.bins) * geometry.bin_width
            )
            append(group, "bin_start", first)
            append(group, "bin_end", first + geometry.bin_width)
            if self._haplotype is not None:
                ends = self._reference_ends(batch, first, geometry.bin_width)
                append(group, "reference_start", ends[..., 0])
                append(group, "reference_end", ends[..., 1])
            for name, values in datasets.items():
                append(group, name, values.astype(np.float32))
        self._file.check()

    def _reference_ends(
        self, batch: Sequence[regions.Region], first: NDArray[np.int64], width: int
    ) -> NDArray[np.int64]:
        """Returns the reference bases at both ends of every bin. [B, N] -> [B, N, 2]."""
        assert self._haplotype is not None
        of_windows = []
        for window, starts in zip(batch, first, strict=True):
            shift = self._haplotype.shift(*window)
            of_windows.append(
                [
                    [
                        self._haplotype.haplotype.to_reference(window.chrom, int(edge) + shift)
                        for edge in (start, start + width)
                    ]
                    for start in starts
                ]
            )
        return np.array(of_windows, np.int64)


def group_name(head: str, heads: Mapping[str, Any]) -> str:
    """Returns the HDF5 group of a head's datasets: the root when there is one head."""
    return f"/{head}" if len(heads) > 1 else "/"


def append(group: h5py.Group, name: str, values: NDArray[Any]) -> None:
    """Adds rows to the end of a dataset, which the first rows create."""
    if name not in group:
        limit = (None, *values.shape[1:])
        group.create_dataset(name, data=values, maxshape=limit, chunks=(1, *values.shape[1:]))
        return
    dataset = group[name]
    dataset.resize(len(dataset) + len(values), axis=0)
    dataset[-len(values) :] = values
