"""Predictions in files, for tests of what is made of them."""

import numpy as np

from akita_bayes import regions
from akita_bayes.data import predictions
from akita_bayes.specs.geometry import Geometry

SIZES = {"chr1": 305, "chr2": 90}
# Windows of 80 bp; 6 bins of 10 bp after 10 bp on each side.
SMALL = Geometry(80, bin_width=10, bins=6, crop_bp=10, diagonal_offset=2, pairwise=True, units=2)


def write(path, windows, datasets, geometry=SMALL, head="hic", **attributes):
    """Writes `predict.h5` with the rows of arrays; `datasets` maps names to [W, P, T]."""
    with predictions.Writer(path, {head: geometry}, attributes) as writer:
        for number, window in enumerate(windows):
            rows = {name: np.asarray(y[number : number + 1]) for name, y in datasets.items()}
            writer.write([regions.Region(*window)], [number], {head: rows})
    return path
