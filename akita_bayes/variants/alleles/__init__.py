"""Variant records, the alleles that they describe, and how their windows align."""
