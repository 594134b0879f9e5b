"""Runs whose network predicts the same number for every pixel: teachers whose mean is known."""

from pathlib import Path

import numpy as np

from akita_bayes import files
from akita_bayes.models import build, zoo
from tests import tiny


def write(folder: Path, value: float, *, noise: float | None = None, raw=None) -> Path:
    """A run directory; with `noise`, its likelihood has this standard deviation."""
    loss = {} if noise is None else {"loss": "elbo", "elbo": {"initial_noise": noise}}
    spec = zoo.parse_spec(raw or tiny.spec_json(**loss))
    network = build.build(spec)
    dense = [layer for layer in network.layers if type(layer).__name__ == "Dense"][-1]
    kernel, bias = dense.get_weights()
    dense.set_weights([0 * kernel, np.full_like(bias, value)])
    folder.mkdir(parents=True)
    network.save(folder / "model_best.keras")
    files.write_json(folder / "params.json", spec.to_json())
    return folder
