"""Reads from `options.json` which inputs a data directory was made from."""

from pathlib import Path
from typing import NamedTuple

from akita_bayes import errors, files
from akita_bayes.data import assembly, genome
from akita_bayes.data.contacts import counts_to_targets
from akita_bayes.data.preparation import targets, window_blocks

FILE_NAME = "options.json"


class Recorded(NamedTuple):
    """Holds the inputs of a data directory.

    Attributes:
        fasta: File of the genome.
        sources: All other inputs.
    """

    fasta: str
    sources: window_blocks.Sources


def read(data_dir: str | Path) -> Recorded | None:
    """Reads the inputs of a data directory; None when it does not record them.

    Raises:
        DataError: `options.json` does not name the inputs, or the genome is missing.
    """
    path = Path(data_dir) / FILE_NAME
    if not path.exists():
        return None
    options = files.read_json(path)
    fields = targets.TargetFile._fields
    try:
        transform = counts_to_targets.Transform(**options["transform"])
        target_files = [
            targets.TargetFile(**{name: target[name] for name in fields if name in target})
            for target in options["targets"]
        ]
        target_files = [
            target._replace(replicates=tuple(target.replicates)) for target in target_files
        ]
        fasta, blacklist = options["fasta"]["path"], options["blacklist"]
        # Directories of older versions have no circular chromosomes and no table of names.
        circular = tuple(options.get("circular", ()))
        table = tuple((name, own) for name, own in options.get("chromosomes", ()))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise errors.DataError(
            f"{path}: does not name the sources of the directory as akita_data.py "
            "writes them; move the file away to check the records alone."
        ) from None
    with genome.Genome(fasta, circular=circular) as opened:
        described = assembly.of(opened.sizes, circular=circular, table=table)
    return Recorded(
        fasta, window_blocks.Sources(described, tuple(target_files), transform, blacklist)
    )
