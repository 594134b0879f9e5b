"""Scores whole variant files into directories, by one process, by shards or by workers."""
