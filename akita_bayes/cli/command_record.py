"""Writes the `provenance.json` of a command from its parsed options."""

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from akita_bayes.origins import provenance

INPUTS = {
    "params": "spec",
    "model": "weights",
    "run": "weights",
    "ensemble": "ensemble",
    "fasta": "genome",
    "data_dir": "data",
    "data": "data",
    "fit": "fit",
    "measured": "measured",
    "differences": "other_data",
    "sequences": "sequences",
    "targets": "targets",
    "targets_file": "targets",
    "variants": "variants",
    "regions": "regions",
    "windows": "windows",
    "blacklist": "blacklist",
    "gaps": "gaps",
    "limit": "limit",
    "umap": "unmappable",
    "umap_midpoints": "unmappable_midpoints",
    "chromosomes": "chromosomes",
    "genes": "genes",
    "roi": "regions_of_interest",
    "intervals": "intervals",
    "expected": "expected",
    "vcf": "phased_variants",
    "restore": "first_weights",
}
"""Options that name files or directories, and the names of these inputs in a record."""


def write(
    options: argparse.Namespace, folder: str | os.PathLike[str], maps: Sequence[str] = ()
) -> None:
    """Writes `provenance.json` into a folder that exists; nothing for a folder that does not.

    Args:
        options: Parsed options of a command.
        folder: Folder of its results.
        maps: Coolers and `.hic` files that a table in the options names.
    """
    if not Path(folder).is_dir():
        return
    inputs: dict[str, Any] = {}
    for option, name in INPUTS.items():
        paths = list(_paths(getattr(options, option, None)))
        if paths:
            inputs[name] = paths[0] if len(paths) == 1 else paths
    if maps:
        from akita_bayes.data.contacts import contact_file

        inputs["maps"] = list(dict.fromkeys(contact_file.path_of(uri) for uri in maps))
    seed = getattr(options, "seed", None)
    seeds = {} if seed is None else {"seed": seed}
    provenance.write(Path(folder), provenance.record(seeds=seeds, inputs=inputs))


def _paths(value: Any) -> Iterator[str]:
    """Yields the paths that the value of an option names; variants and regions may be text."""
    if isinstance(value, str) and os.path.exists(value):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _paths(item)
