"""Guards output directories: one writer at a time, results of one kind and of one set of inputs.

A writer enters `claim`, which refuses the directory or locks it. Entering also removes temporary
files whose writer has ended.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from akita_bayes import errors
from akita_bayes.files import directory_lock, processes, reading, replacement

INPUTS = "inputs.json"
PARTS = "parts"
"""Folder of the parts of results that are finished."""

LOCK = directory_lock.NAME
TURN = "turn"
"""Share of a directory that its writers hold one after another."""

_ADVICE = "choose another -o or remove it"
_SHOWN = 60  # most characters of a value in a message


class Kind(NamedTuple):
    """Describes what a directory can hold.

    Attributes:
        content: Its name in messages: "DIR: holds {content}".
        marks: Files by which a directory of this kind is recognised. Without any, the directory is
            never refused for what it holds.
    """

    content: str
    marks: tuple[str, ...] = ()


KINDS = {
    "run": Kind("a model", ("model_best.keras", "checkpoint")),
    "saved_model": Kind("an exported model", ("saved_model.pb",)),
    "simulation": Kind("a simulation", ("simulation.json",)),
    "data": Kind("training data", ("statistics.json", "tfrecords", "options.json")),
    "scores": Kind("scores", ("scd.h5", "scores.tsv")),
    "scan": Kind("scans", ("sat.h5",)),
    "fit": Kind("a fit", ("theta.tsv",)),
    "posterior": Kind("a posterior", ("posterior.json",)),
    "sequence_predictions": Kind("predictions of sequences", ("predictions.tsv",)),
    "assay": Kind("a simulated assay", ("truth.json",)),
    "demo": Kind("a demo", ("data/simulation.json",)),
    "report": Kind("results"),
}
"""Kinds of directories, in the order in which they are recognised."""

Content = Literal["any", "own", "new"]


class Claim(NamedTuple):
    """Holds what a writer knows of its directory.

    Attributes:
        path: The directory, which exists.
        notes: Notes of the first writer of these results; those of this writer if it is the first.
    """

    path: Path
    notes: Mapping[str, Any]


@contextlib.contextmanager
def claim(
    path: str | Path,
    *,
    kind: str,
    identity: Mapping[str, Any] | None = None,
    notes: Mapping[str, Any] | None = None,
    content: Content = "any",
    share: str = "",
    advice: str = _ADVICE,
) -> Iterator[Claim]:
    """Locks an output directory while its body writes results.

    Creates the directory; removes it again when the body leaves it empty.

    Args:
        path: The directory.
        kind: One of KINDS.
        identity: Inputs and options of the results, as JSON values; None when a run replaces all
            results of the last, or checks them itself. `inputs.json` records them.
        notes: JSON values that the first writer records in `inputs.json` for the others.
        content: "any" for a directory with other files too, "own" for one that is empty or holds
            results of this kind, "new" for an empty one.
        share: Name of this writer among several that write to the directory at once; "" for one
            that writes alone.
        advice: What a message tells the user to do about other inputs.

    Raises:
        RunError: Another process writes to the directory, it holds results of another kind or of
            other inputs, or it cannot be written.
    """
    path = Path(path)
    check(path, kind=kind, content=content, advice=advice)
    with _created(path), contextlib.ExitStack() as stack:
        stack.callback(directory_lock.release, directory_lock.take(path, share))
        # Another writer may have finished between the first check and the lock.
        check(path, kind=kind, content=content, advice=advice)
        _remove_orphans(path)
        if identity is not None:
            notes = record(path, kind, identity, notes or {}, advice)
        try:
            yield Claim(path, notes or {})
        finally:
            _remove_orphans(path)  # of worker processes that were killed


def check(path: str | Path, *, kind: str, content: Content = "any", advice: str = _ADVICE) -> None:
    """Refuses a directory by what it holds, without a lock; the arguments are those of `claim`.

    Raises:
        RunError: The directory holds another kind of results, or is not empty.
    """
    path = Path(path)
    content_kind = recognised(path, kind)
    if content_kind is not None and content_kind != kind:
        raise errors.RunError(f"{path}: holds {KINDS[content_kind].content}; choose another -o.")
    occupied = path.is_dir() and not _is_empty(path)
    if occupied and content == "new":
        raise errors.RunError(f"{path}: not empty; {advice}.")
    if occupied and content == "own" and content_kind is None:
        name = KINDS[kind].content
        raise errors.RunError(f"{path}: not empty, and does not hold {name}; choose another -o.")


def recognised(path: Path, kind: str) -> str | None:
    """Returns the kind of a directory's results; None when it holds none, or is absent.

    Args:
        path: The directory.
        kind: Kind that is preferred when the files of a directory fit to several.
    """
    document = _document(path / INPUTS)
    if document is not None:
        return str(document.get("kind", "scores"))
    for name in dict.fromkeys((kind, *KINDS)):
        if any((path / mark).exists() for mark in KINDS[name].marks):
            return name
    return None


def check_inputs(
    path: str | Path,
    kind: str,
    identity: Mapping[str, Any],
    recorded: Mapping[str, Any],
    *,
    advice: str = _ADVICE,
) -> None:
    """Refuses a directory whose results have other inputs, and names the inputs that differ.

    Raises:
        RunError: The inputs differ.
    """
    if changed := differences(recorded, identity):
        raise errors.RunError(
            f"{path}: holds {KINDS[kind].content} of other inputs ({', '.join(changed)}); {advice}."
        )


def differences(recorded: Mapping[str, Any], identity: Mapping[str, Any]) -> list[str]:
    """Returns the names of inputs that differ, short values with both, as "draws 4 and 8".

    Options are named as "options: draws 4 and 8"; a digest counts for its file, `genome_digest` for
    "genome".
    """
    changed: dict[str, str] = {}
    current = json.loads(json.dumps(identity))  # tuples become lists, as in the file
    for key in recorded | current:
        old, new = recorded.get(key), current.get(key)
        name = key.removesuffix("_digest")
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            changed[name] = f"{name}: {', '.join(differences(old, new))}"
        elif name == key and _is_short(old) and _is_short(new):
            changed[name] = f"{name} {_shown(old)} and {_shown(new)}"
        else:
            changed.setdefault(name, name)
    return list(changed.values())


def _is_short(value: Any) -> bool:
    return not isinstance(value, dict) and len(_shown(value)) <= _SHOWN


def _shown(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return ",".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def record(
    path: Path,
    kind: str,
    identity: Mapping[str, Any],
    notes: Mapping[str, Any],
    advice: str = _ADVICE,
) -> Mapping[str, Any]:
    """Checks `inputs.json`, or writes it; returns the notes that it holds.

    `claim` calls this; a writer that knows its inputs only later calls it inside its claim.

    Raises:
        RunError: The directory holds results of other inputs.
    """
    document = _binding(path, kind, identity, advice)
    if document is not None:
        return {name: document[name] for name in notes if name in document}
    replacement.write_json(path / INPUTS, {"kind": kind, "of": identity, **notes})
    return notes


def check_identity(path: Path, kind: str, identity: Mapping[str, Any]) -> None:
    """Refuses a directory with results of other inputs, and writes nothing.

    Raises:
        RunError: The directory holds results of other inputs.
    """
    _binding(path, kind, identity, _ADVICE)


def _binding(
    path: Path, kind: str, identity: Mapping[str, Any], advice: str
) -> dict[str, Any] | None:
    """Returns the content of `inputs.json` if a writer must have its inputs; else None."""
    record_path = path / INPUTS
    has_results = any((path / name).exists() for name in (PARTS, *KINDS[kind].marks))
    document = _document(record_path)
    if document is not None:
        # Inputs of a run that left no result, and runs no longer, bind nobody.
        is_shared = len(set(path.glob(f"{LOCK}.*")) - {path / f"{LOCK}.{TURN}"}) > 1
        if has_results or is_shared or not differences(document["of"], identity):
            check_inputs(path, kind, identity, document["of"], advice=advice)
            return document
    elif record_path.exists():
        raise errors.RunError(f"{record_path}: is of another program; choose another -o.")
    elif has_results:
        raise errors.RunError(f"{path}: holds {KINDS[kind].content} of unknown inputs; {advice}.")
    return None


@contextlib.contextmanager
def turn(path: Path) -> Iterator[None]:
    """Holds the turn of a writer among those that share a directory; waits for the others."""
    with directory_lock.turn(path, TURN):
        yield


def notes_of(path: str | Path, kind: str) -> dict[str, Any]:
    """Returns the notes that the first writer of a directory recorded.

    Raises:
        RunError: The directory holds no results of this kind.
    """
    document = _document(Path(path) / INPUTS)
    if document is None or document.get("kind", "scores") != kind:
        raise errors.RunError(
            f"{path}: holds no {KINDS[kind].content}; give the -o of the command that writes them."
        )
    return document


def _document(record: Path) -> dict[str, Any] | None:
    """Reads `inputs.json`; None when it is absent, or a file of another program."""
    if not record.is_file():
        return None
    try:
        document = reading.read_json(record)
    except errors.DataError:
        return None
    is_own = isinstance(document, dict) and isinstance(document.get("of"), dict)
    return document if is_own and document.get("kind", "scores") in KINDS else None


@contextlib.contextmanager
def _created(path: Path) -> Iterator[None]:
    """Creates a directory and its parents; removes those of them that the body leaves empty."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    with directory_lock.writable(path):
        path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for folder in missing:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _is_empty(path: Path) -> bool:
    """Returns True for a directory with nothing but locks, temporary files and such directories."""
    return all(
        entry.name == LOCK
        or entry.name.startswith(f"{LOCK}.")
        or replacement.TEMPORARY.match(entry.name)
        or (entry.is_dir() and not entry.is_symlink() and _is_empty(entry))
        for entry in path.iterdir()
    )


def _remove_orphans(path: Path) -> None:
    """Removes temporary files and folders in and beside a directory whose writers have ended."""
    beside = path.absolute().parent.glob(f".*{replacement.INFIX}{path.name}")
    inside = path.rglob(f".*{replacement.INFIX}*")
    for orphan in [*beside, *inside]:
        match = replacement.TEMPORARY.match(orphan.name)
        if match is not None and processes.is_orphan(orphan, match[1]):
            with contextlib.suppress(OSError):  # of another user, or removed meanwhile
                replacement.remove(orphan)
