"""Edits of a genome and what they do to its map."""
