"""Optimizers, learning rates, clipping, averaging and loss scaling."""
