"""Writes the calibration of a model as `akita_calibrate.py` does: tables and figures."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.figure

from akita_bayes import triangle
from akita_bayes.evaluate.intervals import calibration_files
from akita_bayes.evaluate.intervals.calibrate import Report
from akita_bayes.plots import calibration_plots as plots
from akita_bayes.plots import figure_files

_PIXELS = 8
"""Number of pixels whose predictive distributions are drawn."""


def write(report: Report, names: Sequence[str], out_dir: str | Path) -> None:
    """Writes `calibration.json`, `calibration.tsv` and the figures of a report.

    Args:
        report: Calibration, from `evaluate.intervals.calibrate.calibrate`.
        names: Names of its targets. [T].
        out_dir: Folder of the files; is created.
    """
    calibration_files.write(report, names, out_dir)
    figure_files.write(figures(report, names), out_dir)


def figures(report: Report, names: Sequence[str]) -> dict[str, matplotlib.figure.Figure]:
    """Returns the figures of a report by name; maps and pixels are those of the first target."""
    example, region = report.tested[0], report.first_region
    window = "first window of the split" if region is None else str(region)
    title = f"{names[0]}, {window}"
    pixels = _example_pixels(len(example.mean))
    return {
        "reliability": plots.reliability(
            {"as stated": report.before, "recalibrated": report.after}
        ),
        "coverage_by_distance": plots.coverage_by_distance(
            report.after, names, bin_width=report.bin_width
        ),
        "sd_beside_error": plots.sd_beside_error(
            example.target[:, 0],
            example.mean[:, 0],
            example.sd[:, 0],
            diagonal_offset=report.diagonal_offset,
            region=region,
            title=title,
        ),
        "pixels": plots.pixel_distributions(
            report.draws[:, pixels, 0],
            example.aleatoric_sd[pixels, 0],
            example.target[pixels, 0],
            [_pixel_name(report, pixel) for pixel in pixels],
            title=title,
        ),
    }


def _example_pixels(pixels: int) -> list[int]:
    """Returns evenly spaced pixels, each in the middle of its part of the triangle."""
    return [round(pixels * (k + 0.5) / _PIXELS) for k in range(_PIXELS)]


def _pixel_name(report: Report, pixel: int) -> str:
    bins = triangle.bins(len(report.tested[0].mean), report.diagonal_offset)
    rows, columns = triangle.indices(bins, report.diagonal_offset)
    return f"bins {rows[pixel]} and {columns[pixel]}"
