"""Collects what a figure of one variant shows: both maps in their frame, and their sd."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import triangle
from akita_bayes.regions import Region
from akita_bayes.variants import engine, genes, variant_maps
from akita_bayes.variants.alleles import bin_loci, records
from akita_bayes.variants.scores import score_table


class FigureWindow(NamedTuple):
    """Holds one variant and one target in bins of the frame.

    Attributes:
        title: Name, position and type of the variant.
        region: Bases of the frame, as many as it has, placed by its first bases; they are the
            scale of the axes.
        stretches: Stretches of the genome in the frame, without new letters and padding.
        ref: REF map, mean over draws, NaN below the diagonal offset and in pixels that REF lacks.
            [N, N].
        alt: ALT map, NaN in pixels that ALT lacks. [N, N].
        mask: Pixels that show the same contact in both maps. [N, N].
        sd: Standard deviation of ALT - REF over draws; None for a single prediction. [N, N].
        site: First bin of the event and one past its last.
        genes: Genes in the frame.
    """

    title: str
    region: Region
    stretches: list[bin_loci.Stretch]
    ref: NDArray[np.float32]
    alt: NDArray[np.float32]
    mask: NDArray[np.bool_]
    sd: NDArray[np.float32] | None
    site: tuple[int, int]
    genes: list[genes.GeneSpans]


class RankedFigure(NamedTuple):
    """Holds the figure of one of the strongest variants.

    Attributes:
        name: Name of its file: rank, row and number of the target, as `001_row3_target0`.
        window: What the figure shows.
    """

    name: str
    window: FigureWindow


def strongest(scored: score_table.Scored, count: int) -> list[int]:
    """Returns the rows whose first score is largest in any target, at most `count`."""
    values = next(iter(scored.values.values()))
    strength = np.abs(values).max(axis=1)
    order = np.argsort(-np.where(np.isfinite(strength), strength, -1), kind="stable")
    return [int(row) for row in order[:count] if np.isfinite(strength[row])]


def ranked(
    scorer: engine.Engine,
    scored: score_table.Scored,
    row: int,
    *,
    rank: int,
    names: Sequence[str] | None = None,
    annotation: Sequence[genes.Gene] = (),
) -> RankedFigure:
    """Returns the figure of a scored row, for the target in which it is strongest.

    Args:
        scorer: Engine that scored the rows, or one with the same options.
        scored: All rows.
        row: Number of the row.
        rank: Rank of the row, 1 for the strongest.
        names: Names of all targets of the head; None for their numbers.
        annotation: Genes; those in the frame are kept.
    """
    values = next(iter(scored.values.values()))
    target = int(np.abs(values[row]).argmax())
    window = collect(scorer, scored.variants[row], target=target, annotation=annotation)
    number = scorer.target_names[target]
    label = number if names is None else names[int(number)]
    window = window._replace(title=f"{window.title}, target {label}")
    return RankedFigure(f"{rank:03d}_row{row}_target{number}", window)


def collect(
    scorer: engine.Engine,
    variant: records.Variant,
    *,
    target: int = 0,
    annotation: Sequence[genes.Gene] = (),
) -> FigureWindow:
    """Predicts a variant again and returns the data of its figure.

    Args:
        scorer: Engine with the options with which the variant was scored.
        variant: A row that was scored.
        target: Position among the scored targets.
        annotation: Genes; those in the frame are kept.
    """
    geometry = scorer.geometry
    maps = variant_maps.means(scorer, variant, [target])
    mean_ref, mean_alt = maps.shown()
    frame = scorer.windows.pair(variant).frame
    names: dict[str, int] = {}
    view = bin_loci.pieces(frame, geometry, names)

    def matrix(pixels: NDArray[Any], fill: float = np.nan) -> NDArray[Any]:
        matrices = triangle.to_matrix(
            pixels, diagonal_offset=geometry.diagonal_offset or 0, fill=fill
        )
        return matrices[..., 0]

    stretches = bin_loci.stretches(view, frame, geometry)
    return FigureWindow(
        title(variant),
        variant_maps.frame_region(scorer, variant),
        stretches,
        matrix(mean_ref),
        matrix(mean_alt),
        matrix(maps.aligned.mask[:, None], False),
        None if maps.sd is None else matrix(maps.sd),
        maps.aligned.site,
        genes.spans(annotation, stretches),
    )


def title(variant: records.Variant) -> str:
    """Returns name, position, type and alleles of a variant; long alleles are cut.

    A variant that was given as text has this text, which begins with its position, as its name.
    """
    is_named = variant.name != "." and not variant.name.startswith(f"{variant.chrom}:")
    name = f"{variant.name}  " if is_named else ""
    position = f"{variant.chrom}:{variant.position + 1:,}"
    if variant.mate is not None or variant.alt.startswith("<"):
        alt = "" if variant.alt == f"<{variant.kind}>" else f"{variant.alt} "
        return f"{name}{position}  {variant.kind} {alt}{_bases(variant)}".rstrip()
    ref, alt = (f"{s[:8]}..." if len(s) > 9 else s for s in (variant.ref, variant.alt))
    return f"{name}{position}  {variant.kind} {ref} > {alt}"


def _bases(variant: records.Variant) -> str:
    return "" if variant.kind == "BND" else f"{variant.end - variant.start:,} bp"
