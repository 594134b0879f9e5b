"""Trains one small model with every random and every batch-wide layer; run by test_replicas.

Logical devices can only be made before TensorFlow starts, hence a process of its own.
"""

import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from akita_bayes.blocks import registry
from akita_bayes.layers import augmentation, stochastic

MAKE = {name: word.function for name, word in registry.words().items()}


def build() -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input((32, 4))
    x, turned = augmentation.StochasticReverseComplement(per_example=True, seed=1)(x)
    x = augmentation.StochasticShift(3, per_example=True, seed=2)(x)
    x = MAKE["conv_block"](x, filters=8, kernel_size=3, pool_size=2, norm_type="batch")
    x = MAKE["transformer_encoder"](x, heads=2, dense_width=16, repeat=1, dropout=0.0)
    x = MAKE["bottleneck"](x, units=6)
    x = MAKE["normal_latent"](x, units=4)
    x = MAKE["one_to_two"](x)
    x = MAKE["conv_block_2d"](x, filters=4, kernel_size=3, norm_type="batch")
    x = MAKE["squeeze_excite"](x, norm_type="batch", bottleneck_ratio=2)
    x = MAKE["upper_tri"](x)
    x = MAKE["final"](x, units=2, variational=True)
    model = keras.Model(inputs, augmentation.SwitchReverseTriu(2)([x, turned]))
    for layer in model.layers:
        if hasattr(layer, "seed_generator"):
            layer.seed_generator.state.assign([7, 0])
    return model


def train(strategy: tf.distribute.Strategy) -> tuple[np.ndarray, list[bool]]:
    with strategy.scope():
        model = build()
        optimizer = keras.optimizers.SGD(1e-3)
        optimizer.build(model.trainable_variables)
    rng = np.random.default_rng(0)
    x = np.eye(4, dtype="float32")[rng.integers(0, 4, (4, 32))]
    y = rng.normal(size=(4, *model.output_shape[1:])).astype("float32")

    def on_replica(x, y):
        context = tf.distribute.get_replica_context()
        with tf.GradientTape() as tape:
            with stochastic.collecting() as divergences:
                prediction = model(x, training=True)
            latent, weights = divergences
            likelihood = -tf.reduce_sum((y - prediction) ** 2, [1, 2])
            kl = tf.reduce_sum(latent.kl, [1, 2]) + weights.kl / 10
            loss = tf.reduce_mean(kl - likelihood)
        gradients = tape.gradient(loss, model.trainable_variables)
        gradients = [context.all_reduce("MEAN", gradient) for gradient in gradients]
        # The optimizer sums over replicas once more.
        share = context.num_replicas_in_sync
        pairs = zip(gradients, model.trainable_variables, strict=True)
        optimizer.apply_gradients([(gradient / share, variable) for gradient, variable in pairs])

    step = tf.function(lambda x, y: strategy.run(on_replica, (x, y)), autograph=False)
    batches = tf.data.Dataset.from_tensor_slices((x, y)).repeat(3).batch(4)
    for batch in strategy.experimental_distribute_dataset(batches):
        step(*batch)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    weights = np.concatenate([weight.numpy().ravel() for weight in model.weights])
    return weights, [norm.synchronized for norm in norms]


def main(out: str) -> int:
    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        processor, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    untrained = np.concatenate([weight.numpy().ravel() for weight in build().weights])
    single, alone = train(tf.distribute.OneDeviceStrategy("/cpu:0"))
    mirrored, together = train(tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"]))
    summary = {
        "apart": float(np.abs(single - mirrored).max()),
        "moved": float(np.abs(single - untrained).max()),
        "synchronized": [alone, together],
    }
    Path(out).write_text(json.dumps(summary), encoding="utf-8")
    return 0
