"""Trains models: reads a spec and data directories, and writes a run directory."""
