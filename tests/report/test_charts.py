"""Charts as SVG: points where their values are, and values that a pointer reads."""

import re

import pytest

from akita_bayes.report import charts, contents


def chart(*curves, ticks=()):
    return contents.Chart("title", "epoch", "loss", curves, ticks)


def test_points_lie_where_their_values_are():
    svg = charts.curves(chart(contents.Curve("a", [1, 2, 3], [0.0, 5.0, 10.0])))
    points = [(float(x), float(y)) for x, y in re.findall(r'cx="([\d.]+)" cy="([\d.]+)" r', svg)][
        :3
    ]
    (x1, y1), (x2, y2), (x3, y3) = points
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y1 - y2 == pytest.approx(y2 - y3, abs=0.2)
    assert y1 > y3  # larger values lie higher
    assert "<title>a, epoch 2: 5</title>" in svg


def test_missing_values_are_left_out():
    svg = charts.curves(chart(contents.Curve("a", [1, 2, 3], [1.0, float("nan"), 3.0])))
    assert svg.count("<title>") == 2
    assert "nan" not in svg
    assert charts.curves(chart(contents.Curve("a", [1], [float("nan")]))).startswith("<p")


def test_curves_differ_in_more_than_colour():
    curves = [contents.Curve(name, [0, 1], [0.0, 1.0]) for name in "abcd"]
    svg = charts.curves(chart(*curves, ticks=("near", "far")))
    assert len(set(re.findall(r'stroke-dasharray="([^"]*)"', svg))) == 4
    assert all(form in svg for form in ("<circle", "<rect x", "<path d"))
    assert ">near</text>" in svg
    assert "<title>d, far: 1</title>" in svg


def test_an_interval_has_its_numbers_beside_it():
    rows = [contents.Interval("crp", -2.0, -3.0, -1.0), contents.Interval("rnap", 4.0, 3.5, 4.5)]
    svg = charts.intervals(contents.Intervals("title", "kT", rows))
    assert "-2 (-3 to -1)" in svg
    assert "4 (3.5 to 4.5)" in svg
    ends = re.findall(r'x1="([\d.]+)" x2="([\d.]+)" y1="(\d+)" y2="\3" stroke="#0072B2"', svg)
    (low, high, _), (second_low, _, _) = [tuple(map(float, end)) for end in ends]
    assert low < high < second_low


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.2, 7.9), (1e-6, 3e-6), (0, 12345)])
def test_ticks_are_round_and_few(low, high):
    marks = charts.ticks(low, high)
    assert 3 <= len(marks) <= 7
    assert all(low <= mark <= high * (1 + 1e-9) for mark in marks)
    step = marks[1] - marks[0]
    assert float(f"{step:.0e}") == pytest.approx(step, rel=1e-6)
