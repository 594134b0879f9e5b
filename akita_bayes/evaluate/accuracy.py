"""Measures the accuracy of predictions against data, noise-free truth and a baseline.

The distance-only baseline is the mean over the training windows of each target at each genomic
distance. Accuracy is given overall, by strata of distance, for each window, and for insulation. For
simulated data, it is given together with the ceiling: the accuracy that data of this depth allow.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, files, keywords, progress, regions, triangle
from akita_bayes.data import noise_table
from akita_bayes.data.records import dataset, statistics
from akita_bayes.evaluate import accuracy_details, baseline, insulation
from akita_bayes.evaluate import strata as strata_
from akita_bayes.evaluate.comparison import Comparison, Scores
from akita_bayes.files import damage, npz_reader
from akita_bayes.models import fingerprint, network_draws, posterior, predict
from akita_bayes.models.protocol import Model
from akita_bayes.numerics import pit
from akita_bayes.numerics.moments import Moments
from akita_bayes.origins import training_regions
from akita_bayes.specs.geometry import Geometry

TRUTH = "truth"
SCATTERED = 20_000
"""Number of pixels of each target in a scatter plot."""


class Example(NamedTuple):
    """Holds one window for a figure.

    Attributes:
        region: The part of the genome that the target covers.
        prediction: Predicted values. [P, T].
        target: Measured values. [P, T].
        mask: True where measured. [P, T].
        truth: Noise-free values of simulated data; None for real data. [P, T].
        sd: Standard deviation of a measurement around the prediction; None without draws. [P, T].
    """

    region: regions.Region
    prediction: NDArray[Any]
    target: NDArray[Any]
    mask: NDArray[np.bool_]
    truth: NDArray[Any] | None
    sd: NDArray[Any] | None = None


@dataclasses.dataclass(frozen=True)
class Report:
    """Holds the accuracy of a model on one split.

    Attributes:
        model: Accuracy of the model against the data.
        baseline: Accuracy of the distance-only baseline against the data.
        truth: Accuracy of the model against the noise-free truth; None for real data.
        ceiling: Accuracy that data of this depth allow, `truth/ceiling.json`; None for real data.
        windows: Location of each window, and its Pearson r of every target. [W, T].
        diagonal_offset: First diagonal of the triangle; None for tracks.
        strata: Labels of distance strata; empty for tracks.
        by_distance: Pearson r of the model within each stratum. [D, T].
        truth_by_distance: Pearson r within each stratum against the truth. [D, T].
        insulation: Pearson r of insulation over all bins of all windows, [T]; None for tracks.
        examples: Windows for figures.
        scatter: Target and prediction of random measured pixels, [n, 2] for every target.
        origin: Versions, seed and digests of model and data (`akita_bayes.origins.provenance`).
        uniformity: Test of the stated standard deviations of draws; None without draws, without a
            recalibration, or for few windows.
        learned: Number of windows that overlap a training window of the model; None where the model
            does not record its training windows.
        details: Scores with intervals, baselines and a ceiling.
        geometry: How the output lies on windows.
    """

    model: Scores
    baseline: Scores
    truth: Scores | None
    ceiling: Mapping[str, Any] | None
    windows: tuple[list[str], NDArray[np.float64]]
    diagonal_offset: int | None
    strata: list[str]
    by_distance: NDArray[np.float64]
    truth_by_distance: NDArray[np.float64] | None
    insulation: NDArray[np.float64] | None
    examples: list[Example]
    scatter: list[NDArray[Any]]
    origin: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    learned: int | None = None
    details: accuracy_details.Details | None = None
    geometry: Geometry | None = None
    uniformity: pit.Uniformity | None = None


@dataclasses.dataclass(frozen=True)
class AccuracyOptions:
    """Holds the settings of `assess`.

    Attributes:
        split: Split on which the model is judged.
        train_split: Split, or splits, whose mean is the baseline; None takes `train`, or all folds
            but the judged one.
        head: Name or index of the head, for a model with several.
        rc: True to average the predictions of both strands.
        shifts: Bases by which the window is moved; predictions are averaged over them.
        draws: Number of posterior draws whose mean is the prediction; 0 for a plain prediction.
        seed: Seed of the draws and of the pixels in `scatter`.
        targets: Indices of the targets to judge; None takes all.
        rank: True to compute rank correlations, which needs all pixels in memory.
        examples: Number of windows for figures, spread evenly.
        precision: Precision of the convolutions, 'float32' or 'bfloat16'; None takes that of the
            saved model.
    """

    split: str = "test"
    train_split: str | Sequence[str] | None = None
    head: str | int | None = None
    rc: bool = False
    shifts: Sequence[int] = (0,)
    draws: int = 0
    seed: int = 0
    targets: Sequence[int] | None = None
    rank: bool = True
    examples: int = 3
    precision: str | None = None


def assess(
    model: Model,
    data_dir: str | Path,
    *,
    options: AccuracyOptions = AccuracyOptions(),
    save: Callable[[NDArray[Any]], None] | None = None,
    advance: progress.Advance = progress.ignore,
    **changes: Any,
) -> Report:
    """Predicts a split and judges the predictions.

    Args:
        model: A network or an ensemble, from `load_model`.
        data_dir: A data directory.
        options: Settings.
        save: Called with the prediction of every window, in order, [P, T]; see
            `accuracy_files.saved_predictions`.
        advance: Called with the number of finished windows, of this and of the training split.
        changes: Fields of `options` to replace, such as `split="valid"`.

    Raises:
        DataError: A split or record is bad, or the truth has another number of windows.
        SpecError: The model's output and the data disagree, or draws are to be averaged over
            strands or shifts.
        TypeError: A keyword is not a field of `options`.
    """
    options = keywords.replaced(options, changes)
    if options.draws and (options.rc or tuple(options.shifts) != (0,)):
        raise errors.SpecError(
            "draws: draws cannot be averaged over strands or shifts; leave out rc and shifts."
        )
    predict.check_shifts(options.shifts, model.spec.model.seq_length)
    predict.check_precision(model, options.precision)
    name = predict.one_head(model, options.head)
    if options.draws:
        # Refuses an exported model before any prediction.
        network_draws.useful_draws(model, options.draws, name)
    else:
        network_draws.remark_without_draws(model, [name])
    data_split = dataset.open_split(
        data_dir, options.split, batch_size=predict.batch_size(model.spec.model.seq_length)
    )
    model.spec.check_statistics(data_split.statistics.to_json(), name)
    target_indices = (
        np.arange(data_split.statistics.num_targets)
        if options.targets is None
        else np.array(options.targets)
    )
    geometry = model.spec.geometry(name)
    offset = geometry.diagonal_offset
    strata = None if offset is None else strata_.log_spaced(geometry.bins, offset)
    distance = 0 if offset is None else triangle.distances(geometry.bins, offset)
    train_split = options.train_split or baseline.training_splits(data_dir, options.split)
    means = baseline.training_means(data_dir, train_split, distance, advance=advance)
    simple = {
        "distance_only": means.by_distance[:, target_indices],
        "training_mean": means.by_pixel[:, target_indices],
    }
    collector = accuracy_details.DetailCollector(geometry.bins, offset, strata)
    truth = read_truth(data_dir, options.split, data_split.records)
    comparisons = {
        "model": Comparison(len(target_indices), rank=options.rank, strata=strata),
        "baseline": Comparison(len(target_indices), rank=options.rank),
        "truth": Comparison(len(target_indices), rank=options.rank, strata=strata),
    }
    insulation_moments = Moments.zeros(len(target_indices))
    example_windows, names, scattered = [], [], []
    example_numbers = set(np.linspace(0, data_split.records - 1, options.examples).astype(int))
    random = np.random.default_rng(options.seed)
    share = max(1, -(-SCATTERED // data_split.records))
    predicted_windows = _predict_windows(model, data_split, name, options)
    pit_counts: list[NDArray[Any]] = []
    for number, (location, prediction, sd, measured, mask) in enumerate(predicted_windows):
        prediction, measured, mask = (
            prediction[:, target_indices],
            measured[:, target_indices],
            mask[:, target_indices],
        )
        if save is not None:
            save(prediction)
        sd = None if sd is None else sd[:, target_indices]
        if sd is not None and name in model.recalibrations:
            pit_counts.append(pit.counts(measured, prediction, sd, mask))
        noise_free = None if truth is None else truth[number][:, target_indices].astype(np.float32)
        comparisons["model"].update(measured, prediction, mask)
        comparisons["baseline"].update(measured, simple["distance_only"], mask)
        collector.add(measured, prediction, mask, simple)
        if noise_free is not None:
            comparisons["truth"].update(noise_free, prediction, mask)
        if offset is not None:
            insulation_moments = insulation_moments.merge(
                _insulation(measured, prediction, mask, offset, geometry.bins)
            )
        names.append(location)
        scattered.append(_sample(random, measured, prediction, mask, share))
        if number in example_numbers:
            region = target_region(location, geometry.crop_bp, geometry.seq_length)
            example_windows.append(Example(region, prediction, measured, mask, noise_free, sd))
        advance(1)
    ceiling_path = Path(data_dir) / TRUTH / "ceiling.json"
    ceiling = files.read_json(ceiling_path).get(options.split) if ceiling_path.is_file() else None
    return Report(
        model=comparisons["model"].scores(),
        baseline=comparisons["baseline"].scores(),
        truth=None if truth is None else comparisons["truth"].scores(),
        ceiling=ceiling
        and {key: [values[index] for index in target_indices] for key, values in ceiling.items()},
        windows=(names, np.array(comparisons["model"].windows)),
        diagonal_offset=offset,
        strata=strata.labels(geometry.bin_width) if strata else [],
        by_distance=comparisons["model"].by_distance(),
        truth_by_distance=None if truth is None else comparisons["truth"].by_distance(),
        insulation=None if offset is None else insulation_moments.pearson(),
        examples=example_windows,
        scatter=[
            np.concatenate([pixels[t] for pixels in scattered]) for t in range(len(target_indices))
        ],
        origin=fingerprint.origin(model, options.seed, data_dir),
        uniformity=pit.uniformity(pit_counts),
        learned=_learned(names, training_regions.of_model(model, name)),
        details=collector.details(names, _noise(data_dir, geometry, target_indices), options.seed),
        geometry=geometry,
    )


def _noise(
    data_dir: str | Path, geometry: Geometry, target_indices: NDArray[np.intp]
) -> noise_table.NoiseTable | None:
    """Returns the noise of some targets of a data directory; None where it is not known."""
    if geometry.diagonal_offset is None:
        return None
    table = noise_table.read(
        data_dir,
        targets=statistics.read(data_dir).num_targets,
        bins=geometry.bins,
        diagonal_offset=geometry.diagonal_offset,
    )
    if table is None:
        return None
    fields = {
        name: getattr(table, name)[target_indices] for name in ("variance", "slope", "pixels")
    }
    return dataclasses.replace(table, **fields)


def _learned(
    locations: Sequence[str], recorded: Sequence[training_regions.TrainingRegions]
) -> int | None:
    """Counts the windows that overlap a training window; None when no member records any."""
    if not recorded:
        return None
    windows = []
    for location in locations:
        with contextlib.suppress(errors.DataError):  # `file#record` names no region
            windows.append(regions.parse(location))
    return sum(any(training.overlaps(window) for training in recorded) for window in windows)


def read_truth(data_dir: str | Path, split: str, records: int) -> NDArray[Any] | None:
    """Returns the noise-free targets of a simulated split, [W, P, T]; None for real data.

    Raises:
        DataError: The number of windows differs from the number of records of the split.
    """
    path = Path(data_dir) / TRUTH / f"{split}.npz"
    if not path.is_file():
        return None
    kind, advice = "the truth of a simulation", "simulate again"
    arrays = npz_reader.read(path, kind, advice)
    with damage.explained(path, kind, advice):
        truth: NDArray[Any] = arrays["truth"]
    if len(truth) != records:
        raise errors.DataError(
            f"{path}: has the truth of {len(truth)} windows for {records} records; simulate again."
        )
    return truth


def _predict_windows(
    model: Model, data_split: dataset.Split, head: str, options: AccuracyOptions
) -> Iterator[tuple[str, NDArray[Any], NDArray[Any] | None, NDArray[Any], NDArray[Any]]]:
    """Yields location, prediction, sd, target and mask of every window.

    The sd, of a measurement around the prediction, is None without draws.
    """
    for batch in data_split.batches():
        sequence = batch["sequence"].numpy()
        sds: Sequence[NDArray[Any] | None] = [None] * len(sequence)
        if options.draws:
            moments = posterior.sample_posterior(
                model,
                sequence,
                draws=options.draws,
                seed=options.seed,
                quantiles=(),
                head=head,
                precision=options.precision,
            )
            prediction = moments.mean
            sds = list(moments.sd)
        else:
            prediction = predict.predict(
                model,
                sequence,
                rc=options.rc,
                shifts=tuple(options.shifts),
                head=head,
                precision=options.precision,
            )
        locations = [name.decode() for name in batch["region"].numpy()]
        targets, masks = batch["target"].numpy(), batch["mask"].numpy()
        yield from zip(locations, prediction, sds, targets, masks, strict=True)


def _insulation(
    measured: NDArray[Any], prediction: NDArray[Any], mask: NDArray[Any], offset: int, bins: int
) -> Moments:
    width = insulation.default_width(bins)
    (measured_profile, valid), (predicted_profile, _) = (
        insulation.profile(vector, mask, diagonal_offset=offset, width=width)
        for vector in (measured, prediction)
    )
    return Moments.of(measured_profile, predicted_profile, valid)


def _sample(
    random: np.random.Generator,
    measured: NDArray[Any],
    prediction: NDArray[Any],
    mask: NDArray[Any],
    share: int,
) -> list[NDArray[Any]]:
    """Returns target and prediction of `share` random measured pixels. [n, 2] for every target."""
    samples = []
    for target in range(measured.shape[1]):
        pixels = np.flatnonzero(mask[:, target])
        pixels = random.choice(pixels, min(share, len(pixels)), replace=False)
        samples.append(np.stack([measured[pixels, target], prediction[pixels, target]], axis=1))
    return samples


def target_region(text: str, crop_bp: int, seq_length: int) -> regions.Region:
    """Returns the part of a window that its target covers.

    A location that is not a region, as `file#record`, is used as the name of a chromosome.
    """
    try:
        region = regions.parse(text)
    except errors.DataError:
        region = regions.Region(text, 0, seq_length)
    return regions.Region(region.chrom, region.start + crop_bp, region.end - crop_bp)
