"""Saturation mutagenesis: every base of a region, and its files."""
