r"""Computes the negative evidence lower bound, with both terms on one scale.

For an example with measured pixels i, observation noise s_i and latents z ~ q(z | x),

    log p(y | z) = - sum_i [ (y_i - f_i(z))^2 / (2 s_i^2) + log s_i + log(2 pi) / 2 ]
    loss = ( - E_q[log p(y | z)] + beta KL(q || p) ) / (P T)

The denominator counts all P T pixels of a map, measured or not, so that the mean over examples is
the bound of the data, up to a constant factor. beta grows linearly to `kl_weight` over
`kl_warmup` epochs. With free bits, each latent channel's divergence, summed over its positions,
counts as at least `free_bits` per position (Kingma et al. 2016). K > 1 samples of latents give the
importance-weighted bound (Burda, Grosse & Salakhutdinov 2016)

    loss = - log( 1/K sum_k exp( log p(y | z_k) + beta (log p(z_k) - log q(z_k | x)) ) ) / (P T).

Both terms are reported in nats per example, and `bound`, their difference without beta and without
free bits. Evaluation takes means over the same draws in every epoch, and not the mean of q: a
decoder that was trained with noise predicts another, worse map without it.

The divergence of weights is divided by the number N of examples of the heads that use them. All
heads use the weights of the trunk, so an epoch of several heads counts their divergence once.

`reduction: "paper"` is the objective of Attention to Bayes with the sign of its KL corrected: the
*mean* squared error plus beta times the *sum* of the divergence; docs/errata.md explains why it
collapses.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import keras
from keras import ops

from akita_bayes import errors
from akita_bayes.layers import noise, stochastic, variational
from akita_bayes.models.passes import cut
from akita_bayes.specs import train_spec
from akita_bayes.training.objectives import losses
from akita_bayes.training.objectives import objective as objective_

Tensor: TypeAlias = Any

ACTIVE = 0.01
"""Nats per position above which a latent channel counts as active."""

EVALUATION_SEED, EVALUATION_DRAWS = 0, 4
"""Draws in evaluation: the losses of two epochs differ by their weights alone."""

COLLAPSED = 0.5
"""Mean number of active channels below which a posterior counts as collapsed."""


def observation_noise(model: keras.Model) -> noise.ObservationNoise:
    """Returns the layer that holds a model's observation noise.

    Raises:
        SpecError: The model does not have exactly one.
    """
    layers = [layer for layer in model.layers if isinstance(layer, noise.ObservationNoise)]
    if len(layers) != 1:
        raise errors.SpecError(
            f"train.loss: the elbo needs one observation noise; this model has {len(layers)}. "
            'Build it from a spec whose train.loss is "elbo".'
        )
    return layers[0]


def log_likelihood(target: Tensor, prediction: Tensor, sd: Tensor, mask: Tensor) -> Tensor:
    """Sums the Gaussian log-likelihood over measured pixels, in nats. [B, P, T] -> [B]."""
    # `where` precedes the square, so that a bad value at a masked pixel reaches no gradient.
    residual = ops.where(mask, target - prediction, 0.0) / sd
    density = -(residual**2) / 2 - ops.log(sd) - math.log(2 * math.pi) / 2
    return ops.sum(ops.where(mask, density, 0.0), axis=tuple(range(1, len(target.shape))))


class Elbo:
    """Computes the bound as an objective.

    Args:
        model: Model with one output, an observation noise and posterior layers.
        elbo: Options of the spec.
        examples: Training examples N, by which the divergence of weights is divided.
        layer_examples: Layer -> N of its weights, for layers that several heads share.

    Raises:
        SpecError: The model lacks an observation noise, or draws weights while the options ask for
            the importance-weighted bound.
    """

    def __init__(
        self,
        model: keras.Model,
        elbo: train_spec.ElboSpec,
        examples: int,
        layer_examples: Mapping[str, int] | None = None,
    ) -> None:
        if elbo.samples > 1:
            _check_samples(model, elbo.samples)
        self.elbo = elbo
        self.examples = examples
        self.layer_examples = layer_examples or {}
        self.noise = observation_noise(model)
        self.cut = cut.before_posteriors(model)
        self._beta = keras.Variable(elbo.kl_weight, trainable=False, dtype="float32", name="beta")

    def begin_epoch(self, epoch: float) -> None:
        """Sets beta for an epoch counted from 0."""
        share = min(1.0, epoch / self.elbo.kl_warmup) if self.elbo.kl_warmup else 1.0
        self._beta.assign(self.elbo.kl_weight * share)

    def __call__(
        self, model: keras.Model, batch: objective_.Batch, training: bool
    ) -> objective_.Terms:
        """Computes the loss of a batch; evaluation uses means over draws and the final beta."""
        beta = ops.convert_to_tensor(self._beta) if training else self.elbo.kl_weight
        if training and self.elbo.samples > 1:
            return self._importance_weighted(batch, beta)
        with stochastic.collecting() as divergences:
            if training or self.cut is None:
                draws = [ops.cast(model(batch["sequence"], training=training), "float32")]
            else:
                draws = self._evaluation_draws(batch)
        prediction = sum(draws) / len(draws)
        likelihood = sum(self._likelihood(batch, draw) for draw in draws) / len(draws)
        # All draws have the same divergence, which is that of q.
        divergences = divergences[: len(divergences) // len(draws)]
        columns = self._columns(likelihood, divergences)
        if self.cut is not None:
            columns["bound"] = likelihood - columns["kl"]
        if self.elbo.reduction == "paper":
            error = losses.mse(batch["target"], prediction, batch["mask"])
            loss = error + beta * columns["kl"]
        else:
            bound = likelihood - beta * self._penalised(likelihood, divergences)
            loss = -bound / _pixels(prediction)
        return objective_.Terms(loss, objective_.penalty(model), columns, prediction)

    def _evaluation_draws(self, batch: objective_.Batch) -> list[Tensor]:
        """Returns the predictions of some draws. [B, P, T] each."""
        assert self.cut is not None
        encoded = self.cut.encoder(batch["sequence"], training=False)
        draws = []
        for draw in range(EVALUATION_DRAWS):
            with stochastic.drawing(EVALUATION_SEED, draw):
                prediction = self.cut.decoder(encoded, training=False)
            draws.append(ops.cast(prediction, "float32"))
        return draws

    def remark(self, row: Mapping[str, float]) -> str | None:
        """Returns a warning when an epoch's row of the history shows a collapsed posterior."""
        active = row.get("valid_active_units")
        if active is None or active >= COLLAPSED:
            return None
        return (
            f"the posterior has collapsed onto the prior: {active:.1f} latent units are active and "
            f"carry {row['valid_kl']:.3g} nats; the decoder sees no sequence. Lower kl_weight, "
            'lengthen kl_warmup, or use reduction "elbo".'
        )

    def _importance_weighted(self, batch: objective_.Batch, beta: Tensor) -> objective_.Terms:
        assert self.cut is not None
        encoded = self.cut.encoder(batch["sequence"], training=True)
        weights, bounds, predictions, columns = [], [], [], []
        for _ in range(self.elbo.samples):
            with stochastic.collecting() as divergences:
                prediction = ops.cast(self.cut.decoder(encoded, training=True), "float32")
            likelihood = self._likelihood(batch, prediction)
            ratio = sum(
                self._share(divergence) * divergence.log_ratio for divergence in divergences
            )
            weights.append(likelihood + beta * ratio)
            bounds.append(likelihood + ratio)
            predictions.append(prediction)
            columns.append(self._columns(likelihood, divergences))
        bound = _log_mean(weights)
        penalty = objective_.penalty(self.cut.encoder) + objective_.penalty(self.cut.decoder)
        means = {
            name: sum(sample[name] for sample in columns) / len(columns) for name in columns[0]
        }
        return objective_.Terms(
            -bound / _pixels(predictions[0]),
            penalty,
            {**means, "bound": _log_mean(bounds)},
            sum(predictions) / len(predictions),
        )

    def _likelihood(self, batch: objective_.Batch, prediction: Tensor) -> Tensor:
        return log_likelihood(batch["target"], prediction, self.noise.sd(), batch["mask"])

    def _columns(
        self, likelihood: Tensor, divergences: Sequence[stochastic.Divergence]
    ) -> dict[str, Tensor]:
        """Computes both terms of the bound in nats per example, and the active channels. [B]."""
        columns = {"log_likelihood": likelihood}
        if self.cut is None:
            return columns
        kl, active = ops.zeros_like(likelihood), ops.zeros_like(likelihood)
        for divergence in divergences:
            kl += self._share(divergence) * _over_dimensions(divergence.kl)
            if _is_latent(divergence):
                is_active = _per_channel(divergence.kl) > ACTIVE
                active += ops.sum(ops.cast(is_active, "float32"), axis=-1)
        columns["kl"] = kl
        if any(map(_is_latent, divergences)):
            columns["active_units"] = active
        return columns

    def _penalised(
        self, likelihood: Tensor, divergences: Sequence[stochastic.Divergence]
    ) -> Tensor:
        """Sums the divergences, of latents at least the free bits. [B]."""
        total = ops.zeros_like(likelihood)
        for divergence in divergences:
            if self.elbo.free_bits and _is_latent(divergence):
                positions = math.prod(divergence.kl.shape[1:-1])
                # Below the free bits the maximum is constant, so that its gradient is 0.
                nats = ops.maximum(_per_channel(divergence.kl), self.elbo.free_bits)
                total += positions * ops.sum(nats, axis=-1)
            else:
                total += self._share(divergence) * _over_dimensions(divergence.kl)
        return total

    def _share(self, divergence: stochastic.Divergence) -> float:
        if divergence.weight is not None:
            return divergence.weight
        return 1 / self.layer_examples.get(divergence.layer, self.examples)


def _check_samples(model: keras.Model, samples: int) -> None:
    """Refuses several samples for layers that draw weights.

    All examples share one draw of the weights, so the importance weight of a draw is a product over
    the whole data set. The average over the draws of one example, with 1/N of the divergence, is
    not a bound: it lay above the evidence of a linear model whose evidence is known.
    """
    drawing = variational.DenseVariational
    names = [layer.name for layer in model.layers if isinstance(layer, drawing)]
    if names:
        raise errors.SpecError(
            f"train.elbo.samples: is {samples}, but the layer {names[0]} draws weights, for which "
            "several samples give no bound; use samples 1, or a normal_latent in its place."
        )


def _is_latent(divergence: stochastic.Divergence) -> bool:
    """Returns True for the divergence of latents [B, ..., Z], False for that of weights []."""
    return len(divergence.kl.shape) > 1


def _log_mean(logs: Sequence[Tensor]) -> Tensor:
    """Computes log 1/K sum_k exp(w_k) without overflow: the w_k are thousands of nats. [B]."""
    return ops.logsumexp(ops.stack(logs), axis=0) - math.log(len(logs))


def _pixels(prediction: Tensor) -> int:
    """Returns the pixels of a map, all targets together. [B, P, T] -> P T."""
    return math.prod(prediction.shape[1:])


def _over_dimensions(kl: Tensor) -> Tensor:
    """Sums the divergence of latents, [B, ..., Z] -> [B]; returns that of weights, [], as it is."""
    return ops.sum(kl, axis=tuple(range(1, len(kl.shape)))) if len(kl.shape) else kl


def _per_channel(kl: Tensor) -> Tensor:
    """Averages the divergence of every channel over positions. [B, ..., Z] -> [B, Z]."""
    positions = tuple(range(1, len(kl.shape) - 1))
    return ops.mean(kl, axis=positions) if positions else kl
