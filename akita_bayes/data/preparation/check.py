"""Checks a data directory: re-reads every record, and recomputes a sample from its sources."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, progress, regions
from akita_bayes.data import assembly, genome
from akita_bayes.data.contacts import contact_file, counts_to_targets, expectation
from akita_bayes.data.preparation import recorded_sources, targets, training_windows
from akita_bayes.data.records import dataset, statistics, tfrecord
from akita_bayes.origins import optional


class Finding(NamedTuple):
    """Describes one line of the table of checks.

    Attributes:
        check: What was checked.
        result: What the check measured.
        passed: True when the result is right; None when there was nothing to compare with.
    """

    check: str
    result: str
    passed: bool | None


def check(
    data_dir: str | Path,
    *,
    sample: int = 8,
    seed: int = 0,
    open_bar: progress.OpenBar = progress.no_bar,
) -> list[Finding]:
    """Re-reads a data directory and returns one finding for each check.

    Checks counts, shapes and finite values of every record, and the distance between splits. Where
    `options.json` names the sources of the directory, and cooltools is installed, it also compares
    a random sample with them: sequences with the FASTA, targets and masks with the coolers,
    recomputed step by step by `reference_target`.

    Args:
        data_dir: A directory made by `akita_data.py` or Basenji.
        sample: Records to recompute, at least 1.
        seed: Seed of the random sample.
        open_bar: Opens a progress bar.

    Raises:
        DataError: The directory, its statistics, or one of its sources is missing, or the sample
            is empty.
    """
    if sample < 1:
        raise errors.DataError(f"sample is {sample}; expected at least 1 record to recompute.")
    data_dir = Path(data_dir)
    data_statistics = statistics.read(data_dir)
    findings: list[Finding] = []
    records: dict[training_windows.Window, tuple[Path, int]] = {}
    with open_bar("records", sum(data_statistics.seqs.values())) as advance:
        for split, expected in data_statistics.seqs.items():
            findings.append(
                _read_split(data_dir, split, expected, data_statistics, records, advance)
            )
    findings.append(_separation(data_dir, data_statistics, records))
    recorded = recorded_sources.read(data_dir)
    if recorded is None or not records:
        absent = recorded_sources.FILE_NAME if recorded is None else "regions of records"
        findings.append(Finding("against sources", f"not compared: there is no {absent}", None))
    elif not optional.is_installed("cooltools"):
        text = f"not compared: cooltools is not installed; {optional.advice('cooltools')}"
        findings.append(Finding("against sources", text, None))
    else:
        sampled = np.random.default_rng(seed).permutation(len(records))[:sample]
        located = list(records.items())
        findings += _compare_sources(
            recorded, data_statistics, [located[index] for index in sampled], open_bar
        )
    return findings


def _read_split(
    data_dir: Path,
    split: str,
    expected: int,
    data_statistics: statistics.Statistics,
    records: dict[training_windows.Window, tuple[Path, int]],
    advance: progress.Advance,
) -> Finding:
    count = masked = pixels = 0
    paths = sorted(
        (data_dir / "tfrecords").glob(f"{split}-*{tfrecord.SUFFIX}"), key=dataset.natural
    )
    try:
        for path in paths:
            for index, record in enumerate(tfrecord.read_records(path, data_statistics)):
                if record.region is not None:
                    records[training_windows.Window(record.region, split)] = (path, index)
                if record.mask is not None:
                    masked += int((~record.mask).sum())
                pixels += record.target.size
                count += 1
                advance()
    except errors.DataError as error:
        return Finding(f"{split}: records", str(error), False)
    masked_share = f", {masked / pixels:.1%} of pixels masked" if pixels else ""
    text = f"{count} in {len(paths)} files, statistics.json says {expected}{masked_share}"
    return Finding(f"{split}: records", text, count == expected)


def _separation(
    data_dir: Path,
    data_statistics: statistics.Statistics,
    records: dict[training_windows.Window, tuple[Path, int]],
) -> Finding:
    """Checks that windows of different splits lie at least one window's length apart."""
    windows = list(records)
    bed = data_dir / "sequences.bed"
    if not windows and bed.exists():
        windows = [
            training_windows.Window(region, fields[0] if fields else "train")
            for region, fields in regions.read_bed(bed)
        ]
    if not windows:
        return Finding(
            "splits apart", "neither the records nor a sequences.bed name the regions", True
        )
    circles = assembly.of(data_statistics.circular, circular=tuple(data_statistics.circular))
    periods = circles.periods(data_statistics.pool_width)
    for margin, right in ((0, False), (windows[0].region.width, True)):
        close = training_windows.overlap(windows, margin=margin, periods=periods)
        if close is not None:
            first, second = close
            verb = "overlaps" if margin == 0 else "is less than one window from"
            text = f"{first.region} ({first.split}) {verb} {second.region} ({second.split})"
            return Finding("splits apart", text, right)
    return Finding("splits apart", "at least one window between any two", True)


def _compare_sources(
    recorded: recorded_sources.Recorded,
    data_statistics: statistics.Statistics,
    sample: list[tuple[training_windows.Window, tuple[Path, int]]],
    open_bar: progress.OpenBar,
) -> Iterator[Finding]:
    sources = recorded.sources
    target_files, transform = sources.targets, sources.transform
    periods = sources.genome.periods(transform.pool_width)
    differing_sequences = 0
    largest_differences = np.zeros(len(target_files))
    differing_masks = np.zeros(len(target_files), int)
    with (
        genome.Genome(recorded.fasta, circular=sources.genome.circular) as fasta_file,
        open_bar("sample", len(sample)) as advance,
    ):
        contact_files = [sources.contacts(target_file) for target_file in target_files]
        for window, (path, index) in sample:
            record = _record_at(path, index, data_statistics)
            differing_sequences += not np.array_equal(
                record.sequence, fasta_file.index(window.region)
            )
            blacklisted = sources.blacklisted().bins(
                window.region, transform.pool_width, period=periods.get(window.region.chrom)
            )
            for column, (target_file, contacts) in enumerate(
                zip(target_files, contact_files, strict=True)
            ):
                recomputed = _recompute(
                    contacts, target_file, window.region, transform, blacklisted
                )
                mask = True if record.mask is None else record.mask[:, column]
                largest_differences[column] = max(
                    largest_differences[column], _difference(record.target[:, column], recomputed)
                )
                differing_masks[column] += np.count_nonzero(mask != recomputed.mask)
            advance()
    yield Finding(
        "sequence against FASTA",
        f"{differing_sequences} of {len(sample)} differ",
        differing_sequences == 0,
    )
    for target_file, difference, pixels in zip(
        target_files, largest_differences, differing_masks, strict=True
    ):
        yield Finding(
            f"{target_file.identifier} against cooler",
            f"largest difference {difference:.2g} of float16's spacing",
            bool(difference <= 1),
        )
        yield Finding(
            f"{target_file.identifier}: mask against cooler",
            f"{pixels} of {len(sample) * data_statistics.target_length} pixels differ",
            pixels == 0,
        )


def _record_at(path: Path, index: int, data_statistics: statistics.Statistics) -> tfrecord.Record:
    for number, record in enumerate(tfrecord.read_records(path, data_statistics)):
        if number == index:
            return record
    raise errors.DataError(f"{path}: the file changed during the check; run the check again.")


def _recompute(
    contacts: contact_file.ContactFile,
    target_file: targets.TargetFile,
    region: regions.Region,
    transform: counts_to_targets.Transform,
    blacklisted: NDArray[np.bool_],
) -> counts_to_targets.Target:
    from akita_bayes.data.contacts import reference_target

    expected = None
    if transform.global_obsexp:
        expected = expectation.read(
            target_file.expected,
            contacts.names[region.chrom],
            bins=transform.window_bins,
            offset=transform.diagonal_offset,
            width=transform.pool_width,
        )
    # These two calls report bad pixels and weights as a DataError; cooler would fail an assertion.
    contacts.counts(region)
    contacts.weights(region)
    balanced, counts = contacts.maps(region)
    return reference_target.from_maps(
        balanced,
        counts,
        transform,
        clip=target_file.clip,
        expected=expected,
        blacklisted=blacklisted,
    )


def _difference(stored: NDArray[np.float16], recomputed: counts_to_targets.Target) -> float:
    """Returns the largest difference over measured pixels, in units of the spacing of float16.

    A NaN counts as an infinite difference.
    """
    # Near 1.5 neighbouring float16 values are 0.00098 apart, near 3 twice as far: rounding alone
    # explains a difference of at most half a spacing.
    with np.errstate(over="ignore", invalid="ignore"):
        spacing = np.spacing(np.abs(recomputed.values).astype(np.float16)).astype(np.float64)
        difference = np.abs(stored.astype(np.float64) - recomputed.values) / spacing
    return float(np.nan_to_num(difference[recomputed.mask], nan=np.inf).max(initial=0.0))
