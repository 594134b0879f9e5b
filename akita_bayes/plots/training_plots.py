"""Plots a training: loss, correlation and learning rate over epochs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.figure
import matplotlib.ticker
import numpy as np

from akita_bayes.plots import figure_files

_TRAIN, _VALID, _GREY = "#0072B2", "#D55E00", "#777777"


def write(history: Mapping[str, Sequence[float]], out_dir: str | Path, *, best_epoch: int) -> None:
    """Writes `history.png`, as `akita_train.py` does.

    Args:
        history: Values by column of `history.csv`, for example `Run.history`.
        out_dir: Folder of the file, for example `Run.out_dir`.
        best_epoch: Epoch of the saved model, counted from 1.
    """
    figure_files.write({"history": curves(history, best_epoch=best_epoch)}, out_dir)


def curves(
    history: Mapping[str, Sequence[float]], *, best_epoch: int, title: str = ""
) -> matplotlib.figure.Figure:
    """Plots training and validation loss, Pearson's r, and the learning rate, epoch by epoch.

    Args:
        history: Values by column of `history.csv`, for example a DataFrame.
        best_epoch: Epoch of the saved model, counted from 1.
        title: Text above the figure.
    """
    figure = matplotlib.figure.Figure(figsize=(10, 3.2), layout="constrained")
    loss, r, rate = figure.subplots(1, 3)
    epochs = list(history["epoch"])
    marker = "o" if len(epochs) < 30 else None
    for axes, metric, label in ((loss, "loss", "loss"), (r, "r", "Pearson r, mean over targets")):
        for part, colour in (("train", _TRAIN), ("valid", _VALID)):
            values = list(history[f"{part}_{metric}"])
            axes.plot(epochs, values, color=colour, lw=1.5, marker=marker, ms=3)
            name = "training" if part == "train" else "validation"
            axes.plot([], [], color=colour, lw=1.5, label=name)
        axes.set_ylabel(label)
    lowest, highest = (f(history["train_loss"]) for f in (np.nanmin, np.nanmax))
    if 0 < 20 * lowest < highest:
        loss.set_yscale("log")
    rate.plot(epochs, list(history["learning_rate"]), color=_GREY, lw=1.5, marker=marker, ms=3)
    rate.set_ylabel("learning rate")
    rate.set_ylim(bottom=0)
    for axes in (loss, r, rate):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(6, integer=True))
        axes.axvline(best_epoch, color=_GREY, lw=1, ls=":")
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.04)
    r.plot([], [], color=_GREY, lw=1, ls=":", label="best epoch")
    r.legend(frameon=False, fontsize=8)
    figure.suptitle(title)
    return figure
