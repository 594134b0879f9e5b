"""Computes statistics of maps: moments, local features, and a test of stated deviations."""
