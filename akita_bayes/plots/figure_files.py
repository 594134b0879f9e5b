"""Writes figures into a folder, in the format that a command was asked for."""

import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from akita_bayes import files

if TYPE_CHECKING:
    import matplotlib.figure

DPI = 130
FORMATS = ("png", "pdf", "svg")
"""Formats of figures; pdf and svg hold lines and letters, which stay sharp at any size."""

_format = contextvars.ContextVar("format of figures", default=FORMATS[0])


@contextlib.contextmanager
def in_format(name: str) -> Iterator[None]:
    """Writes all figures of a block in one of FORMATS, whichever function writes them."""
    token = _format.set(name)
    try:
        yield
    finally:
        _format.reset(token)


def file_name(stem: str) -> str:
    """Returns the name of a figure's file in the format of `in_format`."""
    return f"{stem}.{_format.get()}"


def write(
    figures: "Mapping[str, matplotlib.figure.Figure]", out_dir: str | Path, *, dpi: int = DPI
) -> None:
    """Writes each figure as `{name}.png`, or in the format of `in_format`.

    Args:
        figures: Figures by the name of their file, without ending.
        out_dir: Folder of the files; is created.
        dpi: Pixels per inch.
    """
    import matplotlib

    ending = _format.get()
    # Without a date and with fixed identifiers, equal figures are equal files.
    metadata = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(ending)
    with matplotlib.rc_context({"svg.hashsalt": "akita_bayes", "pdf.fonttype": 42}):
        for name, figure in figures.items():
            with files.atomic(Path(out_dir) / file_name(name)) as temporary:
                figure.savefig(temporary, dpi=dpi, format=ending, metadata=metadata)


def paths(folder: str | Path, pattern: str) -> list[Path]:
    """Returns the figures of a folder whose names match a pattern, in any format."""
    return sorted(path for ending in FORMATS for path in Path(folder).glob(f"{pattern}.{ending}"))
