"""Writes published weights under a name that `load_model` and every command accept.

An installed model is a folder like a run directory: `params.json`, `model_best.keras`, and a
`provenance.json` with the address and the digest of the published file.
"""

import fnmatch
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from akita_bayes import errors, files
from akita_bayes.files import damage
from akita_bayes.models import build, load, recalibration
from akita_bayes.origins import provenance

_AKITA_PT = re.compile(r"Akita_v2_(human|mouse)_(\w+)_model(\d+)_finetuned\.pth")
_LARGEST = 64 << 20  # bytes of a checkpoint; AkitaPT's have 6 MB


def install(
    weights: Path, spec: str, folder: Path, *, head: str | None = None, source: Mapping[str, Any]
) -> Path:
    """Writes a model folder from a file of published weights; returns it.

    Args:
        weights: HDF5 of Keras 2 with or without the state of its optimizer, or a checkpoint of
            AkitaPT.
        spec: JSON file of the network, or name of a shipped spec.
        folder: Folder of the new model; its name is the name of the model.
        head: The head whose weights the file holds; None for a spec with one head.
        source: Address and digest of the published file.

    Raises:
        RunError: The file is damaged, or does not fit the spec.
    """
    model = load.load_model((spec, weights), head=head)
    assert isinstance(model, build.Network)
    files.write_json(folder / "params.json", model.spec.to_json())
    provenance.write(folder, {**provenance.origin(), "published": dict(source)})
    # The weights come last: without them the folder is not a model.
    with files.atomic(folder / recalibration.WEIGHTS) as temporary:
        model.save(temporary)
    return folder


def checkpoints(archive: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    """Yields the name of the model and the content of each checkpoint of AkitaPT in an archive.

    Args:
        archive: `akita_pytorch_model_weights.tar.gz`.
        pattern: Pattern of file names, such as `*_mouse_*_model0_*`.

    Raises:
        RunError: The archive is damaged, or no checkpoint has such a name.
    """
    names: list[str] = []
    selected = 0
    with (
        damage.explained(
            archive, "an archive of AkitaPT", "download it again", error=errors.RunError
        ),
        tarfile.open(archive) as content,
    ):
        for member in content:
            file_name = Path(member.name).name
            parts = _AKITA_PT.fullmatch(file_name)
            if parts is None or not member.isfile():
                continue
            names.append(file_name)
            if not fnmatch.fnmatchcase(file_name, pattern):
                continue
            if member.size > _LARGEST:
                raise ValueError(f"{member.name} has {member.size:,} bytes")
            selected += 1
            packed = content.extractfile(member)
            assert packed is not None
            yield f"akita_pt_{parts[1]}_{parts[2]}_{parts[3]}", packed.read()
    if not selected:
        raise errors.RunError(
            f"{archive}: has no checkpoint {pattern}; it has {', '.join(sorted(names)) or 'none'}."
        )


def install_archive(
    archive: Path, spec: str, folder: Path, pattern: str, *, source: Mapping[str, Any]
) -> list[str]:
    """Writes models of the checkpoints of AkitaPT whose file names match; returns their names.

    Args:
        archive: `akita_pytorch_model_weights.tar.gz`.
        spec: Name of the shipped spec of AkitaPT.
        folder: Folder of all downloaded models.
        pattern: Pattern of file names.
        source: Address and digest of the archive.

    Raises:
        RunError: As `checkpoints` and `install`.
    """
    installed = []
    for name, content in checkpoints(archive, pattern):
        with files.scratch(folder / name) as scratch:
            path = scratch / f"{name}.pth"
            path.write_bytes(content)
            install(path, spec, folder / name, source={**source, "checkpoint": name})
        installed.append(name)
    return installed
