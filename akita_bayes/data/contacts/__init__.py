"""Reads contact counts of coolers, and computes training targets from them."""
