"""The type of the shape of a tensor."""

from typing import Any

Shape = tuple[Any, ...]
"""Sizes of all axes as Keras gives them: numbers, and None for a size that is not known yet."""
