"""The words of a spec: functions from tensor to tensor."""

from akita_bayes.blocks import conv, dense, pairwise, registry

__all__ = ["conv", "dense", "pairwise", "registry"]
