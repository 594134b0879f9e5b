"""From a variant file to scores: every ALT gets a row, scored or with the reason why not."""

import copy
import dataclasses
import functools
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors, regions, triangle
from akita_bayes.data.genome import Genome
from akita_bayes.models import predict
from akita_bayes.models.incremental import predictor
from akita_bayes.variants import predicted_maps
from akita_bayes.variants.alleles import (
    alignment,
    bin_loci,
    reasons,
    records,
    unknown_bases,
    window_pairs,
)
from akita_bayes.variants.options import (
    Options,
    check_share,
    check_widths,
    geometry_of,
    region_weights,
)
from akita_bayes.variants.scores import (
    background,
    conformal,
    draw_summary,
    named_scores,
    score_table,
)

log = logging.getLogger(__name__)

GROUP = 32  # variants, at least, whose windows are predicted together
LONGEST = 4  # times as many, where their reference is the same
BASENJI_UNKNOWN = 0.25  # what Basenji's variant scripts put in the rows of N; training has 0


def score_variants(
    model: Any,
    variants: str | Path | Iterable[records.Variant],
    *,
    fasta: str | Path,
    scores: str | Sequence[str] = named_scores.DEFAULT,
    draws: int = 0,
    region: regions.Region | None = None,
    batch_size: int | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Scores every ALT allele of a variant file.

    Args:
        model: What `build` or `load_model` returns.
        variants: VCF, plain or compressed, or BCF; or rows that `records.read` yields.
        fasta: The genome.
        scores: Names of scores, or one.
        draws: Draws from the posterior; with more than 1, scores come with their spread.
        region: Only records whose POS lies here.
        batch_size: Windows computed at a time.
        **options: Further fields of `Options`.

    Returns:
        One row per ALT in the order of the file; columns as `score_table.table` makes them.

    Raises:
        VariantError: The file or an option is wrong.
        DataError: The genome cannot be read.
    """
    chosen = Options(scores=named_scores.listed(scores), draws=draws, **options)
    with Genome(fasta) as genome:
        if isinstance(variants, str | Path):
            variants = records.read(variants, genome, region=region)
        elif region is not None:
            variants = (row for row in variants if row.lies_in(region))
        engine = Engine(model, genome, chosen, batch_size=batch_size)
        draw_summary.warn_of_draws(engine.plain)
        return score_table.table(engine.score(variants), engine.target_names)


class _Row(NamedTuple):
    """A variant with a reason not to score it, or with its windows."""

    variant: records.Variant
    pair: window_pairs.Pair | None


class Engine:
    """A model, a genome and options, ready to score variants.

    Args:
        model: What `build` or `load_model` returns.
        genome: Reference.
        options: What to score and how.
        batch_size: Windows computed at a time; None fits two megabase windows.
        share: False recomputes every window as a whole.

    Raises:
        VariantError: An option does not suit the model, or the intervals come without draws.

    Attributes:
        geometry: How maps lie on windows.
        target_names: Names of the scored targets.
        draws: Draws that the posterior gives; 1 for the mean alone.
        widened: How fitted intervals are made, of every score that has them.
        background: Null scores by stratum, with which scores are compared; None for no p-values.
    """

    def __init__(
        self,
        model: Any,
        genome: Genome,
        options: Options,
        *,
        batch_size: int | None = None,
        share: bool = True,
    ) -> None:
        self.geometry = geometry_of(model, options.head)
        predict.check_shifts(options.shifts, self.geometry.seq_length)
        self.options = options
        self._genome = genome
        self._unknown = unknown_bases.UnknownBases(genome)
        self._scores = named_scores.resolve(options.scores)
        check_widths(self._scores, self.geometry)
        check_share(options.share_windows, self.geometry)
        chosen, held = options.targets, self.geometry.units or 0
        if chosen is not None and not all(0 <= target < held for target in chosen):
            raise errors.VariantError(f"targets {chosen}: the head has {held}, counted from 0.")
        self._targets = list(chosen if chosen is not None else range(held))
        self.target_names = [str(target) for target in self._targets]
        basenji = options.window == "basenji"
        through = predictor.Passes(
            model,
            head=options.head,
            draws=options.draws,
            seed=options.seed,
            rc=options.rc,
            shifts=options.shifts,
            unknown=BASENJI_UNKNOWN if basenji else 0.0,
            batch_size=batch_size,
            share=share,
        )
        self.draws = through.draws
        self._predict = predicted_maps.Predictor(
            through, genome, self.geometry.bin_width, targets=chosen, zeros=basenji
        )
        self.background: background.Background | None = None
        batch = batch_size or predict.batch_size(self.geometry.seq_length)
        self._group = max(GROUP, 4 * batch)
        self._regions = None if options.roi is None else region_weights(options.roi, genome.sizes)
        self._check_draws()
        names = [score.name for score in self._scores]
        self.widened = conformal.intervals_of(options.intervals, names, of_draws=self.draws > 1)

    @property
    def plain(self) -> list[str]:
        """Names of the scores whose draws have quantiles, but that have no fitted intervals."""
        names = [score.name for score in self._scores if self.draws > 1]
        return [name for name in names if name not in self.widened]

    def starting_at(self, start: int) -> "Engine":
        """The same engine, whose every window begins at one base of the reference."""
        moved = copy.copy(self)
        moved.options = dataclasses.replace(self.options, start=start)
        return moved

    def score(
        self,
        variants: Iterable[records.Variant],
        *,
        advance: Callable[[int], None] | None = None,
    ) -> score_table.Scored:
        """Scores rows; memory grows with the number of rows but not with their maps.

        Args:
            variants: Rows in any order.
            advance: Called with the number of rows that a group finished.
        """
        parts = []
        for group in _grouped(map(self._row, variants), self._group):
            parts.append(self._score_group(group))
            if advance is not None:
                advance(len(group))
        return score_table.joined(parts) if parts else self._blank([])

    def maps(
        self, variant: records.Variant
    ) -> Iterator[tuple[alignment.Alignment, NDArray, NDArray]]:
        """Yields the aligned REF and ALT maps of one variant, a draw at a time. [P, T] each."""
        pair = self.pair(variant)
        aligned = self._aligned(variant, pair)
        for drawn in self._predict([pair], [aligned]):
            yield aligned, drawn.references()[0], drawn.alternative(0)

    def pair(self, variant: records.Variant) -> window_pairs.Pair:
        """The windows of a variant that has no reason against it."""
        if self.options.window == "basenji":
            return window_pairs.centred(variant, self.geometry, self._genome.sizes)
        return window_pairs.anchored(
            variant,
            self.geometry,
            self._genome.sizes,
            share=self.options.share_windows,
            start=self.options.start,
        )

    def as_scored(self, variant: records.Variant) -> records.Variant:
        """Returns the variant as its windows show it, with the reason if it cannot be scored."""
        return self._row(variant).variant

    def _check_draws(self) -> None:
        asked = self.options.draws
        if asked > self.draws:
            log.warning("The model has %d of the %d draws asked for.", self.draws, asked)
        if asked and self.draws < 2:
            log.warning(
                "One draw gives no spread of scores; give draws of 2 or more, and a model that "
                "has a posterior, which a run directory holds and a file of weights does not."
            )

    def _row(self, variant: records.Variant) -> _Row:
        if variant.reason:
            return _Row(variant, None)
        letters = variant.mate is None and not variant.alt.startswith("<")
        if self.options.window == "basenji" and not letters:
            return _Row(variant._replace(reason=reasons.LETTERS_ONLY), None)
        variant = window_pairs.shown_by(variant, self.geometry)
        pair = self.pair(variant)
        reason = window_pairs.refusal(variant, pair, self.geometry)
        return _Row(variant._replace(reason=reason), None if reason else pair)

    def _blank(self, group: list[records.Variant]) -> score_table.Scored:
        rows, targets = len(group), len(self._targets)
        nothing = np.full((rows, targets), np.nan, np.float32)
        statistics = {
            (score.name, statistic): nothing.copy()
            for score in self._scores
            for statistic in self._statistics(score.name)
        }
        compared = score_table.COMPARED if self.background is not None else ()
        return score_table.Scored(
            group,
            [",".join(variant.flags) for variant in group],
            np.zeros((rows, 3), np.int32),
            [("", -1, -1)] * rows,
            {score.name: nothing.copy() for score in self._scores},
            statistics,
            {(score.name, key): nothing[:, 0].copy() for score in self._scores for key in compared},
        )

    def _statistics(self, score: str) -> list[str]:
        drawn = score_table.OF_DRAWS if self.draws > 1 else ()
        fitted = score_table.FITTED if score in self.widened else ()
        compared = score_table.COMPARED if self.background is not None else ()
        return [*drawn, *fitted, *compared]

    def _score_group(self, both: list[_Row]) -> score_table.Scored:
        group = [row.variant for row in both]
        scored = self._blank(group)
        rows = [number for number, row in enumerate(both) if row.pair is not None]
        pairs = [row.pair for row in both if row.pair is not None]
        aligned = []
        for row, pair in zip(rows, pairs, strict=True):
            made = self._aligned(group[row], pair)
            aligned.append(made)
            scored.pixels[row] = made.mask.sum(), made.lost, made.gained
            scored.window[row] = _span(pair)
            scored.flags[row] = ",".join((*group[row].flags, *self._remarks(pair)))
            if not made.mask.any():
                group[row] = group[row]._replace(reason=reasons.NO_CONTACT)
        drawn = self._draw_scores(pairs, aligned)
        for position, row in enumerate(rows):
            if not group[row].reason:
                self._summarise(scored, row, {k: v[position] for k, v in drawn.items()})
        return scored

    def _remarks(self, pair: window_pairs.Pair) -> list[str]:
        """Returns the flags of a pair of windows."""
        remarks = {"padded": pair.padded(), unknown_bases.FLAG: self._unknown.holds_many(pair)}
        return [flag for flag, applies in remarks.items() if applies]

    def _aligned(self, variant: records.Variant, pair: window_pairs.Pair) -> alignment.Alignment:
        made = alignment.align(pair, self.geometry)
        return made.turn() if variant.swapped else made

    def _draw_scores(
        self, pairs: list[window_pairs.Pair], aligned: list[alignment.Alignment]
    ) -> dict[tuple[str, bool], NDArray]:
        """Scores of every draw, and of REF against another draw of REF. [pairs, S, T] each."""
        shape = (len(pairs), self.draws, len(self._targets))
        found = {
            (score.name, null): np.full(shape, np.nan, np.float32)
            for score in self._scores
            for null in (False, True)
        }
        if not pairs:
            return found
        known = [self._known(pair, made) for pair, made in zip(pairs, aligned, strict=True)]
        masks = self._matrices([made.mask for made in aligned])

        def compare(
            drawn: predicted_maps.Drawn, i: int, ref: NDArray, before: NDArray | None
        ) -> None:
            alt = self._matrix(drawn.alternative(i))
            for score in self._scores:
                found[score.name, False][i, drawn.number] = score(ref, alt, masks[i], **known[i])
                if before is not None:
                    null = score(before, ref, masks[i], **known[i])
                    found[score.name, True][i, drawn.number] = null

        before: Sequence[NDArray | None] = [None] * len(pairs)
        with futures.ThreadPoolExecutor(os.cpu_count()) as threads:
            for drawn in self._predict(pairs, aligned):
                references = self._matrices(drawn.references())
                one = functools.partial(compare, drawn)
                list(threads.map(one, range(len(pairs)), references, before))
                if self.draws > 1:
                    before = references
        return found

    def _summarise(
        self, scored: score_table.Scored, row: int, drawn: dict[tuple[str, bool], NDArray]
    ) -> None:
        for score in self._scores:
            draws, noise = drawn[score.name, False], drawn[score.name, True][1:]
            summary = draw_summary.summarise(draws, noise)
            scored.values[score.name][row] = summary.mean
            statistics = summary._asdict()
            if score.name in self.widened:
                ends = self.widened[score.name].interval(summary.mean, summary.sd)
                statistics |= dict(zip(score_table.FITTED, ends, strict=True))
            if self.background is not None:
                null = self.background.null(scored.variants[row], score.name)
                null = draws[:0] if null is None else null
                compared = background.rarity(summary.mean, null, signed=score.signed)
                statistics |= compared._asdict()
                # One score of all targets, as the annotated variant file gives it.
                pooled = summary.mean.mean(keepdims=True), null.mean(axis=1, keepdims=True)
                overall = background.rarity(*pooled, signed=score.signed)
                for name, value in overall._asdict().items():
                    scored.overall[score.name, name][row] = value[0]
            for name in self._statistics(score.name):
                scored.statistics[score.name, name][row] = statistics[name]

    def _matrices(self, vectors: list[NDArray]) -> list[NDArray]:
        """[P] or [P, T] each -> [N, N] or [N, N, T] each, once for those that are one array."""
        distinct = {id(vector): vector for vector in vectors}
        made = {key: self._matrix(vector) for key, vector in distinct.items()}
        return [made[id(vector)] for vector in vectors]

    def _matrix(self, vector: NDArray) -> NDArray:
        offset = self.geometry.diagonal_offset
        assert offset is not None
        columns = vector.reshape(len(vector), -1)
        matrix = triangle.to_matrix(columns, diagonal_offset=offset, fill=0)
        return matrix.reshape(*matrix.shape[:2], *vector.shape[1:])

    def _known(self, pair: window_pairs.Pair, made: alignment.Alignment) -> dict[str, Any]:
        known: dict[str, Any] = {"site": made.site}
        if self._regions is not None:
            known["weights"] = bin_loci.coverage(pair.frame, self.geometry, self._regions)
        return known


def _grouped(rows: Iterable[_Row], size: int) -> Iterator[list[_Row]]:
    """Groups of `size`; a longer one while the reference stays the same."""
    group: list[_Row] = []
    reference: tuple[window_pairs.Window, ...] = ()
    for row in rows:
        other = row.pair is not None and row.pair.reference != reference
        if len(group) >= (size if other else LONGEST * size):
            yield group
            group = []
        if row.pair is not None:
            reference = row.pair.reference
        group.append(row)
    if group:
        yield group


def _span(pair: window_pairs.Pair) -> tuple[str, int, int]:
    """Reference bases of the first reference window."""
    window = pair.reference[0]
    segment = window.allele[0]
    start = segment.start + window.start
    if segment.strand == -1:
        start = segment.start + segment.length - window.start - window.length
    return segment.chrom, start, start + window.length
