"""Compares mechanisms on one assay, and plans experiments."""
