"""Plots results; no plot needs a model."""
