"""Builds the Keras graph of a spec: sequence, augmentation, trunk, heads, as in the figure."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.blocks import registry
from akita_bayes.layers import activation, augmentation, noise
from akita_bayes.models import fingerprint, zoo
from akita_bayes.models.intervals import novelty
from akita_bayes.models.recalibration import Recalibration
from akita_bayes.origins.training_regions import TrainingRegions
from akita_bayes.specs.spec import BlockSpec, HeadSpec, ModelSpec, Spec, TrainSpec


@keras.saving.register_keras_serializable("akita_bayes")
class Network(keras.Model):
    """Holds a network and its spec. [B, L, 4] -> [B, P, T] or [B, N, T], or a dict of heads.

    A `.keras` file holds the spec, not the configurations of the layers; loading builds the graph
    again.

    Attributes:
        swag_draws: Draws of all weights, or None when the run directory holds none. [S, W].
        training_regions: Head -> regions from which it learned; empty where they are not recorded.
        recalibrations: Head -> factors on its standard deviations; empty when the run directory
            holds none.
        novelty: Statistics of its training windows, or None when the run directory holds none.

    Args:
        spec: Spec of the network; all its heads are built.
        precision: Keras dtype policy. None takes the policy of the spec; a spec with float32 takes
            the global policy.
    """

    def __init__(self, spec: Spec, *, precision: str | None = None, **kwargs: Any):
        with _policy(precision, spec.train.precision) as policy:
            sequence = keras.Input((spec.model.seq_length, 4), name="sequence")
            x, reverse = _augment(sequence, spec.model)
            x = _trunk(x, spec.model)
            heads = {head.name: _head(x, reverse, spec, head) for head in spec.model.heads}
        outputs = heads if len(heads) > 1 else heads[spec.head_names[0]]
        super().__init__(inputs=sequence, outputs=outputs, **kwargs)
        self.spec = spec
        self.precision = policy
        self.swag_draws: NDArray[np.float32] | None = None
        self.training_regions: Mapping[str, TrainingRegions] = {}
        self.recalibrations: dict[str, Recalibration] = {}
        self.novelty: novelty.Statistics | None = None

    @property
    def members(self) -> "tuple[Network, ...]":
        """Returns this network, its own only member."""
        return (self,)

    def digest_parts(self) -> Iterator[bytes]:
        """Yields the bytes of every weight, and of the SWAG draws."""
        yield from fingerprint.weight_parts(self)
        if self.swag_draws is not None:
            yield self.swag_draws.tobytes()

    def __dir__(self) -> list[str]:
        # Keras loads the weights of all models in the attributes that `dir` lists, again and again
        # for a model that lists itself.
        return [name for name in super().__dir__() if name != "members"]

    def get_config(self) -> dict[str, Any]:
        """Returns the spec in its JSON schema, the precision and the Keras attributes."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "spec": self.spec.to_json(),
            "precision": self.precision,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Network":
        """Builds the network that `get_config` describes."""
        return cls(**{**config, "spec": zoo.parse_spec(config["spec"])})


def build(spec: Spec, *, head: str | int | None = None) -> Network:
    """Builds the network of a spec, with random weights.

    Args:
        spec: As `load_spec` reads it.
        head: One head, by name or number; None builds all heads.

    Returns:
        A `keras.Model` from one-hot sequences [B, L, 4] to predictions [B, P, T] of maps or
        [B, N, T] of tracks. With several heads and no `head`, it returns a dict by name.

    Raises:
        SpecError: The spec has no such head, or a block does not fit its place.
    """
    if not isinstance(spec, Spec):
        raise errors.SpecError(f"build: expected the spec of a network, got {type(spec).__name__}.")
    return Network(spec if head is None else spec.only(head))


def trunk(model: Network) -> keras.Model:
    """Returns the part of a network that its heads share, with the same weights. -> [B, N, C]."""
    return keras.Model(model.input, model.get_layer("trunk").output, name="trunk")


def one_head(model: Network, head: str) -> keras.Model:
    """Returns the part of a network that leads to one head, with the same weights."""
    outputs = model.output
    return keras.Model(model.input, outputs[head]) if isinstance(outputs, dict) else model


def _augment(x: Any, model: ModelSpec) -> tuple[Any, Any]:
    """Draws the strand, then the shift; returns the sequence and the strand.

    The strand is None without reverse complements: the sequence is always forward.
    """
    reverse, per_example = None, model.augment_per_example
    if model.augment_rc:
        x, reverse = augmentation.StochasticReverseComplement(per_example=per_example)(x)
    if model.augment_shift:
        x = augmentation.StochasticShift(model.augment_shift, per_example=per_example)(x)
    return x, reverse


def _trunk(x: Any, model: ModelSpec) -> Any:
    x = _apply(x, model.trunk, "model.trunk")
    try:
        function = activation.named(model.activation) or keras.activations.linear
    except ValueError as error:
        raise errors.SpecError(f"model.activation: {error}") from None
    return keras.layers.Activation(function, name="trunk")(x)


def _head(x: Any, reverse: Any, spec: Spec, head: HeadSpec) -> Any:
    model, offset = spec.model, spec.model.geometry(head).diagonal_offset
    x = _apply(x, head.blocks, f"model.{head.key}")
    if keras.config.dtype_policy().compute_dtype != "float32":
        # Losses and metrics compute in float32, whatever the precision of the network.
        x = keras.layers.Activation("linear", dtype="float32")(x)
    x = _observation_noise(x, spec.train, offset, head)
    if reverse is None:
        return x
    if offset is not None:
        return augmentation.SwitchReverseTriu(offset, dtype="float32")([x, reverse])
    pairs = model.strand_pair[model.heads.index(head)] if model.strand_pair else ()
    return augmentation.SwitchReverse(pairs or None, dtype="float32")([x, reverse])


def _observation_noise(x: Any, train: TrainSpec, offset: int | None, head: HeadSpec) -> Any:
    """Adds the layer that holds the noise around the mean, if the loss has one; -> the mean."""
    section = "elbo" if train.elbo is not None else "distillation"
    per = getattr(getattr(train, section), "observation_noise", None)
    if per is None:
        return x
    if per == "target_distance" and offset is None:
        raise errors.SpecError(
            f'train.{section}.observation_noise: "target_distance" needs a map, but '
            f'model.{head.key} does not end in upper_tri; use "target".'
        )
    return noise.ObservationNoise(
        per,
        1.0 if train.elbo is None else train.elbo.initial_noise,
        offset,
        name=f"observation_noise_{head.name}",
        dtype="float32",
    )(x)


def _apply(x: Any, blocks: Sequence[BlockSpec], path: str) -> Any:
    for index, block in enumerate(blocks):
        try:
            x = registry.words()[block.name].function(x, **block.arguments)
        except errors.AkitaBayesError:
            raise
        except ValueError as error:
            raise errors.SpecError(f"{path}[{index}]: {block.name}: {error}") from error
    return x


@contextlib.contextmanager
def _policy(precision: str | None, default: str) -> Iterator[str]:
    """Sets a dtype policy for the body; a default of float32 leaves the global policy."""
    global_policy = keras.config.dtype_policy()
    try:
        if precision is not None or default != "float32":
            keras.config.set_dtype_policy(precision or default)
        yield keras.config.dtype_policy().name
    finally:
        keras.config.set_dtype_policy(global_policy)
