"""Posteriors of mechanisms: modes, chains, evidence, convergence."""
