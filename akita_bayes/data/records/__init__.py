"""Reads and writes training records on disk."""
