"""Does a data directory hold what it says? Every record re-read, a sample recomputed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, files, regions
from akita_bayes.data import genome, interval_sets
from akita_bayes.data.contacts import coolers, counts_to_targets, expectation, reference_target
from akita_bayes.data.preparation import data_directory, targets, training_windows, window_blocks
from akita_bayes.data.records import dataset, statistics, tfrecord


class Finding(NamedTuple):
    """One line of the table: what was checked, what was found, and whether it is right.

    `right` is None where there was nothing to check it by.
    """

    check: str
    found: str
    right: bool | None


def check(
    data_dir: str | Path,
    *,
    sample: int = 8,
    seed: int = 0,
    progress: data_directory.Progress = data_directory.silent,
) -> list[Finding]:
    """Re-reads a data directory.

    Counts, shapes and finite values of every record; overlap between splits; and, where
    `options.json` says from what the directory was made, sequences against the FASTA, and targets
    and masks against the coolers by the step-by-step `recipe`, for a random sample.

    Args:
        data_dir: A directory made by `akita_data.py` or Basenji.
        sample: Records to recompute, at least 1.
        seed: Of the sample.
        progress: Opens a bar.

    Raises:
        DataError: The directory, its statistics, or an input that it was made from is missing, or
            the sample is empty.
    """
    if sample < 1:
        raise errors.DataError(f"sample {sample}: recompute at least 1 record.")
    data_dir = Path(data_dir)
    found = statistics.read(data_dir)
    findings: list[Finding] = []
    records: dict[training_windows.Window, tuple[Path, int]] = {}
    with progress("records", sum(found.seqs.values())) as advance:
        for split, expected in found.seqs.items():
            findings.append(_read_split(data_dir, split, expected, found, records, advance))
    findings.append(_separation(data_dir, records))
    origin = data_dir / data_directory.OPTIONS
    if not origin.exists() or not records:
        told = "regions of records" if origin.exists() else data_directory.OPTIONS
        findings.append(Finding("against sources", f"not compared: there is no {told}", None))
    else:
        chosen = np.random.default_rng(seed).permutation(len(records))[:sample]
        places = list(records.items())
        findings += _against_origin(origin, found, [places[index] for index in chosen], progress)
    return findings


def _read_split(
    data_dir: Path,
    split: str,
    expected: int,
    found: statistics.Statistics,
    records: dict[training_windows.Window, tuple[Path, int]],
    advance: Callable[..., None],
) -> Finding:
    count = masked = pixels = 0
    paths = sorted(
        (data_dir / "tfrecords").glob(f"{split}-*{tfrecord.SUFFIX}"), key=dataset.natural
    )
    try:
        for path in paths:
            for index, record in enumerate(tfrecord.read_records(path, found)):
                if record.region is not None:
                    records[training_windows.Window(record.region, split)] = (path, index)
                if record.mask is not None:
                    masked += int((~record.mask).sum())
                pixels += record.target.size
                count += 1
                advance()
    except errors.DataError as error:
        return Finding(f"{split}: records", str(error), False)
    share = f", {masked / pixels:.1%} of pixels masked" if pixels else ""
    text = f"{count} in {len(paths)} files, statistics.json says {expected}{share}"
    return Finding(f"{split}: records", text, count == expected)


def _separation(
    data_dir: Path, records: dict[training_windows.Window, tuple[Path, int]]
) -> Finding:
    """No window of one split within a window's length of another split's."""
    found = list(records)
    bed = data_dir / "sequences.bed"
    if not found and bed.exists():
        found = [
            training_windows.Window(region, fields[0] if fields else "train")
            for region, fields in regions.read_bed(bed)
        ]
    if not found:
        return Finding("splits apart", "no record and no sequences.bed says where it lies", True)
    for margin, right in ((0, False), (found[0].region.width, True)):
        close = training_windows.overlap(found, margin=margin)
        if close is not None:
            one, other = close
            verb = "overlaps" if margin == 0 else "is less than one window from"
            text = f"{one.region} ({one.split}) {verb} {other.region} ({other.split})"
            return Finding("splits apart", text, right)
    return Finding("splits apart", "at least one window between any two", True)


def _against_origin(
    origin: Path,
    found: statistics.Statistics,
    chosen: list[tuple[training_windows.Window, tuple[Path, int]]],
    progress: data_directory.Progress,
) -> Iterator[Finding]:
    options = files.read_json(origin)
    names = targets.TargetFile._fields
    try:
        transform = counts_to_targets.Transform(**options["transform"])
        sources = [
            targets.TargetFile(**{name: target[name] for name in names})
            for target in options["targets"]
        ]
        fasta, blacklist = options["fasta"]["path"], options["blacklist"]
    except (KeyError, TypeError):
        raise errors.DataError(
            f"{origin}: does not say what the directory was made from, as akita_data.py writes it; "
            "move it away to check the records alone."
        ) from None
    different = 0
    worst = np.zeros(len(sources))
    otherwise = np.zeros(len(sources), int)
    with (
        genome.Genome(fasta) as opened,
        progress("sample", len(chosen)) as advance,
    ):
        clrs = [coolers.Contacts(source.uri, opened.sizes) for source in sources]
        stretches = interval_sets.Intervals()
        if blacklist is not None:
            margin = window_blocks.BLACKLIST_MARGIN
            stretches = interval_sets.Intervals.read(blacklist, opened.sizes, margin=margin)
        for window, (path, index) in chosen:
            record = _nth(path, index, found)
            different += not np.array_equal(record.sequence, opened.index(window.region))
            for place, (source, clr) in enumerate(zip(sources, clrs, strict=True)):
                twin = _recomputed(clr, source, window.region, transform, stretches)
                mask = True if record.mask is None else record.mask[:, place]
                worst[place] = max(worst[place], _difference(record.target[:, place], twin))
                otherwise[place] += np.count_nonzero(mask != twin.mask)
            advance()
    yield Finding("sequence against FASTA", f"{different} of {len(chosen)} differ", different == 0)
    for source, difference, pixels in zip(sources, worst, otherwise, strict=True):
        yield Finding(
            f"{source.identifier} against cooler",
            f"largest difference {difference:.2g} of float16's spacing",
            bool(difference <= 1),
        )
        yield Finding(
            f"{source.identifier}: mask against cooler",
            f"{pixels} of {len(chosen) * found.target_length} pixels differ",
            pixels == 0,
        )


def _nth(path: Path, index: int, found: statistics.Statistics) -> tfrecord.Record:
    for place, record in enumerate(tfrecord.read_records(path, found)):
        if place == index:
            return record
    raise errors.DataError(f"{path}: changed while it was being checked.")


def _recomputed(
    clr: coolers.Contacts,
    source: targets.TargetFile,
    region: regions.Region,
    transform: counts_to_targets.Transform,
    blacklist: interval_sets.Intervals,
) -> counts_to_targets.Target:
    own = regions.Region(clr.names[region.chrom], region.start, region.end)
    expected = None
    if transform.global_obsexp:
        expected = expectation.read(
            source.expected,
            own.chrom,
            bins=transform.window_bins,
            offset=transform.diagonal_offset,
            width=transform.pool_width,
        )
    # cooler and cooltools stop on an assertion at what these refuse.
    clr.counts(region)
    clr.weights(region)
    return reference_target.target(
        clr.cooler,
        own,
        transform,
        clip=source.clip,
        expected=expected,
        blacklisted=blacklist.bins(region, transform.pool_width),
    )


def _difference(stored: NDArray[np.float16], twin: counts_to_targets.Target) -> float:
    """Largest difference over measured pixels, in units of float16's spacing; NaN is infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        spacing = np.spacing(np.abs(twin.values).astype(np.float16)).astype(np.float64)
        difference = np.abs(stored.astype(np.float64) - twin.values) / spacing
    return float(np.nan_to_num(difference[twin.mask], nan=np.inf).max(initial=0.0))
