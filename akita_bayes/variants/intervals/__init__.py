"""Intervals of variant scores, fitted to variants whose effect is known."""
