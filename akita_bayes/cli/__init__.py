"""Holds one module for each command: a parser and one library call."""
