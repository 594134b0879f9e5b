"""Writes what a command writes with one call: tables and figures of a result."""
