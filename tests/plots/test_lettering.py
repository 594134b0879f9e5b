import matplotlib.figure
import numpy as np
import pytest

from akita_bayes.plots import lettering

HEIGHTS = np.array([[0, 2.0, 0, 0], [0, 0, 0, -1.0], [np.nan, 0, 0, 0]])


def draw(heights, **options):
    axes = matplotlib.figure.Figure().subplots()
    lettering.draw(axes, heights, **options)
    return axes


@pytest.mark.parametrize("upside_down", [True, False])
def test_letters_stand_at_their_bases_and_reach_their_heights(upside_down):
    axes = draw(HEIGHTS, first=100, upside_down=upside_down)
    assert axes.get_xlim() == (99.5, 102.5)
    boxes = [p.get_extents().transformed(axes.transData.inverted()) for p in axes.patches]
    (up,) = [box for box in boxes if box.y1 > 0.1]
    (down,) = [box for box in boxes if box.y0 < -0.1]
    np.testing.assert_allclose([up.y1, down.y0], [2, -1], atol=0.1)
    assert 99.5 < up.x0 < up.x1 < 100.5 < down.x0 < down.x1 < 101.5


@pytest.mark.parametrize("nothing", [0.0, np.nan])
def test_heights_of_nothing_are_a_flat_line_with_limits(nothing):
    axes = draw(np.full((3, 4), nothing), first=100)
    assert (axes.get_xlim(), axes.get_ylim()) == ((99.5, 102.5), (-1, 1))
    assert not axes.patches
