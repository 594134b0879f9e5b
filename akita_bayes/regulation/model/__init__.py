"""A mechanism as a function of its parameters: network, likelihood, curvature, gauge."""
