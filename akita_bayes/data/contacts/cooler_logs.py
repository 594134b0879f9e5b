"""Logs doubts about a cooler: balancing that did not converge, and counts that are not whole."""

import logging
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_log = logging.getLogger(__name__)


def log_balancing(
    uri: str, converged: NDArray[np.bool_], names: Sequence[str], *, used: Collection[str]
) -> None:
    """Logs which chromosomes were not balanced.

    Args:
        uri: The cooler.
        converged: One flag for the genome, or one for each chromosome. [1] or [C].
        names: Chromosomes of the cooler. [C].
        used: Chromosomes that the genome has.
    """
    cis_only = len(converged) > 1 and len(converged) == len(names)
    if cis_only:
        failed = [
            name for name, right in zip(names, converged, strict=True) if not right and name in used
        ]
        scope, option = ", ".join(failed[:4]) + ", ..." * (len(failed) > 4), " --cis-only"
    else:
        failed = [] if converged.all() else list(names)
        scope, option = "all chromosomes", ""
    if failed:
        _log.warning(
            "%s: balancing did not converge (%s), so that targets keep a part of the biases of "
            "bins; run `cooler balance --force%s --max-iters 2000 %s`.",
            uri,
            scope,
            option,
            uri,
        )


def log_counts(uri: str, sample: NDArray[Any]) -> None:
    """Logs counts that are stored as floats, and warns of counts that are not whole numbers.

    Args:
        uri: The cooler.
        sample: Some of its counts.
    """
    if sample.dtype.kind != "f":
        return
    fractions = sample[np.isfinite(sample) & (sample != np.round(sample))]
    if len(fractions):
        _log.warning(
            "%s: its counts are not whole numbers (one is %g); expected raw counts, since "
            "balancing weights multiply them and small counts are smoothed.",
            uri,
            fractions[0],
        )
    else:
        _log.info("%s: its counts are stored as %s; read as raw.", uri, sample.dtype)
