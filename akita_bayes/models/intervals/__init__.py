"""Describes intervals of predictions, apart from their files."""
