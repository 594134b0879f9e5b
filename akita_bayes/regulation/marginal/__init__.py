"""Likelihoods whose curves of p(bin | t) are integrated out."""
