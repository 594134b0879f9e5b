"""Sizes of predicted effects of variants beside true ones, and a scan with the simulator's motif.

Sizes are scores of 0 or more, of both cell types. The scan knows the motif and the occupancy of the
simulation and nothing of folding: it is what a model could reach that finds sites perfectly.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna
from akita_bayes.simulate import effects, sites
from akita_bayes.simulate.physics import Physics
from benchmarks import novelty

LEAST = 1e-3
"""Smallest true score whose logarithm counts; of the map's values this is rounding."""


class Sizes(NamedTuple):
    """Holds scores of variants of one kind, or of several. All are [variants, T].

    Attributes:
        predicted: Predicted scores.
        true: True scores.
        scanned: Changes of occupancy by the scan.
    """

    predicted: NDArray[Any]
    true: NDArray[Any]
    scanned: NDArray[Any]


def changed_occupancy(effect: effects.Effect, letters: str, physics: Physics) -> NDArray[Any]:
    """Sums the absolute changes of occupancy of the sites that an edit touches. -> [T].

    Args:
        effect: The edit.
        letters: Letters of the chromosome.
        physics: Parameters of the simulation.
    """
    reach = 4 * max(staller.motif.width for staller in physics.stallers)
    left, right = max(effect.start - reach, 0), effect.end + reach
    shift = len(effect.alt) - (effect.end - effect.start)
    sides = letters[left:right], effect.apply(letters)[left : right + shift]
    reference, alternative = (_by_offset(side, physics, effect.start - left) for side in sides)
    absent = np.zeros(len(physics.cell_types))
    changes = [
        abs(reference.get(site, absent) - alternative.get(site, absent))
        for site in reference | alternative
    ]
    return np.sum(changes, axis=0) if changes else absent


def _by_offset(
    letters: str, physics: Physics, edited: int
) -> dict[tuple[int, int, int], NDArray[Any]]:
    """Returns the occupancies of sites by offset, strand and protein.

    The offset counts from the left end, and for sites behind the edit from the right end, so that
    sites beside an insertion or a deletion keep theirs.
    """
    all_sites = sites.find(letters, physics)
    behind = all_sites.start + all_sites.width(physics) > edited
    offsets = np.where(behind, all_sites.start - len(letters), all_sites.start)
    return {
        (int(offset), int(strand), int(staller)): occupancy
        for offset, strand, staller, occupancy in zip(
            offsets, all_sites.strand, all_sites.staller, all_sites.occupancy, strict=True
        )
    }


def agreement(sizes: Sizes) -> dict[str, float]:
    """Returns how well predicted sizes agree with true ones, over variants and cell types.

    `r` is Pearson's correlation of the scores; `log_r2` the square of that of their logarithms, and
    `scan_log_r2` that of the scan. `log_slope` is the slope of predicted over true logarithms, and
    `log_calibration` that of true over predicted ones, 1 for predictions without bias. The product
    of both slopes is `log_r2`.
    """
    predicted, true, scanned = (array.ravel() for array in sizes)
    usable = (true > LEAST) & (predicted > 0)
    a, b = np.log(true[usable]), np.log(predicted[usable])
    scan = (true > LEAST) & (scanned > 0)
    return {
        "r": correlation(true, predicted),
        "log_r2": correlation(a, b) ** 2,
        "log_slope": slope(a, b),
        "log_calibration": slope(b, a),
        "scan_log_r2": correlation(np.log(true[scan]), np.log(scanned[scan])) ** 2,
    }


def between_cell_types(sizes: Sizes) -> dict[str, float]:
    """Returns sign and slopes of the difference between the first two cell types.

    `slope` is that of predicted over true differences, `calibration` that of true over predicted
    ones. The sign is counted where the true scores differ by at least a tenth of the larger one.
    """
    true, predicted = (array[:, 0] - array[:, 1] for array in (sizes.true, sizes.predicted))
    clear = np.abs(true) >= 0.1 * np.maximum(sizes.true[:, :2].max(axis=1), LEAST)
    clear &= sizes.true[:, :2].max(axis=1) > 0.1
    same = np.sign(true[clear]) == np.sign(predicted[clear])
    return {
        "differences": int(clear.sum()),
        "same_sign": float(same.mean()) if clear.any() else float("nan"),
        "slope": slope(true[clear], predicted[clear]),
        "calibration": slope(predicted[clear], true[clear]),
    }


def against_negatives(kinds: list[str], scores: NDArray[Any]) -> dict[str, float]:
    """Returns the AUROC of each kind against the kind of its type and size without a site.

    Args:
        kinds: Kinds of the variants.
        scores: Scores of the variants. [variants].
    """
    names = np.array(kinds)
    return {
        kind: novelty.auroc(scores[names == negative], scores[names == kind])
        if {kind, negative} <= set(kinds)
        else float("nan")
        for kind, negative in effects.NEGATIVES.items()
    }


def correlation(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Returns Pearson's correlation, NaN if one side is constant."""
    if len(a) < 2 or np.std(a) == 0 or np.std(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def slope(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Returns the slope of b over a by least squares, NaN if `a` is constant."""
    if len(a) < 2 or np.std(a) == 0:
        return float("nan")
    return float(np.cov(a, b)[0, 1] / np.var(a, ddof=1))


def edit_of(row: Any, letters: str) -> effects.Effect:
    """Returns a row of a VCF as an edit of the letters of its chromosome."""
    stretch = letters[row.start : row.end]
    alt = {
        "DUP": stretch * 2,
        "INV": dna.reverse_complement(stretch),
    }.get(row.kind, row.inserted)
    return effects.Effect(row.chrom, row.start, row.end, alt, row.kind)
