"""Scores that compare the structure of two maps: patches, strata and the leading eigenvector.

Maps, masks and shapes are those of `pixels`.
"""

import itertools

import numpy as np
from scipy import ndimage

from akita_bayes.variants.scores import pixels
from akita_bayes.variants.scores.pixels import Map, Mask, Values

PATCH = 7  # bins, the window of Wang et al. 2004 for images of this size


def ssim(ref: Map, alt: Map, mask: Mask) -> Values:
    """Computes 1 - structural similarity (Wang et al. 2004), mean over compared pixels. [T].

    (2 ma mb + c1) (2 sab + c2) / ((ma^2 + mb^2 + c1) (sa^2 + sb^2 + c2)) in 7 x 7 patches,
    c1 = (0.01 R)^2, c2 = (0.03 R)^2, where R is the range of the compared pixels of both maps
    together. Pixels that cannot be compared count as 0 in both maps.
    """
    upper = np.triu(mask)
    if not upper.any():
        return np.full(ref.shape[-1], np.nan)
    return np.array([_ssim(ref[..., t], alt[..., t], mask, upper) for t in range(ref.shape[-1])])


def _ssim(ref: Map, alt: Map, mask: Mask, upper: Mask) -> float:
    """Computes 1 - structural similarity of one target, over the pixels of `upper`."""
    a, b = (np.where(mask, contacts.astype(np.float64), 0) for contacts in (ref, alt))
    all_pixels = np.concatenate([a[mask], b[mask]])
    data_range = np.ptp(all_pixels)
    if data_range == 0:
        return 0.0
    sample = PATCH**2 / (PATCH**2 - 1)  # unbiased covariance
    mean_a, mean_b = _patch_mean(a), _patch_mean(b)
    var_a = sample * (_patch_mean(a * a) - mean_a * mean_a)
    var_b = sample * (_patch_mean(b * b) - mean_b * mean_b)
    cov = sample * (_patch_mean(a * b) - mean_a * mean_b)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a * mean_a + mean_b * mean_b + c1)
    contrast = (2 * cov + c2) / (var_a + var_b + c2)
    return float(np.mean(1 - (luminance * contrast)[upper]))


def _patch_mean(values: Values) -> Values:
    return ndimage.uniform_filter(values, PATCH)


def scc(ref: Map, alt: Map, mask: Mask) -> Values:
    """Computes 1 - stratum-adjusted correlation: 1 - sum_d n_d r_d / sum_d n_d. [T].

    r_d is the Pearson correlation of the n_d compared pixels at distance d (HiCRep, Yang et al.
    2017, whose rank-variance weights are proportional to n_d when there are no ties). Distances
    with fewer than three pixels are left out.
    """
    rows, columns = np.nonzero(np.triu(mask))
    order = np.argsort(columns - rows, kind="stable")
    distance = (columns - rows)[order]
    a, b = (contacts[rows, columns][order].astype(np.float64) for contacts in (ref, alt))
    # Starts of runs of one distance, and the end: 0 3 5 for distances 1 1 1 2 2.
    edges = np.flatnonzero(np.diff(distance, prepend=-1, append=-1))
    total, weight = np.zeros(ref.shape[-1]), np.intp(0)
    for start, end in itertools.pairwise(edges):
        if end - start >= 3:
            total += (end - start) * pixels.uncorrelation(a[start:end], b[start:end])
            weight += end - start
    return total / weight if weight else np.full(ref.shape[-1], np.nan)


def eigenvector(ref: Map, alt: Map, mask: Mask) -> Values:
    """Computes the distance |v_B - s v_A| of the leading eigenvectors, s the nearer sign. [T].

    v is the unit eigenvector of the largest |eigenvalue| of a map, with 0 for pixels that cannot be
    compared. The distance is between 0 and sqrt(2).
    """
    if not mask.any():
        return np.full(ref.shape[-1], np.nan)
    distances = []
    for target in range(ref.shape[-1]):
        a, b = (_leading(np.where(mask, contacts[..., target], 0)) for contacts in (ref, alt))
        sign = -1.0 if a @ b < 0 else 1.0
        distances.append(np.linalg.norm(b - sign * a))
    return np.array(distances)


def _leading(matrix: Values) -> Values:
    values, vectors = np.linalg.eigh(matrix.astype(np.float64))
    return vectors[:, np.abs(values).argmax()]
