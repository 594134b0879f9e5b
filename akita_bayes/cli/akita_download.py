"""Downloads public data sets and published models, and checks the SHA-256 of every file.

Files that exist and pass the check stay unchanged. A file that fails the check never gets its final
name. Where no checksum is published, the command prints the one that it computed.
"""

import argparse
import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from akita_bayes import errors, files, progress
from akita_bayes.cli import console

MANIFEST = Path(__file__).with_name("public_data.json")
_CHUNK = 1 << 20  # bytes


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(__doc__, "akita_download.py lac -o data/lac")
    parser.add_argument("name", nargs="?", help="data set; without a name, all are listed")
    parser.add_argument("-o", "--out_dir", metavar="DIR", help="directory (default: data/NAME)")
    parser.add_argument("--manifest", default=MANIFEST, type=Path, help=argparse.SUPPRESS)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = _parser().parse_args(argv)
    return console.run(lambda: _download(options), out=options.out_dir)


def _download(options: argparse.Namespace) -> None:
    data_sets = files.read_json(options.manifest)
    if options.name is None:
        for name, data_set in data_sets.items():
            console.say(f"{name}: {data_set['description']} ({data_set['licence']})")
        return
    if options.name not in data_sets:
        hint = errors.did_you_mean(options.name, data_sets)
        raise errors.DataError(
            f"{options.name}: no such data set; expected one of {', '.join(data_sets)}.{hint}"
        )
    folder = Path(options.out_dir or Path("data") / options.name)
    entries = data_sets[options.name]["files"]
    with console.progress(options.name, len(entries)) as advance:
        for entry in entries:
            digest = download(entry, folder, advance)
            advance()
            if entry["sha256"] is None and digest is not None:
                console.say(json.dumps({"path": entry["path"], "sha256": digest}))
    citation = data_sets[options.name]["citation"]
    console.say(f"{folder}: {len(entries)} files, {citation}")


def download(
    entry: dict[str, Any], folder: Path, advance: progress.Advance = progress.ignore
) -> str | None:
    """Downloads one file of the manifest, unless it exists and passes its check.

    Args:
        entry: `path`, `url`, and `sha256` or None.
        folder: Directory in which `path` is put.
        advance: Callback; receives the name of a file whose download begins.

    Returns:
        The SHA-256 of the new file; None when nothing was downloaded.

    Raises:
        DataError: The address cannot be reached, or the file differs from the manifest.
    """
    path = folder / entry["path"]
    expected = entry["sha256"]
    if path.exists() and (expected is None or files.digest(path) == expected):
        return None
    advance(0, note=entry["path"])
    with files.atomic(path) as temporary:
        length = _fetch(entry["url"], temporary, path)
        digest = files.digest(temporary)
        if expected is None and length is not None and temporary.stat().st_size != length:
            raise errors.DataError(f"{entry['url']}: cut short; try again.")
        if expected is not None and digest != expected:
            raise errors.DataError(
                f"{entry['url']}: its SHA-256 is {digest}, but the manifest has {expected}; the "
                "file was changed or damaged on the way."
            )
    return digest


def _fetch(url: str, temporary: Path, path: Path) -> int | None:
    """Copies what an address serves to a file; returns the length that the server announced."""
    try:
        with (
            contextlib.closing(urllib.request.urlopen(url, timeout=60)) as source,
            open(temporary, "wb") as sink,
        ):
            while chunk := source.read(_CHUNK):
                sink.write(chunk)
            length = source.headers.get("Content-Length")
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise errors.DataError(
            f"{url}: cannot be reached ({error}); try again, or save it as {path}."
        ) from None
    return None if length is None else int(length)
