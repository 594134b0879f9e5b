"""Statistics of simulated maps beside those of measured maps: do they look alike?

    python -m benchmarks.simulated_statistics --data DATA [--presets small realistic] [--seed 0]

DATA holds `hic/chr11_99928064_101238784_target.npy`, the published Akita v2 target of one human
window (1.05 Mb in bins of 2,048 bp, five experiments), and `hic/scer_w303_g1_2kb_SRR8769554.cool`,
budding yeast in bins of 2 kb. Of a simulation, the test chromosome is measured. Distances and lags
are in bins of each map. The second part asks for correlations of replicates and measures those that
the test chromosome has. Writes `results/simulated_statistics.json`, a table and a figure into
docs/simulator.md.
"""

import argparse
import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from akita_bayes import files, regions, triangle
from akita_bayes.evaluate import insulation
from akita_bayes.simulate import designs, experiment, replicate_agreement
from akita_bayes.simulate.simulation_folder import simulated_records
from benchmarks import environment, map_ceiling, run, simulated_statistics_report, yeast_data

RESULT = run.RESULTS / "simulated_statistics.json"
HUMAN = Path("hic") / "chr11_99928064_101238784_target.npy"
PRESETS = ("small", "realistic")
WANTED = (0.6, 0.75, 0.9, 0.95)
"""Correlations of replicates that are asked for."""

OFFSET = 2
"""First diagonal of every target here."""

LAGS = (1, 2, 4, 8, 16)
DIRECTIONS = {"row": (0, 1), "along": (1, 1), "across": (-1, 1)}
"""Step (i, j) of a lag: to the next column; along the diagonal; away from the diagonal."""


def main(argv: Sequence[str] | None = None) -> None:
    """Measures what the command line names and writes result, table and figure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the measured maps")
    parser.add_argument("--presets", nargs="*", default=PRESETS, choices=list(designs.PRESETS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    maps: dict[str, Any] = {"human chr11": human(options.data / HUMAN)}
    maps["yeast"] = yeast(options.data / yeast_data.COOLER)
    for name in options.presets:
        maps[name] = simulated(designs.PRESETS[name], options.seed)
        print(f"measured {name}")
    result = {"seed": options.seed, "maps": maps, "replicates": agreement(options.seed)}
    files.write_json(options.result, {**environment.describe(), **result})
    simulated_statistics_report.write(result, options.data / HUMAN)


def human(path: Path) -> dict[str, Any]:
    """Returns the statistics of each experiment of the human window; counts are not published."""
    values = np.load(path)[0].astype(np.float64)
    mask = np.ones((1, len(values)), bool)
    return {
        "bins": triangle.bins(len(values), OFFSET),
        "targets": [statistics(values[None, :, target], mask) for target in range(values.shape[1])],
    }


def yeast(path: Path) -> dict[str, Any]:
    """Returns the statistics of the yeast map as akita_yeast is trained on it, whole genome.

    The correlation of replicates is that of random halves of the reads.
    """
    transform = yeast_data.TRANSFORM
    counts = map_ceiling.read(path)
    width, bins = transform.pool_width, transform.window_bins
    windows = [
        regions.Region(name, start * width, (start + bins) * width)
        for name in yeast_data.NAMES
        for start in range(0, len(counts[name].counts) - bins + 1, bins)
    ]
    values, mask = map_ceiling.targets(counts, windows, transform)
    first, second = (
        map_ceiling.targets(half, windows, transform) for half in map_ceiling.thinned(path, 0)
    )
    both = first[1] & second[1]
    zeros = []
    for window in windows:
        inside = slice(window.start // width, window.end // width)
        table = counts[window.chrom]
        valid = np.isfinite(table.weights[inside])
        pairs = np.triu(np.outer(valid, valid), OFFSET)
        zeros.append(table.counts[inside, inside][pairs] == 0)
    return {
        "bins": transform.map_bins,
        "targets": [
            {
                **statistics(values, mask),
                "replicate_r": float(np.corrcoef(first[0][both], second[0][both])[0, 1]),
                "zero_counts": float(np.concatenate(zeros).mean()),
            }
        ],
    }


def simulated(design: designs.Design, seed: int) -> dict[str, Any]:
    """Returns the statistics of the test chromosome of a design, and of its noise-free truth."""
    solved = replicate_agreement.solve(design, seed)
    name = list(design.chromosomes())[-1]
    measured = experiment.simulate_chromosome(name, solved, seed)
    values, mask, truth = (
        np.stack([getattr(window, part) for window in measured.windows])
        for part in ("target", "mask", "truth")
    )
    ceiling = simulated_records.ceiling(measured.windows, design.cell_types)
    bins = design.seq_length // design.physics.bin_size - 2 * design.crop // design.physics.bin_size
    targets = []
    for cell in range(len(design.cell_types)):
        targets.append(
            {
                **statistics(values[..., cell].astype(np.float64), mask[..., cell]),
                "replicate_r": ceiling["replicate_pearson"][cell],
                "truth_r": ceiling["target_truth_pearson"][cell],
                "zero_counts": _zeros(
                    measured.pixels[cell], len(measured.chromosome.sequence), design
                ),
                "truth": statistics(truth[..., cell].astype(np.float64), mask[..., cell]),
            }
        )
    example = values[len(values) // 2, :, 0].astype(np.float64)
    return {
        "bins": bins,
        "depth": solved.depth,
        "replicate_bias": solved.measurement.replicate_bias,
        "targets": targets,
        "example": [round(float(value), 3) for value in example],
    }


def _zeros(replicates: list[experiment.Pixels], length: int, design: designs.Design) -> float:
    """Returns the share of pixels without a read, of pairs of bins of a window that have reads."""
    bins, reach = length // design.physics.bin_size, design.seq_length // design.physics.bin_size
    covered = np.zeros(bins, bool)
    filled = np.zeros((bins, reach), bool)
    for pixels in replicates:
        covered[pixels.bin1] = covered[pixels.bin2] = True
        distance = pixels.bin2 - pixels.bin1
        inside = distance < reach
        filled[pixels.bin1[inside], distance[inside]] = True
    rows, distances = np.indices(filled.shape)
    partner = rows + distances
    pairs = (partner < bins) & (distances >= OFFSET) & covered[rows]
    pairs &= covered[np.minimum(partner, bins - 1)]
    return float(1 - filled[pairs].mean())


def statistics(values: NDArray[np.float64], mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Computes the statistics of one target over its measured pixels.

    Args:
        values: Triangles of windows. [W, P].
        mask: True where measured. [W, P].
    """
    bins = triangle.bins(values.shape[1], OFFSET)
    measured = np.where(mask, values, np.nan)
    pixels = measured[mask]
    squares = np.stack(
        [triangle.to_matrix(row[:, None], diagonal_offset=OFFSET)[..., 0] for row in measured]
    )
    profiles = []
    for row, measured_row in zip(values, mask, strict=True):
        profile, valid = insulation.profile(
            row[:, None],
            measured_row[:, None],
            diagonal_offset=OFFSET,
            width=insulation.default_width(bins),
        )
        profiles.append(profile[valid])
    distance = triangle.distances(bins, OFFSET)
    edges = [*(2**power for power in range(1, 32) if 2**power < bins), bins]
    return {
        "sd": float(pixels.std()),
        "skewness": float(scipy.stats.skew(pixels)),
        "excess_kurtosis": float(scipy.stats.kurtosis(pixels)),
        "masked": float(1 - mask.mean()),
        "insulation_sd": float(np.concatenate(profiles).std()),
        "sd_by_distance": {
            f"{low}-{high - 1}": float(
                np.nanstd(measured[:, (distance >= low) & (distance < high)])
            )
            for low, high in itertools.pairwise(edges)
        },
        "correlation": {
            direction: {str(lag): lagged(squares, lag, step) for lag in LAGS if 3 * lag < bins}
            for direction, step in DIRECTIONS.items()
        },
    }


def lagged(squares: NDArray[np.float64], lag: int, step: tuple[int, int]) -> float:
    """Computes the correlation of pixels with those `lag` steps away, over all windows.

    Args:
        squares: Maps; NaN where not measured. [W, N, N].
        lag: Number of steps.
        step: Change of the row i and of the column j in a step.
    """
    rows, columns = np.triu_indices(squares.shape[1], OFFSET)
    moved_rows, moved_columns = rows + lag * step[0], columns + lag * step[1]
    inside = (moved_rows >= 0) & (moved_columns < squares.shape[1])
    inside &= moved_columns - moved_rows >= OFFSET
    first = squares[:, rows[inside], columns[inside]]
    second = squares[:, moved_rows[inside], moved_columns[inside]]
    both = np.isfinite(first) & np.isfinite(second)
    return float(np.corrcoef(first[both], second[both])[0, 1])


def agreement(seed: int, requested: Sequence[float] = WANTED) -> list[dict[str, Any]]:
    """Asks `realistic` for correlations of replicates, and returns those that it has."""
    rows = []
    preset = designs.PRESETS["realistic"]
    for solve_for in ("bias", "depth"):
        for r in requested:
            settings = dataclasses.replace(preset.measurement, replicate_r=r, solve_for=solve_for)
            design = dataclasses.replace(preset, measurement=settings)
            solved = replicate_agreement.solve(design, seed)
            name = list(design.chromosomes())[-1]
            windows = experiment.simulate_chromosome(name, solved, seed).windows
            ceiling = simulated_records.ceiling(windows, design.cell_types)
            rows.append(
                {
                    "solve_for": solve_for,
                    "wanted": r,
                    "replicate_r": float(np.mean(ceiling["replicate_pearson"])),
                    "truth_r": float(np.mean(ceiling["target_truth_pearson"])),
                    "depth": solved.depth,
                    "replicate_bias": solved.measurement.replicate_bias,
                }
            )
            print(rows[-1])
    return rows


if __name__ == "__main__":
    main()
