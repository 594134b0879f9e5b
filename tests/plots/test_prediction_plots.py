import h5py
import numpy as np
import pytest

from akita_bayes import regions
from akita_bayes.data import predictions
from akita_bayes.models import zoo
from akita_bayes.plots import prediction_plots
from tests import tiny


@pytest.fixture
def predicted(tmp_path):
    """Three windows of one head with five targets and their sd."""
    geometry = zoo.parse_spec(tiny.spec_json(heads=(("hic", 5),))).geometry("hic")
    random = np.random.default_rng(0)
    values = random.normal(size=(3, tiny.PIXELS, 5)).astype("float32")
    windows = [regions.Region("chr2", at, at + tiny.SEQ_LENGTH) for at in (0, 256, 512)]
    with predictions.Writer(tmp_path / "predict.h5", {"hic": geometry}, {}) as writer:
        writer.write(windows, [0, 0, 0], {"hic": {"preds": values, "epistemic_sd": values**2}})
    return tmp_path / "predict.h5"


def test_every_window_has_a_figure_with_its_targets_and_their_sd(predicted):
    figures = prediction_plots.figures(predicted, {"hic": list("abcde")})
    assert list(figures) == ["chr2_32_224", "chr2_288_480", "chr2_544_736"]
    figure = figures["chr2_288_480"]
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == [*"abcd", *(f"{name}, how unsure" for name in "abcd")]
    assert figure.get_suptitle() == "chr2:288-480 (+1 targets not shown)"
    with h5py.File(predicted) as file:
        column = file["preds"][1, :, 2]
    image = figure.axes[2].images[0].get_array()
    np.testing.assert_allclose(np.nanmax(image.filled(np.nan)), column.max(), rtol=1e-6)


def test_the_number_of_windows_is_limited(predicted):
    assert len(prediction_plots.figures(predicted, {"hic": list("abcde")}, most=2)) == 2
