"""Records software, data, initial weights and machine of a run in `provenance.json`."""

import contextlib
import datetime
import hashlib
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from akita_bayes import errors, files
from akita_bayes.data import genome as genomes
from akita_bayes.data.preparation import recorded_sources, targets
from akita_bayes.data.records import dataset, statistics
from akita_bayes.files import output_directory
from akita_bayes.origins import provenance, training_regions
from akita_bayes.origins.training_regions import TrainingRegions
from akita_bayes.specs import spec as specs

FILE = provenance.FILE


def first_weights(path: str | Path | None, *, trunk: bool) -> dict[str, Any] | None:
    """Describes the file of the initial weights of a run; None for weights drawn at random."""
    if path is None:
        return None
    path = Path(path)
    sha256 = files.digest(path) if path.is_file() else None
    return {"path": str(path.resolve()), "sha256": sha256, "trunk": trunk}


def record(
    spec: specs.Spec,
    data_dirs: Mapping[str, Path],
    splits: Mapping[str, Sequence[str]],
    device: str,
    weights: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Returns the content of `provenance.json`.

    Args:
        spec: Spec of the run, with its seed.
        data_dirs: Head -> data directory, in the order of heads.
        splits: Splits for training, `train`, and for validation, `valid`.
        device: Devices of the run.
        weights: Initial weights, as `first_weights` describes them.
    """
    of_spec = hashlib.sha256(specs.dumps(spec).encode()).hexdigest()
    return {
        **provenance.record(
            seeds={"training": spec.train.seed},
            inputs={"spec": {"name": "params.json", "sha256": of_spec}},
        ),
        "seed": spec.train.seed,
        "device": device,
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}",
        "data": [
            {
                "head": head,
                "path": str(path.resolve()),
                "sha256": provenance.data_digest(path),
                **_targets(path),
                **_teachers(path),
            }
            for head, path in data_dirs.items()
        ],
        "weights": weights,
        "splits": {purpose: list(names) for purpose, names in splits.items()},
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _teachers(path: Path) -> dict[str, Any]:
    """Returns name and digest of the teachers of a directory of labels, and its options."""
    if not statistics.read(path).spread or not (path / output_directory.INPUTS).is_file():
        return {}
    inputs = output_directory.notes_of(path, "data")["of"]
    return {key: inputs[key] for key in ("teachers", "data_digest", "options") if key in inputs}


def regions_of(splits: Mapping[str, dataset.Split]) -> dict[str, TrainingRegions]:
    """Returns the regions from which every head learns, where its data directory names them.

    Args:
        splits: Head -> training split.
    """
    of_heads = {}
    for head, split in splits.items():
        windows = split.regions() if (split.data_dir / "sequences.bed").is_file() else []
        genome, sizes = _genome(split.data_dir)
        # A student has learned from the regions of its teachers too.
        of_teachers = training_regions.read(split.data_dir).values()
        for recorded in of_teachers:
            genome, sizes = genome or recorded.genome, {**recorded.sizes, **sizes}
        own = TrainingRegions.of(windows, genome=genome, sizes=sizes)
        of_heads[head] = TrainingRegions.union([own, *of_teachers]) or own
    return of_heads


def _genome(data_dir: Path) -> tuple[str, Mapping[str, int]]:
    """Returns name and lengths of chromosomes of the genome of a data directory, if it is there."""
    path = data_dir / "genome.fa"
    with contextlib.suppress(errors.DataError, KeyError, TypeError):
        path = Path(files.read_json(data_dir / recorded_sources.FILE_NAME)["fasta"]["path"])
    # A genome that cannot be read today does not stop a training, which does not need it.
    with contextlib.suppress(errors.DataError, OSError):
        if path.is_file():
            with genomes.Genome(path) as genome:
                return path.name, genome.sizes
    return "", {}


def _targets(data_dir: Path) -> dict[str, Any]:
    """Returns identifier and description of every target, if the data have a table of targets."""
    path = data_dir / targets.FILE_NAME
    if not path.is_file():
        return {}
    return {"targets": [[label.identifier, label.description] for label in targets.labels(path)]}
