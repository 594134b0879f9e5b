"""Calls insulation, boundaries and dots on predicted maps, with the callers of cooltools.

cooltools reads coolers of counts. `call` therefore writes temporary coolers of the blended map as
observed / expected: one of the ratio itself for the insulation score, and one of whole numbers,
`DOT_READS` reads where the ratio is 1, for the Poisson test of dots. Bins and dots count only where
one window holds all pixels that their score uses, since an absent pixel would read as no contact.
"""

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import files
from akita_bayes.data.map_files import blended_maps, map_coolers, map_units
from akita_bayes.files import hdf5_writer
from akita_bayes.origins import optional

DOT_READS = 100
"""Reads of a pixel with observed / expected of 1, in the test of dots."""

_CLUSTER = 20_000  # bases within which dots are joined, the default of cooltools
_TILE = 5_000_000  # bases of the maps that cooltools searches at a time, its default
_KERNELS = ("donut", "vertical", "horizontal", "lowleft")
_ENDS = ("chrom1", "start1", "end1", "chrom2", "start2", "end2")
_SUFFIXES = ("insulation.bw", "boundaries.bed", "dots.bedpe")

_log = logging.getLogger(__name__)


class Calls(NamedTuple):
    """Holds what was called on one map.

    Attributes:
        insulation: Bins with `chrom`, `start`, `end`, `score` (log2 of the insulation score, NaN
            where no window holds the diamond), `strength` (of a boundary, else NaN) and
            `is_boundary` (of a boundary above the threshold of Li).
        dots: Dots with the columns of `cooltools.dots`; `count` is in reads.
        diamond: Bases of the side of the diamond.
    """

    insulation: pd.DataFrame
    dots: pd.DataFrame
    diamond: int


def diamond_bins(window_bins: int) -> int:
    """Returns the side of the diamond in bins: 10, or less for a small map."""
    return max(2, min(10, window_bins // 8))


def call(
    predictions: str | Path,
    *,
    chrom_sizes: Mapping[str, int],
    target: int,
    head: str = "/",
) -> Calls:
    """Calls insulation, boundaries and dots of one target.

    Args:
        predictions: Path of `predict.h5`.
        chrom_sizes: Chromosome -> bases.
        target: Number of the target.
        head: Group of the head in the file.

    Raises:
        DataError: The file holds tracks, or a window is not on the grid of bins.
        RunError: cooltools is not installed.
    """
    optional.check("cooltools", "calling insulation and dots")
    import cooler

    with h5py.File(predictions) as file, tempfile.TemporaryDirectory() as folder:
        group = file[head]
        map_coolers.check_maps(group, predictions)
        windows = blended_maps.windows_of(file, group, chrom_sizes)
        sizes = {chrom: chrom_sizes[chrom] for chrom in chrom_sizes if chrom in windows}
        layer = map_coolers.Layer(Path(predictions), head, target, False)
        ratio, reads = (str(Path(folder) / name) for name in ("ratio.cool", "reads.cool"))
        hdf5_writer.run_apart(Path(ratio), _write_contacts, Path(reads), layer, sizes)
        frame = map_coolers.Frame(
            int(group.attrs["bin_width"]),
            group["bin_start"].shape[1],
            int(group.attrs["diagonal_offset"]),
        )
        side = diamond_bins(frame.bins)
        with warnings.catch_warnings():
            # cooltools warns of kernels that are not its own, and pandas of calls of cooltools.
            warnings.simplefilter("ignore")
            insulation = _insulation(cooler.Cooler(ratio), windows, frame, side)
            dots = _dots(cooler.Cooler(reads), windows, frame)
    return Calls(insulation, dots, side * frame.width)


def _write_contacts(
    ratio: Path, reads: Path, layer: map_coolers.Layer, chrom_sizes: dict[str, int]
) -> None:
    """Writes the coolers of the ratio of observed to expected contacts, and of reads."""
    form = map_coolers.CoolerFormat(scale=map_units.Scale("oe"))
    map_coolers.write_layer(ratio, ratio, layer, chrom_sizes, form)
    with h5py.File(layer.predictions) as file:
        _write_reads(reads, file, file[layer.head], layer, chrom_sizes)


def _write_reads(
    path: Path,
    file: h5py.File,
    group: h5py.Group,
    layer: map_coolers.Layer,
    chrom_sizes: Mapping[str, int],
) -> None:
    """Writes whole numbers of reads for every pixel up to the width of a window.

    Pixels that no window predicts get the expected number, so that they raise no neighbour.
    """
    import cooler

    width, bins = int(group.attrs["bin_width"]), group["bin_start"].shape[1]
    table = cooler.binnify(pd.Series(dict(chrom_sizes)), width)
    weight = map_coolers.bin_weights(file, group, chrom_sizes)
    table["weight"] = weight / np.sqrt(DOT_READS)

    def pixels() -> Iterator[pd.DataFrame]:
        first_bin = 0
        for chrom, size in chrom_sizes.items():
            total, rows_done = size // width, 0
            parts = map_coolers.scaled(file, group, layer, {chrom: size}, map_units.Scale("oe"))
            for part in parts:
                last = int(part.row[-1]) + 1
                band = np.ones((last - rows_done, bins))
                band[part.row - rows_done, part.column - part.row] = part.value
                row = np.arange(rows_done, last)[:, None] + np.zeros((1, bins), np.int64)
                column = row + np.arange(bins)
                inside = column < total
                yield pd.DataFrame(
                    {
                        "bin1_id": first_bin + row[inside],
                        "bin2_id": first_bin + column[inside],
                        "count": np.rint(DOT_READS * band[inside]).astype(np.int32),
                    }
                )
                rows_done = last
            first_bin += -(-size // width)

    cooler.create_cooler(str(path), table, pixels(), ordered=True)


def _insulation(
    contacts: Any, windows: Mapping[str, blended_maps.Windows], frame: map_coolers.Frame, side: int
) -> pd.DataFrame:
    """Returns insulation scores and boundaries, NaN where no window holds the diamond."""
    from cooltools.api import insulation

    diamond = side * frame.width
    score, pixels = f"log2_insulation_score_{diamond}", f"n_valid_pixels_{diamond}"
    table = insulation.calculate_insulation_score(
        contacts, [diamond], ignore_diags=frame.offset, nproc=1
    )
    table = table.reset_index(drop=True)
    # The diamond of bin b holds bins b - side + 1 to b + side - 1.
    first = table["start"].to_numpy(np.int64) // frame.width - side + 1
    chroms = table["chrom"].astype(str)
    complete = _complete(chroms, first, 2 * side - 1, windows, frame)
    table.loc[~complete, score] = np.nan
    table.loc[~complete, pixels] = 0
    # cooltools divides by the median of all diamonds; here only complete ones count.
    table[score] -= table.groupby("region")[score].transform("median")
    table = insulation.find_boundaries(table)
    strength = table[f"boundary_strength_{diamond}"].to_numpy(float)
    finite = strength[np.isfinite(strength)]
    threshold = insulation.threshold_li(finite) if len(np.unique(finite)) > 1 else 0.0
    return pd.DataFrame(
        {
            "chrom": chroms,
            "start": table["start"],
            "end": table["end"],
            "score": table[score],
            "strength": strength,
            "is_boundary": np.nan_to_num(strength, nan=-1) >= threshold,
        }
    )


def _dots(
    contacts: Any, windows: Mapping[str, blended_maps.Windows], frame: map_coolers.Frame
) -> pd.DataFrame:
    """Returns the dots whose kernels lie in one window."""
    import cooltools
    from cooltools.lib import common, numutils

    half, inner = _kernel(frame.width)
    if frame.bins <= 2 * half + 1:
        _log.warning(
            "Dots are not called: their kernels have %d bins, and a map of the model has %d.",
            2 * half + 1,
            frame.bins,
        )
        expected_reads = [f"la_exp.{kind}.value" for kind in _KERNELS]
        return pd.DataFrame(columns=[*_ENDS, "count", *expected_reads])
    view = common.make_cooler_view(contacts)
    expected = pd.concat(
        [
            _flat_expected(str(name), -(-int(end) // frame.width), frame.offset)
            for name, end in zip(view["name"], view["end"], strict=True)
        ],
        ignore_index=True,
    )
    kernels = {kind: numutils.get_kernel(half, inner, kind) for kind in _KERNELS}
    with _missing_minima():
        dots = cooltools.dots(
            contacts,
            expected,
            view_df=view,
            kernels=kernels,
            max_loci_separation=(frame.bins - 1) * frame.width,
            clustering_radius=max(_CLUSTER, 2 * frame.width),
            tile_size=max(_TILE, 2 * frame.bins * frame.width),
            nproc=1,
        )
    first = dots["start1"].to_numpy(np.int64) // frame.width - half
    last = dots["start2"].to_numpy(np.int64) // frame.width + half + 1
    complete = _complete(dots["chrom1"].astype(str), first, last - first, windows, frame)
    return dots[complete].reset_index(drop=True)


@contextlib.contextmanager
def _missing_minima() -> Iterator[None]:
    """Lets `DataFrame.idxmin` give NaN for a column without a number, as before pandas 3.

    cooltools 0.7 relies on it for intervals of expected reads that hold no pixel.
    """
    original = pd.DataFrame.idxmin

    def idxmin(table: pd.DataFrame, *arguments: Any, **options: Any) -> Any:
        numbers = table.loc[:, table.notna().any().to_numpy()]
        return original(numbers, *arguments, **options).reindex(table.columns)

    pd.DataFrame.idxmin = idxmin
    try:
        yield
    finally:
        pd.DataFrame.idxmin = original


def _kernel(width: int) -> tuple[int, int]:
    """Returns the outer and inner half width of the donut, as cooltools recommends it.

    Widths of bins outside its range get the nearest recommendation.
    """
    return (7, 4) if width < 8_000 else (5, 2) if width < 18_000 else (3, 1)


def _flat_expected(name: str, distances: int, offset: int) -> pd.DataFrame:
    """Returns a table of expected contacts that are 1 at every distance that maps have."""
    distance = np.arange(distances)
    return pd.DataFrame(
        {
            "region1": name,
            "region2": name,
            "dist": distance,
            "n_valid": 1,
            "balanced.avg": np.where(distance < offset, np.nan, 1.0),
        }
    )


def _complete(
    chroms: "pd.Series[str]",
    first: NDArray[np.int64],
    count: NDArray[np.int64] | int,
    windows: Mapping[str, blended_maps.Windows],
    frame: map_coolers.Frame,
) -> NDArray[np.bool_]:
    """Returns True where one window holds `count` bins from `first` on. [n]."""
    names, last = chroms.to_numpy(), first + count
    complete = np.zeros(len(names), bool)
    for chrom, of_chromosome in windows.items():
        rows = names == chrom
        complete[rows] = blended_maps.within_one_window(
            first[rows], last[rows], of_chromosome, frame.bins
        )
    return complete


def write(
    calls: Calls, out_dir: str | Path, name: str, *, chrom_sizes: Mapping[str, int]
) -> list[Path]:
    """Writes NAME.insulation.bw, NAME.boundaries.bed and NAME.dots.bedpe.

    Args:
        calls: What was called.
        out_dir: Folder of the files.
        name: Name of the target.
        chrom_sizes: Chromosome -> bases.
    """
    out_dir = Path(out_dir)
    paths = [out_dir / f"{name}.{end}" for end in _SUFFIXES]
    with files.atomic(paths[0]) as temporary:
        _write_big_wig(temporary, calls.insulation, chrom_sizes)
    boundaries = calls.insulation[calls.insulation["is_boundary"]]
    bed = boundaries[["chrom", "start", "end"]].assign(
        name=boundaries["strength"].map("strength={:.4f}".format),
        score=np.clip(np.rint(1000 * boundaries["strength"]), 0, 1000).astype(int),
    )
    with files.atomic(paths[1]) as temporary:
        bed.to_csv(temporary, sep="\t", header=False, index=False)
    dots = calls.dots
    bedpe = dots[list(_ENDS)].assign(
        name=[f"dot{number}" for number in range(1, len(dots) + 1)],
        score=dots["count"].astype(float) / DOT_READS,
        strand1=".",
        strand2=".",
        **{f"over_{kind}": dots["count"] / dots[f"la_exp.{kind}.value"] for kind in _KERNELS},
    )
    with files.atomic(paths[2]) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write("#" + "\t".join(map(str, bedpe)) + "\n")
        bedpe.to_csv(file, sep="\t", header=False, index=False, float_format="%.4f")
    return paths


def _write_big_wig(path: Path, table: pd.DataFrame, chrom_sizes: Mapping[str, int]) -> None:
    """Writes the score of every bin that has one."""
    import pyBigWig

    scored = table[np.isfinite(table["score"])]
    track = pyBigWig.open(str(path), "w")
    try:
        track.addHeader([(chrom, size) for chrom, size in chrom_sizes.items()])
        if len(scored):
            track.addEntries(
                scored["chrom"].tolist(),
                scored["start"].tolist(),
                ends=scored["end"].tolist(),
                values=scored["score"].tolist(),
            )
    finally:
        track.close()
