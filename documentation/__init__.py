"""Writes the pages of docs/ that follow from the code, and builds the site."""
