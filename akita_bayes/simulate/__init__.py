"""Simulates contact maps with a known truth, from sequence alone and without downloads."""

import importlib
from typing import Any

_PUBLIC = {
    "Design": "akita_bayes.simulate.designs",
    "PRESETS": "akita_bayes.simulate.designs",
    "Landscape": "akita_bayes.simulate.chromosomes",
    "Measurement": "akita_bayes.simulate.measurement.settings",
    "Physics": "akita_bayes.simulate.physics",
    "simulate": "akita_bayes.simulate.simulation_folder.simulation",
    "truth": "akita_bayes.simulate.chromatin",
}

__all__ = [*_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'akita_bayes.simulate' has no attribute {name!r}")
