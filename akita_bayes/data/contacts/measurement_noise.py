r"""Estimates the noise of a target from replicates, or from random parts of the counts of one map.

Replicate r has the share f_r of the reads of the pooled map (the shares sum to 1) and the target
x_r. Noise variances are inversely proportional to depth, so the noise of the pooled target has

    variance = E sum_r f_r (x_r - sum_q f_q x_q)^2 / (R - 1)

which is (x_1 - x_2)^2 / 4 for two replicates of equal depth. Without replicates, each read joins
one of K parts at random. With x_k the target without part k and m their mean, the delete-a-group
jackknife (Shao & Wu 1989) gives

    variance = E (K - 1) / K sum_k (x_k - m)^2

K = 2 compares halves of the map. More parts keep the depth, and thus the coarse-graining of sparse
pixels, closer to that of the map. Parts of one map contain its counting noise only. Replicates also
contain the differences between experiments, which `of_replicate_counts` adds to the counting noise:

    variance = jackknife of K parts of the pooled map + replicates - jackknife of R parts

The last two terms have the same depth, and the same expectation without such differences.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akita_bayes.data.contacts import counts_to_targets

PARTS = 4


def of_replicates(
    targets: NDArray[Any], shares: Sequence[float] | None = None
) -> NDArray[np.float64]:
    """Returns squares whose expectation is the noise variance of the pooled target.

    [R, ...] -> [...].

    Args:
        targets: Targets of at least two replicates.
        shares: Share of the reads of each replicate; None for equal depths.
    """
    count = len(targets)
    weights = np.full(count, 1 / count) if shares is None else np.asarray(shares, np.float64)
    weights = weights / weights.sum()
    values = np.asarray(targets, np.float64)
    mean = np.tensordot(weights, values, 1)
    return np.asarray(np.tensordot(weights, (values - mean) ** 2, 1) / (count - 1))


def of_replicate_counts(
    counts: Sequence[NDArray[np.integer]],
    weights: NDArray[np.float64],
    transform: counts_to_targets.Transform,
    generator: np.random.Generator,
    *,
    parts: int = PARTS,
    clip: float | None = None,
    expected: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Returns squares whose expectation is the noise variance of the target of the pooled counts.

    A square of one pixel can be negative; means over many pixels are meant. Pixels that a replicate
    or a thinned map does not measure are NaN. [P].

    Args:
        counts: Raw counts of replicates of about equal depth. [R] of [N, N].
        weights: As in `of_counts`; for the pooled map. [N].
        transform: How contacts become targets.
        generator: Source of the random parts.
        parts: Number of parts K of the pooled map.
        clip: As in `counts_to_targets.target`.
        expected: As in `counts_to_targets.target`.

    Raises:
        Unusable: A replicate or a thinned map has no usable target.
    """
    number = len(counts)
    shares = [float(replicate.sum()) for replicate in counts]
    replicates = [
        counts_to_targets.target(
            replicate,
            weights * np.sqrt(sum(shares) / max(share, 1.0)),
            transform,
            clip=clip,
            expected=expected,
        )
        for replicate, share in zip(counts, shares, strict=True)
    ]
    pooled = np.sum(counts, axis=0)
    jackknife = [
        of_counts(pooled, weights, transform, generator, parts=size, clip=clip, expected=expected)
        for size in (parts, number)
    ]
    between = of_replicates(np.stack([target.values for target in replicates]), shares)
    squares = jackknife[0] + between - jackknife[1]
    measured = np.all([target.mask for target in replicates], axis=0)
    return np.where(measured, squares, np.nan)


def of_counts(
    counts: NDArray[np.integer],
    weights: NDArray[np.float64],
    transform: counts_to_targets.Transform,
    generator: np.random.Generator,
    *,
    parts: int = PARTS,
    clip: float | None = None,
    expected: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Returns squares whose expectation is the variance of the counting noise; [P].

    A pixel that one of the thinned maps does not measure is NaN. The time is that of `parts`
    targets.

    Args:
        counts: Raw counts; only the upper triangle is read. [N, N].
        weights: Balancing weights; not finite for filtered bins. [N].
        transform: How contacts become targets.
        generator: Source of the random parts.
        parts: Number of parts K.
        clip: As in `counts_to_targets.target`.
        expected: As in `counts_to_targets.target`.

    Raises:
        Unusable: A thinned map has no usable target.
    """
    rows, columns = np.triu_indices(len(counts))
    remaining = np.asarray(counts)[rows, columns].astype(np.int64)
    whole = remaining.copy()
    # Less reads make balanced frequencies smaller; the weights correct this.
    raised = weights * np.sqrt(parts / (parts - 1))
    targets, masks = [], []
    for part in range(parts):
        removed = generator.binomial(remaining, 1 / (parts - part))
        remaining -= removed
        thinned = np.zeros(counts.shape, np.int64)
        thinned[rows, columns] = thinned[columns, rows] = whole - removed
        target = counts_to_targets.target(thinned, raised, transform, clip=clip, expected=expected)
        targets.append(target.values)
        masks.append(target.mask)
    squares = np.var(targets, axis=0) * (parts - 1)
    return np.where(np.all(masks, axis=0), squares, np.nan)
