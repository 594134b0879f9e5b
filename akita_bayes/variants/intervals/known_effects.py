"""Scores variants whose true effect is known, because the edited genome is simulated again.

A folder of `akita_simulate.py` describes how letters become maps. The windows of both alleles are
simulated where the model predicts them, aligned by the same code, and compared by the same scores.
Variants on the chromosomes of one split serve to fit intervals; variants of another split show how
often these hold the truth.
"""

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors, progress, triangle
from akita_bayes.data.genome import Genome
from akita_bayes.models.protocol import Model
from akita_bayes.regions import Region
from akita_bayes.simulate import chromatin, design_json
from akita_bayes.simulate.chromosomes import Chromosome
from akita_bayes.simulate.designs import Design
from akita_bayes.simulate.simulation_folder import effect_files
from akita_bayes.specs.geometry import Geometry
from akita_bayes.variants import engine, variant_windows
from akita_bayes.variants.alleles import alignment, derivative, records, window_pairs
from akita_bayes.variants.options import Options
from akita_bayes.variants.scores import conformal, named_scores, score_table


class KnownEffects(NamedTuple):
    """Holds variants, their scores and their true scores.

    Attributes:
        kinds: Edit that the simulation made in every row, such as `site_deletion`.
        scored: The predicted scores.
        truth: Score name -> true scores. [rows, T].
    """

    kinds: list[str]
    scored: score_table.Scored
    truth: dict[str, NDArray[np.float32]]


def draw(
    genome: Genome, design: Design, split: str, *, count: int, seed: int = 0
) -> tuple[list[str], list[records.Variant]]:
    """Draws `count` variants of every kind on each chromosome of a split: kinds and rows.

    Raises:
        DataError: The split has no chromosome, or none with a site to edit.
    """
    chromosomes = [
        Chromosome(name, genome.fetch(Region(name, 0, length)), [])
        for name, (length, own) in design.chromosomes().items()
        if own == split
    ]
    with tempfile.TemporaryDirectory() as folder:
        effect_files.write(
            folder, chromosomes, dataclasses.replace(design, variants=count), seed=seed
        )
        kinds = pd.read_csv(Path(folder) / effect_files.TABLE, sep="\t")["kind"].tolist()
        rows = list(records.read(Path(folder) / effect_files.VARIANTS, genome))
    if not rows:
        raise errors.DataError(
            f'split "{split}" of the simulation has no site to edit; name another split.'
        )
    return kinds, rows


def compare(
    model: Model,
    data: str | Path,
    split: str,
    *,
    count: int,
    options: Options,
    seed: int = 0,
    level: float = conformal.LEVEL,
    advance: progress.Advance = progress.ignore,
) -> KnownEffects:
    """Draws variants on a split's chromosomes, scores them and simulates their truth.

    Args:
        model: What `load_model` returns.
        data: Folder of `akita_simulate.py`.
        split: Split whose chromosomes carry the variants.
        count: Variants of each kind.
        options: Settings of the scores.
        seed: Seed of the variants.
        level: Level of the intervals, for which there must be enough variants.
        advance: Called with the number of rows that were scored, and again when they are
            simulated; `total=` announces the sum of both.

    Raises:
        DataError: The folder is not a simulation, or its maps differ from those of the model.
        VariantError: There are too few variants for the level, or a score has no intervals.
    """
    conformal.check_scores(options.scores)
    design = design_json.read(data)
    with Genome(Path(data) / "genome.fa") as genome:
        kinds, rows = draw(genome, design, split, count=count, seed=seed)
        scorer = engine.Engine(model, genome, options)
        _check(scorer.windows, design)
        conformal.check(len(rows), level)
        advance(0, total=2 * len(rows))
        scored = scorer.score(rows, advance=advance)
        true_scores = truth(scorer.windows, genome, design, scored.variants, advance)
        return KnownEffects(kinds, scored, true_scores)


def truth(
    windows: variant_windows.VariantWindows,
    genome: Genome,
    design: Design,
    rows: Sequence[records.Variant],
    advance: progress.Advance = progress.ignore,
) -> dict[str, NDArray[np.float32]]:
    """Computes the true scores of variants, NaN for those with a reason. [rows, T] each.

    Args:
        windows: Windows of the variants, with the options of their scores.
        genome: Reference.
        design: Design of the simulation.
        rows: The variants.
        advance: Called with 1 after every variant.

    Raises:
        DataError: The maps of the simulation differ from those of the model.
        VariantError: A score needs more than the two maps.
    """
    _check(windows, design)
    scores = named_scores.resolve(windows.options.scores)
    targets = [int(name) for name in windows.target_names]
    true_scores = {
        score.name: np.full((len(rows), len(targets)), np.nan, np.float32) for score in scores
    }
    for number, row in enumerate(rows):
        if not row.reason:
            pair = windows.pair(row)
            aligned = windows.aligned(row, pair)
            maps = simulated(pair, aligned, genome, design)
            ref, alt = (_matrix(pixels[:, targets], windows.geometry) for pixels in maps)
            mask = _matrix(aligned.mask[:, None], windows.geometry)[..., 0].astype(bool)
            for score in scores:
                true_scores[score.name][number] = score(ref, alt, mask, site=aligned.site)
        advance(1)
    return true_scores


def simulated(
    pair: window_pairs.Pair, aligned: alignment.Alignment, genome: Genome, design: Design
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Simulates the REF and the ALT map of a variant in their common frame. [P, T] each."""
    ref, alt = pair.reference, pair.alternative
    sides = (alt, ref) if aligned.turned else (ref, alt)
    stitches = aligned.reference, aligned.alternative
    first, second = (
        stitch([_simulated(window, genome, design) for window in side])
        for stitch, side in zip(stitches, sides, strict=True)
    )
    return first, second


def _simulated(window: window_pairs.Window, genome: Genome, design: Design) -> NDArray[Any]:
    """Simulates the true map of a window, which needs a flank on both sides. [P, T]."""
    physics, crop = design.physics, design.crop // design.physics.bin_size
    segments = derivative.cut(
        window.allele, window.start - physics.flank, window.start + window.length + physics.flank
    )
    tracks = chromatin.all_tracks(derivative.letters(segments, genome.padded), physics)
    maps = np.stack(
        [
            chromatin.observed_over_expected(chromatin.contacts_of(t, physics), design.measurement)
            for t in tracks
        ],
        axis=-1,
    )
    cropped = maps[crop : len(maps) - crop, crop : len(maps) - crop]
    return triangle.to_vector(cropped, diagonal_offset=chromatin.DIAGONAL_OFFSET)


def _matrix(pixels: NDArray[Any], geometry: Geometry) -> NDArray[Any]:
    assert geometry.diagonal_offset is not None
    return triangle.to_matrix(pixels, diagonal_offset=geometry.diagonal_offset, fill=0)


def _check(windows: variant_windows.VariantWindows, design: Design) -> None:
    """Refuses scores without a simulated truth, and a simulation of other maps than the model's."""
    if "ROI" in (name.upper() for name in windows.options.scores):
        raise errors.VariantError("the true ROI score is not simulated; name other scores.")
    geometry = windows.geometry
    of_model = (
        *(geometry.seq_length, geometry.bin_width, geometry.crop_bp, geometry.diagonal_offset),
        geometry.units,
    )
    of_data = (
        *(design.seq_length, design.physics.bin_size, design.crop, chromatin.DIAGONAL_OFFSET),
        len(design.cell_types),
    )
    if of_model != of_data:
        raise errors.DataError(
            "the simulation's maps (window, bin and crop in bp, first diagonal, targets) are "
            f"{of_data}, the model's {of_model}; "
            "give the data that the model was trained on."
        )


def fit(effects: KnownEffects, *, level: float = conformal.LEVEL) -> dict[str, conformal.Widening]:
    """Fits intervals to variants of known effect, for every score.

    Raises:
        VariantError: Too few variants, or a score that has values below 0.
    """
    widenings = {}
    for name, true_scores in effects.truth.items():
        mean = effects.scored.values[name]
        sd = effects.scored.statistics.get((name, "sd"), np.zeros_like(mean))
        usable = np.isfinite(mean).all(axis=1)
        widenings[name] = conformal.fit(true_scores[usable], mean[usable], sd[usable], level=level)
    return widenings


def table(
    effects: KnownEffects,
    targets: Sequence[str],
    widenings: Mapping[str, conformal.Widening] | None = None,
) -> pd.DataFrame:
    """Returns scores, intervals, p-values and the truth: a row per variant, score and target.

    Args:
        effects: The variants.
        targets: Names of the targets.
        widenings: Intervals of scores that have none in `effects.scored`.
    """
    rows = []
    for name, true_scores in effects.truth.items():
        mean = effects.scored.values[name]
        columns = {"score": mean, "truth": true_scores}
        for statistic in ("draw_q05", "draw_q95", *score_table.FITTED, "p_value"):
            if (name, statistic) in effects.scored.statistics:
                columns[statistic] = effects.scored.statistics[name, statistic]
        if widenings and name in widenings:
            sd = effects.scored.statistics.get((name, "sd"), np.zeros_like(mean))
            columns |= dict(
                zip(score_table.FITTED, widenings[name].interval(mean, sd), strict=True)
            )
        for number, variant in enumerate(effects.scored.variants):
            for target, label in enumerate(targets):
                row = {"id": variant.name, "chrom": variant.chrom, "pos": variant.position + 1}
                row |= {"type": variant.kind, "kind": effects.kinds[number]}
                row |= {"name": name, "target": label}
                rows.append(
                    row | {key: float(column[number, target]) for key, column in columns.items()}
                )
    return pd.DataFrame(rows)


def coverage(rows: pd.DataFrame, column: str = "truth") -> pd.Series:
    """Returns the share of a column inside its intervals, for every kind and for "all"."""
    covered = (rows["ci_low"] <= rows[column]) & (rows[column] <= rows["ci_high"])
    shares = covered.groupby(rows["kind"]).mean()
    return pd.concat([shares, pd.Series({"all": covered.mean()})])
