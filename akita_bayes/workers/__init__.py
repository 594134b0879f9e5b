"""Computes parts of a task in worker processes, on this machine or through a Dask scheduler."""

from akita_bayes.workers.cluster import HERE, Cluster, map_parts

__all__ = ["HERE", "Cluster", "map_parts"]
