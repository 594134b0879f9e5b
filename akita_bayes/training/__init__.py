"""One training step for one device or many."""
