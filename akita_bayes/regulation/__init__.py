"""Biophysics of cis-regulation: declared mechanisms, their networks, fits and posteriors.

Python resolves the public names below on first use, so that `import akita_bayes.regulation` does
not import Keras.
"""

import importlib
from typing import Any

_PUBLIC = {
    "load": "mechanisms.mechanism_spec.load",
    "rate_law": "mechanisms.rate_laws.rate_law",
    "build": "regulation.model.network.build",
    "Likelihood": "regulation.model.likelihood.Likelihood",
    "fit": "regulation.fits.fitting.fit",
    "summary": "regulation.fits.fitting.summary",
    "Fit": "regulation.fits.fitting.Fit",
    "judge": "regulation.fits.identify.judge",
    "profile": "regulation.fits.identify.profile",
    "spectrum": "regulation.fits.identify.spectrum",
    "in_words": "regulation.fits.identify.in_words",
    "sample_posterior": "regulation.posterior.sampling.sample_mechanism",
    "SamplingOptions": "regulation.posterior.sampling_options.SamplingOptions",
    "write_fit": "regulation.results.fit_files.write",
    "read_fit": "regulation.results.fit_files.read",
    "predict_sequences": "regulation.results.sequence_predictions.predict",
    "write_predictions": "regulation.results.sequence_predictions.write",
    "write_posterior": "regulation.results.posterior_files.write",
}
"""Module and name, in this package, of every public name."""

__all__ = [*_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        module, _, attribute = _PUBLIC[name].rpartition(".")
        return getattr(importlib.import_module(f"akita_bayes.{module}"), attribute)
    raise AttributeError(f"module 'akita_bayes.regulation' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
