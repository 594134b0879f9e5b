"""Predictions that compute again only what an edit of the sequence changes."""
