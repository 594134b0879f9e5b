"""Describes and simulates what an experiment adds to contacts: biases, fields and counting noise."""
