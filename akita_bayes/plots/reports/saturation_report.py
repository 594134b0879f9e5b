"""Scans regions as `akita_sat.py` does: `sat.h5`, tracks, and a figure of every scan."""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from akita_bayes import progress, regions
from akita_bayes.plots import figure_files, saturation_plots
from akita_bayes.variants.saturation import region_scan, scan_directory, scan_names, scan_sites

FOLDER = "logos"

_DPI = 150


@dataclasses.dataclass(frozen=True)
class Style:
    """Holds how scans are drawn.

    Attributes:
        names: Names of all targets of the head; None for their numbers.
        inches: Width of the figures; None to follow the number of bases.
        least: Smallest limit of the colour scale of heat maps.
    """

    names: Sequence[str] | None = None
    inches: float | None = None
    least: float = 0.0


def scan_regions(
    model: Any,
    regions_or_sites: Sequence[regions.Region | scan_sites.Site] | scan_sites.Selection,
    methods: Sequence[str],
    *,
    fasta: str | Path,
    out_dir: str | Path,
    settings: region_scan.ScanSettings | None = None,
    style: Style = Style(),
    open_bar: progress.OpenBar = progress.no_bar,
) -> list[region_scan.Scan]:
    """Scans regions, and draws every scan into `logos/`.

    Args:
        model: What `build` or `load_model` returns.
        regions_or_sites: As for `scan_directory.scan_regions`.
        methods: Names from `region_scan.METHODS`; distinct.
        fasta: The genome.
        out_dir: Folder of the outputs; finished scans in it are reused, and are in the outputs.
        settings: What scans depend on; None for defaults.
        style: How scans are drawn.
        open_bar: Opens a progress bar; called with a description and the number of scans.

    Returns:
        The scans, region by region.

    Raises:
        VariantError: As `scan_directory.scan_regions`.
        RunError: `out_dir` holds other results, or another process writes to it.
    """
    return scan_directory.scan_regions(
        model,
        regions_or_sites,
        methods,
        fasta=fasta,
        out_dir=out_dir,
        settings=settings,
        draw=functools.partial(write_figures, folder=Path(out_dir) / FOLDER, style=style),
        open_bar=open_bar,
    )


def write_figures(
    scans: Sequence[region_scan.Scan], folder: str | Path, *, style: Style = Style()
) -> None:
    """Writes a figure of every score and target of every scan into a folder.

    Args:
        scans: Scans of regions.
        folder: Folder of the files; is created.
        style: How scans are drawn.
    """
    for scan in scans:
        stem = scan_names.file_name(scan.region, scan.allele)
        for name in scan.values:
            for column, target in enumerate(scan.targets):
                figure = saturation_plots.figure(
                    scan,
                    name,
                    column=column,
                    label=None if style.names is None else style.names[target],
                    inches=style.inches,
                    least=style.least,
                )
                file_name = f"{stem}_{scan.method}_{name}_t{target}"
                figure_files.write({file_name: figure}, folder, dpi=_DPI)
