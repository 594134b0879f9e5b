"""Scores a variant file as `akita_scd.py` does: tables, the annotated file, and figures."""

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from akita_bayes import files, progress
from akita_bayes.data import personal_genome
from akita_bayes.plots import figure_files
from akita_bayes.variants.scored_files import score_directory

if TYPE_CHECKING:
    from akita_bayes.variants import figure_data

FOLDER = "maps"
LEAST = 0.1
"""Smallest limit of the colour scale of maps, as in Basenji."""

_DPI = 150


def score_file(
    model: Any,
    variants: str | Path,
    *,
    fasta: str | Path | personal_genome.Personal,
    out_dir: str | Path,
    settings: score_directory.FileSettings | None = None,
    least: float = LEAST,
    open_bar: progress.OpenBar = progress.no_bar,
    **changes: Any,
) -> score_directory.Summary:
    """Scores a variant file and draws the strongest variants into `maps/`.

    Args:
        model: What `build` or `load_model` returns.
        variants: VCF or BCF.
        fasta: The genome, or a haplotype of a sample.
        out_dir: Folder of the outputs, new or with parts of the same inputs, which are reused.
        settings: What the scoring depends on, and the number of `figures`; None for defaults.
        least: Smallest limit of the colour scale of maps.
        open_bar: Opens a progress bar; called with a description and the number of steps.
        **changes: Fields of `settings` to replace.

    Raises:
        VariantError: As `score_directory.score_file`.
        RunError: `out_dir` holds other results, or another process writes to it.
    """
    return score_directory.score_file(
        model,
        variants,
        fasta=fasta,
        out_dir=out_dir,
        settings=settings,
        draw=functools.partial(write_figures, folder=Path(out_dir) / FOLDER, least=least),
        open_bar=open_bar,
        **changes,
    )


def write_figures(
    figures: "Iterable[figure_data.RankedFigure]", folder: str | Path, *, least: float = LEAST
) -> None:
    """Writes a figure per variant into a folder, in place of those of an earlier run.

    Args:
        figures: Figures of the strongest variants.
        folder: Folder of the files; is created.
        least: Smallest limit of the colour scale of maps.
    """
    for old_figure in figure_files.paths(folder, "*_row*_target*"):
        files.remove(old_figure)
    for figure in figures:
        # matplotlib takes long to import, and most runs draw nothing.
        from akita_bayes.plots import variant_plots

        drawing = variant_plots.figure(figure.window, least=least)
        figure_files.write({figure.name: drawing}, folder, dpi=_DPI)
