"""Records software, data, initial weights and machine of a run in `provenance.json`."""

import datetime
import hashlib
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from akita_bayes import files, stack
from akita_bayes.data.preparation import targets
from akita_bayes.data.records import statistics, tfrecord

FILE = "provenance.json"

_PACKAGES = ("tensorflow", "keras", "tensorflow-probability", "numpy")
_EDGE = 1 << 16


def data_digest(data_dir: str | Path) -> str:
    """Computes a SHA-256 that identifies a data directory without reading all of it.

    It covers `statistics.json`, `targets.txt`, `sequences.bed`, and the name, the size and the
    first and last 64 KiB of every record file; a ZLIB file ends with a checksum of its content.
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
    """Describes the file of the initial weights of a run; None for weights drawn at random."""
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
    """Returns the content of `provenance.json`.

    Args:
        data_dirs: Head -> data directory, in the order of heads.
        splits: Splits for training, `train`, and for validation, `valid`.
        seed: Seed of the run.
        device: Devices of the run.
        weights: Initial weights, as `first_weights` describes them.
    """
    versions = stack.versions(_PACKAGES)
    return {
        "akita_bayes": versions.pop("akita_bayes"),
        "versions": versions,
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
        "splits": {purpose: list(names) for purpose, names in splits.items()},
        "command": sys.argv,
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _targets(data_dir: Path) -> dict[str, Any]:
    """Returns identifier and description of every target, if the data have a table of targets."""
    path = data_dir / targets.FILE_NAME
    if not path.is_file():
        return {}
    return {"targets": [[label.identifier, label.description] for label in targets.labels(path)]}
