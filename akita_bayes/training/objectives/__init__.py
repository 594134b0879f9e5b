"""Computes losses, the evidence lower bound, and the metrics of a training."""
