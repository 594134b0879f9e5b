"""Figures of mechanisms and of their fits."""
