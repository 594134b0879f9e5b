"""Predicts edited sequences by recomputing only the parts that an edit changes."""
