"""Lists every variant score by name, and its arguments beside the two maps and the mask."""

import functools
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.variants.scores import pixels, structure, tracks

DEFAULT = ("SCD", "SSD")
WIDTHS = (4, 8, 16)


class Score(NamedTuple):
    """Describes a score that has a name.

    Attributes:
        name: Name in the outputs.
        function: `(ref, alt, mask, **needs) -> [T]` on maps [N, N, T] and a mask [N, N].
        formula: What the score is, in a sentence without its full stop, for headers of files.
        needs: Names of further arguments: `site`, `weights` or none.
        signed: True when scores below 0 occur and are as unusual as those above; False when 0
            means equal maps and large scores are unusual.
    """

    name: str
    function: Callable[..., NDArray[Any]]
    formula: str
    needs: tuple[str, ...] = ()
    signed: bool = False

    @property
    def width(self) -> int:
        """Returns the bins on each side of an insulation diamond; 0 for other scores."""
        keywords: dict[str, int] = getattr(self.function, "keywords", {})
        return keywords.get("width", 0)

    def __call__(
        self, ref: NDArray[Any], alt: NDArray[Any], mask: NDArray[Any], **inputs: Any
    ) -> NDArray[Any]:
        """Returns the score of every target, float32; unneeded inputs are ignored. [T]."""
        needed = {name: inputs[name] for name in self.needs}
        return self.function(ref, alt, mask, **needed).astype(np.float32)


_INSULATION = "Mean squared change of insulation over borders: mean_b (I_b(B) - I_b(A))^2"
_TABLE = (
    Score(
        "SCD",
        pixels.scd,
        "Squared contact difference: sqrt(sum (B - A)^2), the SCD of Basenji's akita_scd",
    ),
    Score(
        "SSD",
        pixels.ssd,
        "Signed change of strength: sqrt(sum B^2) - sqrt(sum A^2), the SSD of akita_scd",
        signed=True,
    ),
    Score("MSE", pixels.mse, "Mean squared difference: mean (B - A)^2"),
    Score("PEARSON", pixels.pearson, "1 - Pearson correlation of the pixels"),
    Score("SPEARMAN", pixels.spearman, "1 - Spearman correlation of the pixels"),
    *(
        Score(f"INS{width}", functools.partial(tracks.insulation_change, width=width), _INSULATION)
        for width in WIDTHS
    ),
    Score(
        "DI",
        tracks.directionality_change,
        "Mean squared change of the directionality index over bins",
    ),
    Score(
        "SSIM",
        structure.ssim,
        "1 - structural similarity (Wang et al. 2004), mean over compared pixels",
    ),
    Score("SCC", structure.scc, "1 - stratum-adjusted correlation: 1 - sum_d n_d r_d / sum_d n_d"),
    Score(
        "EIG",
        structure.eigenvector,
        "Distance of the leading eigenvectors: |v_B - s v_A| with the nearer sign s",
    ),
    Score(
        "IMPACT",
        pixels.impact,
        "One-bin structural impact: mean over j of |B[i, j] - A[i, j]|, i the bins of the event",
        ("site",),
    ),
    Score(
        "DECAY",
        tracks.decay_change,
        "Mean squared change of the mean at every distance: mean_d (P_d(B) - P_d(A))^2",
    ),
    Score(
        "ROI",
        pixels.regional,
        "Disruption of regions of interest: sum_i w_i mean_j (B[i, j] - A[i, j])^2 / sum_i w_i",
        ("weights",),
    ),
)
BY_NAME = {score.name: score for score in _TABLE}


def listed(names: str | Iterable[str]) -> tuple[str, ...]:
    """Returns names as a tuple; a single name counts as a list of one."""
    return (names,) if isinstance(names, str) else tuple(names)


def resolve(names: Iterable[str]) -> tuple[Score, ...]:
    """Returns scores by name, in the same order; `INS` takes any width, as INS10.

    Raises:
        VariantError: No score has that name.
    """
    return tuple(_resolve(name.upper()) for name in names)


def _resolve(name: str) -> Score:
    if name in BY_NAME:
        return BY_NAME[name]
    width = re.fullmatch(r"INS([1-9]\d*)", name)
    if width:
        function = functools.partial(tracks.insulation_change, width=int(width[1]))
        return Score(name, function, _INSULATION)
    raise errors.VariantError(
        f'"{name}" is not a score.{errors.did_you_mean(name, BY_NAME)} '
        f"Known scores: {', '.join(BY_NAME)}."
    )


def describe(name: str) -> str:
    """Returns the formula of a score in one sentence, for headers of files."""
    return resolve([name])[0].formula
