"""Scores variant files: every ALT gets a row, with its scores or the reason why it has none."""

import copy
import dataclasses
import functools
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import progress, regions, triangle
from akita_bayes.data.genome import Genome
from akita_bayes.models import predict
from akita_bayes.models.incremental import predictor
from akita_bayes.models.protocol import Model
from akita_bayes.origins import training_regions
from akita_bayes.variants import interval_files, predicted_maps, variant_windows
from akita_bayes.variants.alleles import alignment, bin_loci, reasons, records, window_pairs
from akita_bayes.variants.options import Options, check_widths, geometry_of, region_weights
from akita_bayes.variants.scores import background, draw_summary, named_scores, score_table

_log = logging.getLogger(__name__)

GROUP = 32  # least number of variants whose windows are predicted together


def score_variants(
    model: Model,
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
        scores: Names of scores, or one name.
        draws: Draws from the posterior; with more than 1, scores come with their spread.
        region: Region of the POS of records to score; None for all records.
        batch_size: Windows computed at a time.
        **options: Further fields of `Options`.

    Returns:
        One row per ALT in the order of the file, with the columns of `score_table.table`.

    Raises:
        VariantError: The file or an option is wrong.
        DataError: The genome cannot be read.
    """
    settings = Options(scores=named_scores.listed(scores), draws=draws, **options)
    with Genome(fasta) as genome:
        if isinstance(variants, str | Path):
            variants = records.read(variants, genome, region=region)
        elif region is not None:
            variants = (row for row in variants if row.lies_in(region))
        engine = Engine(model, genome, settings, batch_size=batch_size)
        draw_summary.warn_of_draws(engine.without_intervals)
        return score_table.table(engine.score(variants), engine.target_names)


class Engine:
    """Scores variants with a model, a genome and options.

    Args:
        model: What `build` or `load_model` returns.
        genome: Reference.
        options: Settings of the scores.
        batch_size: Windows computed at a time; None fits two megabase windows.
        share: False to compute every window as a whole, without the results of others.

    Raises:
        VariantError: An option does not suit the model, or the intervals come without draws.

    Attributes:
        windows: Windows of variants, with which this engine scores.
        geometry: How maps lie on windows.
        target_names: Names of the scored targets.
        draws: Number of draws that the posterior gives; 1 for the mean alone.
        widened: Score name -> how its intervals are made, for scores with fitted intervals.
        background: Null scores by stratum, with which scores are compared; None for no p-values.
    """

    def __init__(
        self,
        model: Model,
        genome: Genome,
        options: Options,
        *,
        batch_size: int | None = None,
        share: bool = True,
    ) -> None:
        self.windows = variant_windows.VariantWindows(
            geometry_of(model, options.head),
            genome,
            options,
            training_regions.of_members(model, model.spec.head(options.head).name),
        )
        self.geometry, self.target_names = self.windows.geometry, self.windows.target_names
        predict.check_shifts(options.shifts, self.geometry.seq_length)
        self.options = options
        self._scores = named_scores.resolve(options.scores)
        check_widths(self._scores, self.geometry)
        basenji = options.window == "basenji"
        window_options = options.window_options(batch_size=batch_size, share=share)
        predict_windows = predictor.WindowPredictor(model, window_options)
        self.draws = predict_windows.draws
        self._draws_of = predict_windows.draws_of
        self._predict = predicted_maps.Predictor(
            predict_windows, genome, self.geometry.bin_width, targets=options.targets, zeros=basenji
        )
        self.background: background.Background | None = None
        batch = batch_size or predict.batch_size(self.geometry.seq_length)
        self._group = max(GROUP, 4 * batch)
        self._regions = None if options.roi is None else region_weights(options.roi, genome.sizes)
        self._check_draws()
        names = [score.name for score in self._scores]
        self.widened = interval_files.intervals_of(model, options, names, of_draws=self.draws > 1)

    @property
    def without_intervals(self) -> list[str]:
        """Returns the names of scores that have draws but no fitted intervals."""
        names = [score.name for score in self._scores if self.draws > 1]
        return [name for name in names if name not in self.widened]

    def starting_at(self, start: int) -> "Engine":
        """Returns this engine with every window starting at one base of the reference."""
        engine = copy.copy(self)
        engine.options = dataclasses.replace(self.options, start=start)
        engine.windows = self.windows.starting_at(start)
        return engine

    def score(
        self,
        variants: Iterable[records.Variant],
        *,
        advance: progress.Advance = progress.ignore,
    ) -> score_table.Scored:
        """Scores rows in groups; the maps of one group are in memory at a time.

        Args:
            variants: Rows in any order.
            advance: Called with the number of rows of every scored group.
        """
        parts = []
        for group in variant_windows.grouped(map(self.windows.framed, variants), self._group):
            parts.append(self._score_group(group))
            advance(len(group))
        return score_table.joined(parts) if parts else self._blank([])

    def maps(
        self, variant: records.Variant
    ) -> Iterator[tuple[alignment.Alignment, NDArray[Any], NDArray[Any]]]:
        """Yields the alignment, REF map and ALT map of one variant for every draw. [P, T] each."""
        pair = self.windows.pair(variant)
        aligned = self.windows.aligned(variant, pair)
        for draw in self._predict([pair], [aligned], self.windows.members(variant)):
            yield aligned, draw.references()[0], draw.alternative(0)

    def _check_draws(self) -> None:
        requested = self.options.draws
        if requested > self.draws:
            _log.warning("The model has only %d of the %d requested draws.", self.draws, requested)
        if requested and self.draws < 2:
            _log.warning(
                "One draw gives no spread of scores; give draws of 2 or more, and a model with a "
                "posterior: its run directory, not its file of weights."
            )

    def _blank(self, group: list[records.Variant]) -> score_table.Scored:
        """Returns rows without scores, which are filled in later."""
        rows, targets = len(group), len(self.target_names)
        missing = np.full((rows, targets), np.nan, np.float32)
        statistics = {
            (score.name, statistic): missing.copy()
            for score in self._scores
            for statistic in self._statistics(score.name)
        }
        compared = score_table.COMPARED if self.background is not None else ()
        return score_table.Scored(
            group,
            [",".join(variant.flags) for variant in group],
            np.zeros((rows, 3), np.int32),
            [("", -1, -1)] * rows,
            {score.name: missing.copy() for score in self._scores},
            statistics,
            {(score.name, key): missing[:, 0].copy() for score in self._scores for key in compared},
        )

    def _statistics(self, score: str) -> list[str]:
        of_draws = score_table.OF_DRAWS if self.draws > 1 else ()
        fitted = score_table.FITTED if score in self.widened else ()
        compared = score_table.COMPARED if self.background is not None else ()
        return [*of_draws, *fitted, *compared]

    def _score_group(self, group: list[variant_windows.Framed]) -> score_table.Scored:
        """Predicts the windows of a group together and scores its rows."""
        variants = [row.variant for row in group]
        scored = self._blank(variants)
        numbers = [number for number, row in enumerate(group) if row.pair is not None]
        pairs = [row.pair for row in group if row.pair is not None]
        alignments = []
        for number, pair in zip(numbers, pairs, strict=True):
            aligned = self.windows.aligned(variants[number], pair)
            alignments.append(aligned)
            scored.pixels[number] = aligned.mask.sum(), aligned.lost, aligned.gained
            scored.window[number] = pair.span
            scored.flags[number] = ",".join(self.windows.flags(variants[number], pair))
            if not aligned.mask.any():
                variants[number] = variants[number]._replace(reason=reasons.NO_CONTACT)
        members = [self.windows.members(group[number].variant) for number in numbers]
        for scoring in sorted(set(members)):
            rows = [row for row, scoring_row in enumerate(members) if scoring_row == scoring]
            draws = self._draw_scores(
                [pairs[row] for row in rows], [alignments[row] for row in rows], scoring
            )
            for position, row in enumerate(rows):
                number = numbers[row]
                if not variants[number].reason:
                    self._summarise(scored, number, {k: v[position] for k, v in draws.items()})
        return scored

    def _draw_scores(
        self,
        pairs: list[window_pairs.Pair],
        alignments: list[alignment.Alignment],
        members: tuple[int, ...],
    ) -> dict[tuple[str, bool], NDArray[Any]]:
        """Computes the scores of every draw by some members. [pairs, S, T] each.

        Keys are the name of a score, and False for REF against ALT or True for REF against the REF
        of the draw before, which the first draw lacks.
        """
        count = self._draws_of(members)
        shape = (len(pairs), count, len(self.target_names))
        scores = {
            (score.name, null): np.full(shape, np.nan, np.float32)
            for score in self._scores
            for null in (False, True)
        }
        inputs = [self._inputs(*of_pair) for of_pair in zip(pairs, alignments, strict=True)]
        masks = self._matrices([aligned.mask for aligned in alignments])

        def compare(
            draw: predicted_maps.DrawMaps, i: int, ref: NDArray[Any], before: NDArray[Any] | None
        ) -> None:
            alt = self._matrix(draw.alternative(i))
            for score in self._scores:
                scores[score.name, False][i, draw.number] = score(ref, alt, masks[i], **inputs[i])
                if before is not None:
                    null = score(before, ref, masks[i], **inputs[i])
                    scores[score.name, True][i, draw.number] = null

        before: Sequence[NDArray[Any] | None] = [None] * len(pairs)
        with futures.ThreadPoolExecutor(os.cpu_count()) as threads:
            for draw in self._predict(pairs, alignments, members):
                references = self._matrices(draw.references())
                of_pair = functools.partial(compare, draw)
                list(threads.map(of_pair, range(len(pairs)), references, before))
                if count > 1:
                    before = references
        return scores

    def _summarise(
        self, scored: score_table.Scored, row: int, scores: dict[tuple[str, bool], NDArray[Any]]
    ) -> None:
        """Fills in the values and statistics of one row from the scores of its draws."""
        for score in self._scores:
            draws, noise = scores[score.name, False], scores[score.name, True][1:]
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
                # The score of all targets together, for the annotated variant file.
                pooled = summary.mean.mean(keepdims=True), null.mean(axis=1, keepdims=True)
                overall = background.rarity(*pooled, signed=score.signed)
                for name, value in overall._asdict().items():
                    scored.overall[score.name, name][row] = value[0]
            for name in self._statistics(score.name):
                scored.statistics[score.name, name][row] = statistics[name]

    def _matrices(self, vectors: list[NDArray[Any]]) -> list[NDArray[Any]]:
        """Converts [P] or [P, T] each to [N, N] or [N, N, T] each; the same array only once."""
        distinct = {id(vector): vector for vector in vectors}
        matrices = {key: self._matrix(vector) for key, vector in distinct.items()}
        return [matrices[id(vector)] for vector in vectors]

    def _matrix(self, vector: NDArray[Any]) -> NDArray[Any]:
        offset = self.geometry.diagonal_offset
        assert offset is not None
        columns = vector.reshape(len(vector), -1)
        matrix = triangle.to_matrix(columns, diagonal_offset=offset, fill=0)
        return matrix.reshape(*matrix.shape[:2], *vector.shape[1:])

    def _inputs(self, pair: window_pairs.Pair, aligned: alignment.Alignment) -> dict[str, Any]:
        """Returns the inputs of scores beside the maps and the mask, by name."""
        inputs: dict[str, Any] = {"site": aligned.site}
        if self._regions is not None:
            inputs["weights"] = bin_loci.coverage(pair.frame, self.geometry, self._regions)
        return inputs
