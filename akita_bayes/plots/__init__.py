"""Figures, drawn from results and never from models."""
