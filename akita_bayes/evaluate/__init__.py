"""Measures accuracy and calibration of predictions."""
