"""Writes files atomically, reads JSON and text, and guards output directories."""

from akita_bayes.files.reading import digest, is_gzip, json_path, lines, read_json
from akita_bayes.files.replacement import atomic, remove, scratch, write_json

__all__ = [
    "atomic",
    "digest",
    "is_gzip",
    "json_path",
    "lines",
    "read_json",
    "remove",
    "scratch",
    "write_json",
]
