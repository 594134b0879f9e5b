"""Judges SavedModels without running them."""
