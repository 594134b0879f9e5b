"""Examines an installation, a data directory or a run, and says what is wrong and what to do."""

import csv
import importlib.metadata
import math
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from akita_bayes import errors, files
from akita_bayes.data.preparation import targets
from akita_bayes.data.records import dataset, statistics, tfrecord
from akita_bayes.files import damage
from akita_bayes.models import build, export, load, recalibration, swag
from akita_bayes.origins import optional, provenance, stack

FREE_DISK_GB = 5
"""Free space below which a training or a scan of variants may fill the disk."""

FREE_MEMORY_GB = 4
"""Memory below which the full-size networks do not train with a batch of 1."""

_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
_GB = 1e9
_NAMES_SHOWN = 6
_COUNTED_GB = 0.2
"""Size of a split's record files up to which all records are read, which takes seconds."""


class Diagnosis(NamedTuple):
    """Describes one result of an examination.

    Attributes:
        subject: What was examined.
        state: "ok", "warning", or "error" for what makes a command fail or its results wrong.
        text: What was seen and, unless the state is "ok", what to do.
    """

    subject: str
    state: str
    text: str


def installation(folder: str | Path = ".") -> list[Diagnosis]:
    """Examines versions, devices, memory, and the disk of a folder."""
    return [*_libraries(), *_devices(), _memory(), _disk(Path(folder))]


def _libraries() -> Iterator[Diagnosis]:
    versions = stack.versions()
    ranges = _required_ranges()
    for name, version in versions.items():
        required = ranges.get(name)
        if version == "not installed" and name in optional.PIP:
            yield Diagnosis(
                name, "ok", f"not installed; some options need it: {optional.advice(name)}."
            )
        elif version == "not installed":
            yield Diagnosis(
                name, "error", f"not installed; expected {required}: pip install {name}."
            )
        elif required is not None and not _contains(required, version):
            yield Diagnosis(
                name,
                "warning",
                f'{version}, not in the tested range; install one of it: pip install "{name}'
                f'{required}".',
            )
        else:
            yield Diagnosis(name, "ok", version)


def _required_ranges() -> dict[str, str]:
    """Returns the version range of each library that this package requires."""
    try:
        requirements = importlib.metadata.requires("akita_bayes") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    ranges = {}
    for requirement in requirements:
        match = re.match(r"([\w-]+)(?:\[\w+\])?\s*([^;]*)", requirement)
        if match and "extra ==" not in requirement:
            ranges[match[1]] = match[2].strip()
    return ranges


def _contains(required: str, version: str) -> bool:
    """Returns True when a version lies in a range such as ">=2.18,<2.22"."""
    number = _numbers(version)
    for part in required.split(","):
        limit = _numbers(part)
        if part.startswith(">=") and number < limit:
            return False
        if part.startswith("<") and number >= limit:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    """Returns the leading numbers of a version: (2, 18) for "2.18.0rc1" is cut at the letters."""
    match = re.search(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def _devices() -> Iterator[Diagnosis]:
    import tensorflow as tf

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Diagnosis("processor cores", "ok", str(cores))
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        names = [
            tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
            for gpu in gpus
        ]
        yield Diagnosis("GPUs", "ok", ", ".join(names))
    elif _NVIDIA_DRIVER.exists() or shutil.which("nvidia-smi"):
        yield Diagnosis(
            "GPUs",
            "error",
            "this machine has an NVIDIA driver, but TensorFlow sees no GPU; install its CUDA "
            'libraries: pip install "akita_bayes[gpu]".',
        )
    else:
        yield Diagnosis("GPUs", "ok", "none; commands use the processor")


def _memory() -> Diagnosis:
    path = Path("/proc/meminfo")
    if not path.is_file():
        return Diagnosis("memory", "ok", "not known on this system")
    match = re.search(r"MemAvailable:\s+(\d+) kB", path.read_text(encoding="ascii"))
    free = int(match[1]) * 1024 / _GB if match else math.nan
    if free < FREE_MEMORY_GB:
        return Diagnosis(
            "memory",
            "warning",
            f"{free:.1f} GB free; full-size networks need {FREE_MEMORY_GB} GB. Close other "
            'programs, or choose a smaller network such as "akita_tiny".',
        )
    return Diagnosis("memory", "ok", f"{free:.1f} GB free")


def _disk(folder: Path) -> Diagnosis:
    subject = f"disk of {folder.resolve()}"
    free = shutil.disk_usage(folder).free / _GB
    if not os.access(folder, os.W_OK):
        return Diagnosis(subject, "error", "cannot be written; choose another folder with -o.")
    if free < FREE_DISK_GB:
        return Diagnosis(
            subject, "warning", f"{free:.1f} GB free, less than {FREE_DISK_GB} GB; free some space."
        )
    return Diagnosis(subject, "ok", f"{free:.0f} GB free")


def data_directory(path: str | Path) -> list[Diagnosis]:
    """Examines a data directory: its shapes, its targets, and the records of its splits.

    Records of large splits are not read; `akita_data.py --check` reads all of them, and compares
    some with their sources.
    """
    path = Path(path)
    try:
        data_statistics = statistics.read(path)
    except errors.DataError as error:
        return [Diagnosis(statistics.FILE_NAME, "error", str(error))]
    shape = (
        f"{data_statistics.seq_length:,} bases, {data_statistics.num_targets} targets, bins of "
        f"{data_statistics.pool_width:,} bases"
    )
    diagnoses = [Diagnosis(statistics.FILE_NAME, "ok", shape)]
    if not data_statistics.seqs:
        text = "names no split; make the directory again with akita_data.py."
        diagnoses.append(Diagnosis("splits", "error", text))
    for split, count in data_statistics.seqs.items():
        diagnoses.append(_split(path, split, count))
    table = _File(path / targets.FILE_NAME, "targets", "a table of targets", "copy it again")
    return diagnoses + table.examined(lambda: _targets(path, data_statistics.num_targets))


class _File(NamedTuple):
    """Describes a file to examine, which may be damaged.

    Attributes:
        path: The file.
        subject: Subject of its diagnosis.
        kind: Kind of the file with its article.
        advice: Next step of the user for a damaged file.
    """

    path: Path
    subject: str
    kind: str
    advice: str

    def examined(self, examine: Callable[[], Iterable[Diagnosis]]) -> list[Diagnosis]:
        """Returns the diagnoses of a function that reads the file, or that it is damaged."""
        try:
            with damage.explained(self.path, self.kind, self.advice):
                return list(examine())
        except errors.AkitaBayesError as error:
            return [Diagnosis(self.subject, "error", str(error))]
        except OSError as error:
            text = f"{self.path}: cannot be read ({error.strerror}); {self.advice}."
            return [Diagnosis(self.subject, "error", text)]


def _targets(path: Path, count: int) -> Iterator[Diagnosis]:
    names = targets.names(path, count)
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    yield Diagnosis("targets", "ok", ", ".join(names[:_NAMES_SHOWN]) + more)


def _split(path: Path, split: str, count: int) -> Diagnosis:
    subject = f"split {split}"
    if count == 0:
        text = "has no windows; choose other shares for -v and -t of akita_data.py."
        return Diagnosis(subject, "warning", text)
    try:
        opened = dataset.open_split(path, split, batch_size=1)
        size = sum(file.stat().st_size for file in opened.files)
        if size > _COUNTED_GB * _GB:
            text = f"{count} windows by {statistics.FILE_NAME}; akita_data.py --check counts them"
            return Diagnosis(subject, "ok", text)
        present = sum(
            1 for file in opened.files for _ in tfrecord.read_records(file, opened.statistics)
        )
    except errors.DataError as error:
        return Diagnosis(subject, "error", str(error))
    if present != count:
        text = (
            f"{present} windows, but {statistics.FILE_NAME} has {count}; record files are missing "
            "or from another directory. Copy or make the directory again."
        )
        return Diagnosis(subject, "error", text)
    return Diagnosis(subject, "ok", f"{count} windows in {len(opened.files)} files")


def run(path: str | Path) -> list[Diagnosis]:
    """Examines a run directory: its model, its history, its calibration and its provenance."""
    path = Path(path)
    if not path.is_dir():
        return [Diagnosis(str(path), "error", "no such directory; give a run of akita_train.py.")]
    if export.is_exported(path):
        return _saved_model(path)
    best = path / recalibration.WEIGHTS
    advice = "copy it again, or train again"
    diagnoses = _File(best, "model", "a Keras model", advice).examined(lambda: _network(path, best))
    draws = path / swag.FILE
    if draws.is_file():
        posterior = _File(draws, "posterior", "a SWAG posterior", advice)
        diagnoses += posterior.examined(lambda: _draws(draws))
    history = path / "history.csv"
    diagnoses += _File(history, "history", "the history of a training", advice).examined(
        lambda: _history(history)
    )
    record = path / provenance.FILE
    diagnoses += _File(record, "provenance", "the provenance of a run", advice).examined(
        lambda: _provenance(record)
    )
    return diagnoses


def _saved_model(path: Path) -> list[Diagnosis]:
    """Examines a SavedModel, which has neither draws nor the files of a training."""
    try:
        load.load_model(path)
    except errors.AkitaBayesError as error:
        return [Diagnosis("model", "error", str(error))]
    text = "a SavedModel predicts its mean alone; take the run directory for intervals."
    return [Diagnosis("model", "ok", "a SavedModel"), Diagnosis("calibration", "warning", text)]


def _network(path: Path, best: Path) -> Iterator[Diagnosis]:
    try:
        # The weights alone, so that other damaged files of the run have their own diagnoses.
        model = load.load_model(best if best.is_file() else path)
    except errors.AkitaBayesError as error:
        advice = " Start akita_train.py again to go on." if _checkpoint(path) else ""
        yield Diagnosis("model", "error", f"{error}{advice}")
        return
    assert isinstance(model, build.Network)
    yield Diagnosis("model", "ok", f"{model.count_params():,} weights")
    fitted = _File(
        path / recalibration.FILE,
        "calibration",
        "a recalibration",
        "remove it and run akita_calibrate.py again",
    )
    yield from fitted.examined(lambda: _calibration(path, model.spec.head_names))


def _checkpoint(path: Path) -> bool:
    return any((path / "checkpoint").glob("*.npz"))


def _draws(path: Path) -> Iterator[Diagnosis]:
    _, draws = swag.load(path)
    yield Diagnosis("posterior", "ok", f"{len(draws)} draws of weights")


def _calibration(path: Path, heads: Sequence[str]) -> Iterator[Diagnosis]:
    fitted = recalibration.load([path], heads)
    missing = [head for head in heads if head not in fitted]
    if not missing:
        yield Diagnosis("calibration", "ok", f"fitted for {', '.join(heads)}")
        return
    yield Diagnosis(
        "calibration",
        "warning",
        f"{recalibration.FILE} has no factors for {', '.join(missing)}, so that intervals are not "
        "corrected; run akita_calibrate.py.",
    )


def _history(path: Path) -> Iterator[Diagnosis]:
    """Examines the losses of a training: finite, lower than at the start, and long enough."""
    if not path.is_file():
        yield Diagnosis("history", "warning", f"{path.name} is missing; no epoch has ended.")
        return
    with open(path, encoding="utf-8", newline="") as handle:
        losses = [float(row["valid_loss"]) for row in csv.DictReader(handle)]
    yield _losses(losses, path.name)


def _losses(losses: Sequence[float], name: str) -> Diagnosis:
    subject = "history"
    if not losses:
        return Diagnosis(subject, "warning", f"{name} has no rows; no epoch has ended.")
    if not all(map(math.isfinite, losses)):
        return Diagnosis(
            subject,
            "error",
            "a validation loss is not a number; lower the learning rate or set global_clipnorm, "
            "and train again.",
        )
    best = losses.index(min(losses)) + 1
    text = f"{len(losses)} epochs, best validation loss {min(losses):.4g} after epoch {best}"
    if len(losses) > 1 and best == len(losses):
        return Diagnosis(subject, "ok", f"{text}; it was still falling, more epochs may help")
    if len(losses) > 2 and best == 1:
        return Diagnosis(
            subject, "warning", f"{text}: it rose from the start; lower the learning rate."
        )
    return Diagnosis(subject, "ok", text)


def _provenance(path: Path) -> Iterator[Diagnosis]:
    """Compares the data and the versions of a training with those of today."""
    if not path.is_file():
        yield Diagnosis("provenance", "warning", f"{path.name} is missing; the data are not known.")
        return
    record: Mapping[str, Any] = files.read_json(path)
    versions = stack.versions()
    changed = [
        f"{name} {version} -> {versions[name]}"
        for name, version in record.get("versions", {}).items()
        if versions.get(name, version) != version
    ]
    yield Diagnosis(
        "versions",
        "ok",
        f"changed since: {', '.join(changed)}" if changed else "the same as at the training",
    )
    for entry in record.get("data", []):
        if "path" not in entry:  # a shipped model does not tell where its data lay
            continue
        folder = Path(entry["path"])
        if not folder.is_dir():
            yield Diagnosis("data", "warning", f"{folder} is gone; only predictions are possible.")
        else:
            yield Diagnosis("data", "ok", str(folder))
