"""How reproducible targets are: the highest correlation that any prediction can reach.

The raw counts are split binomially into two halves, and both halves are balanced and turned into
targets by themselves. From their correlation r over measured pixels, Spearman and Brown's formula
gives the reliability of the target of all counts, R = 2 r / (1 + r). The correlation of the
measured map with the true map is sqrt(R); no prediction is expected to exceed it.
"""

import dataclasses
import functools
import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cooler
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import regions, triangle
from akita_bayes.data import assembly
from akita_bayes.data.contacts import counts_to_targets
from akita_bayes.evaluate import insulation, strata


class Counts(NamedTuple):
    """Holds the contacts of one chromosome: upper triangle and balancing weights."""

    counts: NDArray
    weights: NDArray


def windows(data: Path, split: str) -> list[regions.Region]:
    """Returns the windows of a split of a data directory."""
    table = pd.read_csv(data / "sequences.bed", sep="\t", header=None, comment="#")
    rows = table[table[3] == split]
    columns = zip(rows[0], rows[1], rows[2], strict=True)
    return [regions.Region(name, int(start), int(end)) for name, start, end in columns]


def read(path: Path) -> dict[str, Counts]:
    """Reads all chromosomes of a balanced cooler."""
    clr = cooler.Cooler(str(path))
    return {
        name: Counts(
            np.triu(clr.matrix(balance=False).fetch(name)),
            clr.bins().fetch(name)["weight"].to_numpy(),
        )
        for name in clr.chromnames
    }


@functools.cache
def thinned(path: Path, seed: int, parts: int = 2) -> list[dict[str, Counts]]:
    """Deals the contacts of a cooler to `parts` equal parts at random, and balances each part."""
    clr = cooler.Cooler(str(path))
    pixels, bins = clr.pixels()[:], clr.bins()[:][["chrom", "start", "end"]]
    random, left = np.random.default_rng(seed), pixels["count"].to_numpy(np.int64)
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        for part in range(parts):
            dealt = random.binomial(left, 1 / (parts - part))
            left = left - dealt
            table = pixels.assign(count=dealt)[dealt > 0]
            file = Path(folder) / f"{part}.cool"
            cooler.create_cooler(str(file), bins, table, ordered=True)
            cooler.balance_cooler(cooler.Cooler(str(file)), store=True, max_iters=500)
            tables.append(read(file))
    return tables


def targets(
    counts: dict[str, Counts],
    chosen_windows: Sequence[regions.Region],
    transform: counts_to_targets.Transform,
) -> tuple[NDArray, NDArray[np.bool_]]:
    """Returns targets and masks of windows, [W, P] each; unusable windows are all masked."""
    values = np.zeros((len(chosen_windows), transform.pixels))
    masks = np.zeros(values.shape, bool)
    for row, window in enumerate(chosen_windows):
        first, last = window.start // transform.pool_width, window.end // transform.pool_width
        bins = slice(first, last)
        table = counts[window.chrom]
        try:
            target = counts_to_targets.target(
                table.counts[bins, bins], table.weights[bins], transform
            )
        except counts_to_targets.Unusable:
            continue
        values[row], masks[row] = target.values, target.mask
    return values, masks


def reliability(r_of_halves: float) -> float:
    """Returns the reliability of twice the data, by Spearman and Brown's formula."""
    return 2 * r_of_halves / (1 + r_of_halves)


def measure(
    path: Path,
    chosen_windows: Sequence[regions.Region],
    transform: counts_to_targets.Transform,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    circular: bool = False,
) -> dict[str, Any]:
    """Measures the ceiling of the targets of some windows: all pixels, by distance, insulation.

    Args:
        path: A balanced cooler.
        chosen_windows: Windows whose measured pixels are pooled.
        transform: How contacts become targets.
        seeds: Seeds of the random halves; results are means over them.
        circular: True for circular chromosomes, whose windows may cross the origin.
    """
    splits = []
    for seed in seeds:
        halves = [around_circle(half) if circular else half for half in thinned(path, seed)]
        splits.append([targets(half, chosen_windows, transform) for half in halves])
    return {
        "r_of_halves": _mean(_pooled(first, second) for first, second in splits),
        "r_of_halves_sd": float(np.std([_pooled(*halves) for halves in splits])),
        **_ceiling(splits, transform),
    }


def choices(
    path: Path,
    lengths: Sequence[int],
    kernels: Sequence[float],
    transform: counts_to_targets.Transform,
) -> list[dict[str, float]]:
    """Measures the reliability of targets by window length and kernel, over the whole genome.

    Args:
        path: A balanced cooler.
        lengths: Window lengths in bases.
        kernels: Standard deviations of the smoothing in bins.
        transform: All other settings.
    """
    halves, rows = thinned(path, 0), []
    for length, kernel in itertools.product(lengths, kernels):
        setting = dataclasses.replace(transform, seq_length=length, kernel_sigma=kernel)
        bins = setting.window_bins
        tiles = [
            regions.Region(name, start * setting.pool_width, (start + bins) * setting.pool_width)
            for name, table in halves[0].items()
            if name != "chrM"
            for start in range(0, len(table.weights) - bins + 1, bins // 2)
        ]
        r_of_halves = _pooled(*(targets(half, tiles, setting) for half in halves))
        rows.append(
            {
                "window_bp": length,
                "kernel_bins": kernel,
                "r_of_halves": r_of_halves,
                "reliability": reliability(r_of_halves),
                "ceiling": _root(r_of_halves),
            }
        )
    return rows


def _ceiling(splits: list[Any], transform: counts_to_targets.Transform) -> dict[str, Any]:
    groups = strata.log_spaced(transform.map_bins, transform.diagonal_offset)
    r_of_halves = _mean(_pooled(first, second) for first, second in splits)
    by_distance = [
        _mean(_pooled(first, second, groups.index == number) for first, second in splits)
        for number in range(groups.count)
    ]
    profiles = _mean(_pooled(*(_profiles(half, transform) for half in halves)) for halves in splits)
    return {
        "reliability": reliability(r_of_halves),
        "ceiling": _root(r_of_halves),
        "strata": groups.labels(transform.pool_width),
        "ceiling_by_distance": [_root(r) for r in by_distance],
        "insulation_ceiling": _root(profiles),
    }


def _root(r_of_halves: float) -> float:
    return float(np.sqrt(max(reliability(r_of_halves), 0.0)))


def _mean(values: Any) -> float:
    return float(np.mean(list(values)))


def _pooled(
    first: tuple[NDArray, NDArray], second: tuple[NDArray, NDArray], pixels: Any = slice(None)
) -> float:
    """Correlates two sets of maps over the pixels that both measured."""
    both = (first[1] & second[1])[:, pixels]
    return float(np.corrcoef(first[0][:, pixels][both], second[0][:, pixels][both])[0, 1])


def _profiles(
    half: tuple[NDArray, NDArray], transform: counts_to_targets.Transform
) -> tuple[NDArray, NDArray]:
    width = insulation.default_width(transform.map_bins)
    rows = [
        insulation.profile(
            values[:, None], mask[:, None], diagonal_offset=transform.diagonal_offset, width=width
        )
        for values, mask in zip(*half, strict=True)
    ]
    return np.stack([row[0][:, 0] for row in rows]), np.stack([row[1][:, 0] for row in rows])


def second_experiment(first: Path, second: Path, names: Sequence[str]) -> dict[str, Any]:
    """Compares the map at 10 kb with an independent experiment, and the depth of both.

    Windows of 32 bins of 10 kb, without smoothing. If both experiments measured the same true map
    with independent noise, they would correlate by sqrt(R1 R2), the expected value given here.
    """
    transform = counts_to_targets.Transform(320_000, 10_000, as_obsexp=True)
    coarse, fine = coarsened(read(first), 5), cooler.Cooler(str(second))
    name_in_second = assembly.of(dict(fine.chromsizes)).names(names, str(first))
    extents = {name: fine.extent(own) for name, own in name_in_second.items()}
    lengths = {
        name: min(len(coarse[name].counts), end - start) for name, (start, end) in extents.items()
    }
    chosen_windows = [
        regions.Region(name, start * 10_000, start * 10_000 + 320_000)
        for name, bins in lengths.items()
        for start in range(0, bins - 31, 16)
    ]

    def of_second(tables: dict[str, Counts]) -> dict[str, Counts]:
        return {name: tables[own] for name, own in name_in_second.items()}

    halves = {
        "first": [coarsened(half, 5) for half in thinned(first, 0)],
        "second": [of_second(half) for half in thinned(second, 0)],
    }
    r_of_halves = {
        name: _pooled(*(targets(half, chosen_windows, transform) for half in pair))
        for name, pair in halves.items()
    }
    r = _pooled(
        targets(coarse, chosen_windows, transform),
        targets(of_second(read(second)), chosen_windows, transform),
    )
    full = {name: reliability(value) for name, value in r_of_halves.items()}
    return {
        "windows": len(chosen_windows),
        "pixels": int(triangle.length(32, 2)),
        "r": r,
        "reliability": full,
        "expected_r": float(np.sqrt(full["first"] * full["second"])),
    }


def around_circle(tables: dict[str, Counts]) -> dict[str, Counts]:
    """Returns maps of circular chromosomes twice along both axes, for windows across the origin.

    Bins are counted as if the last one were as long as the others, as `akita_data.py` does.
    """
    joined = {}
    for name, (counts, weights) in tables.items():
        whole = counts + np.triu(counts, 1).T
        joined[name] = Counts(np.triu(np.tile(whole, (2, 2))), np.tile(weights, 2))
    return joined


def coarsened(tables: dict[str, Counts], factor: int) -> dict[str, Counts]:
    """Joins `factor` bins; a weight is the inverse of the mean visibility of its good bins."""
    joined = {}
    for name, (counts, weights) in tables.items():
        bins = len(weights) // factor
        blocks = counts[: bins * factor, : bins * factor].reshape(bins, factor, bins, factor)
        visibility = np.nan_to_num(1 / weights[: bins * factor]).reshape(bins, factor).mean(1)
        with np.errstate(divide="ignore"):
            joined[name] = Counts(
                blocks.sum((1, 3)), np.where(visibility > 0, 1 / visibility, np.nan)
            )
    return joined
