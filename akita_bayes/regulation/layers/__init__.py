"""Keras layers of biophysics and of measurement."""
