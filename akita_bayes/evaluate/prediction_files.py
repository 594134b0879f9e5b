"""Predicts regions of a genome or a split of a data directory into files.

`predict_regions` writes `predict.h5` and, if asked for, a cooler for each target; `predict_split`
writes `preds.h5`, as Basenji does. `akita_predict.py` is one call of either.
"""

import contextlib
import dataclasses
import functools
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna, errors, files, keywords, progress, regions, workers
from akita_bayes.data import genome as genomes
from akita_bayes.data import personal_genome, predictions
from akita_bayes.data.records import dataset, split_arrays
from akita_bayes.evaluate import map_outputs
from akita_bayes.files import output_directory
from akita_bayes.models import fingerprint, network_draws, posterior, predict
from akita_bayes.models.intervals import novelty
from akita_bayes.models.protocol import Model
from akita_bayes.origins import provenance, training_regions
from akita_bayes.specs.geometry import Geometry

SPLIT_NAME = "preds.h5"


@dataclasses.dataclass(frozen=True)
class PredictionSettings:
    """Holds what predictions depend on, beside the model and the sequences.

    Attributes:
        head: Name or number of the head; None for all.
        rc: True to average both strands.
        shifts: Numbers of bases by which windows are moved; predictions are averaged.
        draws: Draws from the posterior, for a mean and two standard deviations; 0 for none.
        seed: Seed of the draws.
        stride: Bases between the windows of a wide region; None for half the output.
        batch_size: Windows that are predicted together; None fits two megabase windows.
        precision: Precision of the convolutions, 'float32' or 'bfloat16'; None takes that of the
            saved model.
        cluster: Workers that predict the windows of regions.
        load_model: Loads the model in a worker; None without workers.
        targets: Head -> names of its targets, which `predict.h5` records; None for none.
    """

    head: str | int | None = None
    rc: bool = False
    shifts: tuple[int, ...] = (0,)
    draws: int = 0
    seed: int = 0
    stride: int | None = None
    batch_size: int | None = None
    precision: str | None = None
    cluster: workers.Cluster = workers.HERE
    load_model: Callable[[], Model] | None = None
    targets: Mapping[str, Sequence[str]] | None = None

    def __post_init__(self) -> None:
        if self.draws and (self.rc or tuple(self.shifts) != (0,)):
            raise errors.SpecError(
                "--draws: cannot be combined with --rc or --shifts; leave them out."
            )


class Written(NamedTuple):
    """Describes the files of predictions.

    Attributes:
        path: `predict.h5` or `preds.h5`.
        windows: Number of predicted windows.
        coolers: Head -> paths of its coolers.
    """

    path: Path
    windows: int
    coolers: Mapping[str, Sequence[Path]]


def predict_regions(
    model: Model,
    requested: str | Path | Sequence[regions.Region],
    *,
    fasta: str | Path | personal_genome.Personal,
    out_dir: str | Path,
    settings: PredictionSettings | None = None,
    coolers: map_outputs.Coolers | None = None,
    attributes: Mapping[str, Any] | None = None,
    open_bar: progress.OpenBar = progress.no_bar,
    **changes: Any,
) -> Written:
    """Predicts regions into `predict.h5`, in place of an earlier one.

    Args:
        model: What `build` or `load_model` returns.
        requested: Regions, or a BED file, plain or gzipped.
        fasta: The genome, or a haplotype of a sample.
        out_dir: Folder of the outputs.
        settings: What the predictions depend on; None for defaults.
        coolers: Coolers to write for each target, and files beside them; None for none.
        attributes: Attributes of `predict.h5` beside those of the genome and the settings.
        open_bar: Opens a progress bar; called with a description and the number of windows.
        **changes: Fields of `settings` to replace.

    Raises:
        DataError: The regions do not fit the genome or the model, or a cooler cannot hold them.
        RunError: `out_dir` holds results of another kind, or another process writes to it.
    """
    settings = keywords.replaced(settings or PredictionSettings(), changes)
    head = predict.head_name(model, settings.head)
    heads = [head] if head else model.spec.head_names
    geometries = {name: model.spec.geometry(name) for name in heads}
    if not settings.draws:
        network_draws.remark_without_draws(model, heads)
    names = {
        name: coolers.names(name, geometry.units or 1) if coolers else []
        for name, geometry in geometries.items()
    }
    if len(set(itertools.chain(*names.values()))) < sum(map(len, names.values())):
        names = {head: [f"{head}_{name}" for name in names[head]] for head in names}
    path = Path(out_dir) / predictions.NAME
    own_attributes = {
        "fasta": os.fspath(fasta),
        "rc": settings.rc,
        "shifts": list(settings.shifts),
        "draws": settings.draws,
        "precision": settings.precision or "as saved",
        provenance.KEY: _origin_text(model, settings, genome=os.fspath(fasta)),
    }
    if (usual := novelty.threshold(model.members)) is not None:
        own_attributes[f"{novelty.KEY}_threshold"] = usual
    if isinstance(fasta, personal_genome.Personal):
        own_attributes |= fasta.described()
    with personal_genome.opened(fasta, on_reference=True) as genome:
        training_regions.check_genome(model, heads, genome.sizes, genome.path)
        jobs = _jobs(requested, genome, geometries, settings.stride)
        with output_directory.claim(out_dir, kind="report"):
            with (
                predictions.Writer(
                    path,
                    geometries,
                    {**(attributes or {}), **own_attributes},
                    genome if isinstance(genome, personal_genome.OnReference) else None,
                    settings.targets,
                ) as writer,
                open_bar("Predicting", len(jobs)) as advance,
            ):
                size = settings.batch_size or predict.batch_size(model.spec.model.seq_length)
                batches = [jobs[start : start + size] for start in range(0, len(jobs), size)]
                state = _PredictionState(model, genome, head, settings)
                for batch, values in zip(
                    batches, _batches(state, batches, out_dir, fasta), strict=True
                ):
                    windows = [window for _, window in batch]
                    writer.write(windows, [number for number, _ in batch], values)
                    advance(len(batch))
            written: Mapping[str, Sequence[Path]] = {}
            if coolers is not None:
                written = map_outputs.write(
                    path,
                    out_dir,
                    coolers,
                    names=names,
                    groups={name: predictions.group_name(name, geometries) for name in geometries},
                    fasta=genome.path,
                    chrom_sizes=genome.sizes,
                )
    return Written(path, len(jobs), written)


def predict_split(
    model: Model,
    data_dir: str | Path,
    *,
    out_dir: str | Path,
    split: str = "test",
    settings: PredictionSettings | None = None,
    open_bar: progress.OpenBar = progress.no_bar,
    **changes: Any,
) -> Written:
    """Predicts a split of a data directory into `preds.h5`, float16 as in Basenji.

    Args:
        model: What `build` or `load_model` returns.
        data_dir: Data directory.
        out_dir: Folder of `preds.h5`.
        split: Name of the split, or a pattern of record files.
        settings: What the predictions depend on; None for defaults. Draws are not used.
        open_bar: Opens a progress bar; called with a description and the number of windows.
        **changes: Fields of `settings` to replace.

    Raises:
        SpecError: The model has several heads, and the settings name none.
        DataError: The split cannot be read.
        RunError: `out_dir` holds results of another kind, or another process writes to it.
    """
    settings = keywords.replaced(settings or PredictionSettings(), changes)
    head = predict.one_head(model, settings.head)
    size = settings.batch_size or predict.batch_size(model.spec.model.seq_length)
    records = dataset.open_split(data_dir, split, batch_size=size)
    path = Path(out_dir) / SPLIT_NAME
    with (
        output_directory.claim(out_dir, kind="report"),
        split_arrays.appended(
            path,
            split_arrays.PREDICTIONS,
            attributes={provenance.KEY: _origin_text(model, settings, data=data_dir)},
        ) as append,
        open_bar("Predicting", records.records) as advance,
    ):
        for batch in records.batches():
            x = batch["sequence"].numpy()
            y = predict.predict(
                model,
                x,
                rc=settings.rc,
                shifts=settings.shifts,
                head=head,
                batch_size=size,
                precision=settings.precision,
            )
            for window in y:
                append(window)
                advance(1)
    return Written(path, records.records, {})


def _origin_text(model: Model, settings: PredictionSettings, **inputs: str | Path) -> str:
    described = {**fingerprint.described(model), **inputs}
    return provenance.text(provenance.origin(seeds={"seed": settings.seed}, inputs=described))


def _jobs(
    requested: str | Path | Sequence[regions.Region],
    genome: genomes.Genome,
    geometries: Mapping[str, Geometry],
    stride: int | None,
) -> list[tuple[int, regions.Region]]:
    """Returns (number of the region, window) for every window to predict."""
    # All heads read the same windows; the head with the largest crop covers the fewest bases.
    geometry = max(geometries.values(), key=lambda geometry: geometry.crop_bp)
    jobs = []
    if isinstance(requested, str | Path):
        listed = [region for region, _ in regions.read_bed(requested, names=genome.sizes)]
        if not listed:
            raise errors.DataError(f"{requested}: has no regions; give at least one line.")
    else:
        listed = list(requested)
    for number, region in enumerate(listed):
        size = genome.check(region)
        windows = predictions.windows(region, geometry, chrom_size=size, stride=stride)
        jobs += [(number, window) for window in windows]
    return jobs


class _PredictionState(NamedTuple):
    """Holds what a worker needs to predict windows."""

    model: Model
    genome: genomes.Genome
    head: str | None
    settings: PredictionSettings


@contextlib.contextmanager
def _opened(
    fasta: str | Path | personal_genome.Personal, head: str | None, settings: PredictionSettings
) -> Iterator[_PredictionState]:
    """Loads the model and yields the state of a worker."""
    if settings.load_model is None:
        raise errors.RunError("load_model: workers load the model themselves; give its loader.")
    model = settings.load_model()
    with personal_genome.opened(fasta, on_reference=True) as genome:
        yield _PredictionState(model, genome, head, settings)


def _batches(
    state: _PredictionState,
    batches: Sequence[Sequence[tuple[int, regions.Region]]],
    out_dir: str | Path,
    fasta: str | Path | personal_genome.Personal,
) -> Iterator[dict[str, dict[str, Any]]]:
    """Yields the values of every batch, which workers write as parts: head -> dataset -> array."""
    windows = [[window for _, window in batch] for batch in batches]
    settings = state.settings
    if settings.cluster.is_here:
        yield from (_predict_windows(state, batch) for batch in windows)
        return
    setup = functools.partial(
        _opened, fasta, state.head, dataclasses.replace(settings, cluster=workers.HERE)
    )
    with files.scratch(Path(out_dir) / output_directory.PARTS) as folder:
        paths = [folder / f"{number:06d}.npz" for number in range(len(windows))]
        parts = list(zip(paths, windows, strict=True))
        for path in workers.map_parts(_write_part, parts, settings.cluster, setup=setup):
            yield _read_part(path)
            path.unlink()


def _write_part(state: _PredictionState, part: tuple[Path, Sequence[regions.Region]]) -> Path:
    """Predicts windows into a file of their own, and returns its path."""
    path, windows = part
    values = _predict_windows(state, windows)
    arrays = {f"{head}/{name}": y for head, of in values.items() for name, y in of.items()}
    with files.atomic(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)
    return path


def _read_part(path: Path) -> dict[str, dict[str, Any]]:
    """Reads what `_write_part` wrote."""
    values: dict[str, dict[str, Any]] = {}
    with np.load(path) as arrays:
        for key, array in arrays.items():
            head, _, name = key.rpartition("/")
            values.setdefault(head, {})[name] = array
    return values


def _predict_windows(
    state: _PredictionState, windows: Sequence[regions.Region]
) -> dict[str, dict[str, Any]]:
    """Returns the values of some windows: head -> dataset -> array."""
    x = np.stack([dna.to_one_hot(state.genome.padded(*window)) for window in windows])
    values = predict_windows(state.model, x, state.head, state.settings)
    distances = novelty.of_windows(state.model.members, x)
    if distances is None:
        return values
    return {head: {**datasets, novelty.KEY: distances} for head, datasets in values.items()}


def predict_windows(
    model: Model, x: NDArray[np.uint8], head: str | None, settings: PredictionSettings
) -> dict[str, dict[str, NDArray[np.float32]]]:
    """Predicts one batch of windows.

    Args:
        model: What `build` or `load_model` returns.
        x: One-hot sequences. [B, L, 4].
        head: Name of the head; None for all.
        settings: What the predictions depend on.

    Returns:
        Head -> dataset -> values, [B, P, T] each: `preds`, and with draws also `epistemic_sd` and
        `aleatoric_sd`.
    """
    if not settings.draws:
        (batch,) = predict.stream(
            model,
            x,
            rc=settings.rc,
            shifts=settings.shifts,
            head=head,
            batch_size=len(x),
            precision=settings.precision,
        )
        return {name: {"preds": y} for name, y in batch.items()}
    samples = posterior.sample_posterior(
        model,
        x,
        draws=settings.draws,
        seed=settings.seed,
        head=head,
        batch_size=len(x),
        precision=settings.precision,
    )
    values = {
        "preds": samples.mean,
        "epistemic_sd": samples.epistemic_sd,
        "aleatoric_sd": samples.aleatoric_sd,
    }
    return {head or model.spec.head_names[0]: values}
