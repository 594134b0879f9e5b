"""Intervals that hold: widened until they held the truth of variants whose effect was known.

Draws tell how much a posterior disagrees with itself, not how wrong it is. Where true effects are
known, as in a simulation, split conformal prediction (Lei et al. 2018) makes intervals that hold
the truth as often as they say, whatever the model: with truth t, mean m and sd s of a score,

    e = |log (t + c) - log (m + c)| / (d + s / (m + c))

is how far off a prediction was, in units of its own spread. The q-quantile of e over n known
variants, at rank ceil((n + 1) level), gives the interval of a new one,

    log (m + c) +- q (d + s / (m + c)).

c keeps scores near 0 from counting as infinitely wrong, d those without spread. For scores of 0 or
more.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, files

LEVEL = 0.9
FEWEST = 20  # known variants


class Widening(NamedTuple):
    """How one score's intervals are made.

    Attributes:
        floor: c, in units of the score.
        spread: d.
        error: q.
    """

    floor: float
    spread: float
    error: float

    def interval(self, mean: NDArray, sd: NDArray) -> tuple[NDArray, NDArray]:
        """Lower and upper end. Shapes as given; a missing sd counts as 0."""
        centre = np.maximum(mean, 0) + self.floor
        half = self.error * (self.spread + np.nan_to_num(sd) / centre)
        low, high = centre * np.exp(-half) - self.floor, centre * np.exp(half) - self.floor
        return np.maximum(low, 0), high


def fit(truth: NDArray, mean: NDArray, sd: NDArray, *, level: float = LEVEL) -> Widening:
    """Learns from variants of known effect; all arguments are alike in shape.

    Args:
        truth: True scores.
        mean: Predicted scores.
        sd: Their standard deviations over draws; 0 without draws.
        level: Share of true scores that intervals hold.

    Raises:
        VariantError: Too few variants, or scores below 0.
    """
    truth, mean, sd = (np.ravel(np.asarray(each, np.float64)) for each in (truth, mean, sd))
    if len(truth) < FEWEST:
        raise errors.VariantError(f"{FEWEST} known variants are needed; got {len(truth)}.")
    if truth.min() < 0 or mean.min() < 0:
        raise errors.VariantError("only scores of 0 or more have intervals of this kind.")
    floor = max(float(np.quantile(mean, 0.1)), 1e-6)
    wrong = np.abs(np.log((truth + floor) / (mean + floor)))
    spread = max(float(np.median(wrong)), 1e-6)
    scaled = np.sort(wrong / (spread + sd / (mean + floor)))
    rank = min(int(np.ceil((len(scaled) + 1) * level)), len(scaled))
    return Widening(floor, spread, float(scaled[rank - 1]))


def save(path: str | Path, widenings: Mapping[str, Widening]) -> None:
    """Writes widenings by score name as JSON."""
    files.write_json(path, {name: widening._asdict() for name, widening in widenings.items()})


def load(path: str | Path) -> dict[str, Widening]:
    """Reads what `save` wrote.

    Raises:
        DataError: The file is missing or has another form.
    """
    try:
        return {
            str(name): Widening(**{field: float(row[field]) for field in Widening._fields})
            for name, row in files.read_json(path).items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, errors.AkitaBayesError):
            raise
        raise errors.DataError(f"{path}: holds no intervals of variant scores.") from None
