"""Simulates what an experiment adds to contacts: coverage, fields of bias, counting noise."""
