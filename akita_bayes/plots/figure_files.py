"""Writes figures into a folder."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib.figure

from akita_bayes import files

DPI = 130


def write(
    figures: Mapping[str, matplotlib.figure.Figure], out_dir: str | Path, *, dpi: int = DPI
) -> None:
    """Writes each figure as `{name}.png`.

    Args:
        figures: Figures by the name of their file, without ending.
        out_dir: Folder of the files; is created.
        dpi: Pixels per inch.
    """
    for name, figure in figures.items():
        with files.atomic(Path(out_dir) / f"{name}.png") as temporary:
            figure.savefig(temporary, dpi=dpi)
