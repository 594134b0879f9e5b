"""Layers of files of weights, which are paired with the layers of a model by order."""
