#!/usr/bin/env python
"""Downloads public data sets listed in `manifest.json`, checking every file's SHA-256.

Files that are there and right are left alone; a file that fails its check never gets its final
name. Where the manifest knows no checksum, the one found is printed for the record.
"""

import argparse
import contextlib
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from akita_bayes import errors, files
from akita_bayes.cli import console

MANIFEST = Path(__file__).with_name("manifest.json")
_CHUNK = 1 << 20


def main(argv: Sequence[str] | None = None) -> int:
    """Reads the command line and returns the exit status."""
    parser = console.parser(__doc__, "python data/download.py lac")
    parser.add_argument("name", nargs="?", help="data set; none lists them all")
    parser.add_argument("-o", "--out", metavar="DIR", help="default: data/NAME")
    parser.add_argument("--manifest", default=MANIFEST, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    return console.run(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> None:
    known = files.read_json(arguments.manifest)
    if arguments.name is None:
        for name, about in known.items():
            console.stdout.print(f"{name}: {about['description']} ({about['licence']})")
        return
    if arguments.name not in known:
        hint = errors.did_you_mean(arguments.name, known)
        raise errors.DataError(f"no data set {arguments.name!r}; know {', '.join(known)}.{hint}")
    folder = Path(arguments.out or MANIFEST.parent / arguments.name)
    wanted = known[arguments.name]["files"]
    with console.progress(arguments.name, len(wanted)) as advance:
        for entry in wanted:
            download(entry, folder, lambda text: advance(0, note=text))
            advance()
    console.stdout.print(f"{folder}: {len(wanted)} files, {known[arguments.name]['citation']}")


def download(entry: dict[str, Any], folder: Path, note: Callable[[str], None]) -> None:
    """Fetches one file of the manifest, unless it is there and right.

    Args:
        entry: `path`, `url`, and `sha256` or None.
        folder: Where `path` is put.
        note: Told what is going on.

    Raises:
        DataError: The address cannot be reached, or the file is not what the manifest says.
    """
    path = folder / entry["path"]
    expected = entry["sha256"]
    if path.exists() and (expected is None or files.digest(path) == expected):
        return
    note(entry["path"])
    with files.atomic(path) as temporary:
        try:
            with (
                contextlib.closing(urllib.request.urlopen(entry["url"], timeout=60)) as source,
                open(temporary, "wb") as sink,
            ):
                while chunk := source.read(_CHUNK):
                    sink.write(chunk)
                length = source.headers.get("Content-Length")
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            raise errors.DataError(
                f"{entry['url']}: cannot be reached ({error}); try again, or save it as {path}."
            ) from None
        found = files.digest(temporary)
        if expected is None and length is not None and temporary.stat().st_size != int(length):
            raise errors.DataError(f"{entry['url']}: cut short; try again.")
        if expected is not None and found != expected:
            raise errors.DataError(
                f"{entry['url']}: its SHA-256 is {found}, the manifest says {expected}; it was "
                "changed or damaged on the way."
            )
    if expected is None:
        console.stdout.print(json.dumps({"path": entry["path"], "sha256": found}))


if __name__ == "__main__":
    sys.exit(main())
