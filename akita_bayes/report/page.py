"""Writes a report as one HTML file: the content as HTML and JSON, the behaviour as a script.

Every text of the input is escaped, whether it goes into HTML or into JSON. The page has a policy
(Content-Security-Policy) that allows its own style and script only, by their digests, and no
network; so a text that was not escaped could not run either.
"""

import base64
import hashlib
import html
import importlib.resources
import json
import string
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import akita_bayes
from akita_bayes import errors, files
from akita_bayes.report import charts, contents, quantised_maps

LIMIT = 10_000_000
"""Largest size of a report in bytes."""

MAP_BYTES = 6_000_000
"""Bytes of all maps of a report."""

PICTURE_BYTES = 1_500_000
"""Bytes of all pictures of a report."""

STATIC_ROWS = 100
"""Rows of a table in HTML, which a browser without scripts shows; JSON holds all rows."""

_FOLDER = "template"


def write(report: contents.Report, path: str | Path) -> None:
    """Writes a report atomically.

    Args:
        report: The content.
        path: HTML file to write.

    Raises:
        DataError: The report would be larger than 10 MB.
    """
    text = rendered(report).encode("utf-8")
    if len(text) > LIMIT:
        raise errors.DataError(
            f"{path}: would have {len(text):,} bytes, more than {LIMIT:,}; show fewer maps."
        )
    with files.atomic(path) as temporary:
        temporary.write_bytes(text)


def rendered(report: contents.Report) -> str:
    """Returns the text of the HTML file."""
    style, script = _asset("report.css"), _asset("report.js")
    maps = _packed_maps(report.maps)
    return string.Template(_asset("report.html")).substitute(
        title=html.escape(report.title),
        style=style,
        script=script,
        style_hash=_digest(style),
        script_hash=_digest(script),
        version=html.escape(akita_bayes.__version__),
        summary=_facts(report.summary),
        notes="\n".join(f'<p class="note">{html.escape(note)}</p>' for note in report.notes),
        tables="\n".join(_table(table, number) for number, table in enumerate(report.tables)),
        maps=_maps(report, maps),
        intervals="\n".join(
            _section(chart.title, charts.intervals(chart)) for chart in report.intervals
        ),
        charts=_charts(report.charts),
        pictures=_pictures(report.pictures),
        provenance=_provenance(report.provenance),
        data=_json({"tables": [_table_data(table) for table in report.tables], "maps": maps}),
    )


def _asset(name: str) -> str:
    return (importlib.resources.files(__package__) / _FOLDER / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(value: Any) -> str:
    """Returns JSON that no parser of HTML takes for markup."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _section(title: str, body: str) -> str:
    return f"<section>\n<h2>{html.escape(title)}</h2>\n{body}\n</section>"


def _facts(facts: Iterable[contents.Fact]) -> str:
    items = "".join(
        f"<div><dt>{html.escape(label)}</dt><dd>{html.escape(value)}</dd></div>"
        for label, value in facts
    )
    return f'<dl class="facts">{items}</dl>'


def _table(table: contents.Table, number: int) -> str:
    """Returns a table with its first rows; the script shows the others."""
    shown = [column for column in table.columns if column.shown]
    rows = len(table.columns[0].values) if table.columns else 0
    head = "".join(
        f'<th scope="col" title="{html.escape(column.description)}"'
        f"{_class(column)}>{html.escape(column.name)}</th>"
        for column in shown
    )
    body = "\n".join(
        "<tr>"
        + "".join(
            f"<td{_class(column)}>{html.escape(cell(column.values[row]))}</td>" for column in shown
        )
        + "</tr>"
        for row in range(min(rows, STATIC_ROWS))
    )
    remark = f'<p class="note">{html.escape(table.note)}</p>' if table.note else ""
    if rows > STATIC_ROWS:
        remark += f"<noscript><p>These are the first {STATIC_ROWS} of {rows:,} rows.</p></noscript>"
    return _section(
        table.title,
        f'{remark}<div class="table" data-table="{number}"><div class="scroll">'
        f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div></div>",
    )


def _class(column: contents.Column) -> str:
    return "" if column.is_text else ' class="number"'


def cell(value: Any) -> str:
    """Returns a value as a cell of a table: NA for none, numbers with up to 7 digits."""
    if value is None:
        return "NA"
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def _table_data(table: contents.Table) -> dict[str, Any]:
    return {
        "rows": list(table.rows),
        "columns": [
            {
                "name": column.name,
                "text": column.is_text,
                "description": column.description,
                "shown": column.shown,
                "values": list(column.values),
            }
            for column in table.columns
        ],
    }


def _packed_maps(maps: Sequence[contents.Map]) -> list[dict[str, Any]]:
    """Packs maps, each into an equal share of MAP_BYTES; those that do not fit are left out."""
    packed_maps = []
    for view in maps:
        packed = quantised_maps.pack(view, MAP_BYTES // len(maps))
        if packed is None:
            continue
        packed_maps.append(
            {
                "title": view.title,
                "target": view.target,
                "row": view.row,
                "bins": packed.bins,
                "width": view.bin_width * packed.factor,
                "offset": 0 if packed.factor > 1 else view.diagonal_offset,
                "factor": packed.factor,
                "stretches": [
                    [
                        part.first / packed.factor,
                        part.last / packed.factor,
                        *part.region,
                        part.strand,
                    ]
                    for part in view.stretches
                ],
                "site": view.site and [edge / packed.factor for edge in view.site],
                "layers": packed.layers,
                "interval": view.interval,
                "genes": [
                    [
                        gene.name,
                        gene.strand,
                        [[edge / packed.factor for edge in span] for span in gene.spans],
                    ]
                    for gene in view.genes
                ],
                "signals": [
                    [
                        signal.name,
                        view.bins / packed.factor,
                        [float(f"{v:.5g}") if v == v else None for v in signal.values.tolist()],
                    ]
                    for signal in view.signals
                ],
            }
        )
    return packed_maps


def _maps(report: contents.Report, packed_maps: Sequence[dict[str, Any]]) -> str:
    if not packed_maps and not report.map_note:
        return ""
    notes = [report.map_note] if report.map_note else []
    if left_out := len(report.maps) - len(packed_maps):
        notes.append(f"{left_out} maps are left out, to keep this file small; ask for fewer.")
    text = "".join(f'<p class="note">{html.escape(note)}</p>' for note in notes)
    if packed_maps:
        text += "<noscript><p>Maps are drawn by a script; allow it for this file.</p></noscript>"
        text += '<div id="maps"></div>'
    return _section("Maps", text)


def _charts(all_charts: Sequence[contents.Chart]) -> str:
    if not all_charts:
        return ""
    figures = "".join(
        f"<figure><figcaption>{html.escape(chart.title)}</figcaption>{charts.curves(chart)}"
        "</figure>"
        for chart in all_charts
    )
    return _section("Charts", f'<div class="charts">{figures}</div>')


def _pictures(pictures: Sequence[contents.Picture]) -> str:
    figures, size = [], 0
    for picture in pictures:
        size += len(picture.content)
        if size > PICTURE_BYTES:
            figures.append(
                f'<p class="note">{html.escape(picture.title)} is left out, to keep this file '
                "small.</p>"
            )
            continue
        code = base64.b64encode(picture.content).decode()
        title = html.escape(picture.title)
        figures.append(
            f'<figure><figcaption>{title}</figcaption><img alt="{title}" '
            f'src="data:{picture.media_type};base64,{code}"></figure>'
        )
    if not figures:
        return ""
    return _section("Figures of the directory", f'<div class="pictures">{"".join(figures)}</div>')


def _provenance(facts: Sequence[contents.Fact]) -> str:
    if not facts:
        return ""
    rows = "\n".join(
        f'<tr><th scope="row">{html.escape(label)}</th><td>{html.escape(value)}</td></tr>'
        for label, value in facts
    )
    return _section("Provenance", f'<table class="provenance"><tbody>{rows}</tbody></table>')
