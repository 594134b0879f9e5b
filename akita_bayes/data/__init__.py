"""Reads and writes data: records, datasets, genomes, coolers and tables of targets."""

import importlib
from typing import Any

_PUBLIC = {
    "open_split": "akita_bayes.data.records.dataset",
    "Split": "akita_bayes.data.records.dataset",
    "Statistics": "akita_bayes.data.records.statistics",
    "Record": "akita_bayes.data.records.tfrecord",
    "read_records": "akita_bayes.data.records.tfrecord",
    "write_records": "akita_bayes.data.records.tfrecord",
    "Genome": "akita_bayes.data.genome",
}

__all__ = [*_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'akita_bayes.data' has no attribute {name!r}")
