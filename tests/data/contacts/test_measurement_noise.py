"""Noise of a target from replicates or from parts of one map, beside many repeats of a truth."""

import numpy as np
import pytest

from akita_bayes.data.contacts import counts_to_targets, measurement_noise

BINS = 32
TRANSFORM = counts_to_targets.Transform(
    seq_length=BINS * 10, pool_width=10, crop=20, diagonal_offset=2, as_obsexp=True
)
WEIGHTS = np.where(np.arange(BINS) == 9, np.nan, 1.0)
DISTANCE = np.abs(np.subtract.outer(np.arange(BINS), np.arange(BINS)))


def expected(depth):
    """Contacts that fall with distance, with a domain; sparse far from the diagonal. [N, N]."""
    domain = (np.arange(BINS) // 8)[:, None] == np.arange(BINS) // 8
    return depth / (1 + DISTANCE) * np.where(domain, 2.0, 1.0)


def counts(mean, generator, dispersion=0.0):
    """Counts of one experiment; with dispersion, its own rate in every pixel. [N, N]."""
    if dispersion:
        mean = mean * generator.gamma(1 / dispersion, dispersion, mean.shape)
    upper = np.triu(generator.poisson(np.triu(mean)))
    return upper + np.triu(upper, 1).T


def target(values):
    return counts_to_targets.target(values, WEIGHTS, TRANSFORM, clip=2.0)


def true_variance(depth, dispersion=0.0, repeats=300):
    """The variance of targets over many pooled pairs of experiments, averaged over pixels."""
    generator = np.random.default_rng(0)
    mean = expected(depth / 2)
    targets = [
        target(counts(mean, generator, dispersion) + counts(mean, generator, dispersion))
        for _ in range(repeats)
    ]
    return np.var([single.values for single in targets], axis=0)[targets[0].mask].mean()


def estimates(depth, dispersion=0.0, repeats=40):
    generator = np.random.default_rng(1)
    mean, results = expected(depth / 2), []
    for _ in range(repeats):
        pair = [counts(mean, generator, dispersion) for _ in range(2)]
        results.append(
            (
                measurement_noise.of_replicates([target(single).values for single in pair]),
                measurement_noise.of_counts(
                    sum(pair), WEIGHTS, TRANSFORM, generator, parts=2, clip=2.0
                ),
                measurement_noise.of_counts(sum(pair), WEIGHTS, TRANSFORM, generator, clip=2.0),
                measurement_noise.of_replicate_counts(
                    pair, WEIGHTS, TRANSFORM, generator, clip=2.0
                ),
            )
        )
    mask = target(sum(pair)).mask
    return np.nanmean(np.array(results)[..., mask], axis=(0, 2))


def test_every_estimate_is_right_for_deep_maps():
    truth = true_variance(2000)
    np.testing.assert_allclose(estimates(2000), truth, rtol=0.06)


def test_parts_keep_the_depth_of_a_sparse_map_and_halves_do_not():
    """Halves of sparse counts are averaged over more pixels, so they differ too little."""
    truth = true_variance(60)
    replicates, halves, parts, both = estimates(60)
    assert max(replicates, halves) < 0.85 * truth
    np.testing.assert_allclose([parts, both], truth, rtol=0.12)


def test_only_replicates_show_what_differs_between_experiments():
    truth = true_variance(2000, dispersion=0.05)
    replicates, halves, parts, both = estimates(2000, dispersion=0.05)
    assert max(halves, parts) < 0.6 * truth
    np.testing.assert_allclose([replicates, both], truth, rtol=0.1)


def test_replicates_of_unequal_depth_are_weighted():
    generator = np.random.default_rng(2)
    noise = generator.normal(size=(2, 200_000))
    # The pooled value of shares 0.8 and 0.2 has variance 1, so the replicates have 1/0.8 and 1/0.2.
    replicates = noise / np.sqrt([[0.8], [0.2]])
    squares = measurement_noise.of_replicates(replicates, (4, 1))
    assert squares.mean() == pytest.approx(1, rel=0.02)
    three = measurement_noise.of_replicates(generator.normal(0, np.sqrt(3), (3, 100_000)))
    assert three.mean() == pytest.approx(1, rel=0.02)


def test_frequencies_are_compared_at_one_depth():
    """Without a division by the expected, thinned maps have smaller values, not more noise."""
    transform = counts_to_targets.Transform(
        seq_length=BINS * 10, pool_width=10, crop=20, diagonal_offset=2
    )
    generator = np.random.default_rng(3)
    mean = expected(1e6)
    deep = counts(mean, generator)
    squares = measurement_noise.of_counts(deep, WEIGHTS * 1e-3, transform, generator)
    level = counts_to_targets.target(deep, WEIGHTS * 1e-3, transform).values
    assert np.nanmean(squares) < 1e-4 * np.mean(level**2)
