"""The `train` half of a spec: the settings of a fit. It extends Basenji's keys and defaults."""

from typing import Literal

import pydantic
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from akita_bayes.specs.frozen import Frozen
from akita_bayes.specs.seeds import SEEDS


class ElboSpec(Frozen):
    """Describes the negative evidence lower bound, `-E_q[log p(y | z)] + KL(q || p)`.

    Attributes:
        kl_weight: Factor of the KL term after the warm-up; 1 is the bound.
        kl_warmup: Epochs over which the factor grows linearly from 0.
        free_bits: KL in nats that each latent dimension may use without a penalty; only for the
            bound with one sample.
        samples: Draws of z per example; above 1 the importance-weighted bound is used. It exists
            for latents only, and is refused for models that draw weights.
        reduction: "elbo" sums both terms over pixels and latents and divides both by the number of
            pixels of a map, measured or not; "paper" adds a sum of KL to a mean squared error, as
            published.
        observation_noise: Quantities on which the learned noise of the Gaussian likelihood depends.
        initial_noise: Observation noise at the first step, in units of the target.
    """

    kl_weight: NonNegativeFloat = 1.0
    kl_warmup: NonNegativeFloat = 0.0
    free_bits: NonNegativeFloat = 0.0
    samples: PositiveInt = 1
    reduction: Literal["elbo", "paper"] = "elbo"
    observation_noise: Literal["target", "target_distance"] = "target"
    initial_noise: PositiveFloat = 1.0


class DistillationSpec(Frozen):
    """Describes how a student learns the predictions of its teachers.

    Attributes:
        spread_weight: Factor of the squared error of the standard deviation, beside that of the
            mean.
        observation_noise: Quantities on which the observation noise depends that the student takes
            over from its teachers; None for a student that states none.
    """

    spread_weight: NonNegativeFloat = 1.0
    observation_noise: Literal["target", "target_distance"] | None = None


class SwaSpec(Frozen):
    """Describes stochastic weight averaging over the last epochs of a training.

    Attributes:
        start: First averaged epoch, counted from 0; None is three quarters of `train_epochs_max`.
        annealing_epochs: Epochs of linear annealing from the schedule's rate to `learning_rate`.
        learning_rate: Constant rate during averaging; None keeps the schedule's rate.
        snapshots: Snapshots of the weights per epoch, equally spaced, the last at its end.
        swag_rank: Columns of the low-rank part of a SWAG posterior, which needs at least two
            snapshots; 0 computes the mean only.
        swag_draws: Draws of the SWAG posterior that are saved with the run.
    """

    start: NonNegativeInt | None = None
    annealing_epochs: NonNegativeInt = 5
    learning_rate: PositiveFloat | None = None
    snapshots: PositiveInt = 1
    swag_rank: NonNegativeInt = 0
    swag_draws: PositiveInt = 20


class TrainSpec(Frozen):
    """Describes how a model is fitted.

    Attributes:
        batch_size: Examples per step, over all devices together.
        accumulate: Parts into which each batch is divided; their gradients are added up, so that a
            step needs the memory of one part. Batch statistics are those of a part.
        recompute: True to compute each block of the network again in the backward pass, instead of
            storing its arrays: less memory, more time, the same gradients.
        shuffle_buffer: Records in the shuffling buffer.
        num_gpu: Number of devices.
        precision: Keras dtype policy.
        seed: Seed of initial weights, shuffling, augmentation and dropout; below 2^31.
        loss: Name of the objective.
        spec_weight: Weight of the specificity term of mse_udot and poisson_kl.
        total_weight: Weight of the total-count term of poisson_mn.
        elbo: Options of the loss "elbo"; None for every other loss.
        distillation: Options of the loss "distillation"; None for every other loss.
        optimizer: Update rule.
        learning_rate: Base rate of the constant, warm-up and staircase schedules.
        momentum: Momentum of SGD.
        adam_beta1: Decay of Adam's first moment.
        adam_beta2: Decay of Adam's second moment.
        weight_decay: Decoupled decay of AdamW; biases and scales do not decay.
        clip_norm: Largest gradient norm of each variable.
        global_clipnorm: Largest gradient norm of all variables together.
        agc_clip: Adaptive clipping: largest ratio of gradient to weight norm of a unit.
        trunk_rate: Factor of the learning rate, and of the weight decay, for the trunk; 0 freezes
            the trunk with its batch statistics.
        warmup_steps: Steps of linear warm-up from 0.
        initial_learning_rate: Start of the one-cycle schedule; needs the next three as well.
        maximal_learning_rate: Peak of the cycle, after `train_epochs_cycle1` epochs.
        final_learning_rate: Constant rate after the cycle.
        train_epochs_cycle1: Epochs from start to peak, and from peak back to the start.
        decay_steps: Steps per stair of the staircase schedule.
        decay_rate: Factor per stair.
        patience: Epochs without improvement before training stops.
        train_epochs_min: Fewest epochs of a training.
        train_epochs_max: Most epochs of a training.
        criterion: Criterion of the best model: the lowest validation loss, the highest mean
            Pearson r, or Basenji's r + R2/4.
        swa: Options of stochastic weight averaging; None for no averaging.
    """

    batch_size: PositiveInt = 2
    accumulate: PositiveInt = 1
    recompute: bool = False
    shuffle_buffer: PositiveInt = 128
    num_gpu: PositiveInt = 1
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    seed: int = pydantic.Field(0, ge=0, lt=SEEDS)

    loss: Literal[
        "mse", "poisson", "poisson_mn", "bce", "mse_udot", "poisson_kl", "elbo", "distillation"
    ] = "poisson"
    spec_weight: NonNegativeFloat = 1.0
    total_weight: NonNegativeFloat = 1.0
    elbo: ElboSpec | None = None
    distillation: DistillationSpec | None = None

    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    learning_rate: PositiveFloat = 0.01
    momentum: float = pydantic.Field(0.99, ge=0, lt=1)
    adam_beta1: float = pydantic.Field(0.9, ge=0, lt=1)
    adam_beta2: float = pydantic.Field(0.999, ge=0, lt=1)
    weight_decay: NonNegativeFloat = 0.0

    clip_norm: PositiveFloat | None = None
    global_clipnorm: PositiveFloat | None = None
    agc_clip: PositiveFloat | None = None

    trunk_rate: float = pydantic.Field(1.0, ge=0, le=1)
    warmup_steps: NonNegativeInt = 0
    initial_learning_rate: PositiveFloat | None = None
    maximal_learning_rate: PositiveFloat | None = None
    final_learning_rate: PositiveFloat | None = None
    train_epochs_cycle1: PositiveInt | None = None
    decay_steps: PositiveInt | None = None
    decay_rate: float | None = pydantic.Field(None, gt=0, le=1)

    patience: NonNegativeInt = 20
    train_epochs_min: NonNegativeInt = 1
    train_epochs_max: PositiveInt = 10_000
    criterion: Literal["loss", "r", "r + r2/4"] = "loss"
    swa: SwaSpec | None = None

    @pydantic.model_validator(mode="before")
    @classmethod
    def _defaults_of_loss(cls, values: object) -> object:
        if isinstance(values, dict) and (loss := values.get("loss")) in ("elbo", "distillation"):
            return {**values, loss: values.get(loss) or {}}
        return values

    @pydantic.model_validator(mode="after")
    def _agreement(self) -> "TrainSpec":
        for loss in ("elbo", "distillation"):
            if getattr(self, loss) is not None and self.loss != loss:
                raise ValueError(f'{loss} options are given, but the loss is "{self.loss}"')
        if self.distillation is not None and self.swa is not None and self.swa.swag_rank:
            raise ValueError(
                'swa.swag_rank and the loss "distillation" exclude each other: a student states '
                "the spread of its teachers; set swag_rank to 0"
            )
        if self.elbo is not None:
            _check_elbo(self.elbo)
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"accumulate {self.accumulate} does not divide batch_size {self.batch_size}"
            )
        if self.recompute and self.elbo is not None and self.elbo.samples > 1:
            raise ValueError("recompute and elbo.samples above 1 exclude each other; keep one")
        clips = [
            name
            for name in ("clip_norm", "global_clipnorm", "agc_clip")
            if getattr(self, name) is not None
        ]
        if len(clips) > 1:
            raise ValueError(f"{' and '.join(clips)} exclude each other; keep one")
        for keys in (
            (
                "initial_learning_rate",
                "maximal_learning_rate",
                "final_learning_rate",
                "train_epochs_cycle1",
            ),
            ("decay_steps", "decay_rate"),
        ):
            missing = [name for name in keys if getattr(self, name) is None]
            if 0 < len(missing) < len(keys):
                present = [name for name in keys if name not in missing]
                raise ValueError(f"{', '.join(present)} also needs {', '.join(missing)}")
        if self.train_epochs_cycle1 is not None and self.decay_steps is not None:
            raise ValueError("train_epochs_cycle1 and decay_steps are two schedules; keep one")
        if self.train_epochs_min > self.train_epochs_max:
            raise ValueError(
                f"train_epochs_min {self.train_epochs_min} is above "
                f"train_epochs_max {self.train_epochs_max}"
            )
        return self


def _check_elbo(elbo: ElboSpec) -> None:
    """Refuses options that another option makes ineffective."""
    if elbo.samples > 1 and elbo.free_bits:
        raise ValueError("elbo.free_bits and elbo.samples above 1 exclude each other; keep one")
    for option, is_set in (("samples above 1", elbo.samples > 1), ("free_bits", elbo.free_bits)):
        if elbo.reduction == "paper" and is_set:
            raise ValueError(
                f'elbo.reduction "paper" and elbo.{option} exclude each other; keep one'
            )
