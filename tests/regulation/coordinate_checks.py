"""Checks of coordinates against their numeric derivatives."""

import numpy as np
import tensorflow as tf


def assert_slopes_of_the_conversion(coordinates, thetas, atol):
    """The slopes and the Jacobian agree with small steps of theta."""
    step = 1e-6
    for theta in thetas:
        slopes = coordinates.slopes(theta)
        numeric = [
            (
                coordinates.straighten(theta + step * unit)
                - coordinates.straighten(theta - step * unit)
            )
            / (2 * step)
            for unit in np.eye(len(theta))
        ]
        np.testing.assert_allclose(slopes, np.transpose(numeric), rtol=1e-5, atol=atol)
        _, log_jacobian = coordinates.theta(tf.constant(coordinates.straighten(theta)[None]))
        np.testing.assert_allclose(log_jacobian[0], -np.linalg.slogdet(slopes)[1], atol=1e-8)
