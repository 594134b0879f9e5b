"""From a spec to a Keras graph, as in the figure: sequence, augmentation, trunk, heads."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.blocks import registry
from akita_bayes.layers import activation, augmentation, noise
from akita_bayes.models import zoo
from akita_bayes.models.recalibration import Recalibration
from akita_bayes.specs.spec import BlockSpec, ElboSpec, HeadSpec, ModelSpec, Spec


@keras.saving.register_keras_serializable("akita_bayes")
class Network(keras.Model):
    """A network that carries its spec. [B, L, 4] -> [B, P, T] or [B, N, T], or a dict of heads.

    A `.keras` file holds the spec, not the layers' configurations: loading builds the graph anew.

    Attributes:
        swag_draws: Finished draws of all weights, where the run that it was loaded from has them.
            [S, W].
        recalibrations: Head -> factors on its standard deviations, where that run has them.

    Args:
        spec: What to build, all heads of it.
        precision: Keras dtype policy; None takes the spec's, or the global one when that is
            float32.
    """

    def __init__(self, spec: Spec, *, precision: str | None = None, **kwargs: Any):
        with _policy(precision, spec.train.precision) as policy:
            sequence = keras.Input((spec.model.seq_length, 4), name="sequence")
            x, turned = _augment(sequence, spec.model)
            x = _trunk(x, spec.model)
            heads = {head.name: _head(x, turned, spec, head) for head in spec.model.heads}
        outputs = heads if len(heads) > 1 else heads[spec.head_names[0]]
        super().__init__(inputs=sequence, outputs=outputs, **kwargs)
        self.spec = spec
        self.precision = policy
        self.swag_draws: NDArray[np.float32] | None = None
        self.recalibrations: dict[str, Recalibration] = {}

    def get_config(self) -> dict[str, Any]:
        """The spec in its JSON schema, and how it was built."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "spec": self.spec.to_json(),
            "precision": self.precision,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Network":
        """Builds the network of `get_config` anew."""
        return cls(**{**config, "spec": zoo.parse_spec(config["spec"])})


def build(spec: Spec, *, head: str | int | None = None) -> Network:
    """Builds the network of a spec, with random weights.

    Args:
        spec: As `load_spec` reads it.
        head: One head, by name or number; None for all.

    Returns:
        A `keras.Model` from one-hot sequences [B, L, 4] to predictions [B, P, T] of maps or
        [B, N, T] of tracks; with several heads and none chosen, to a dict of them by name.

    Raises:
        SpecError: There is no such head, or a block cannot stand where it does.
    """
    if not isinstance(spec, Spec):
        raise errors.SpecError(f"build: expected the spec of a network, got {type(spec).__name__}.")
    return Network(spec if head is None else spec.only(head))


def trunk(model: Network) -> keras.Model:
    """The part of a network that its heads share, with the same weights."""
    return keras.Model(model.input, model.get_layer("trunk").output, name="trunk")


def one_head(model: Network, head: str) -> keras.Model:
    """The part of a network that leads to one head, with the same weights."""
    outputs = model.output
    return keras.Model(model.input, outputs[head]) if isinstance(outputs, dict) else model


def _augment(x: Any, model: ModelSpec) -> tuple[Any, Any]:
    """The strand is drawn before the shift, and told to the heads. None: always forward."""
    turned, per_example = None, model.augment_per_example
    if model.augment_rc:
        x, turned = augmentation.StochasticReverseComplement(per_example=per_example)(x)
    if model.augment_shift:
        x = augmentation.StochasticShift(model.augment_shift, per_example=per_example)(x)
    return x, turned


def _trunk(x: Any, model: ModelSpec) -> Any:
    x = _apply(x, model.trunk, "model.trunk")
    try:
        function = activation.named(model.activation) or keras.activations.linear
    except ValueError as error:
        raise errors.SpecError(f"model.activation: {error}") from None
    return keras.layers.Activation(function, name="trunk")(x)


def _head(x: Any, turned: Any, spec: Spec, head: HeadSpec) -> Any:
    model, offset = spec.model, spec.model.geometry(head).diagonal_offset
    x = _apply(x, head.blocks, f"model.{head.key}")
    if keras.config.dtype_policy().compute_dtype != "float32":
        x = keras.layers.Activation("linear", dtype="float32")(x)
    if spec.train.elbo is not None:
        x = _observed(x, spec.train.elbo, offset, head)
    if turned is None:
        return x
    if offset is not None:
        return augmentation.SwitchReverseTriu(offset, dtype="float32")([x, turned])
    pairs = model.strand_pair[model.heads.index(head)] if model.strand_pair else ()
    return augmentation.SwitchReverse(pairs or None, dtype="float32")([x, turned])


def _observed(x: Any, elbo: ElboSpec, offset: int | None, head: HeadSpec) -> Any:
    """The mean of a Gaussian likelihood; the layer keeps the learned noise around it."""
    if elbo.observation_noise == "target_distance" and offset is None:
        raise errors.SpecError(
            f'train.elbo.observation_noise: "target_distance" needs a map, but model.{head.key} '
            'does not end in upper_tri; use "target".'
        )
    return noise.ObservationNoise(
        elbo.observation_noise,
        elbo.initial_noise,
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
    """Builds under a dtype policy; the default float32 leaves the global one as it is."""
    before = keras.config.dtype_policy()
    try:
        if precision is not None or default != "float32":
            keras.config.set_dtype_policy(precision or default)
        yield keras.config.dtype_policy().name
    finally:
        keras.config.set_dtype_policy(before)
