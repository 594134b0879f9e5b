"""Builds networks from specs, loads trained ones, and predicts with them."""
