"""Predicts the map of one region of a genome, with its uncertainty and its coordinates."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna, errors, keywords, regions, triangle
from akita_bayes.data import genome as genomes
from akita_bayes.data import predictions
from akita_bayes.evaluate.prediction_files import PredictionSettings, predict_windows
from akita_bayes.models import predict
from akita_bayes.models.protocol import Model
from akita_bayes.specs.geometry import Geometry


class RegionMap(NamedTuple):
    """Holds the map of a region. Pixels near the diagonal that the model does not predict are NaN.

    Attributes:
        region: Bases of the map, from the first bin to the last.
        bin_width: Bases of a bin.
        values: Predicted map, mean over draws. [N, N, T].
        sd: Standard deviation of the map over draws, how unsure the model is; None without draws.
            [N, N, T].
        noise_sd: Standard deviation of a measurement around the map; None without draws. [N, N, T].
    """

    region: regions.Region
    bin_width: int
    values: NDArray[np.float32]
    sd: NDArray[np.float32] | None
    noise_sd: NDArray[np.float32] | None


def predict_region(
    model: Model,
    region: str | regions.Region,
    *,
    fasta: str | Path,
    settings: PredictionSettings | None = None,
    **changes: Any,
) -> RegionMap:
    """Predicts the bins that a region touches.

    A region narrower than the map lies in the middle of it; the map is cut to the region. A region
    as wide as the model's window gives the whole map.

    Args:
        model: What `build` or `load_model` returns.
        region: Region, or text such as "chr2:1,720,000-1,740,000", counted from 0 and half-open.
        fasta: The genome.
        settings: What the prediction depends on; None for defaults. `stride` is not used.
        **changes: Fields of `settings` to replace, such as `draws=16`, `rc=True` or `head="human"`.

    Raises:
        DataError: The genome lacks the region, or the region is wider than a map.
        SpecError: The head has no map, draws are to be averaged over strands or shifts, or the
            model has several heads and none is chosen.
        TypeError: A keyword is not a field of `settings`.
    """
    settings = keywords.replaced(settings or PredictionSettings(), changes)
    name = predict.one_head(model, settings.head)
    predict.check_shifts(settings.shifts, model.spec.model.seq_length)
    geometry = model.spec.geometry(name)
    if geometry.diagonal_offset is None:
        raise errors.SpecError(f"head {name}: gives no map; use predict for tracks.")
    with genomes.Genome(fasta) as genome:
        if isinstance(region, str):
            region = regions.parse_in(region, genome.sizes)
        window = _window(region, geometry, genome)
        x = dna.to_one_hot(genome.padded(*window))[None]
    datasets = predict_windows(model, x, name, settings)[name]
    first, last = _bins(region, window, geometry)
    values, *sds = (
        triangle.to_matrix(vectors[0], diagonal_offset=geometry.diagonal_offset)[
            first:last, first:last
        ]
        for vectors in datasets.values()
    )
    origin = window.start + geometry.crop_bp
    covered = regions.Region(
        region.chrom, origin + first * geometry.bin_width, origin + last * geometry.bin_width
    )
    sd, noise_sd = sds or (None, None)
    return RegionMap(covered, geometry.bin_width, values, sd, noise_sd)


def _window(region: regions.Region, geometry: Geometry, genome: genomes.Genome) -> regions.Region:
    """Returns the only window whose output covers a region."""
    windows = predictions.windows(region, geometry, chrom_size=genome.check(region))
    if len(windows) > 1:
        span = geometry.bins * geometry.bin_width
        raise errors.DataError(
            f"{region}: has {region.width:,} bases, but one map of the model covers {span:,}; give "
            "a narrower region, or use akita_predict.py, which joins several windows."
        )
    return windows[0]


def _bins(region: regions.Region, window: regions.Region, geometry: Geometry) -> tuple[int, int]:
    """Returns the first output bin that a region touches and one past the last."""
    origin = window.start + geometry.crop_bp
    first = (region.start - origin) // geometry.bin_width
    last = -(-(region.end - origin) // geometry.bin_width)
    return max(first, 0), min(last, geometry.bins)
