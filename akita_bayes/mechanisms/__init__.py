"""Regulatory mechanisms as JSON declares them: terms, states, rates, spanning trees."""
