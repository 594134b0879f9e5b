"""Accuracy and calibration."""
