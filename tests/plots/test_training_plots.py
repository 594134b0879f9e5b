"""The learning curves show the numbers of the history."""

import numpy as np
import pandas as pd

from akita_bayes.plots import training_plots


def history(**columns):
    values = {
        "epoch": [1, 2, 3],
        "train_loss": [3.0, 2.0, 1.0],
        "valid_loss": [3.5, 2.5, 2.75],
        "train_r": [0.1, 0.3, 0.5],
        "valid_r": [0.1, 0.25, 0.2],
        "learning_rate": [0.0, 0.1, 0.1],
    }
    return pd.DataFrame(values | columns)


def test_curves_are_the_columns():
    table = history()
    figure = training_plots.curves(table, best_epoch=2, title="a run")
    loss, r, rate = figure.axes
    for axes, columns in (
        (loss, ("train_loss", "valid_loss")),
        (r, ("train_r", "valid_r")),
        (rate, ("learning_rate",)),
    ):
        lines = [line.get_ydata() for line in axes.lines if len(line.get_ydata()) == 3]
        for values, column in zip(lines, columns, strict=True):
            np.testing.assert_array_equal(values, table[column])
        assert [2, 2] in [list(line.get_xdata()) for line in axes.lines]
    assert loss.get_yscale() == "linear"


def test_a_loss_that_falls_far_is_drawn_in_logarithms_and_a_gap_is_left_open():
    table = history(train_loss=[100.0, 1.0, np.nan])
    assert training_plots.curves(table, best_epoch=2).axes[0].get_yscale() == "log"
