"""Ground truth that needs no download: contact maps and reporter assays from sequence alone."""

import importlib
from typing import Any

_PUBLIC = {
    "Design": "akita_bayes.simulate.design",
    "PRESETS": "akita_bayes.simulate.design",
    "Landscape": "akita_bayes.simulate.genome",
    "Physics": "akita_bayes.simulate.physics",
    "simulate": "akita_bayes.simulate.dataset",
    "truth": "akita_bayes.simulate.chromatin",
}

__all__ = [*_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'akita_bayes.simulate' has no attribute {name!r}")
