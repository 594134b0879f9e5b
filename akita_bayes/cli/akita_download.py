"""Downloads public data sets and published models, and checks every file.

A file is compared with the SHA-256 of the manifest, or with the checksum that its server publishes
(Zenodo's record, or the header of Google's storage). Where there is none, the command prints the
SHA-256 that it computed. Files that exist and pass stay unchanged; a file that fails never gets its
final name. A published model is then installed under its name, as for load_model("akita_v1").
"""

import argparse
import base64
import binascii
import contextlib
import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from akita_bayes import errors, files, progress
from akita_bayes.cli import console

MANIFEST = Path(__file__).with_name("public_data.json")
_CHUNK = 1 << 20  # bytes


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(__doc__, "akita_download.py lac -o data/lac")
    parser.add_argument("name", nargs="?", help="data set or model; without a name, all are listed")
    parser.add_argument(
        "-o",
        "--out_dir",
        metavar="DIR",
        help="directory (default: data/NAME; of models: $AKITA_BAYES_MODELS or "
        "~/.local/share/akita_bayes/models)",
    )
    parser.add_argument(
        "--members",
        metavar="PATTERN",
        help='checkpoints of akita_pt to install, by file name (default: "*_model0_finetuned.pth")',
    )
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
    data_set = data_sets[options.name]
    model = data_set.get("model")
    if options.members is not None and "members" not in (model or {}):
        raise errors.DataError(f"--members does not apply to {options.name}; leave it out.")
    if model is None:
        folder = Path(options.out_dir or Path("data") / options.name)
    else:
        from akita_bayes.models import shipped
        from akita_bayes.models.published_models import installation

        models = Path(options.out_dir or shipped.user_folder())
        archive = "members" in model
        # The published file of one model lies beside the installed one.
        folder = models if archive else models / options.name
    entries = data_set["files"]
    with console.progress(options.name, len(entries)) as advance:
        for entry in entries:
            digest = download(entry, folder, advance)
            advance()
            if entry["sha256"] is None and digest is not None:
                console.say(json.dumps({"path": entry["path"], "sha256": digest}))
    console.say(f"{folder}: {len(entries)} files, {data_set['citation']}")
    if model is None:
        return
    (entry,) = entries
    path = folder / entry["path"]
    source = {"url": entry["url"], "sha256": files.digest(path)}
    if archive:
        pattern = options.members or model["members"]
        names = installation.install_archive(path, model["spec"], models, pattern, source=source)
    else:
        names = [options.name]
        installation.install(path, model["spec"], folder, head=model["head"], source=source)
    for name in names:
        loaded = name if options.out_dir is None else models / name
        console.say(f'{models / name}: ab.load_model("{loaded}")')


def download(
    entry: dict[str, Any], folder: Path, advance: progress.Advance = progress.ignore
) -> str | None:
    """Downloads one file of the manifest, unless it exists and passes its check.

    Args:
        entry: `path`, `url`, `sha256` or None, and optionally `record`, the address of a record of
            Zenodo that has the checksum.
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
        response = _fetch(entry["url"], temporary, path)
        digest = files.digest(temporary)
        length = response.get("Content-Length")
        if expected is None and length is not None and temporary.stat().st_size != int(length):
            raise errors.DataError(f"{entry['url']}: cut short; try again.")
        if expected is not None and digest != expected:
            raise errors.DataError(
                f"{entry['url']}: its SHA-256 is {digest}, but the manifest has {expected}; the "
                "file was changed or damaged on the way."
            )
        published = _published_md5(entry, response, path) if expected is None else None
        if published is not None and _md5(temporary) != published:
            raise errors.DataError(
                f"{entry['url']}: its MD5 is {_md5(temporary)}, but the server publishes "
                f"{published}; the file was damaged on the way; try again."
            )
    return digest


def _md5(path: Path) -> str:
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "md5").hexdigest()


def _published_md5(entry: dict[str, Any], response: Mapping[str, str], path: Path) -> str | None:
    """Returns the MD5 that the server publishes for a file, in hexadecimal; None for none.

    Google's storage sends `x-goog-hash: crc32c=...,md5=...` in base 64. Zenodo's record lists
    `{"key": NAME, "checksum": "md5:..."}` for each file.
    """
    for value in response.get("x-goog-hash", "").split(","):
        kind, _, code = value.strip().partition("=")
        if kind == "md5":
            with contextlib.suppress(binascii.Error):
                return base64.b64decode(code, validate=True).hex()
    if "record" not in entry:
        return None
    with contextlib.closing(_opened(entry["record"], path)) as source:
        try:
            listed = json.load(source)["files"]
            checksums = {file["key"]: file["checksum"] for file in listed}
            checksum = str(checksums[Path(entry["path"]).name])
        except (ValueError, KeyError, TypeError):
            raise errors.DataError(
                f"{entry['record']}: is not a record of Zenodo with the checksum of "
                f"{entry['path']}; try again."
            ) from None
    kind, _, code = checksum.partition(":")
    return code.lower() if kind == "md5" else None


def _fetch(url: str, temporary: Path, path: Path) -> Mapping[str, str]:
    """Copies what an address serves to a file; returns the headers of the answer."""
    with contextlib.closing(_opened(url, path)) as source:
        try:
            with open(temporary, "wb") as sink:
                while chunk := source.read(_CHUNK):
                    sink.write(chunk)
        except (TimeoutError, ConnectionError) as error:
            raise _unreachable(url, path, error) from None
        headers: Mapping[str, str] = source.headers
        return headers


def _opened(url: str, path: Path) -> Any:
    """Opens an address."""
    try:
        return urllib.request.urlopen(url, timeout=60)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise _unreachable(url, path, error) from None


def _unreachable(url: str, path: Path, error: Exception) -> errors.DataError:
    return errors.DataError(f"{url}: cannot be reached ({error}); try again, or save it as {path}.")


if __name__ == "__main__":
    raise SystemExit(main())
