"""Fits intervals of predictions to held-out windows, and judges their calibration."""
