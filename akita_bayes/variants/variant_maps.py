"""Predicts the maps of both alleles of one variant, in one frame."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, regions, triangle
from akita_bayes.data.genome import Genome
from akita_bayes.models.protocol import Model
from akita_bayes.variants import engine
from akita_bayes.variants.alleles import alignment, bin_loci, records, written_variants
from akita_bayes.variants.maps import saved_maps
from akita_bayes.variants.options import Options


class VariantMaps(NamedTuple):
    """Holds the maps of a variant. Pixels that an allele lacks are NaN.

    Attributes:
        variant: The variant, as the genome's records describe it.
        region: Bases of the frame, from the first bin to the last; both alleles are read in it.
        reference: Map of REF, mean over draws. [N, N, T].
        alternative: Map of ALT, mean over draws. [N, N, T].
        difference: ALT - REF of the pixels that show the same contact in both, else NaN. [N, N, T].
        sd: Standard deviation of the difference over draws, NaN where the difference is; None
            without draws. [N, N, T].
        site: First bin of the event and one past its last.
        targets: Numbers of the targets T.
    """

    variant: records.Variant
    region: regions.Region
    reference: NDArray[np.float32]
    alternative: NDArray[np.float32]
    difference: NDArray[np.float32]
    sd: NDArray[np.float32] | None
    site: tuple[int, int]
    targets: list[str]


class MeanMaps(NamedTuple):
    """Holds the maps of a variant as vectors of pixels.

    Attributes:
        aligned: How the maps of both alleles are read.
        reference: Map of REF, mean over draws. [P, K].
        change: ALT - REF, mean over draws. [P, K].
        sd: Standard deviation of the change over draws; None for a single prediction. [P, K].
    """

    aligned: alignment.Alignment
    reference: NDArray[np.float32]
    change: NDArray[np.float32]
    sd: NDArray[np.float32] | None

    def shown(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Returns the maps of REF and ALT with NaN in the pixels that the allele lacks. [P, K]."""
        sides = (
            (self.reference, self.aligned.reference),
            (self.reference + self.change, self.aligned.alternative),
        )
        ref, alt = (
            np.where((stitch.weight.sum(axis=0) > 0)[:, None], values, np.float32(np.nan))
            for values, stitch in sides
        )
        return ref, alt


def predict_variant(
    model: Model,
    variant: str | records.Variant,
    *,
    fasta: str | Path,
    **options: Any,
) -> VariantMaps:
    """Predicts the maps of REF and of ALT, and their difference.

    Args:
        model: What `build` or `load_model` returns.
        variant: Text such as "chr2:1727912:C:A" or "chr2:1,000-2,000:DEL" (`written_variants`), or
            a row of `records.read`.
        fasta: The genome.
        **options: Fields of `Options`, such as `draws=16`, `rc=True` or `head="human"`.

    Raises:
        VariantError: The variant cannot be read or scored, or an option does not suit the model.
        DataError: The genome cannot be read.
    """
    with Genome(fasta) as genome:
        rows = written_variants.read([variant], genome) if isinstance(variant, str) else [variant]
        scorer = engine.Engine(model, genome, Options(**options))
        framed = scorer.windows.framed(next(iter(rows)))
        if framed.variant.reason:
            detail = f" ({framed.variant.detail})" if framed.variant.detail else ""
            raise errors.VariantError(f"{variant}: {framed.variant.reason}{detail}.")
        maps = means(scorer, framed.variant)
        region = frame_region(scorer, framed.variant)
    offset = scorer.geometry.diagonal_offset or 0
    reference, alternative = (
        triangle.to_matrix(values, diagonal_offset=offset) for values in maps.shown()
    )
    mask = triangle.to_matrix(maps.aligned.mask[:, None], diagonal_offset=offset, fill=False)

    def comparable(values: NDArray[np.float32]) -> NDArray[np.float32]:
        matrix = triangle.to_matrix(values, diagonal_offset=offset)
        return np.where(mask, matrix, np.float32(np.nan))

    return VariantMaps(
        framed.variant,
        region,
        reference,
        alternative,
        comparable(maps.change),
        None if maps.sd is None else comparable(maps.sd),
        maps.aligned.site,
        list(scorer.target_names),
    )


def means(
    scorer: engine.Engine, variant: records.Variant, targets: Sequence[int] | None = None
) -> MeanMaps:
    """Predicts a variant and returns the mean of its maps over draws.

    Args:
        scorer: Engine with the options of the prediction.
        variant: A row without a reason not to be scored.
        targets: Positions among the scored targets; None for all.
    """
    columns = slice(None) if targets is None else list(targets)
    alignments, refs, changes = [], [], []
    for aligned, ref, alt in scorer.maps(variant):
        alignments.append(aligned)
        refs.append(ref[:, columns])
        changes.append(alt[:, columns] - ref[:, columns])
    sd = np.std(changes, axis=0, ddof=1) if len(changes) > 1 else None
    # Every draw has the same alignment.
    return MeanMaps(alignments[0], np.mean(refs, axis=0), np.mean(changes, axis=0), sd)


def saved(
    scorer: engine.Engine, variant: records.Variant, row: int, title: str
) -> saved_maps.SavedMap:
    """Predicts a variant and returns what a file of maps holds of it, for all scored targets.

    Args:
        scorer: Engine with the options of the prediction.
        variant: A row without a reason not to be scored.
        row: Number of the row among the scores.
        title: Title of the variant.
    """
    maps = means(scorer, variant)
    reference, alternative = maps.shown()
    frame = scorer.windows.pair(variant).frame
    view = bin_loci.pieces(frame, scorer.geometry, {})
    compared = maps.aligned.mask[:, None]
    return saved_maps.SavedMap(
        row,
        title,
        frame_region(scorer, variant),
        maps.aligned.site,
        bin_loci.stretches(view, frame, scorer.geometry),
        reference,
        alternative,
        np.where(compared, maps.change, np.float32(np.nan)),
        _spread(maps, compared) if scorer.draws > 1 else None,
    )


def _spread(maps: MeanMaps, compared: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Returns the sd of the change, NaN outside `compared` and for a single held-out draw."""
    missing = np.float32(np.nan)
    if maps.sd is None:
        return np.full_like(maps.change, missing)
    return np.where(compared, maps.sd, missing)


def frame_region(scorer: engine.Engine, variant: records.Variant) -> regions.Region:
    """Returns the bases of a variant's frame, as many as it has, placed by its first bases.

    A frame that begins before its chromosome has a negative start.
    """
    geometry = scorer.geometry
    names: dict[str, int] = {}
    view = bin_loci.pieces(scorer.windows.pair(variant).frame, geometry, names)
    first = int(np.flatnonzero(view.chrom >= 0)[0])
    chrom = {number: name for name, number in names.items()}[int(view.chrom[first])]
    # With 40 bases of padding before base 0, the frame starts at -40.
    start = int(view.start[first] - view.length[:first].sum())
    return regions.Region(chrom, start, start + geometry.bins * geometry.bin_width)
