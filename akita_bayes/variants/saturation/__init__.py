"""Saturation mutagenesis of every base of a region, and its files."""
