"""Defines the options of variant scores, and checks them against a model."""

import dataclasses
import math
from collections.abc import Collection, Iterable

from akita_bayes import errors, regions
from akita_bayes.models import predict
from akita_bayes.models.incremental import predictor
from akita_bayes.models.protocol import Model
from akita_bayes.specs import seeds
from akita_bayes.specs.geometry import Geometry
from akita_bayes.variants.scores import named_scores

BASENJI_UNKNOWN = (
    0.25  # value of each base in rows of N in Basenji's variant scripts, not in training
)
WINDOWS = ("anchored", "basenji")
MEMBERS = ("held_out", "all")


@dataclasses.dataclass(frozen=True)
class Options:
    """Holds what scores depend on, beside the model, the variants and the genome.

    Attributes:
        scores: Names of scores, from `named_scores.BY_NAME`.
        head: Name or number of the head, for a model with several.
        targets: Numbers of the targets to score; None for all.
        draws: Draws from the posterior; 0 for the mean prediction alone.
        seed: Seed of the draws; below 2^31.
        rc: True to average both strands.
        shifts: Numbers of bases by which windows are moved right; predictions are averaged.
        window: "anchored"; or "basenji" for Basenji's centred window and value of N, without
            alignment.
        share_windows: Width in bases of the grid on which windows start, so that neighbours share
            a window; 0 centres each event to within a bin.
        roi: BED of regions of interest for the ROI score; column 5 is the weight, else 1.
        intervals: JSON of `interval_files.save`, from which scores get ci_low and ci_high. It must
            be of the same model, options and genome; intervals that were fitted to draws need 2 or
            more draws, other intervals none.
        start: First base of every window, for variants near each other; None centres each event.
        precision: Precision of the convolutions of windows that share their parts, "float32" or
            "bfloat16" (`models.incremental.predictor.WindowOptions`); None for that of the saved
            model.
        members: "held_out" lets only those members of an ensemble score a variant that did not
            learn from a window with it, if there are such members; "all" lets all members score.
    """

    scores: tuple[str, ...] = named_scores.DEFAULT
    head: str | int | None = None
    targets: tuple[int, ...] | None = None
    draws: int = 0
    seed: int = 0
    rc: bool = False
    shifts: tuple[int, ...] = (0,)
    window: str = "anchored"
    share_windows: int = 0
    roi: str | None = None
    intervals: str | None = None
    start: int | None = None
    precision: str | None = None
    members: str = "held_out"

    def __post_init__(self) -> None:
        if self.window not in WINDOWS:
            raise errors.VariantError(
                f'window must be "anchored" or "basenji"; got "{self.window}".'
            )
        if self.members not in MEMBERS:
            raise errors.VariantError(f'members must be "held_out" or "all"; got "{self.members}".')
        if not self.scores:
            names = ", ".join(named_scores.BY_NAME)
            raise errors.VariantError(f"scores is empty; name at least one score of {names}.")
        if self.draws < 0 or self.share_windows < 0 or not self.shifts:
            raise errors.VariantError(
                "draws and share_windows must be 0 or more, and shifts needs at least one entry."
            )
        if not 0 <= self.seed < seeds.SEEDS:
            raise errors.VariantError(
                f"seed must be at least 0 and below {seeds.SEEDS:,}; got {self.seed:,}."
            )
        if self.window == "basenji" and (self.share_windows or self.start is not None):
            raise errors.VariantError(
                "Basenji's window centres every variant; leave share_windows and start out."
            )
        if "ROI" in (name.upper() for name in self.scores) and self.roi is None:
            raise errors.VariantError("the ROI score needs a BED of regions of interest (roi).")

    def window_options(
        self, *, batch_size: int | None = None, share: bool = True
    ) -> predictor.WindowOptions:
        """Returns what predictions of windows depend on.

        Args:
            batch_size: Windows computed at a time; None fits two megabase windows.
            share: False to compute every window as a whole, without the results of others.
        """
        return predictor.WindowOptions(
            head=self.head,
            draws=self.draws,
            seed=self.seed,
            rc=self.rc,
            shifts=self.shifts,
            unknown=BASENJI_UNKNOWN if self.window == "basenji" else 0.0,
            batch_size=batch_size,
            share=share,
            precision=self.precision,
        )


def geometry_of(model: Model, head: str | int | None) -> Geometry:
    """Returns how the maps of a model's head lie on its windows.

    Raises:
        SpecError: The model has several heads and `head` is None, or the head gives no map.
    """
    name = predict.one_head(model, head)
    geometry = model.spec.geometry(name)
    if not geometry.pairwise or geometry.diagonal_offset is None:
        raise errors.SpecError(
            f"model: head {name} gives no triangle of a contact map, which variant scores need."
        )
    return geometry


def check_widths(scores: Iterable[named_scores.Score], geometry: Geometry) -> None:
    """Refuses insulation scores whose diamonds are wider than the map.

    Raises:
        VariantError: A diamond is wider than the map.
    """
    for score in scores:
        if 2 * score.width > geometry.bins:
            raise errors.VariantError(
                f"{score.name} needs {2 * score.width} bins, but the map has {geometry.bins}; "
                f"the widest is INS{geometry.bins // 2}."
            )


def check_share(share: int, geometry: Geometry) -> None:
    """Refuses a grid of windows on which an event may lie outside the map.

    Raises:
        VariantError: The grid is wider than the bases that the map covers.
    """
    covered = geometry.bins * geometry.bin_width
    if share > covered:
        raise errors.VariantError(
            f"share_windows of {share:,} lets events lie {share // 2:,} bases off the middle of a "
            f"window, whose map covers {covered:,}; give at most {covered:,}."
        )


def region_weights(path: str, names: Collection[str]) -> list[tuple[regions.Region, float]]:
    """Reads the regions of a BED and their weights: column 5, or 1.

    Args:
        path: The file.
        names: Names of chromosomes in the genome, which the regions get.

    Raises:
        VariantError: A weight is not a number of at least 0, all are 0, or the BED is empty.
        DataError: The BED cannot be read, or belongs to another genome.
    """
    weighted = []
    for region, columns in regions.read_bed(path, names=names):
        try:
            weight = float(columns[1]) if len(columns) > 1 else 1.0
        except ValueError:
            weight = math.nan
        if not (math.isfinite(weight) and weight >= 0):
            raise errors.VariantError(
                f"{path}: {region} has the weight {columns[1]!r}; column 5 must be a number of at "
                "least 0."
            )
        weighted.append((region, weight))
    if not weighted:
        raise errors.VariantError(
            f"{path}: has no region; the ROI score needs a BED with at least one region."
        )
    if not any(weight for _, weight in weighted):
        raise errors.VariantError(
            f"{path}: the weights in column 5 are all 0, so ROI would count no region; give other "
            "weights, or leave out the columns after the third for weights of 1."
        )
    return weighted
