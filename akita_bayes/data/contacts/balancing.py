"""Chooses the balancing weights of a cooler, and computes them where it has none.

cooler multiplies counts by weights. Juicer divides counts by its vectors KR, VC, VC_SQRT and SCALE,
and hic2cool copies them unchanged since version 0.5.0; before, it inverted them.
"""

import functools
import hashlib
import io
import logging
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import cooler
import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, files
from akita_bayes.data.contacts import contact_file, cooler_files

_log = logging.getLogger(__name__)

WEIGHT = "weight"
_JUICER = frozenset({"KR", "VC", "VC_SQRT", "SCALE"})
_DIVISIVE_SINCE = (0, 5, 0)  # version of hic2cool
_HIC2COOL = re.compile(r"^hic2cool-(\d+)\.(\d+)\.(\d+)")


class Weights(NamedTuple):
    """Describes the weights of a cooler.

    Attributes:
        column: Column of the bins; "" for raw counts or weights that are computed.
        divisive: True when counts are divided by them.
        computed: True when `computed` gives them.
    """

    column: str
    divisive: bool = False
    computed: bool = False


def choose(
    source: contact_file.Source, columns: Mapping[str, Mapping[str, Any]], generator: str
) -> Weights:
    """Returns which weights of a cooler are used, and whether counts are divided by them.

    Args:
        source: The cooler, and the weights that the user names.
        columns: Attributes of each column of weights.
        generator: Program that wrote the cooler, as hic2cool-0.8.3.

    Raises:
        DataError: The cooler lacks the weights, or does not say whether they divide.
    """
    if source.weight == contact_file.RAW:
        return Weights("")
    column = source.weight or WEIGHT
    if column not in columns:
        if source.balance and not source.weight:
            return Weights("", computed=True)
        raise _lacking(source, column, list(columns))
    if source.divisive is not None:
        return Weights(column, source.divisive)
    if "divisive_weights" in columns[column]:
        return Weights(column, bool(columns[column]["divisive_weights"]))
    version = _HIC2COOL.match(generator)
    if version is not None and column != WEIGHT:
        divisive = tuple(map(int, version.groups())) >= _DIVISIVE_SINCE
        _tell_generator(source.uri, generator, column, divisive)
        return Weights(column, divisive)
    if column in _JUICER:
        raise errors.DataError(
            f'{source.uri}: does not say whether its column "{column}" divides or multiplies '
            "counts; give --divisive for vectors as Juicer stores them, else --no-divisive."
        )
    return Weights(column)


@functools.lru_cache(maxsize=1024)
def _tell_generator(uri: str, generator: str, column: str, divisive: bool) -> None:
    """Logs the direction of a column once in a process, however often the file is opened."""
    _log.info(
        "%s: was written by %s, whose column %s %s counts.",
        uri,
        generator,
        column,
        "divides" if divisive else "multiplies",
    )


def computed(uri: str, folder: Path | None = None) -> NDArray[np.float64]:
    """Computes the weights of all bins as `cooler balance` does, and leaves the cooler unchanged.

    Args:
        uri: The cooler.
        folder: Folder in which other processes of this run find the weights again.

    Returns:
        Weights that multiply counts, NaN for filtered bins. [bins].

    Raises:
        DataError: No bin can be balanced.
    """
    path = None
    if folder is not None:
        path = folder / f"weights-{hashlib.sha256(uri.encode()).hexdigest()[:16]}.npy"
        if path.exists():
            return np.asarray(np.load(path), np.float64)
    weights = _balance(uri, contact_file.path_of(uri).stat().st_mtime_ns)
    if path is not None:
        image = io.BytesIO()
        np.save(image, weights)
        with files.atomic(path) as temporary:
            temporary.write_bytes(image.getbuffer())
    return weights


@functools.lru_cache(maxsize=8)
def _balance(uri: str, modified: int) -> NDArray[np.float64]:
    """Balances a cooler; the time of the file is part of the key of the cache."""
    _log.info("%s: has no balancing weights; computing them for this run.", uri)
    opened = cooler_files.open_cooler(uri)
    with contact_file.reading(uri), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the result says whether it converged
        weights, statistics = cooler.balance_cooler(opened, store=False)
    weights = np.asarray(weights, np.float64)
    if not np.isfinite(weights).any():
        raise errors.DataError(
            f"{uri}: no bin has enough contacts to be balanced; give a deeper map or wider bins."
        )
    if not np.all(statistics["converged"]):
        _log.warning(
            "%s: balancing did not converge, so that targets keep a part of the biases of bins.",
            uri,
        )
    return weights


def _lacking(source: contact_file.Source, column: str, columns: list[str]) -> errors.DataError:
    path = source.uri
    if columns:
        return errors.DataError(
            f'{path}: has no weights "{column}", only {", ".join(columns)}; name one with '
            "--weight, or NONE for raw counts."
        )
    if source.weight:
        return errors.DataError(
            f'{path}: has no weights "{column}" and no others; leave out --weight and give '
            "--balance to compute weights for this run."
        )
    return errors.DataError(
        f"{path}: has no balancing weights; run `cooler balance {path}` first, or give --balance "
        "to compute them for this run and leave the file unchanged."
    )
