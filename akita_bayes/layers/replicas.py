"""Which replica a layer runs on, for layers whose result must not depend on how many there are."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


def count() -> int:
    """Replicas that share a batch; 1 outside a distribution strategy."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def index() -> Any:
    """Number of this replica, an int or an int32 tensor; 0 outside a distribution strategy."""
    if count() == 1:
        return 0
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return 0 if context is None else context.replica_id_in_sync_group


def total(x: Any) -> Any:
    """The sum of every replica's x; x itself outside a distribution strategy."""
    if count() == 1:
        return x
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return x if context is None else context.all_reduce(tf.distribute.ReduceOp.SUM, x)


def share(draw: Callable[[Any], Any], x: Any) -> Any:
    """This replica's part of what is drawn at random for every example of the global batch.

    Replicas hold generators in the same state and batches of the same size; so two of them see
    together what one would.

    Args:
        draw: Number of examples -> [that many, ...].
        x: This replica's batch, [B, ...].
    """
    batch = ops.shape(x)[0]
    if count() == 1:
        return draw(batch)
    first = index() * batch
    return draw(count() * batch)[first : first + batch]
