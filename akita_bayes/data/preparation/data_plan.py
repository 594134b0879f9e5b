"""Plans a data directory: its windows, before any contact is read."""

import functools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, regions
from akita_bayes.data import assembly, interval_sets
from akita_bayes.data.contacts import contact_file, counts_to_targets, packed
from akita_bayes.data.preparation import data_options, training_windows, window_blocks
from akita_bayes.files import output_directory


class Plan(NamedTuple):
    """Holds the windows of every split before contacts are read, and the contigs they lie on.

    Attributes:
        sources: Inputs of the data set.
        splits: Names of the splits.
        contigs: Stretches of the genome on which windows are laid, with their splits.
        windows: All windows.
        usable: Windows within the genome, every file of contacts, and mappable sequence.
        dropped: The other windows, each with a reason.
        filtered: Usable windows that will be dropped, since more than half of their bins have no
            weight.
        masked: Share of pixels of the remaining windows that have no weight.
    """

    sources: window_blocks.Sources
    splits: list[str]
    contigs: list[training_windows.Window]
    windows: list[training_windows.Window]
    usable: list[training_windows.Window]
    dropped: list[training_windows.Dropped]
    filtered: list[training_windows.Window]
    masked: float

    def describe(self) -> str:
        """Returns a sentence: how many windows of which length, and which share is masked."""
        remaining = set(self.usable) - set(self.filtered)
        chroms = len({window.region.chrom for window in remaining})
        of_split = Counter(window.split for window in remaining)
        splits = ", ".join(f"{split} {of_split[split]}" for split in self.splits)
        targets_text = _plural(len(self.sources.targets), "target")
        length = bases(self.sources.transform.seq_length)
        text = (
            f"{_plural(len(remaining), 'window')} of {length} from "
            f"{_plural(chroms, 'chromosome')} ({splits}), {targets_text}, {self.masked:.1%} of "
            "pixels masked"
        )
        left_out = Counter(entry.reason for entry in self.dropped)
        left_out["more than half of the bins filtered"] += len(self.filtered)
        reasons = ", ".join(f"{number} {reason}" for reason, number in left_out.items() if number)
        return f"{text}; left out: {reasons}" if reasons else text


def plan(options: data_options.DataOptions) -> Plan:
    """Lays or reads windows and drops those without contacts or mappable sequence.

    Raises:
        DataError: An input is missing, is damaged or does not fit the others.
    """
    genome, target_files = options.assembly(), options.targets()
    blacklist = None if options.blacklist is None else str(Path(options.blacklist).resolve())
    sources = window_blocks.Sources(genome, tuple(target_files), options.transform, blacklist)
    sources.blacklisted()
    contact_files = [sources.contacts(target) for target in target_files]
    replicates = [file for target in target_files for file in sources.replicates(target)]
    _check_width([*contact_files, *replicates], options.transform)
    for opened in {
        target.source: file for target, file in zip(target_files, contact_files, strict=True)
    }.values():
        opened.inspect()
    periods = genome.periods(options.transform.pool_width)
    contig_windows: list[training_windows.Window] = []
    if options.layout is not None:
        contigs = training_windows.contigs(genome.sizes, options.layout, periods=periods)
        windows = training_windows.lay(contigs, options.layout, periods=periods)
        splits = list(contigs)
        contig_windows = training_windows.contig_windows(contigs, periods)
    elif options.windows:
        windows = list(options.windows)
        splits = sorted({window.split for window in windows})
    else:
        raise ValueError("give a layout or windows")
    usable, dropped = _check_windows(windows, contact_files, sources)
    for criterion in options.unmappable:
        usable, dropped_by_sequence = training_windows.unmappable(
            usable,
            interval_sets.Intervals.read(criterion.file, genome),
            width=options.transform.pool_width,
            threshold=criterion.threshold,
            midpoints=criterion.midpoints,
            periods=periods,
        )
        dropped += dropped_by_sequence
    filtered, masked = _masked(usable, contact_files, sources)
    return Plan(
        sources, splits, contig_windows, windows, usable, dropped, filtered=filtered, masked=masked
    )


def write_windows(options: data_options.DataOptions, out_dir: str | Path) -> None:
    """Writes the contigs and windows of a layout, without reading contacts.

    Raises:
        DataError: The options give windows instead of a layout.
        RunError: The folder is not empty.
    """
    if options.layout is None:
        raise errors.DataError("--split_test places new windows; leave out --windows.")
    out_dir = Path(out_dir)
    genome = options.assembly()
    periods = genome.periods(options.transform.pool_width)
    contigs = training_windows.contigs(genome.sizes, options.layout, periods=periods)
    windows = training_windows.lay(contigs, options.layout, periods=periods)
    members = training_windows.contig_windows(contigs, periods)
    with output_directory.claim(out_dir, kind="data", content="new", advice="choose another -o"):
        training_windows.write_bed(out_dir / "contigs.bed", members)
        training_windows.write_bed(out_dir / "sequences.bed", windows)


def bases(number: int) -> str:
    """Returns a length in Mb or kb where it is whole there, else in bases."""
    for unit, size in (("Mb", 1_000_000), ("kb", 1000)):
        if number % size == 0:
            return f"{number // size} {unit}"
    return f"{number:,} bases"


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _check_width(
    contact_files: Sequence[contact_file.ContactFile], transform: counts_to_targets.Transform
) -> None:
    matching = [opened for opened in contact_files if opened.bin_width == transform.pool_width]
    for opened in contact_files:
        if opened.bin_width != transform.pool_width and matching:
            raise errors.DataError(
                f"{opened.uri}: has bins of {opened.bin_width:,} bases, but "
                f"{matching[0].uri} has bins of {transform.pool_width:,}; give coolers of one "
                "resolution."
            )
        if opened.bin_width != transform.pool_width:
            raise errors.DataError(
                f"{opened.uri}: has bins of {opened.bin_width:,} bases, but "
                f"--pool_width is {transform.pool_width:,}; give a cooler of that "
                "resolution, or change --pool_width."
            )


def _check_windows(
    windows: Sequence[training_windows.Window],
    contact_files: Sequence[contact_file.ContactFile],
    sources: window_blocks.Sources,
) -> tuple[list[training_windows.Window], list[training_windows.Dropped]]:
    """Returns the windows within the genome and every file, and the others with a reason."""
    usable: list[training_windows.Window] = []
    dropped: list[training_windows.Dropped] = []
    genome, transform = sources.genome, sources.transform
    for window in windows:
        region = window.region
        missing = [
            target.identifier
            for target, opened in zip(sources.targets, contact_files, strict=True)
            if region.chrom not in opened.names
        ]
        if region.width != transform.seq_length:
            raise errors.DataError(
                f"window {region} has {region.width:,} bases, but seq_length is "
                f"{transform.seq_length:,}; leave --seq_length out, or give windows of that length."
            )
        if region.chrom not in genome.sizes:
            dropped.append(training_windows.Dropped(window, "chromosome missing from genome"))
        elif not _lies_within(region.start, region.end, region.chrom, genome):
            detail = f"{region.chrom} has {genome.sizes[region.chrom]:,} bases"
            dropped.append(
                training_windows.Dropped(window, "runs off the chromosome's end", detail)
            )
        elif region.start % transform.pool_width:
            detail = f"bins have {transform.pool_width:,} bases"
            dropped.append(training_windows.Dropped(window, "not aligned to bins", detail))
        elif missing:
            dropped.append(
                training_windows.Dropped(
                    window, "chromosome missing from cooler", ", ".join(missing)
                )
            )
        else:
            usable.append(window)
    return usable, dropped


def _lies_within(start: int, end: int, chrom: str, genome: assembly.Assembly) -> bool:
    """Returns True for a region of the genome; one of a circle may go around once."""
    size = genome.sizes[chrom]
    if chrom in genome.circular:
        return start < size and end - start <= size
    return end <= size


def _masked(
    windows: Sequence[training_windows.Window],
    contact_files: Sequence[contact_file.ContactFile],
    sources: window_blocks.Sources,
) -> tuple[list[training_windows.Window], float]:
    """Returns the windows with too many filtered bins, and the share of masked pixels of others."""
    transform = sources.transform
    periods = sources.genome.periods(transform.pool_width)
    blacklisted = sources.blacklisted()

    @functools.cache  # windows overlap: the weights of a chromosome are read once
    def valid_bins(chrom: str) -> NDArray[np.bool_]:
        whole = regions.Region(chrom, 0, sources.genome.sizes[chrom])
        weights = np.stack([opened.weights(whole) for opened in contact_files])
        bins = periods.get(chrom, weights.shape[1] * transform.pool_width) // transform.pool_width
        return np.isfinite(weights[:, :bins])

    filtered: list[training_windows.Window] = []
    shares: list[float] = []
    for window in windows:
        region = window.region
        black = blacklisted.bins(region, transform.pool_width, period=periods.get(region.chrom))
        bins = np.arange(transform.window_bins) + region.start // transform.pool_width
        valid = np.take(valid_bins(region.chrom), bins, axis=1, mode="wrap") & ~black
        if (1 - valid.mean(1)).max() > counts_to_targets.MOST_FILTERED:
            filtered.append(window)
            continue
        measured = [
            packed.pairs(row, transform.crop_bins, transform.diagonal_offset).mean()
            for row in valid
        ]
        shares.append(1 - float(np.mean(measured)))
    return filtered, float(np.mean(shares)) if shares else 1.0
