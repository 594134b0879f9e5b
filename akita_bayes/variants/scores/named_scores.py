"""Every variant score by name, and what each needs beside the two maps and the mask."""

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
    """A named score.

    Attributes:
        name: As in the outputs.
        function: `(ref, alt, mask, **needs) -> [T]` on maps [N, N, T] and a mask [N, N].
        needs: Names of further arguments, of `site` and `weights`.
        signed: True when scores below 0 occur and are as unusual as those above; else 0 is "equal"
            and large is unusual.
    """

    name: str
    function: Callable[..., NDArray]
    needs: tuple[str, ...] = ()
    signed: bool = False

    @property
    def width(self) -> int:
        """Bins on each side that an insulation diamond needs; 0 for other scores."""
        given: dict[str, int] = getattr(self.function, "keywords", {})
        return given.get("width", 0)

    def __call__(self, ref: NDArray, alt: NDArray, mask: NDArray, **known: Any) -> NDArray:
        """The score of every target, float32. [T]."""
        given = {name: known[name] for name in self.needs}
        return self.function(ref, alt, mask, **given).astype(np.float32)


_TABLE = (
    Score("SCD", pixels.scd),
    Score("SSD", pixels.ssd, signed=True),
    Score("MSE", pixels.mse),
    Score("PEARSON", pixels.pearson),
    Score("SPEARMAN", pixels.spearman),
    *(
        Score(f"INS{width}", functools.partial(tracks.insulation_change, width=width))
        for width in WIDTHS
    ),
    Score("DI", tracks.directionality_change),
    Score("SSIM", structure.ssim),
    Score("SCC", structure.scc),
    Score("EIG", structure.eigenvector),
    Score("IMPACT", pixels.impact, ("site",)),
    Score("DECAY", tracks.decay_change),
    Score("ROI", pixels.regional, ("weights",)),
)
BY_NAME = {score.name: score for score in _TABLE}


def listed(names: str | Iterable[str]) -> tuple[str, ...]:
    """Names as a tuple; one by itself stands for a list of it."""
    return (names,) if isinstance(names, str) else tuple(names)


def resolve(names: Iterable[str]) -> tuple[Score, ...]:
    """Scores by name, in the order given; `INS` takes any width, as INS10.

    Raises:
        VariantError: No score has that name.
    """
    return tuple(_resolve(name.upper()) for name in names)


def _resolve(name: str) -> Score:
    if name in BY_NAME:
        return BY_NAME[name]
    width = re.fullmatch(r"INS([1-9]\d*)", name)
    if width:
        return Score(name, functools.partial(tracks.insulation_change, width=int(width[1])))
    raise errors.VariantError(
        f'no score is called "{name}".{errors.did_you_mean(name, BY_NAME)} '
        f"Known scores: {', '.join(BY_NAME)}."
    )


def describe(name: str) -> str:
    """The formula of a score in one sentence, as its docstring says it."""
    function = resolve([name])[0].function
    inner = function.func if isinstance(function, functools.partial) else function
    return (inner.__doc__ or "").split("\n")[0].removesuffix("[T].").rstrip(". ")
