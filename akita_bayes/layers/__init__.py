"""Keras layers: one idea, one class each."""
