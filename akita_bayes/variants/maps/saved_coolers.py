"""Writes saved maps of variants as coolers, a file for each variant, target and layer.

Maps of variants begin at any base, and coolers have bins at multiples of their width. A map is
therefore shifted to the nearest bins, by half a bin at most; the metadata hold the shift. A frame
that joins several stretches of the genome has no place on one axis and is left out.
"""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import files, progress, triangle
from akita_bayes.data.map_files import map_coolers, map_units
from akita_bayes.files import hdf5_writer, safe_names
from akita_bayes.variants.maps import saved_maps

FOLDER = "maps_mcool"

_CONTENT = {
    "reference": "predicted map of REF",
    "alternative": "predicted map of ALT, in the frame of REF",
    "difference": "predicted map of ALT minus that of REF",
    "sd": "standard deviation of the difference over draws",
}
_log = logging.getLogger(__name__)


class _Cooler(NamedTuple):
    """Holds one map to write.

    Attributes:
        path: Temporary path of the .mcool.
        chrom: Chromosome.
        first: First bin of the map on the chromosome.
        values: Pixels. [P].
        metadata: Metadata of the file.
    """

    path: Path
    chrom: str
    first: int
    values: NDArray[np.float32]
    metadata: dict[str, object]


def write(
    folder: str | Path,
    *,
    chrom_sizes: Mapping[str, int],
    assembly: str,
    open_bar: progress.OpenBar = progress.no_bar,
) -> list[Path]:
    """Writes the saved maps of a directory of scores into `maps_mcool/`, in place of earlier ones.

    Files are named `rowROW_TARGET_LAYER.mcool`, with the number of the row in `scores.tsv`.

    Args:
        folder: Directory with `maps.h5`.
        chrom_sizes: Chromosome -> bases.
        assembly: Name of the genome.
        open_bar: Opens a progress bar.

    Returns:
        Paths of the files.

    Raises:
        DataError: `maps.h5` is missing or damaged.
    """
    out_dir = Path(folder) / FOLDER
    for old in out_dir.glob("row*.mcool"):
        files.remove(old)
    written: list[Path] = []
    with saved_maps.opened(folder) as maps, open_bar("Writing coolers", len(maps)) as advance:
        names = safe_names.file_names(maps.frame.targets)
        for number in range(len(maps)):
            saved = maps.read(number)
            if len(saved.stretches) != 1 or saved.stretches[0].strand != 1:
                _log.warning(
                    "%s: its frame joins %d stretches of the genome, so it has no coolers.",
                    *(saved.title, len(saved.stretches)),
                )
            else:
                with contextlib.ExitStack() as stack:
                    scratch = stack.enter_context(files.scratch(out_dir / map_coolers.FINEST))
                    coolers = []
                    for path, cooler in _coolers(saved, maps.frame, names, out_dir):
                        temporary = stack.enter_context(files.atomic(path))
                        coolers.append(cooler._replace(path=temporary))
                        written.append(path)
                    of_all = (dict(chrom_sizes), maps.frame, assembly)
                    hdf5_writer.run_apart(
                        coolers[0].path, _write, coolers, scratch / map_coolers.FINEST, *of_all
                    )
            advance(1)
    return written


def _coolers(
    saved: saved_maps.SavedMap,
    frame: saved_maps.Frame,
    names: list[str],
    out_dir: Path,
) -> Iterator[tuple[Path, _Cooler]]:
    """Yields the final path and the content of each cooler of a variant."""
    first = round(saved.region.start / frame.bin_width)
    shift = first * frame.bin_width - saved.region.start
    for target, name in enumerate(names):
        for layer in saved_maps.LAYERS if frame.spread else saved_maps.LAYERS[:-1]:
            path = out_dir / f"row{saved.row}_{name}_{layer}.mcool"
            metadata = {
                "variant": saved.title,
                "target": frame.targets[target],
                "content": _CONTENT[layer],
                "unit": map_units.DESCRIPTIONS["log_oe"],
                "shift_bp": shift,
                "coarser_resolutions": "means",
            }
            values = getattr(saved, layer)[:, target]
            yield path, _Cooler(path, saved.region.chrom, first, values, metadata)


def _write(
    _: Path,
    coolers: list[_Cooler],
    base: Path,
    chrom_sizes: dict[str, int],
    frame: saved_maps.Frame,
    assembly: str,
) -> None:
    """Writes the coolers of a variant, by way of a temporary one; missing pixels are absent."""
    rows, columns = triangle.indices(frame.bins, frame.diagonal_offset)
    of_frame = map_coolers.Frame(frame.bin_width, frame.bins, frame.diagonal_offset)
    for path, chrom, first, values, metadata in coolers:
        whole = chrom_sizes[chrom] // frame.bin_width
        row, column = first + rows.astype(np.int64), first + columns.astype(np.int64)
        present = np.isfinite(values) & (row >= 0) & (column < whole)
        pixels = map_coolers.ScaledPixels(
            chrom, row[present], column[present], values[present].astype(np.float64)
        )
        form = map_coolers.CoolerFormat(zoom=True, assembly=assembly, metadata=metadata)
        weight = _weights(chrom, first, frame, chrom_sizes)
        map_coolers.write_pixels(path, base, [pixels], weight, chrom_sizes, of_frame, form)


def _weights(
    chrom: str, first: int, frame: saved_maps.Frame, chrom_sizes: Mapping[str, int]
) -> NDArray[np.float64]:
    """Returns 1 for the whole bins of the genome in the map, NaN for the others."""
    parts = []
    for name, size in chrom_sizes.items():
        weight = np.full(-(-size // frame.bin_width), np.nan)
        if name == chrom:
            last = min(first + frame.bins, size // frame.bin_width)
            weight[max(first, 0) : last] = 1
        parts.append(weight)
    return np.concatenate(parts)
