"""Variant scores and what they look like by chance."""
