"""A dense layer with a distribution over its weights (Blundell et al. 2015, "Bayes by Backprop").

    ELBO per example = E_q(w) log p(y | x, w) - KL(q(w) || p(w)) / (training examples)

One call draws one set of weights, for the whole batch.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from akita_bayes.layers import Shape, stochastic
from akita_bayes.layers import activation as activations
from akita_bayes.layers import distributions as tfd

MakeDistribution = Callable[[int, int, Any], Callable[[Any], Any]]
"""(kernel size, bias size, dtype) -> function from the layer's input to a distribution over the
flattened kernel and bias; a Keras layer when it has variables. As in `tfp.layers`."""

_MIN_SCALE = 1e-6


@keras.saving.register_keras_serializable("akita_bayes")
class MeanField:
    """Makes q(w): independent normals with a trained mean and scale per weight.

    Args:
        initial_scale: Initial scale of every weight.
    """

    def __init__(self, initial_scale: float = 0.02):
        self.initial_scale = initial_scale

    def __call__(self, kernel_size: int, bias_size: int, dtype: Any) -> "IndependentNormal":
        """Makes the layer that holds the means and scales."""
        return IndependentNormal(kernel_size, bias_size, self.initial_scale, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {"initial_scale": self.initial_scale}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MeanField":
        """Makes the object from the arguments that `get_config` returned."""
        return cls(**config)


@keras.saving.register_keras_serializable("akita_bayes")
class NormalPrior:
    """Makes p(w): independent normals with the same mean and scale for every weight.

    Args:
        mean: Mean of every weight.
        scale: Standard deviation of every weight.
    """

    def __init__(self, mean: float = 0.0, scale: float = 1.0):
        self.mean = mean
        self.scale = scale

    def __call__(self, kernel_size: int, bias_size: int, dtype: Any) -> Callable[[Any], Any]:
        """Makes a function of the layer's input, which it ignores."""
        shape = (kernel_size + bias_size,)

        # Tensors must be created in `prior`: created here, they would belong to the graph that
        # built the layer.
        def prior(x: Any) -> Any:
            mean, scale = ops.full(shape, self.mean, dtype), ops.full(shape, self.scale, dtype)
            return tfd.Independent(tfd.Normal(mean, scale), 1)

        return prior

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "NormalPrior":
        """Makes the object from the arguments that `get_config` returned."""
        return cls(**config)


@keras.saving.register_keras_serializable("akita_bayes")
class IndependentNormal(keras.layers.Layer):
    """Holds a normal for every weight, with trained mean and scale; ignores its input.

    Means start as LeCun-normal kernels and zero biases.

    Args:
        kernel_size: Number of weights of the kernel.
        bias_size: Number of weights of the bias; 0 without a bias.
        initial_scale: Initial scale of every weight.
    """

    def __init__(
        self, kernel_size: int, bias_size: int, initial_scale: float = 0.02, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.bias_size = bias_size
        self.initial_scale = initial_scale

    def build(self, input_shape: Shape) -> None:
        size, channels = self.kernel_size + self.bias_size, input_shape[-1]

        def means(shape: Shape, dtype: Any = None) -> Any:
            kernel = keras.initializers.RandomNormal(stddev=channels**-0.5)
            return ops.concatenate(
                [kernel((self.kernel_size,), dtype), ops.zeros((self.bias_size,), dtype)]
            )

        self.mean = self.add_weight(name="mean", shape=(size,), initializer=means)
        # softplus(log(expm1(s))) = s: the scale starts at `initial_scale`.
        self.raw_scale = self.add_weight(
            name="raw_scale",
            shape=(size,),
            initializer=keras.initializers.Constant(math.log(math.expm1(self.initial_scale))),
        )

    def call(self, x: Any) -> "tfd.Distribution":
        scale = ops.softplus(self.raw_scale) + _MIN_SCALE
        return tfd.Independent(tfd.Normal(ops.convert_to_tensor(self.mean), scale), 1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (self.kernel_size + self.bias_size,)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "bias_size": self.bias_size,
            "initial_scale": self.initial_scale,
        }


@keras.saving.register_keras_serializable("akita_bayes")
class DenseVariational(keras.layers.Layer):
    """Applies dense weights w ~ q(w) in training or when drawing, the mean of q otherwise.

    [B, ..., C] -> [B, ..., units]. `stochastic` explains how to draw, and how to read the
    divergence. Outside a collector, training adds kl_weight times the divergence to `losses`.
    Weights are drawn in float32 under any policy.

    Args:
        units: Width of the output.
        make_posterior: Factory of q(w); None takes MeanField().
        make_prior: Factory of p(w); None takes NormalPrior().
        kl_weight: 1 / (training examples); None leaves it to the objective, and is 1 in `losses`.
        kl_use_exact: True for the closed form of the divergence, False for its value at the drawn
            weights.
        activation: Name of the activation of the output.
        use_bias: True to add a bias.
        seed: Seed of the generator; None draws a seed.
    """

    def __init__(
        self,
        units: int,
        make_posterior: MakeDistribution | None = None,
        make_prior: MakeDistribution | None = None,
        *,
        kl_weight: float | None = None,
        kl_use_exact: bool = True,
        activation: str | None = None,
        use_bias: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.make_posterior = make_posterior or MeanField()
        self.make_prior = make_prior or NormalPrior()
        self.kl_weight = kl_weight
        self.kl_use_exact = kl_use_exact
        self.activation = activation
        self.use_bias = use_bias
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Shape) -> None:
        tfd.check_installed()
        sizes = input_shape[-1] * self.units, self.units if self.use_bias else 0
        self.posterior = self.make_posterior(*sizes, self.variable_dtype)
        self.prior = self.make_prior(*sizes, self.variable_dtype)
        for distribution in (self.posterior, self.prior):
            if isinstance(distribution, keras.layers.Layer):
                distribution.build(input_shape)

    def call(self, x: Any, training: bool | None = None) -> Any:
        posterior, prior = self.posterior(x), self.prior(x)
        weights = posterior.mean()
        if stochastic.samples(training):
            weights = posterior.sample(seed=stochastic.key(self.seed_generator))
        if stochastic.reports(training):
            log_ratio = prior.log_prob(weights) - posterior.log_prob(weights)
            kl = tfd.kl_divergence(posterior, prior) if self.kl_use_exact else -log_ratio
            report = stochastic.Divergence(self.name, kl, log_ratio, self.kl_weight)
            stochastic.report(self, report)
        channels = x.shape[-1]
        weights = ops.cast(weights, self.compute_dtype)
        # The flat weights hold the kernel, row by row, and then the bias.
        y = ops.matmul(x, ops.reshape(weights[: channels * self.units], (channels, self.units)))
        if self.use_bias:
            y = y + weights[channels * self.units :]
        function = activations.named(self.activation)
        return y if function is None else function(y)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return *input_shape[:-1], self.units

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "make_posterior": keras.saving.serialize_keras_object(self.make_posterior),
            "make_prior": keras.saving.serialize_keras_object(self.make_prior),
            "kl_weight": self.kl_weight,
            "kl_use_exact": self.kl_use_exact,
            "activation": self.activation,
            "use_bias": self.use_bias,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "DenseVariational":
        """Rebuilds the layer with its two factories."""
        makers = ("make_posterior", "make_prior")
        built = {name: keras.saving.deserialize_keras_object(config[name]) for name in makers}
        return cls(**{**config, **built})
