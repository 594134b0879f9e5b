"""Updates weights: optimizers, learning rates, clipping, averaging and loss scaling."""
