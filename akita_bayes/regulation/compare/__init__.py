"""Mechanisms compared on one assay, and experiments planned."""
