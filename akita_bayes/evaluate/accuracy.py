"""How accurate are predictions: of the data, of the noise-free truth, and beside knowing nothing.

A number alone says little, so a model's accuracy comes with that of the distance-only baseline (the
mean over the training windows of each target at each genomic distance), by strata of distance,
window by window, as insulation, and on simulated data beside what data of this depth allow.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, files, regions, triangle
from akita_bayes.data.records import dataset
from akita_bayes.evaluate import baseline, insulation
from akita_bayes.evaluate import strata as strata_
from akita_bayes.evaluate.comparison import Contest, Scores
from akita_bayes.models import posterior, predict
from akita_bayes.moments import Moments

TRUTH = "truth"
SCATTERED = 20_000
"""Pixels of each target that are kept for a scatter plot."""


class Example(NamedTuple):
    """One window, for a figure.

    Attributes:
        region: The part of the genome that the target covers.
        prediction: [P, T].
        target: [P, T].
        mask: True where measured. [P, T].
        truth: Noise-free, of simulated data. [P, T].
    """

    region: regions.Region
    prediction: NDArray
    target: NDArray
    mask: NDArray[np.bool_]
    truth: NDArray | None


@dataclasses.dataclass(frozen=True)
class Report:
    """A model on one split.

    Attributes:
        model: Against the data.
        baseline: Distance alone against the data.
        truth: The model against the noise-free truth; None for real data.
        ceiling: What data of this depth allow, `truth/ceiling.json`; None for real data.
        windows: Where each window lies, and its Pearson r of every target. [W, T].
        diagonal_offset: First diagonal of the triangle; None for tracks.
        strata: Labels of distance strata; empty for tracks.
        by_distance: Pearson r of the model within each stratum. [D, T].
        truth_by_distance: The same against the truth.
        insulation: Pearson r of insulation over all bins of all windows, [T]; None for tracks.
        examples: Windows for figures.
        scatter: Random measured pixels: target and prediction. [n, 2] for every target.
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
    scatter: list[NDArray]


def assess(
    model: Any,
    data_dir: str | Path,
    *,
    split: str = "test",
    train_split: str | Sequence[str] | None = None,
    head: str | int | None = None,
    rc: bool = False,
    shifts: Sequence[int] = (0,),
    draws: int = 0,
    seed: int = 0,
    targets: Sequence[int] | None = None,
    rank: bool = True,
    examples: int = 3,
    save: Callable[[NDArray], None] = lambda prediction: None,
    advance: Callable[[int], None] = lambda windows: None,
) -> Report:
    """Predicts a split and judges the predictions.

    Args:
        model: From `load_model`.
        data_dir: A data directory.
        split: Split to judge on.
        train_split: Split, or splits, of which the baseline is the mean; None takes `train`, or of
            folds all but the judged one.
        head: One head of several.
        rc: Average the predictions of both strands.
        shifts: Average over the window moved by so many bases.
        draws: Take the mean of so many posterior draws as the prediction; 0 the model's own.
        seed: Of draws and of the pixels in `scatter`.
        targets: Indices of the targets to judge; None takes all.
        rank: Rank correlations too, which needs all pixels in memory.
        examples: Windows to keep for figures, spread evenly.
        save: Called with the prediction of every window, in order. [P, T].
        advance: Told how many windows are done, of this split and of the training split.

    Raises:
        DataError: A split or record is bad, or the truth is of other windows.
        SpecError: The model's output and the data disagree.
    """
    if draws and (rc or tuple(shifts) != (0,)):
        raise errors.SpecError("draws: draws are of the window as it is; leave rc and shifts.")
    predict.check_shifts(shifts, model.spec.model.seq_length)
    name = model.spec.head(head).name
    if draws:
        posterior.Sampler(model, head=name)  # An exported model is refused before the work.
    opened = dataset.open_split(
        data_dir, split, batch_size=predict.batch_size(model.spec.model.seq_length)
    )
    model.spec.check_statistics(opened.statistics.to_json(), name)
    chosen = np.arange(opened.statistics.num_targets) if targets is None else np.array(targets)
    place = model.spec.geometry(name)
    offset = place.diagonal_offset
    groups = None if offset is None else strata_.log_spaced(place.bins, offset)
    distance = 0 if offset is None else triangle.distances(place.bins, offset)
    train_split = train_split or baseline.training_splits(data_dir, split)
    expected = baseline.distance_only(data_dir, train_split, distance, advance=advance)[:, chosen]
    truth = read_truth(data_dir, split, opened.records)
    contests = {
        "model": Contest(len(chosen), rank=rank, strata=groups),
        "baseline": Contest(len(chosen), rank=rank),
        "truth": Contest(len(chosen), rank=rank, strata=groups),
    }
    borders = Moments.zeros(len(chosen))
    kept, names, scattered = [], [], []
    shown = set(np.linspace(0, opened.records - 1, examples).astype(int))
    random = np.random.default_rng(seed)
    share = max(1, -(-SCATTERED // opened.records))
    views = _views(model, opened, name, rc, tuple(shifts), draws, seed)
    for number, (where, y, measured, mask) in enumerate(views):
        y, measured, mask = y[:, chosen], measured[:, chosen], mask[:, chosen]
        save(y)
        noise_free = None if truth is None else truth[number][:, chosen].astype(np.float32)
        contests["model"].update(measured, y, mask)
        contests["baseline"].update(measured, expected, mask)
        if noise_free is not None:
            contests["truth"].update(noise_free, y, mask)
        if offset is not None:
            borders = borders.merge(_insulation(measured, y, mask, offset, place.bins))
        names.append(where)
        scattered.append(_sample(random, measured, y, mask, share))
        if number in shown:
            region = _region(where, place.crop_bp, place.seq_length)
            kept.append(Example(region, y, measured, mask, noise_free))
        advance(1)
    told = Path(data_dir) / TRUTH / "ceiling.json"
    ceiling = files.read_json(told).get(split) if told.is_file() else None
    return Report(
        model=contests["model"].scores(),
        baseline=contests["baseline"].scores(),
        truth=None if truth is None else contests["truth"].scores(),
        ceiling=ceiling
        and {key: [values[index] for index in chosen] for key, values in ceiling.items()},
        windows=(names, np.array(contests["model"].windows)),
        diagonal_offset=offset,
        strata=groups.labels(place.bin_width) if groups else [],
        by_distance=contests["model"].by_distance(),
        truth_by_distance=None if truth is None else contests["truth"].by_distance(),
        insulation=None if offset is None else borders.pearson(),
        examples=kept,
        scatter=[np.concatenate([each[t] for each in scattered]) for t in range(len(chosen))],
    )


def read_truth(data_dir: str | Path, split: str, records: int) -> NDArray | None:
    """Noise-free targets of a simulated split, [W, P, T]; None for real data.

    Raises:
        DataError: There are more or fewer than the split has records.
    """
    path = Path(data_dir) / TRUTH / f"{split}.npz"
    if not path.is_file():
        return None
    with np.load(path) as archive:
        truth = archive["truth"]
    if len(truth) != records:
        raise errors.DataError(
            f"{path}: the truth of {len(truth)} windows for {records} records; simulate again."
        )
    return truth


def _views(
    model: Any,
    opened: dataset.Split,
    head: str,
    rc: bool,
    shifts: tuple[int, ...],
    draws: int,
    seed: int,
) -> Iterator[tuple[str, NDArray, NDArray, NDArray]]:
    """Region, prediction, target and mask of every window."""
    for batch in opened.batches():
        sequence = batch["sequence"].numpy()
        if draws:
            stated = posterior.sample_posterior(
                model, sequence, draws=draws, seed=seed, quantiles=(), head=head
            )
            prediction = stated.mean
        else:
            prediction = predict.predict(model, sequence, rc=rc, shifts=shifts, head=head)
        where = [each.decode() for each in batch["region"].numpy()]
        yield from zip(
            where, prediction, batch["target"].numpy(), batch["mask"].numpy(), strict=True
        )


def _insulation(
    measured: NDArray, prediction: NDArray, mask: NDArray, offset: int, bins: int
) -> Moments:
    width = insulation.default_width(bins)
    (y, known), (p, _) = (
        insulation.profile(each, mask, diagonal_offset=offset, width=width)
        for each in (measured, prediction)
    )
    return Moments.of(y, p, known)


def _sample(
    random: np.random.Generator, measured: NDArray, prediction: NDArray, mask: NDArray, share: int
) -> list[NDArray]:
    """A window's share of the pixels to scatter. [n, 2] for every target."""
    found = []
    for target in range(measured.shape[1]):
        pixels = np.flatnonzero(mask[:, target])
        pixels = random.choice(pixels, min(share, len(pixels)), replace=False)
        found.append(np.stack([measured[pixels, target], prediction[pixels, target]], axis=1))
    return found


def _region(text: str, crop_bp: int, seq_length: int) -> regions.Region:
    """The part of a window that its target covers; files that name no region are chromosomes."""
    try:
        region = regions.parse(text)
    except errors.DataError:
        region = regions.Region(text, 0, seq_length)
    return regions.Region(region.chrom, region.start + crop_bp, region.end - crop_bp)
