"""Chimaera on the split of the yeast benchmark, scored on the targets of its test windows.

    python -m benchmarks.against_chimaera --chimaera PYTHON --source FOLDER \\
        --data data/yeast --runs runs/yeast -o runs/chimaera

PYTHON is the interpreter of an environment with PyTorch and what Chimaera needs; FOLDER holds a
clone of github.com/ashkolikov/chimaera. Nothing of Chimaera is part of this package: its process
(`chimaera_side.py`) imports it from FOLDER. It makes its own training data from the same map and
genome, trains for a given time, and predicts a map around each test window of fold 0.

A map of Chimaera is a stripe along the diagonal: a column is a midpoint of two bins and a row is a
distance, the farthest first. `pixels` averages a stripe over the bin pairs of each of our pixels,
and `as_target` removes the mean at each distance and smooths, as the targets of `akita_data.py` do.
The same steps turn Chimaera's measured map into our pixels; its correlation with our targets bounds
what a perfect prediction of Chimaera's data could reach. The variant of the steps with the best
such correlation on the validation windows is the one reported as `pearsonr`. The result file keeps
earlier runs.
"""

import argparse
import dataclasses
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from akita_bayes import files, regions, triangle
from akita_bayes.data import genome
from akita_bayes.data.records import dataset
from akita_bayes.evaluate import strata
from benchmarks import environment, yeast, yeast_data

RESULT = yeast.ROOT / "benchmarks" / "results" / "chimaera.json"
SIDE = Path(__file__).with_name("chimaera_side.py")
FOLD = 0
NEAREST = 2
"""First row of a stripe, in rows from the diagonal; the default of Chimaera."""
SUBPOINTS = 8
"""Points along each side of a pixel at which a stripe is read."""
VARIANTS = {
    "converted": (False, False),
    "centred": (True, False),
    "smoothed": (False, True),
    "centred and smoothed": (True, True),
}
"""Which steps follow the conversion: the mean at each distance removed, and smoothing."""


@dataclasses.dataclass(frozen=True)
class Stripe:
    """Holds a map along the diagonal.

    Attributes:
        values: Rows are distances, the farthest first; columns are midpoints. [h, columns].
        start: Midpoint at the left edge of the first column, in bases.
        column: Width of a column in bases of midpoint; a row has twice as many of distance.
    """

    values: NDArray[Any]
    start: float
    column: float


class Windows(NamedTuple):
    """Holds windows of a split in their order: targets and masks [W, P]."""

    regions: list[regions.Region]
    targets: NDArray[np.float64]
    masks: NDArray[np.bool_]


def main(argv: Sequence[str] | None = None) -> None:
    """Trains Chimaera, unless its maps lie in the folder, and writes `results/chimaera.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--chimaera", required=True, help="interpreter that has PyTorch")
    parser.add_argument("--source", type=Path, required=True, help="clone of Chimaera")
    parser.add_argument("--data", type=Path, default=Path("data") / "yeast")
    parser.add_argument("--runs", type=Path, default=Path("runs/yeast"))
    parser.add_argument("-o", "--out_dir", type=Path, default=Path("runs/chimaera"))
    parser.add_argument("--fragment_length", type=int, default=65_536)
    parser.add_argument("--rows", type=int, default=48, help="distances of a map of Chimaera")
    parser.add_argument("--offset", type=int, default=0, help="DNA on either side of a fragment")
    parser.add_argument("--autoencoder_epochs", type=int, default=7)
    parser.add_argument("--minutes", type=float, default=30, help="time of the training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--float32", action="store_true", help="the encoder of DNA computes in float32"
    )
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    out = options.out_dir.resolve()
    out.mkdir(parents=True, exist_ok=True)
    sources = yeast_data.Sources.under(options.data)
    data = yeast_data.make(sources, FOLD, options.runs)
    windows = {split: read_windows(data, split) for split in ("valid", "test")}
    if not (out / "report.json").is_file():
        request = _request(options, sources, windows["test"], out)
        files.write_json(out / "request.json", request)
        _start(options, out)
    settings = files.read_json(out / "request.json")
    for name in ("cooler", "fasta"):
        settings[name] = Path(settings[name]).name
    del settings["centres"]
    run = {
        "chimaera": {"commit": _commit(options.source), "settings": settings},
        **files.read_json(out / "report.json"),
        **scored(out, windows, settings, data),
    }
    earlier = files.read_json(options.result)["runs"] if options.result.is_file() else []
    runs = [row for row in earlier if row["dna_encoder"] != run["dna_encoder"]]
    files.write_json(options.result, {**environment.describe(), "runs": [*runs, run]})
    print(json.dumps(run, indent=1))


def read_windows(data: Path, split: str) -> Windows:
    """Returns regions, targets and masks of the windows of a split."""
    locations: list[regions.Region] = []
    targets, masks = [], []
    for batch in dataset.open_split(data, split, batch_size=1).batches():
        locations.append(regions.parse(batch["region"].numpy()[0].decode()))
        targets.append(batch["target"].numpy()[0, :, 0].astype(float))
        masks.append(batch["mask"].numpy()[0, :, 0])
    return Windows(locations, np.stack(targets), np.stack(masks))


def _request(
    options: argparse.Namespace, sources: yeast_data.Sources, windows: Windows, out: Path
) -> dict[str, Any]:
    """Returns what the other process is asked to do."""
    length = options.fragment_length
    return {
        "seed": options.seed,
        "threads": options.threads,
        "minutes": options.minutes,
        "cooler": str(sources.cooler.resolve()),
        "fasta": str(_padded_genome(options.runs / yeast_data.FASTA, sources.cooler, out)),
        "chromosomes": list(yeast_data.NAMES),
        "valid": list(yeast_data.VALID),
        "test": list(yeast_data.FOLDS[FOLD]),
        "fragment_length": length,
        "dataset": {"h": options.rows, "offset": options.offset},
        "model": {},
        "bfloat16": not options.float32,
        "shifts": 12,
        "autoencoder_epochs": options.autoencoder_epochs,
        "dna_epochs": 7,
        "centres": [[window.chrom, (window.start + window.end) // 2] for window in windows.regions],
        "prediction_shifts_bp": [step * length // 16 for step in (-2, -1, 0, 1, 2)],
    }


def _padded_genome(fasta: Path, path: Path, out: Path) -> Path:
    """Writes the genome with N behind chromosomes that are shorter than in the cooler.

    Chimaera refuses chromosomes of different lengths, and the cooler counts whole bins.
    """
    import cooler

    padded = out / "genome.fa"
    lengths = cooler.Cooler(str(path)).chromsizes
    with genome.Genome(fasta) as source:
        sequences = {
            name: source.fetch(regions.Region(name, 0, size)).ljust(int(lengths[name]), "N")
            for name, size in source.sizes.items()
        }
    with files.atomic(padded) as temporary:
        genome.write_fasta(temporary, sequences)
    return padded


def _start(options: argparse.Namespace, out: Path) -> None:
    """Runs the other process in its own environment, and waits for it."""
    variables = {
        **os.environ,
        "PYTHONPATH": str(options.source.resolve()),
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": str(options.threads),
        "OMP_WAIT_POLICY": "passive",
    }
    command = [options.chimaera, "-W", "ignore", str(SIDE), str(out)]
    subprocess.run(command, check=True, env=variables)


def _commit(source: Path) -> str:
    command = ["git", "-C", str(source), "rev-parse", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def scored(
    out: Path, windows: dict[str, Windows], settings: dict[str, Any], data: Path
) -> dict[str, Any]:
    """Returns correlations of predicted and of measured maps with our targets.

    Args:
        out: The folder of `maps.npz`.
        windows: Windows of the validation and the test split.
        settings: What the other process was asked to do.
        data: The data directory.
    """
    maps = np.load(out / "maps.npz")
    length = settings["fragment_length"]
    column = length / 128
    shifts = settings["prediction_shifts_bp"]
    test = windows["test"]
    around = [
        [
            pixels(
                Stripe(table, (window.start + window.end) / 2 + shift - length / 2, column), window
            )
            for window, table in zip(test.regions, tables, strict=True)
        ]
        for shift, tables in zip(shifts, maps["predicted"], strict=True)
    ]

    def joined(kind: str, split: str) -> list[NDArray[Any]]:
        stripes = {
            name: Stripe(maps[f"{kind}_{name}"], length / 2, column)
            for name in {window.chrom for window in windows[split].regions}
            if f"{kind}_{name}" in maps
        }
        missing = Stripe(np.full((1, 1), np.nan), 0.0, column)
        return [
            pixels(stripes.get(window.chrom, missing), window) for window in windows[split].regions
        ]

    rows = {
        "predicted, one map": (around[shifts.index(0)], "test"),
        "predicted": (list(np.nanmean(around, axis=0)), "test"),
        "measured": (joined("measured", "test"), "test"),
        "measured, valid": (joined("measured", "valid"), "valid"),
        "autoencoded": (joined("denoised", "test"), "test"),
    }
    correlations: dict[str, Any] = {name: {} for name in rows}
    predicted: dict[str, NDArray[Any]] = {}
    for variant, (centred, smoothed) in VARIANTS.items():
        for name, (tables, split) in rows.items():
            vectors = np.stack([as_target(table, centred, smoothed) for table in tables])
            r, count = pooled(vectors, windows[split])
            correlations[name][variant] = {"r": r, "pixels": count}
            if name == "predicted":
                predicted[variant] = vectors
    check = correlations["measured, valid"]
    best = max(VARIANTS, key=lambda variant: float(check[variant]["r"]))
    groups = strata.log_spaced(yeast_data.TRANSFORM.map_bins, yeast_data.TRANSFORM.diagonal_offset)
    return {
        "windows": len(test.regions),
        "conversion": best,
        "pearsonr": correlations["predicted"][best]["r"],
        "pearsonr_95%": yeast.interval(list(predicted[best][..., None]), data, "test"),
        "measured_check": correlations["measured"][best]["r"],
        "correlations": correlations,
        "strata": groups.labels(yeast_data.TRANSFORM.pool_width),
        "by_distance": [
            pooled(predicted[best], test, groups.index == number)[0]
            for number in range(groups.count)
        ],
    }


def pooled(vectors: NDArray[Any], windows: Windows, where: Any = slice(None)) -> tuple[float, int]:
    """Returns Pearson's r over all pixels that have both values, and their number.

    Args:
        vectors: Values on our pixels; NaN where there is none. [W, P].
        windows: Targets and masks.
        where: Pixels to take, of all P.
    """
    values, targets = vectors[:, where], windows.targets[:, where]
    both = windows.masks[:, where] & np.isfinite(values)
    if both.sum() < 2:
        return float("nan"), int(both.sum())
    return float(np.corrcoef(values[both], targets[both])[0, 1]), int(both.sum())


def pixels(stripe: Stripe, window: regions.Region) -> NDArray[np.float64]:
    """Returns the mean of a stripe over the bin pairs of each pixel. [N, N].

    A pixel covers all pairs of a base of bin i and a base of bin j. The stripe is read at the
    midpoint and the distance of such pairs on a grid. Pixels of which less than half lies on the
    stripe are NaN, and so are those below the first diagonal of our targets.

    Args:
        stripe: The map.
        window: The window, of which all N bins are read.
    """
    transform = yeast_data.TRANSFORM
    width, bins = transform.pool_width, transform.window_bins
    first, second = triangle.indices(bins, transform.diagonal_offset)
    steps = (np.arange(SUBPOINTS) + 0.5) * width / SUBPOINTS
    left = window.start + first[:, None, None] * width + steps[:, None]
    right = window.start + second[:, None, None] * width + steps[None, :]
    column = np.floor(((left + right) / 2 - stripe.start) / stripe.column).astype(int)
    row = len(stripe.values) + NEAREST - 1 - ((right - left) // (2 * stripe.column)).astype(int)
    inside = (row >= 0) & (row < len(stripe.values))
    inside &= (column >= 0) & (column < stripe.values.shape[1])
    values = np.where(
        inside, stripe.values[np.where(inside, row, 0), np.where(inside, column, 0)], np.nan
    )
    finite = np.isfinite(values)
    count = finite.sum((1, 2))
    sums = np.where(finite, values, 0.0).sum((1, 2))
    matrix = np.full((bins, bins), np.nan)
    enough = 2 * count >= SUBPOINTS**2
    matrix[first[enough], second[enough]] = sums[enough] / count[enough]
    return matrix


def as_target(matrix: NDArray[Any], centred: bool, smoothed: bool) -> NDArray[np.float64]:
    """Returns the pixels of a target from a map of all bins of a window. [N, N] -> [P].

    Args:
        matrix: The upper triangle; NaN where there is no value.
        centred: True to remove the mean at each distance.
        smoothed: True to smooth with the kernel of our targets; pixels without a value and those
            near the diagonal count as 0, and pixels without a value stay NaN.
    """
    transform = yeast_data.TRANSFORM
    bins, offset = len(matrix), transform.diagonal_offset
    finite = np.isfinite(matrix)
    values = np.where(finite, matrix, 0.0)
    if centred:
        for distance in range(offset, bins):
            diagonal = np.arange(bins - distance), np.arange(distance, bins)
            if finite[diagonal].any():
                values[diagonal] -= values[diagonal][finite[diagonal]].mean()
        values[~finite] = 0.0
    if smoothed:
        values = ndimage.gaussian_filter(
            values + values.T,
            transform.kernel_sigma,
            mode="constant",
            radius=transform.kernel_radius,
        )
    values = np.where(finite, values, np.nan)
    inner = slice(transform.crop_bins, bins - transform.crop_bins)
    return triangle.to_vector(values[inner, inner, None], diagonal_offset=offset)[:, 0]


if __name__ == "__main__":
    main()
