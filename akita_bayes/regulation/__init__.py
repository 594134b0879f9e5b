"""Biophysics of cis-regulation: declared mechanisms, their networks, fits and posteriors.

Python resolves the public names below on first use, so that `import akita_bayes.regulation` does
not import Keras.
"""

import importlib
from typing import Any

_PUBLIC = {
    "load": "akita_bayes.mechanisms.mechanism_spec",
    "rate_law": "akita_bayes.mechanisms.mechanism_spec",
    "build": "akita_bayes.regulation.model.network",
    "fit": "akita_bayes.regulation.fit.fitting",
    "summary": "akita_bayes.regulation.fit.fitting",
    "sample_posterior": "akita_bayes.regulation.posterior.sampling",
    "Fit": "akita_bayes.regulation.fit.fitting",
    "Likelihood": "akita_bayes.regulation.model.likelihood",
    "judge": "akita_bayes.regulation.fit.identify",
    "profile": "akita_bayes.regulation.fit.identify",
    "spectrum": "akita_bayes.regulation.fit.identify",
    "in_words": "akita_bayes.regulation.fit.identify",
}

__all__ = [*_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'akita_bayes.regulation' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
