"""Defines what a report holds: facts, tables, charts, pictures and maps, as plain data."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import regions
from akita_bayes.variants.alleles import bin_loci
from akita_bayes.variants.genes import GeneSpans

Palette = Literal["map", "difference", "spread"]


class Fact(NamedTuple):
    """Holds one line of text and its label."""

    label: str
    value: str


@dataclasses.dataclass(frozen=True)
class Column:
    """Holds a column of a table.

    Attributes:
        name: Heading.
        values: Texts, or numbers with None for a missing one; all of one kind.
        description: Sentence that defines the column; "" for none.
        shown: False for a column that a reader has to ask for.
    """

    name: str
    values: Sequence[str | float | None]
    description: str = ""
    shown: bool = True

    @property
    def is_text(self) -> bool:
        """Returns True for a column of texts."""
        return any(isinstance(value, str) for value in self.values)


@dataclasses.dataclass(frozen=True)
class Table:
    """Holds a table.

    Attributes:
        title: Title.
        columns: Columns of equal length.
        note: Remark on the table, for example that it has only some rows; "" for none.
        rows: Number of each row in the input, counted from 0, by which maps name their rows.
    """

    title: str
    columns: Sequence[Column]
    note: str = ""
    rows: Sequence[int] = ()


class Curve(NamedTuple):
    """Holds the points of a curve, with NaN for missing ones."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclasses.dataclass(frozen=True)
class Chart:
    """Holds a chart of curves.

    Attributes:
        title: Title.
        x_label: Quantity and unit of the horizontal axis.
        y_label: Quantity and unit of the vertical axis.
        curves: Curves.
        ticks: Texts at x = 0, 1, ...; empty for numbers.
    """

    title: str
    x_label: str
    y_label: str
    curves: Sequence[Curve]
    ticks: Sequence[str] = ()


class Interval(NamedTuple):
    """Holds an estimate with its interval."""

    name: str
    value: float
    lower: float
    upper: float


@dataclasses.dataclass(frozen=True)
class Intervals:
    """Holds a chart of intervals of one unit."""

    title: str
    unit: str
    rows: Sequence[Interval]


class Picture(NamedTuple):
    """Holds an image file.

    Attributes:
        title: Text above the image.
        content: Bytes of a PNG or SVG file.
    """

    title: str
    content: bytes

    @property
    def media_type(self) -> str:
        """Returns the type of the content, as a browser names it."""
        return "image/png" if self.content.startswith(b"\x89PNG") else "image/svg+xml"


def pictures(folder: Path, titles: Mapping[str, str]) -> list[Picture]:
    """Reads the figures of a folder that are images; a browser shows no PDF as an image.

    Args:
        folder: Folder of the figures.
        titles: Titles by the name of the file, without ending.
    """
    read = []
    for name, title in titles.items():
        paths = [folder / f"{name}.{ending}" for ending in ("png", "svg")]
        existing = [path for path in paths if path.is_file()]
        if existing:
            newest = max(existing, key=lambda path: path.stat().st_mtime)
            read.append(Picture(title, newest.read_bytes()))
    return read


class Layer(NamedTuple):
    """Holds one panel of a map.

    Attributes:
        name: Title of the panel.
        unit: Quantity of its values.
        palette: Kind of colours: "map" and "difference" diverge from 0, "spread" rises from 0.
        values: Pixels of the upper triangle, NaN where there is none. [P].
    """

    name: str
    unit: str
    palette: Palette
    values: NDArray[np.float32]


class Signal(NamedTuple):
    """Holds the mean of a track in every bin of a frame, NaN where it has no value. [N]."""

    name: str
    values: NDArray[np.float64]


class PixelInterval(NamedTuple):
    """Names the interval that a reader sees for a pixel: value plus and minus 1.645 sd.

    Attributes:
        value: Name of the panel of the value.
        sd: Name of the panel of the standard deviation.
        name: What the interval contains.
    """

    value: str
    sd: str
    name: str


@dataclasses.dataclass(frozen=True)
class Map:
    """Holds the panels of one variant or window, and one target.

    Attributes:
        title: What the map shows.
        target: Identifier of the target.
        row: Number of the row of the first table, counted from 0 in the input; None for none.
        bins: Bins N of the map.
        bin_width: Bases of a bin.
        diagonal_offset: First diagonal of the map.
        stretches: Stretches of the genome in the frame.
        site: First bin of the event and one past its last; None without an event.
        layers: Panels, from left to right.
        genes: Genes in the frame.
        signals: Tracks in the frame.
        interval: Interval of a pixel; None for none.
    """

    title: str
    target: str
    row: int | None
    bins: int
    bin_width: int
    diagonal_offset: int
    stretches: Sequence[bin_loci.Stretch]
    site: tuple[int, int] | None
    layers: Sequence[Layer]
    genes: Sequence[GeneSpans] = ()
    signals: Sequence[Signal] = ()
    interval: PixelInterval | None = None

    @property
    def region(self) -> regions.Region | None:
        """Returns the bases of a frame that is one stretch; None for several."""
        return self.stretches[0].region if len(self.stretches) == 1 else None


@dataclasses.dataclass(frozen=True)
class Report:
    """Holds everything that a report shows.

    Attributes:
        title: Title.
        summary: What a reader wants to know first.
        notes: Remarks, each a sentence or more.
        tables: Tables; maps belong to rows of the first.
        charts: Charts of curves.
        intervals: Charts of intervals.
        pictures: Figures that the directory holds.
        maps: Maps, the most important first.
        map_note: What the maps show, or how to get some.
        provenance: Versions, seeds and digests that the directory holds.
    """

    title: str
    summary: Sequence[Fact] = ()
    notes: Sequence[str] = ()
    tables: Sequence[Table] = ()
    charts: Sequence[Chart] = ()
    intervals: Sequence[Intervals] = ()
    pictures: Sequence[Picture] = ()
    maps: Sequence[Map] = ()
    map_note: str = ""
    provenance: Sequence[Fact] = ()
