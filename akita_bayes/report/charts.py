"""Draws charts as SVG text, which a browser shows without a script.

Curves differ in colour, in the form of their points and in their dashes. The colours are those of
Okabe and Ito (2008), which readers with any common colour blindness tell apart.
"""

import html
import math
from collections.abc import Callable, Sequence

from akita_bayes.report import contents

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_DASHES = ("", "7 3", "2 3", "9 3 2 3")
_WIDTH, _HEIGHT = 620, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 12, 12, 46
_ROW = 22


def curves(chart: contents.Chart) -> str:
    """Returns a chart of curves as SVG; every point names its values when a pointer rests on it."""
    points = [
        (x, y)
        for curve in chart.curves
        for x, y in zip(curve.x, curve.y, strict=True)
        if math.isfinite(y)
    ]
    if not points:
        return '<p class="note">No values.</p>'
    xs, ys = _range([x for x, _ in points]), _range([y for _, y in points])
    legend = 18 * ((len(chart.curves) + 2) // 3)
    bottom = _HEIGHT - _BOTTOM

    def across(x: float) -> float:
        return _LEFT + (x - xs[0]) / (xs[1] - xs[0]) * (_WIDTH - _LEFT - _RIGHT)

    def down(y: float) -> float:
        return bottom - (y - ys[0]) / (ys[1] - ys[0]) * (bottom - _TOP)

    parts = [f'<rect x="{_LEFT}" y="{_TOP}" width="{_WIDTH - _LEFT - _RIGHT}" '
             f'height="{bottom - _TOP}" fill="none" stroke="#888"/>']  # fmt: skip
    for y in ticks(*ys):
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{down(y):.1f}" y2="{down(y):.1f}" '
            f'stroke="#ddd"/><text x="{_LEFT - 6}" y="{down(y) + 4:.1f}" text-anchor="end">'
            f"{y:.4g}</text>"
        )
    labels = dict(enumerate(chart.ticks)) if chart.ticks else {x: f"{x:g}" for x in ticks(*xs)}
    for x, label in labels.items():
        parts.append(
            f'<text x="{across(x):.1f}" y="{bottom + 16}" text-anchor="middle">'
            f"{html.escape(label)}</text>"
        )
    parts.append(_axis_labels(chart, bottom))
    for number, curve in enumerate(chart.curves):
        parts.append(_curve(curve, number, across, down, chart))
        parts.append(_legend(curve.name, number))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + legend}" role="img" '
        f'aria-label="{html.escape(chart.title)}">{"".join(parts)}</svg>'
    )


def _axis_labels(chart: contents.Chart, bottom: float) -> str:
    middle = (_TOP + bottom) / 2
    return (
        f'<text x="{(_LEFT + _WIDTH) / 2}" y="{bottom + 36}" text-anchor="middle">'
        f'{html.escape(chart.x_label)}</text><text x="14" y="{middle}" text-anchor="middle" '
        f'transform="rotate(-90 14 {middle})">{html.escape(chart.y_label)}</text>'
    )


def _curve(
    curve: contents.Curve,
    number: int,
    across: Callable[[float], float],
    down: Callable[[float], float],
    chart: contents.Chart,
) -> str:
    colour, dash = COLOURS[number % len(COLOURS)], _DASHES[number % len(_DASHES)]
    points = [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if math.isfinite(y)]
    path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in points)
    dots = "".join(
        f"<g><title>{html.escape(curve.name)}, "
        f"{html.escape(_named(x, chart))}: {y:.6g}</title>"
        f"{_marker(number, across(x), down(y), colour)}</g>"
        for x, y in points
    )
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8" '
        f'stroke-dasharray="{dash}"/>{dots}'
    )


def _named(x: float, chart: contents.Chart) -> str:
    return chart.ticks[int(x)] if chart.ticks else f"{chart.x_label} {x:g}"


def _marker(number: int, x: float, y: float, colour: str) -> str:
    form = number % 3
    if form == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
    if form == 1:
        return f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" fill="{colour}"/>'
    return (
        f'<path d="M{x:.1f} {y - 4:.1f}L{x + 4:.1f} {y + 3:.1f}L{x - 4:.1f} {y + 3:.1f}Z" '
        f'fill="{colour}"/>'
    )


def _legend(name: str, number: int) -> str:
    x = _LEFT + (number % 3) * (_WIDTH - _LEFT) / 3
    y = _HEIGHT + 4 + 18 * (number // 3)
    colour, dash = COLOURS[number % len(COLOURS)], _DASHES[number % len(_DASHES)]
    return (
        f'<line x1="{x:.0f}" x2="{x + 24:.0f}" y1="{y}" y2="{y}" stroke="{colour}" '
        f'stroke-width="1.8" stroke-dasharray="{dash}"/>{_marker(number, x + 12, y, colour)}'
        f'<text x="{x + 30:.0f}" y="{y + 4}">{html.escape(name)}</text>'
    )


def intervals(chart: contents.Intervals) -> str:
    """Returns a chart of intervals as SVG, a row each, with the numbers beside them."""
    rows = [row for row in chart.rows if all(map(math.isfinite, row[1:]))]
    if not rows:
        return '<p class="note">No values.</p>'
    name_width, number_width = 190, 230
    width, height = 980, _ROW * len(rows) + 44
    low, high = _range([edge for row in rows for edge in row[1:]])
    right = width - number_width

    def across(value: float) -> float:
        return name_width + (value - low) / (high - low) * (right - name_width - 10)

    parts = []
    for value in ticks(low, high):
        parts.append(
            f'<line x1="{across(value):.1f}" x2="{across(value):.1f}" y1="4" y2="{height - 40}" '
            f'stroke="#ddd"/><text x="{across(value):.1f}" y="{height - 24}" '
            f'text-anchor="middle">{value:g}</text>'
        )
    for number, row in enumerate(rows):
        y = 16 + number * _ROW
        words = f"{row.value:.4g} ({row.lower:.4g} to {row.upper:.4g})"
        parts.append(
            f'<text x="{name_width - 10}" y="{y + 4}" text-anchor="end">{html.escape(row.name)}'
            f'</text><line x1="{across(row.lower):.1f}" x2="{across(row.upper):.1f}" y1="{y}" '
            f'y2="{y}" stroke="{COLOURS[0]}" stroke-width="3"/>'
            f"{_marker(0, across(row.value), y, '#000000')}"
            f'<text x="{right + 6}" y="{y + 4}">{words}</text>'
        )
    parts.append(
        f'<text x="{(name_width + right) / 2}" y="{height - 6}" text-anchor="middle">'
        f"{html.escape(chart.unit)}</text>"
    )
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(chart.title)}">'
        f"{''.join(parts)}</svg>"
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or 0.5 * abs(high) or 0.5
    return low - margin, high + margin


def ticks(low: float, high: float) -> list[float]:
    """Returns about five round numbers between two numbers."""
    decade = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(f * decade for f in (1, 2, 5, 10) if (high - low) / (f * decade) <= 6)
    first = math.ceil(low / step)
    return [round(k * step, 12) for k in range(first, math.floor(high / step) + 1)]
