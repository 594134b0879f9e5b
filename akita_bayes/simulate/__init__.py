"""Ground truth that needs no download."""
