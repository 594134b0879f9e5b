"""Lays windows on variants and aligns them, without a model's predictions."""

import copy
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from akita_bayes import errors
from akita_bayes.data.genome import Genome
from akita_bayes.origins import training_regions
from akita_bayes.origins.training_regions import TrainingRegions
from akita_bayes.regions import Region
from akita_bayes.specs.geometry import Geometry
from akita_bayes.variants.alleles import alignment, reasons, records, unknown_bases, window_pairs
from akita_bayes.variants.options import Options, check_share

LONGEST = 4  # largest group, in multiples of the least, of variants with the same reference


class Framed(NamedTuple):
    """Holds a variant with its windows, or with the reason not to score it."""

    variant: records.Variant
    pair: window_pairs.Pair | None


class VariantWindows:
    """Gives the windows of variants, and how the maps of both alleles are read in one frame.

    Args:
        geometry: How maps lie on windows.
        genome: Reference.
        options: Settings of the scores.
        training: Regions from which each member of the model learned; None for a member without
            a record of them.

    Raises:
        VariantError: A target is not one of the head, or the grid of windows is too wide.

    Attributes:
        geometry: How maps lie on windows.
        options: Settings of the scores.
        target_names: Names of the scored targets.
    """

    def __init__(
        self,
        geometry: Geometry,
        genome: Genome,
        options: Options,
        training: Sequence[TrainingRegions | None] = (),
    ) -> None:
        self.geometry, self.options = geometry, options
        self._genome = genome
        self._training = training
        self._unknown = unknown_bases.UnknownBases(genome)
        check_share(options.share_windows, geometry)
        targets, units = options.targets, geometry.units or 0
        if targets is not None and not all(0 <= target < units for target in targets):
            raise errors.VariantError(f"targets {targets}: the head has {units}, counted from 0.")
        self.target_names = [
            str(target) for target in (range(units) if targets is None else targets)
        ]

    def starting_at(self, start: int) -> "VariantWindows":
        """Returns these windows with every one starting at one base of the reference."""
        windows = copy.copy(self)
        windows.options = dataclasses.replace(self.options, start=start)
        return windows

    def pair(self, variant: records.Variant) -> window_pairs.Pair:
        """Returns the windows of a variant that has no reason not to be scored."""
        if self.options.window == "basenji":
            return window_pairs.centred(variant, self.geometry, self._genome.sizes)
        return window_pairs.anchored(
            variant,
            self.geometry,
            self._genome.sizes,
            share=self.options.share_windows,
            start=self.options.start,
        )

    def aligned(self, variant: records.Variant, pair: window_pairs.Pair) -> alignment.Alignment:
        """Returns how the maps of a variant's windows are read, from REF to ALT."""
        aligned = alignment.align(pair, self.geometry)
        return aligned.turn() if variant.swapped else aligned

    def framed(self, variant: records.Variant) -> Framed:
        """Returns the variant as its windows show it, with them or with a reason."""
        if variant.reason:
            return Framed(variant, None)
        has_letters = variant.mate is None and not variant.alt.startswith("<")
        if self.options.window == "basenji" and not has_letters:
            return Framed(variant._replace(reason=reasons.LETTERS_ONLY), None)
        variant = window_pairs.shown_by(variant, self.geometry)
        pair = self.pair(variant)
        reason = window_pairs.refusal(variant, pair, self.geometry)
        return Framed(variant._replace(reason=reason), None if reason else pair)

    def flags(self, variant: records.Variant, pair: window_pairs.Pair) -> list[str]:
        """Returns the remarks on a variant and on its windows."""
        remarks = {
            "padded": pair.padded(),
            unknown_bases.FLAG: self._unknown.holds_many(pair),
            training_regions.FLAG: self._was_learned(variant),
            training_regions.HELD_OUT_FLAG: len(self.members(variant)) < len(self._training),
        }
        return [*variant.flags, *(flag for flag, applies in remarks.items() if applies)]

    def members(self, variant: records.Variant) -> tuple[int, ...]:
        """Returns the numbers of the members that score a variant, at least one.

        They are those that did not learn from a window with the variant or with its mate, as
        `members_of` chooses them.
        """
        return self.members_of(self._changed(variant))

    def members_of(self, places: Sequence[Region]) -> tuple[int, ...]:
        """Returns the numbers of the members that score changes of the places.

        They are the members that did not learn from any of the places. When there is no such
        member, or when the options say "all", they are all members.
        """
        everyone = tuple(range(len(self._training)))
        if self.options.members == "all":
            return everyone
        return training_regions.held_out_members(self._training, places) or everyone

    def _was_learned(self, variant: records.Variant) -> bool:
        """Returns True when a member that scores a variant learned from a window with it."""
        recorded = (self._training[number] for number in self.members(variant))
        return any(
            training.overlaps(region)
            for training in recorded
            if training is not None
            for region in self._changed(variant)
        )

    def _changed(self, variant: records.Variant) -> list[Region]:
        """Returns the region of a variant, and the base of its mate, on the reference."""
        changed = [Region(variant.chrom, variant.start, variant.end)]
        if variant.mate is not None:
            mate = variant.mate
            changed.append(Region(mate.chrom, mate.position, mate.position + 1))
        to_reference = self._genome.to_reference
        return [
            Region(chrom, to_reference(chrom, start), to_reference(chrom, end))
            for chrom, start, end in changed
        ]


def grouped(rows: Iterable[Framed], size: int) -> Iterator[list[Framed]]:
    """Yields groups of `size` rows, or up to LONGEST times as many with the same reference."""
    group: list[Framed] = []
    reference: tuple[window_pairs.Window, ...] = ()
    for row in rows:
        changes = row.pair is not None and row.pair.reference != reference
        if len(group) >= (size if changes else LONGEST * size):
            yield group
            group = []
        if row.pair is not None:
            reference = row.pair.reference
        group.append(row)
    if group:
        yield group
