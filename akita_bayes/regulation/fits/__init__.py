"""Fits of mechanisms, what they identify, and how informative they are."""
