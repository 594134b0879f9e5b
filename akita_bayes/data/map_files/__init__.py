"""Predicted maps as files of the field: coolers, tracks, boundaries, dots, and a view of them."""
