"""`provenance.json`: with what, from what and on what a run was made."""

import datetime
import hashlib
import importlib.metadata
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import akita_bayes
from akita_bayes import files
from akita_bayes.data.preparation import targets
from akita_bayes.data.records import statistics, tfrecord

FILE = "provenance.json"

_PACKAGES = ("tensorflow", "keras", "tensorflow-probability", "numpy")
_EDGE = 1 << 16


def data_digest(data_dir: str | Path) -> str:
    """A SHA-256 that tells one data directory from another without reading all of it.

    Takes in `statistics.json`, `targets.txt`, `sequences.bed`, and of every record file its name,
    its size and its first and last 64 KiB; a ZLIB file ends with a checksum of its whole content.
    """
    data_dir = Path(data_dir)
    digest = hashlib.sha256()
    for name in (statistics.FILE_NAME, "targets.txt", "sequences.bed"):
        path = data_dir / name
        digest.update(name.encode() + (path.read_bytes() if path.is_file() else b""))
    for path in sorted((data_dir / "tfrecords").glob(f"*{tfrecord.SUFFIX}")):
        size = path.stat().st_size
        digest.update(f"{path.name}:{size}".encode())
        with open(path, "rb") as handle:
            digest.update(handle.read(_EDGE))
            handle.seek(max(0, size - _EDGE))
            digest.update(handle.read())
    return digest.hexdigest()


def first_weights(path: str | Path | None, *, trunk: bool) -> dict[str, Any] | None:
    """What tells the file of weights that a run starts from; None for weights drawn at random."""
    if path is None:
        return None
    path = Path(path)
    sha256 = files.digest(path) if path.is_file() else None
    return {"path": str(path.resolve()), "sha256": sha256, "trunk": trunk}


def record(
    data_dirs: Mapping[str, Path],
    splits: Mapping[str, Sequence[str]],
    seed: int,
    device: str,
    weights: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The content of `provenance.json`.

    Args:
        data_dirs: Head -> data directory, in the order of heads.
        splits: The splits of each that are learnt from, `train`, and judged by, `valid`.
        seed: Of the run.
        device: Where it ran.
        weights: Those that it starts from, as `first_weights` tells them.
    """
    return {
        "akita_bayes": akita_bayes.__version__,
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in _PACKAGES},
        },
        "seed": seed,
        "device": device,
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}",
        "data": [
            {
                "head": head,
                "path": str(path.resolve()),
                "sha256": data_digest(path),
                **_targets(path),
            }
            for head, path in data_dirs.items()
        ],
        "weights": weights,
        "splits": {name: list(members) for name, members in splits.items()},
        "command": sys.argv,
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _targets(data_dir: Path) -> dict[str, Any]:
    """Identifier and description of every target, where the data have a table of them."""
    path = data_dir / targets.FILE_NAME
    if not path.is_file():
        return {}
    return {"targets": [[label.identifier, label.description] for label in targets.labels(path)]}
