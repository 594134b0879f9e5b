"""A whole chromosome that akita_yeast never saw: measured, predicted, and how sure it is.

    python -m benchmarks.yeast --stage picture --data data/yeast -o runs/yeast

Of the three test chromosomes of fold 0, the picture shows the one with the median correlation.
Windows of 64 kb lie 8 kb apart; where they overlap, values are averages over them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cooler
import matplotlib.figure
import numpy as np
from numpy.typing import NDArray

from akita_bayes import regions, triangle
from akita_bayes.data import genome
from akita_bayes.plots import map_plots
from benchmarks import map_ceiling, yeast_data

STRIDE = 8000
FIGURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "akita_yeast.png"
MODEL = "akita_yeast"
DRAWS = 8
LIMIT = 0.6


class Chromosome(NamedTuple):
    """Holds the maps of a chromosome, NaN where no window measures or predicts. [N, N] each."""

    region: regions.Region
    measured: NDArray[np.float64]
    predicted: NDArray[np.float64]
    sd: NDArray[np.float64]

    @property
    def r(self) -> float:
        """Returns Pearson's r of measured and predicted pixels above the diagonal."""
        upper = np.triu(np.isfinite(self.measured) & np.isfinite(self.predicted))
        return float(np.corrcoef(self.measured[upper], self.predicted[upper])[0, 1])


def chromosomes(
    sources: yeast_data.Sources, fasta: Path, names: Sequence[str]
) -> dict[str, Chromosome]:
    """Returns maps of whole chromosomes, predicted by the shipped model."""
    from akita_bayes.models import load

    model = load.load_model(MODEL)
    sizes = cooler.Cooler(str(sources.cooler)).chromsizes
    with genome.Genome(fasta) as reference:
        # The last bin of the map may end behind the last base.
        lengths = {name: min(int(sizes[name]), reference.sizes[name]) for name in names}
    counts = map_ceiling.read(sources.cooler)
    return {name: _chromosome(model, name, lengths[name], counts, fasta) for name in names}


def draw(tested: Sequence[Chromosome], path: Path = FIGURE) -> None:
    """Draws the chromosome with the median correlation."""
    shown = sorted(tested, key=lambda chromosome: chromosome.r)[len(tested) // 2]
    path.parent.mkdir(parents=True, exist_ok=True)
    _figure(shown).savefig(path, dpi=110)


def _chromosome(
    model: Any, name: str, length: int, counts: Mapping[str, map_ceiling.Counts], fasta: Path
) -> Chromosome:
    from akita_bayes import dna
    from akita_bayes.models import posterior

    transform = yeast_data.TRANSFORM
    width, reach = transform.pool_width, transform.seq_length
    windows = [
        regions.Region(name, start, start + reach)
        for start in range(0, length // width * width - reach + 1, STRIDE)
    ]
    values, masks = map_ceiling.targets(dict(counts), windows, transform)
    with genome.Genome(fasta) as reference:
        x = np.stack([dna.index_to_one_hot(reference.index(window)) for window in windows])
    draws = posterior.sample_posterior(model, x, draws=DRAWS)
    bins = length // width
    layers = {
        "measured": np.where(masks, values, np.nan),
        "predicted": draws.mean[..., 0],
        "sd": draws.sd[..., 0],
    }
    starts = [(window.start + transform.crop) // width for window in windows]
    maps = {key: stitched(rows, starts, bins) for key, rows in layers.items()}
    return Chromosome(regions.Region(name, 0, bins * width), **maps)


def stitched(
    rows: NDArray[np.float64], starts: list[int], bins: int, offset: int = 2
) -> NDArray[np.float64]:
    """Averages the maps of overlapping windows into one map.

    Args:
        rows: Triangles of windows; NaN pixels are left out. [W, P].
        starts: First bin of each map.
        bins: Bins of the whole map, N.
        offset: First diagonal of the triangles.

    Returns:
        The upper triangle of a map; NaN where no window has a value. [N, N].
    """
    total, count = np.zeros((bins, bins)), np.zeros((bins, bins))
    first, second = triangle.indices(triangle.bins(rows.shape[1], offset), offset)
    for row, start in zip(rows, starts, strict=True):
        finite = np.isfinite(row)
        total[start + first[finite], start + second[finite]] += row[finite]
        count[start + first[finite], start + second[finite]] += 1
    with np.errstate(invalid="ignore"):
        return total / np.where(count > 0, count, np.nan)


def _figure(shown: Chromosome) -> matplotlib.figure.Figure:
    figure = matplotlib.figure.Figure(figsize=(11, 5.4), layout="constrained")
    grid = figure.subplots(3, 1, sharex=True)
    reach = yeast_data.TRANSFORM.map_bins * yeast_data.TRANSFORM.pool_width
    highest = float(np.nanquantile(shown.sd, 0.995))
    lowest = float(np.nanquantile(shown.sd, 0.005))
    panels = (
        ("measured", shown.measured, (-LIMIT, LIMIT), map_plots.DIVERGING),
        ("predicted from sequence", shown.predicted, (-LIMIT, LIMIT), map_plots.DIVERGING),
        ("uncertainty", shown.sd, (lowest, highest), map_plots.SEQUENTIAL),
    )
    for axes, (title, matrix, limits, colours) in zip(grid, panels, strict=True):
        mesh = map_plots.triangle(axes, matrix, shown.region, limits=limits, colours=colours)
        # Farther pixels are in some windows only.
        axes.set_ylim(0, reach - STRIDE)
        axes.yaxis.set_visible(True)
        axes.set_yticks((0, 20_000, 40_000), ("0", "20 kb", "40 kb"))
        axes.set_title(title, fontsize=11, loc="left", pad=2)
        axes.tick_params(labelsize=8)
        label = "sd" if title == "uncertainty" else map_plots.LOG_RATIO
        bar = figure.colorbar(mesh, ax=axes, pad=0.01, fraction=0.03, aspect=12)
        bar.set_label(label, fontsize=8)
        bar.ax.tick_params(labelsize=7)
    grid[1].set_ylabel("distance", fontsize=9)
    grid[-1].set_xlabel(f"{shown.region.chrom} of budding yeast", fontsize=9)
    return figure
