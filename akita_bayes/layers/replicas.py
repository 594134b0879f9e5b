"""The replica on which a layer runs, for results that must not depend on the number of replicas."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


def count() -> int:
    """Returns the number of replicas that share a batch; 1 outside a distribution strategy."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def index() -> Any:
    """Returns the index of this replica, int or int32 tensor; 0 outside a distribution strategy."""
    if count() == 1:
        return 0
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return 0 if context is None else context.replica_id_in_sync_group


def total(x: Any) -> Any:
    """Sums x over all replicas; returns x outside a distribution strategy."""
    if count() == 1:
        return x
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return x if context is None else context.all_reduce(tf.distribute.ReduceOp.SUM, x)


def share(draw: Callable[[Any], Any], x: Any) -> Any:
    """Draws random values for the global batch and returns this replica's part of them.

    All replicas have generators in the same state and batches of the same size. Two replicas
    together therefore get the values that one would get.

    Args:
        draw: Function from the number of examples to values [examples, ...].
        x: This replica's batch. [B, ...].
    """
    batch = ops.shape(x)[0]
    if count() == 1:
        return draw(batch)
    # 2 replicas of 3 examples draw 6 values each: the first uses 0..2, the second 3..5.
    first = index() * batch
    return draw(count() * batch)[first : first + batch]
