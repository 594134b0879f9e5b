"""Keras layers: one idea, one class each."""

from typing import Any

Shape = tuple[Any, ...]
"""Sizes of all axes as Keras gives them: numbers, and None for a size that is not known yet."""

LONG_TRACK = 10_000
"""Positions from which on a track is trained with faster kernels, which sum in another order.

Shorter tracks gain little. They keep the order of sums of Keras 2, with which Akita was trained.
"""
