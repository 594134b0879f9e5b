r"""Computes the loss of a student, which learns mean and standard deviation of its teachers.

For pixels i with mean mu_i and standard deviation sigma_i over the teachers, and m_i, s_i of the
student,

    loss = mean_i (m_i - mu_i)^2 + spread_weight * mean_i (s_i - sigma_i)^2.

Both errors are squared errors, as in DEGU (Zhou et al. 2024), and not the divergence between two
normal distributions: that one divides the error of the mean by s_i^2, so that a student would learn
the mean of the pixels best on which its teachers agree.
"""

from collections.abc import Mapping

import keras
from keras import ops

from akita_bayes import errors
from akita_bayes.layers import augmentation, noise
from akita_bayes.specs import train_spec
from akita_bayes.training.objectives import losses
from akita_bayes.training.objectives import objective as objective_


def stated(model: keras.Model) -> keras.Model:
    """Returns the network of a student with mean and standard deviation as its two outputs.

    [B, L, 4] -> [B, P, T] twice, both in the forward direction of the window.

    Raises:
        SpecError: The network does not have exactly one normal output.
    """
    outputs = [layer for layer in model.layers if isinstance(layer, noise.NormalOutput)]
    if len(outputs) != 1:
        raise errors.SpecError(
            f'train.loss: "distillation" needs one normal_final; this model has {len(outputs)}.'
        )
    _, sd = outputs[0].input
    last = model.output._keras_history.operation
    if isinstance(last, augmentation.SwitchReverse | augmentation.SwitchReverseTriu):
        _, turned = last.input
        sd = last([sd, turned])
    return keras.Model(model.input, [model.output, sd])


class Distillation:
    """Computes the loss of a student as an objective; the model is that of `stated`.

    Args:
        options: Options of the spec.
    """

    def __init__(self, options: train_spec.DistillationSpec) -> None:
        self.options = options

    def __call__(
        self, model: keras.Model, batch: objective_.Batch, training: bool
    ) -> objective_.Terms:
        """Computes the loss of a batch in float32."""
        mean, sd = (
            ops.cast(output, "float32") for output in model(batch["sequence"], training=training)
        )
        spread_error = losses.mse(batch["spread"], sd, batch["mask"])
        loss = losses.mse(batch["target"], mean, batch["mask"])
        loss = loss + self.options.spread_weight * spread_error
        columns = {"spread_mse": spread_error}
        return objective_.Terms(loss, objective_.penalty(model), columns, mean)

    def begin_epoch(self, epoch: float) -> None:
        """Keeps the loss as it is."""

    def remark(self, row: Mapping[str, float]) -> str | None:
        """Returns None."""
