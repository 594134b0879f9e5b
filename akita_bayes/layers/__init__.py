"""Keras layers: one idea, one class each."""

from typing import Any

Shape = tuple[Any, ...]
"""Sizes of all axes as Keras gives them: numbers, and None for a size that is not known yet."""
