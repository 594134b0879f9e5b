"""Predict how DNA folds and regulates, and how sure the prediction is.

The public names below are resolved on first use (PEP 562), so that `import akita_bayes` and every
`--help` stay fast: TensorFlow is imported only with a model.
"""

import importlib
from typing import Any

__version__ = "0.2.0"

_PUBLIC = {
    "load_spec": "akita_bayes.models.zoo",
    "build": "akita_bayes.models.build",
    "load_model": "akita_bayes.models.load",
    "load_weights": "akita_bayes.models.weights",
    "save_weights": "akita_bayes.models.weights",
    "export": "akita_bayes.models.export",
    "predict": "akita_bayes.models.predict",
    "sample_posterior": "akita_bayes.models.posterior",
    "fit": "akita_bayes.training.fit",
    "predict_region": "akita_bayes.evaluate.region_maps",
    "predict_variant": "akita_bayes.variants.variant_maps",
    "score_variants": "akita_bayes.variants.engine",
    "saturation": "akita_bayes.variants.saturation.region_scan",
}
_MODULES = ("data", "dna", "errors", "evaluate", "regions", "regulation", "simulate", "triangle")

__all__ = [*_PUBLIC, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"akita_bayes.{name}")
    raise AttributeError(f"module 'akita_bayes' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
