"""Writes predicted maps as coolers, of one resolution or with coarser ones, a file per target.

The column `count` holds the map in the unit of the file, or its standard deviation. Pixels that no
window predicts are absent. The column `weight` of the bins is 1, and NaN for bins in no window, so
that programs that read balanced maps leave these bins out.
"""

import contextlib
import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors, files
from akita_bayes.data.map_files import blended_maps, map_units
from akita_bayes.files import hdf5_writer

SPREAD_NAME = "{}.sd"
"""Name of the cooler of standard deviations, from that of the map."""

FINEST = "finest.cool"
"""Name of the temporary cooler from which coarser resolutions are computed."""

_TILE = 256  # bins of a tile in HiGlass; `cooler zoomify` coarsens until the genome fits into one
_CHUNK = 10**7  # pixels that are coarsened together


@dataclasses.dataclass(frozen=True)
class CoolerFormat:
    """Describes the coolers of predicted maps.

    Attributes:
        zoom: True to write .mcool, with coarser resolutions.
        scale: Unit of the pixels.
        assembly: Name of the genome, for the metadata; None for "unknown".
        metadata: Further metadata, such as the model.
    """

    zoom: bool = False
    scale: map_units.Scale = map_units.LOG_RATIO
    assembly: str | None = None
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class Layer(NamedTuple):
    """Describes one cooler: a target of a head, and its map or its standard deviation.

    Attributes:
        predictions: Path of `predict.h5`.
        head: Group of the head in the file.
        target: Number of the target.
        spread: True for the standard deviation.
    """

    predictions: Path
    head: str
    target: int
    spread: bool


class Frame(NamedTuple):
    """Describes the maps of windows.

    Attributes:
        width: Bases per bin.
        bins: Bins of a map.
        offset: First diagonal of a map.
    """

    width: int
    bins: int
    offset: int


class ScaledPixels(NamedTuple):
    """Holds pixels of a chromosome in the unit of a file. [n] each."""

    chrom: str
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    value: NDArray[np.float64]


def write_coolers(
    predictions: str | Path,
    out_dir: str | Path,
    *,
    chrom_sizes: Mapping[str, int],
    names: Sequence[str],
    head: str = "/",
    form: CoolerFormat | None = None,
) -> list[Path]:
    """Writes the predicted maps of each target as coolers; overlapping windows are blended.

    With draws, NAME.sd.cool (or .mcool) beside NAME.cool holds the standard deviation of the map
    (`blended_maps`). Bins that are not wholly inside their chromosome are left out.

    Args:
        predictions: Path of `predict.h5`.
        out_dir: Folder of the coolers.
        chrom_sizes: Chromosome -> bases.
        names: Names of the targets.
        head: Group of the head in the file.
        form: Unit, resolutions and metadata; None for ln(observed / expected) in .cool.

    Returns:
        Paths, the maps of each target before its standard deviation.

    Raises:
        DataError: The file holds tracks, a window is not on the grid of bins, or the table of
            expected contacts does not fit.
    """
    form = form or CoolerFormat()
    with h5py.File(predictions) as file:
        check_maps(file[head], predictions)
        spread = blended_maps.SPREAD in file[head]
    suffix = "mcool" if form.zoom else "cool"
    coolers = {}
    for target, name in enumerate(names):
        for of_spread in (False, True) if spread else (False,):
            title = SPREAD_NAME.format(name) if of_spread else name
            described = {**form.metadata, **_described(form.scale, name, of_spread)}
            coolers[Path(out_dir) / f"{title}.{suffix}"] = (
                Layer(Path(predictions), head, target, of_spread),
                dataclasses.replace(form, metadata=described),
            )
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(files.scratch(Path(out_dir) / FINEST))
        parts = [
            (stack.enter_context(files.atomic(path)), *described)
            for path, described in coolers.items()
        ]
        if parts:
            # One process writes all, since each would import the same libraries again.
            hdf5_writer.run_apart(parts[0][0], _write_all, parts, dict(chrom_sizes), folder)
    return list(coolers)


def check_maps(group: h5py.Group, path: str | Path) -> None:
    """Refuses the predictions of a head that are tracks."""
    if "row" not in group:
        raise errors.DataError(f"{path}: holds tracks; a cooler is made of maps.")


def _described(scale: map_units.Scale, name: str, spread: bool) -> dict[str, Any]:
    content = "standard deviation of the predicted map" if spread else "predicted map"
    return {
        "target": name,
        "content": content,
        "unit": map_units.DESCRIPTIONS[scale.unit],
        "expected": None if scale.expected is None else Path(scale.expected).name,
        "coarser_resolutions": "sums" if scale.is_additive else "means",
    }


def _write_all(
    _: Path,
    parts: Sequence[tuple[Path, Layer, CoolerFormat]],
    chrom_sizes: dict[str, int],
    folder: Path,
) -> None:
    for path, layer, form in parts:
        base = folder / FINEST if form.zoom else path
        write_layer(path, base, layer, chrom_sizes, form)


def write_layer(
    path: Path, base: Path, layer: Layer, chrom_sizes: dict[str, int], form: CoolerFormat
) -> None:
    """Writes a cooler; with another `base`, one of the resolution of the model there first.

    A full disk may end the process; `write_coolers` calls this function in a process of its own.
    """
    with h5py.File(layer.predictions) as file:
        group = file[layer.head]
        frame = Frame(
            int(group.attrs["bin_width"]),
            group["bin_start"].shape[1],
            int(group.attrs["diagonal_offset"]),
        )
        weight = bin_weights(file, group, chrom_sizes)
        pixels = scaled(file, group, layer, chrom_sizes, form.scale)
        write_pixels(path, base, pixels, weight, chrom_sizes, frame, form)


def write_pixels(
    path: Path,
    base: Path,
    pixels: Iterable[ScaledPixels],
    weight: NDArray[np.float64],
    chrom_sizes: Mapping[str, int],
    frame: Frame,
    form: CoolerFormat,
) -> None:
    """Writes pixels as a cooler; with another `base`, one of the finest resolution there first.

    Args:
        path: The cooler.
        base: The same path for a .cool; another one for an .mcool.
        pixels: Pixels in order, in the unit of the file.
        weight: Weight of each bin of the genome.
        chrom_sizes: Chromosome -> bases.
        frame: What maps of windows have in common.
        form: Unit, resolutions and metadata.
    """
    import cooler

    dtypes = {"count": np.float32}
    width = frame.width
    cooler.create_cooler(
        str(base),
        cooler.binnify(pd.Series(dict(chrom_sizes)), width),
        _tables(pixels, chrom_sizes, width),
        dtypes=dtypes,
        ordered=True,
        assembly=form.assembly,
        metadata=dict(form.metadata),
    )
    if base == path:
        _add_weights(path, "/", weight, frame.offset)
        return
    levels = resolutions(width, frame.bins, chrom_sizes)
    cooler.zoomify_cooler(
        str(base),
        str(path),
        levels,
        chunksize=_CHUNK,
        dtypes=dtypes,
        agg={"count": "sum" if form.scale.is_additive else "mean"},
        metadata=dict(form.metadata),
    )
    sizes = [-(-size // width) for size in chrom_sizes.values()]
    for level in levels:
        factor = level // width
        _add_weights(
            path,
            f"/resolutions/{level}",
            _coarse_weights(weight, sizes, factor),
            -(-frame.offset // factor),
        )


def resolutions(width: int, window_bins: int, chrom_sizes: Mapping[str, int]) -> list[int]:
    """Returns the widths of bins of an .mcool, each twice the one before.

    They go as far as those of `cooler zoomify`, where the genome has about 256 bins, and at least
    to the width at which a window has between 8 and 16 bins.
    """
    widest = sum(chrom_sizes.values()) / _TILE
    of_genome = max(0, int(np.floor(np.log2(max(widest / width, 1)))))
    of_window = max(0, (window_bins // 8).bit_length() - 1)
    return [width * 2**level for level in range(max(of_genome, of_window) + 1)]


def bin_weights(
    file: h5py.File, group: h5py.Group, chrom_sizes: Mapping[str, int]
) -> NDArray[np.float64]:
    """Returns 1 for each bin of the genome in the map of a window, NaN for the others."""
    width, window_bins = int(group.attrs["bin_width"]), group["bin_start"].shape[1]
    windows = blended_maps.windows_of(file, group, chrom_sizes)
    parts = []
    for chrom, size in chrom_sizes.items():
        weight = np.full(-(-size // width), np.nan)
        if chrom in windows:
            whole = size // width
            covered = blended_maps.covered(windows[chrom], window_bins, whole)
            weight[:whole][covered] = 1
        parts.append(weight)
    return np.concatenate(parts)


def _coarse_weights(
    weight: NDArray[np.float64], sizes: Sequence[int], factor: int
) -> NDArray[np.float64]:
    """Returns 1 for coarse bins with at least one weight, NaN for the others."""
    parts = []
    for part in np.split(weight, np.cumsum(sizes)[:-1]):
        padded = np.pad(part, (0, -len(part) % factor), constant_values=np.nan)
        any_weight = np.isfinite(padded.reshape(-1, factor)).any(axis=1)
        parts.append(np.where(any_weight, 1, np.nan))
    return np.concatenate(parts)


def _add_weights(path: Path, group: str, weight: NDArray[np.float64], offset: int) -> None:
    """Adds the column `weight`, with the diagonals that have no pixels, as cooltools reads it."""
    with h5py.File(path, "r+") as file:
        column = file[group]["bins"].create_dataset("weight", data=weight, compression="gzip")
        column.attrs["ignore_diags"] = offset
        column.attrs["converged"] = True


def scaled(
    file: h5py.File,
    group: h5py.Group,
    layer: Layer,
    chrom_sizes: Mapping[str, int],
    scale: map_units.Scale,
) -> Iterator[ScaledPixels]:
    """Yields the pixels of a layer in a unit, chromosome by chromosome."""
    of_chromosome: dict[str, map_units.ChromosomeScale] = {}
    for pixels in blended_maps.blended(file, group, layer.target, chrom_sizes):
        if pixels.chrom not in of_chromosome:
            of_chromosome[pixels.chrom] = scale.of_chromosome(
                pixels.chrom,
                bins=group["bin_start"].shape[1],
                diagonal_offset=int(group.attrs["diagonal_offset"]),
                width=int(group.attrs["bin_width"]),
            )
        unit, distance = of_chromosome[pixels.chrom], pixels.column - pixels.row
        if layer.spread:
            assert pixels.sd is not None
            values = unit.sds(pixels.value, pixels.sd, distance)
        else:
            values = unit.values(pixels.value, distance)
        yield ScaledPixels(pixels.chrom, pixels.row, pixels.column, values)


def _tables(
    pixels: Iterable[ScaledPixels], chrom_sizes: Mapping[str, int], width: int
) -> Iterator[pd.DataFrame]:
    """Yields pixels as `cooler` stores them, with bins counted over the genome."""
    first_bin, offset = {}, 0
    for chrom, size in chrom_sizes.items():
        first_bin[chrom] = offset
        offset += -(-size // width)
    for chrom, row, column, value in pixels:
        yield pd.DataFrame(
            {
                "bin1_id": first_bin[chrom] + row,
                "bin2_id": first_bin[chrom] + column,
                "count": value.astype(np.float32),
            }
        )


def metadata_of(uri: str) -> dict[str, Any]:
    """Returns the metadata of a cooler that `write_coolers` wrote: unit, target, model and more."""
    import cooler

    metadata = cooler.Cooler(uri).info["metadata"]
    return dict(json.loads(metadata) if isinstance(metadata, str) else metadata)
