"""Limits for numbers that depend on the rounding of the processor.

They were measured with oneDNN on and off and with 1 and 2 threads (`make rounding`).
"""

import numpy as np

LOSS = 1e-5
"""Relative limit of a training loss; the largest difference was 2e-6."""

AFTER_STEP = 2e-4
"""Limit of predictions after one training step, in their standard deviations; seen: 5e-5."""


def check_gradient_norms(norms, expected):
    """Compares norms of gradients, each relative to its own size.

    A ReLU unit whose input lies within rounding of zero opens on one processor and stays closed on
    another: that changed a norm by at most 4e-4 of itself. The norm of a bias before a batch
    normalisation is zero but for rounding, which gave at most 4e-6 of the largest norm.
    """
    np.testing.assert_allclose(norms, expected, rtol=1e-3, atol=1e-5 * np.max(expected))


def check_other_order(predictions, expected):
    """Compares predictions of small networks that were summed in another order, in float32.

    `predict` folds normalisations into convolutions, and a SavedModel or a layer does not. The
    largest difference was 4 units in the last place of the largest value; the limit is 8.
    """
    limit = 8 * np.spacing(np.float32(np.abs(expected).max()))
    np.testing.assert_allclose(predictions, expected, rtol=0, atol=limit)


INFERENCE = 1e-4
"""Limit between `predict` and the layers of a trained network, in the predictions' standard
deviations (docs/architecture.md); seen: 1.3e-5 for Akita v1, 3e-5 for the network of the demo."""
