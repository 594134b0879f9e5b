"""Clipping against norms taken by NumPy."""

import numpy as np
import pytest

from akita_bayes.specs import train_spec
from akita_bayes.training.updates import clipping

RANDOM = np.random.default_rng(0)
GRADIENTS = [
    RANDOM.normal(size=shape).astype(np.float32) * 3 for shape in ((5, 4, 6), (6,), (6, 2))
]
WEIGHTS = [RANDOM.normal(size=g.shape).astype(np.float32) for g in GRADIENTS]


def clip(**keys):
    return [
        np.array(g) for g in clipping.from_spec(train_spec.TrainSpec(**keys))(GRADIENTS, WEIGHTS)
    ]


def test_without_a_limit_gradients_stay():
    for clipped, expected in zip(clip(), GRADIENTS, strict=True):
        np.testing.assert_array_equal(clipped, expected)


def test_clip_norm_is_per_variable():
    norms = [np.linalg.norm(g) for g in GRADIENTS]
    limit = float(sorted(norms)[0] * 1.1)
    clipped = clip(clip_norm=limit)
    assert [np.linalg.norm(g) for g in clipped] == pytest.approx([min(n, limit) for n in norms])
    np.testing.assert_allclose(
        clipped[0] / np.linalg.norm(clipped[0]), GRADIENTS[0] / norms[0], rtol=1e-5
    )


@pytest.mark.parametrize("limit", [1.0, 1e6])
def test_global_clipnorm_keeps_the_direction_of_all_together(limit):
    whole = np.sqrt(sum((g**2).sum() for g in GRADIENTS))
    for clipped, gradient in zip(clip(global_clipnorm=limit), GRADIENTS, strict=True):
        np.testing.assert_allclose(clipped, gradient * min(1, limit / whole), rtol=1e-5)


def test_adaptive_limits_every_output_channel():
    clipped = clip(agc_clip=0.5)
    for new, gradient, weight in zip(clipped, GRADIENTS, WEIGHTS, strict=True):
        units = [...] if gradient.ndim == 1 else [(..., c) for c in range(gradient.shape[-1])]
        for unit in units:
            limit = 0.5 * max(np.linalg.norm(weight[unit]), 1e-3)
            norm = np.linalg.norm(gradient[unit])
            np.testing.assert_allclose(new[unit], gradient[unit] * min(1, limit / norm), rtol=1e-5)
