"""A posterior whose density a test states, in place of a likelihood of data."""

import tensorflow as tf

from akita_bayes.regulation.model import likelihood as likelihoods


class KnownDensity:
    """Has the methods of a likelihood that the sampler uses.

    A subclass has `parameters`, and `log_density(theta)`, [S, D] -> [S], or both posteriors.
    """

    rows = 1
    compiles = True
    nearly_gaussian = False
    target_acceptance = 0.9

    def centre_at(self, theta):
        pass

    def chain_density(self, chain):
        return self.log_posterior_unknown_scale

    def log_posterior_fixed_scale(self, theta, weight=None):
        return self.log_density(theta)

    def log_posterior_unknown_scale(self, theta):
        return self.log_density(theta)

    def value_and_gradient(self, theta):
        theta = tf.constant(theta)
        with tf.GradientTape() as tape:
            tape.watch(theta)
            value = self.log_posterior_fixed_scale(theta)
        return likelihoods.ValueAndGradient(value.numpy(), tape.gradient(value, theta).numpy())
