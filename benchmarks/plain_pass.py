"""The plain pass of Keras, with which the passes of this package are compared."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def compiled(model: Any) -> Callable[[NDArray], NDArray[np.float32]]:
    """Returns the layers of a Keras model as one compiled function, without the inference pass.

    Args:
        model: A network with one head.

    Returns:
        A function of one-hot sequences, [B, L, 4] -> [B, P, T].
    """
    import tensorflow as tf

    layers = tf.function(lambda sequence: model(sequence, training=False))
    return lambda x: np.array(layers(tf.cast(x, tf.float32)))
