"""Records where results come from: versions, seeds, digests of inputs, command line, and threads.

`origin` returns what decides the numbers of a result. Files with a header hold it, as `provenance`.
It is the same for a command and for the call of the library that writes the same files. `record`
adds the command line and the threads, which may differ between files with equal bytes. The
directory of the results holds it, as `provenance.json`. Neither holds a time.
"""

import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from akita_bayes import files
from akita_bayes.origins import stack

FILE = "provenance.json"
KEY = "provenance"
"""Name of the attribute, of the JSON entry, and of the end of the VCF header line."""

_EDGE = 1 << 16
_DATA = ("statistics.json", "targets.txt", "sequences.bed")
_RECORDS = "*.tfr"
_OF_MODELS = (
    *("params.json", "model_best.keras", "swag.npz", "recalibration.json"),
    *("saved_model.pb", "variables/*"),
)
"""Files that decide the predictions of a run directory or of a SavedModel."""

_ENVIRONMENT = (
    *("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
    "TF_ENABLE_ONEDNN_OPTS",
)

_command: tuple[str, ...] | None = None


def origin(
    *,
    seeds: Mapping[str, int] | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Returns the part of a record that decides the numbers of a result.

    Args:
        seeds: Name of what is random -> seed.
        inputs: Name of an input -> its path, several paths, or an entry `{"name", "sha256"}`. None
            stands for an input that was not given.
    """
    versions = stack.versions()
    return {
        "akita_bayes": versions["akita_bayes"],
        "versions": versions,
        "seeds": dict(seeds or {}),
        "inputs": {
            name: _described(value)
            for name, value in (inputs or {}).items()
            if value is not None and value != ()
        },
    }


def record(
    *,
    seeds: Mapping[str, int] | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Returns `origin` with the command line and the threads.

    The command is None when a program calls the library.
    """
    command = None if _command is None else list(_command)
    return {**origin(seeds=seeds, inputs=inputs), "command": command, "threads": threads()}


def write(folder: str | Path, content: Mapping[str, Any]) -> None:
    """Writes a record as `provenance.json`, in place of an earlier one."""
    files.write_json(Path(folder) / FILE, content)


def text(content: Mapping[str, Any]) -> str:
    """Returns an origin as one line, for the attribute of an HDF5 file and the header of a VCF."""
    return json.dumps(content, sort_keys=True)


@contextlib.contextmanager
def command(words: Sequence[str]) -> Iterator[None]:
    """Records a command line during its body.

    Args:
        words: Name of the command and its arguments. Absolute paths are reduced to their last part,
            since the folders of a user's machine are private and lead nowhere on another one.
    """
    global _command  # A process runs one command.
    before = _command
    _command = tuple(map(_without_folders, words))
    try:
        yield
    finally:
        _command = before


def threads() -> dict[str, Any]:
    """Returns the processors that this process may use, and settings that limit its threads."""
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        processors = os.cpu_count() or 1
    limits = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return {"processors": processors, **limits}


def digest(path: str | Path) -> str | None:
    """Computes the SHA-256 of an input; None for a pipe, whose content is gone.

    For a file it is that of its bytes. A data directory has that of `data_digest`. For a run
    directory or a SavedModel it covers the files that decide predictions, and for any other
    directory all files that lie directly in it.
    """
    path = Path(path)
    if path.is_dir():
        if (path / _DATA[0]).is_file():
            return data_digest(path)
        members = [file for pattern in _OF_MODELS for file in sorted(path.glob(pattern))]
        if not any(file.name != _OF_MODELS[0] for file in members):
            members = sorted(path.iterdir())
        lines = (
            f"{file.relative_to(path).as_posix()} {digest(file)}\n"
            for file in members
            if file.is_file() and not file.name.startswith(".") and file.name != FILE
        )
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    if not path.is_file():
        return None
    status = path.stat()
    return _file_digest(str(path.resolve()), status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _file_digest(path: str, size: int, modified: int) -> str:
    """Digests a file once in a process; its size and time detect a change."""
    return files.digest(path)


def data_digest(data_dir: str | Path) -> str:
    """Computes a SHA-256 that identifies a data directory without reading all of it.

    It covers `statistics.json`, `targets.txt`, `sequences.bed`, and the name, the size and the
    first and last 64 KiB of every record file; a ZLIB file ends with a checksum of its content.
    """
    data_dir = Path(data_dir)
    total = hashlib.sha256()
    for name in _DATA:
        path = data_dir / name
        total.update(name.encode() + (path.read_bytes() if path.is_file() else b""))
    for path in sorted((data_dir / "tfrecords").glob(_RECORDS)):
        size = path.stat().st_size
        total.update(f"{path.name}:{size}".encode())
        with open(path, "rb") as handle:
            total.update(handle.read(_EDGE))
            handle.seek(max(0, size - _EDGE))
            total.update(handle.read())
    return total.hexdigest()


def _described(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, str | os.PathLike):
        return {"name": Path(value).resolve().name, "sha256": digest(os.fspath(value))}
    return [_described(item) for item in _flat(value)]


def _flat(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def _without_folders(word: str) -> str:
    """Returns a word with every absolute path in it reduced to its last part.

    `--fasta=/home/me/hg38.fa` becomes `--fasta=hg38.fa`, and `/a/run_1,/a/run_2` `run_1,run_2`.
    """
    option, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    parts = (os.path.basename(p.rstrip("/")) if os.path.isabs(p) else p for p in value.split(","))
    return option + equals + ",".join(parts)
