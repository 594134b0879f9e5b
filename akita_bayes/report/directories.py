"""Recognises a directory of results, and collects its report."""

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from akita_bayes import errors
from akita_bayes.evaluate import window_maps
from akita_bayes.report import (
    accuracy_contents,
    contents,
    fit_contents,
    frame_tracks,
    page,
    prediction_contents,
    run_contents,
    variant_contents,
)
from akita_bayes.variants import genes

FILE = "report.html"
MAPS = 10
"""Largest number of variants or windows whose maps are shown, unless another is asked for."""


@dataclasses.dataclass(frozen=True)
class ReportOptions:
    """Holds what a report shows beside the content of a directory.

    Attributes:
        genes: GTF or BED file of genes, drawn under maps; None for none.
        bigwigs: bigWig files, drawn under maps.
        maps: Largest number of variants or windows whose maps are shown; fewer maps are finer.
    """

    genes: str | Path | None = None
    bigwigs: Sequence[str | Path] = ()
    maps: int = MAPS


def write(
    folder: str | Path, path: str | Path | None = None, *, options: ReportOptions | None = None
) -> Path:
    """Writes the report of a directory of results; returns the path of the file.

    Args:
        folder: Directory of `akita_predict.py`, `akita_scd.py`, `akita_test.py`, `akita_train.py`
            or `mpra_fit.py`.
        path: HTML file to write; None for `report.html` in the directory.
        options: What the report shows besides; None for defaults.

    Raises:
        DataError: The directory holds no such results, or a file is missing or damaged.
    """
    folder = Path(folder)
    path = folder / FILE if path is None else Path(path)
    page.write(collect(folder, options or ReportOptions()), path)
    return path


def collect(folder: Path, options: ReportOptions) -> contents.Report:
    """Returns the content of the report of a directory.

    Raises:
        DataError: As `write`.
    """
    if not folder.is_dir():
        raise errors.DataError(f"{folder}: no such directory.")
    annotation = () if options.genes is None else genes.read(options.genes)
    with contextlib.ExitStack() as stack:
        tracks = stack.enter_context(frame_tracks.opened(options.bigwigs))
        if (folder / variant_contents.TABLE).is_file():
            return variant_contents.collect(
                folder, annotation=annotation, tracks=tracks, maps=options.maps
            )
        if (folder / prediction_contents.MARK).is_file():
            return prediction_contents.collect(
                folder, annotation=annotation, tracks=tracks, maps=options.maps
            )
        if (folder / window_maps.FILE).is_file():
            return accuracy_contents.collect(
                folder, annotation=annotation, tracks=tracks, maps=options.maps
            )
    for module in (fit_contents, accuracy_contents, run_contents):
        if (folder / module.MARK).is_file():
            if options.genes or options.bigwigs:
                raise errors.DataError(
                    f"{folder}: has no maps, so genes and tracks cannot be drawn; "
                    "leave out --genes and --bigwig."
                )
            report: contents.Report = module.collect(folder)
            return report
    raise errors.DataError(
        f"{folder}: holds no results that a report can show; give a directory of "
        "akita_predict.py, akita_scd.py, akita_test.py, akita_train.py or mpra_fit.py."
    )
