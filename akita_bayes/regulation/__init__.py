"""Biophysics of cis-regulation: declared mechanisms, their networks, fits and posteriors.

The public names below are resolved on first use, so that importing this package imports no Keras.
"""

import importlib
from typing import Any

_PUBLIC = {
    "load": "akita_bayes.states",
    "rate_law": "akita_bayes.states",
    "build": "akita_bayes.regulation.network",
    "fit": "akita_bayes.regulation.fitting",
    "summary": "akita_bayes.regulation.fitting",
    "sample_posterior": "akita_bayes.regulation.posterior_run",
    "Fit": "akita_bayes.regulation.fitting",
    "Likelihood": "akita_bayes.regulation.likelihood",
    "judge": "akita_bayes.regulation.identify",
    "profile": "akita_bayes.regulation.identify",
    "spectrum": "akita_bayes.regulation.identify",
    "in_words": "akita_bayes.regulation.identify",
}

__all__ = [*_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'akita_bayes.regulation' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
