"""Plots mechanisms and their fits."""
