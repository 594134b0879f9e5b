"""Computes parts of a task in worker processes, on this machine or through a Dask scheduler."""

from akita_bayes.workers.cluster import HERE, Cluster, Setup, Workers, map_parts, opened

__all__ = ["HERE", "Cluster", "Setup", "Workers", "map_parts", "opened"]
