import numpy as np
import pytest

from akita_bayes import regions
from akita_bayes.plots import saturation_plots as plots
from akita_bayes.variants.saturation import region_scan

REGION = regions.Region("chr1", 100, 103)


def scan(method, values):
    if method == "deletion":
        values = values[:, 0]  # one value per window
    return region_scan.Scan(REGION, "ACG", method, (7,), np.arange(3), 1, {"SCD": values}, {})


@pytest.mark.parametrize("method", ["ism", "gradient", "deletion"])
@pytest.mark.parametrize("nothing", [0.0, np.nan])
def test_a_region_without_any_effect_is_drawn_flat(tmp_path, method, nothing):
    figure = plots.figure(scan(method, np.full((3, 4, 1), nothing)), "SCD")
    figure.savefig(tmp_path / "flat.png")  # what cannot be drawn warns here, which is an error
    assert figure.axes[0].get_xlim() == (99.5, 102.5)


def test_letters_are_those_of_the_region_and_their_heights_the_mean_of_the_changes():
    values = np.zeros((3, 4, 1))
    values[1, :, 0] = [3, 0, 3, 6]
    figure = plots.figure(scan("ism", values), "SCD")
    logo = figure.axes[0]
    boxes = [p.get_extents().transformed(logo.transData.inverted()) for p in logo.patches]
    (only,) = [box for box in boxes if box.height > 0.1]
    assert 100.5 < only.x0 < only.x1 < 101.5
    np.testing.assert_allclose(only.y1, 4, atol=0.1)
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), values[:, :, 0].T)
    assert [axes.get_ylabel() for axes in figure.axes] == ["SCD, ism", "changed to", "SCD"]
