"""Training of models: from a spec and data directories to a run directory."""
