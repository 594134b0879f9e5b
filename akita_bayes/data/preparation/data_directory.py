"""Makes a data directory from coolers and a FASTA: blocks of targets, records, and a summary.

Each of two stages is a pool of workers that write whole files atomically, so that a stopped run
continues with the files that are missing:

    .work/block-{i}.h5               targets of overlapping windows, one read of each cooler
    tfrecords/{split}-{i}.tfr        shuffled windows with their sequences
"""

import concurrent.futures
import concurrent.futures.process
import dataclasses
import hashlib
import logging
import multiprocessing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from akita_bayes import errors, files, progress
from akita_bayes.data import genome, interval_sets
from akita_bayes.data.contacts import coolers, counts_to_targets, expectation
from akita_bayes.data.preparation import account, shards, targets, training_windows, window_blocks
from akita_bayes.data.records import statistics
from akita_bayes.files import output_directory

OPTIONS = "options.json"
WORK = ".work"
_NOT_EMPTY = "choose another -o, or continue it with --restart"

_log = logging.getLogger(__name__)


class Unmappable(NamedTuple):
    """Describes which windows are dropped because their sequence is unmappable.

    Attributes:
        file: BED file of unmappable intervals.
        threshold: Smallest share of unmappable bins that drops a window.
        midpoints: True to drop windows by their two central bins instead.
    """

    file: str | Path
    threshold: float = 0.3
    midpoints: bool = False


class Plan(NamedTuple):
    """Holds the windows of every split before contacts are read, and the contigs they lie on.

    Attributes:
        splits: Names of the splits.
        contigs: Stretches of the genome on which windows are laid, with their splits.
        windows: All windows.
        usable: Windows within the genome, every cooler, and mappable sequence.
        dropped: The other windows, each with a reason.
    """

    splits: list[str]
    contigs: list[training_windows.Window]
    windows: list[training_windows.Window]
    usable: list[training_windows.Window]
    dropped: list[training_windows.Dropped]


def make(
    fasta: str | Path,
    targets_file: str | Path,
    out_dir: str | Path,
    *,
    transform: counts_to_targets.Transform,
    layout: training_windows.Layout | None = None,
    windows_file: str | Path | None = None,
    blacklist: str | Path | None = None,
    unmappable: Sequence[Unmappable] = (),
    clip: float | None = None,
    seqs_per_tfr: int = 128,
    seed: int = 44,
    workers: int = 1,
    restart: bool = False,
    open_bar: progress.OpenBar = progress.no_bar,
) -> account.Summary:
    """Makes a data directory and returns the content of its `summary.json`.

    Args:
        fasta: Genome, plain or bgzipped.
        targets_file: Table of coolers, for `targets.read`.
        out_dir: New directory; or, with `restart`, an unfinished one of the same options.
        transform: How contacts become targets.
        layout: How windows are laid; required without `windows_file`.
        windows_file: BED file of windows, used unchanged.
        blacklist: BED file of intervals whose bins are filtered.
        unmappable: Criteria that drop windows by their sequence, applied one after another.
        clip: Clip of targets whose row has none.
        seqs_per_tfr: Records per file.
        seed: Seed of the order of records.
        workers: Number of processes.
        restart: True to continue an unfinished directory; a finished one stays unchanged.
        open_bar: Opens a progress bar; called with a description and the number of steps.

    Raises:
        DataError: An input is missing, is damaged or does not fit the others; or no window is
            left.
        RunError: The directory holds something else or other inputs, another process writes to it,
            or a worker died.
    """
    out_dir = Path(out_dir)
    target_files = targets.read(targets_file, clip=clip)
    with genome.Genome(fasta) as genome_file:
        sizes = genome_file.sizes
    blacklist_path = None if blacklist is None else str(Path(blacklist).resolve())
    if blacklist_path is not None:
        interval_sets.Intervals.read(blacklist_path, sizes)
    plan = _plan(sizes, target_files, transform, layout, windows_file, unmappable)
    options = {
        "fasta": _identity(fasta),
        "targets": [
            {**target._asdict(), **_identity(target.uri.partition("::")[0])}
            for target in target_files
        ],
        "blacklist": blacklist_path,
        "blacklist_file": None if blacklist_path is None else _identity(blacklist_path),
        "expected_files": [
            _identity(expectation.existing(target.expected))
            for target in target_files
            if transform.global_obsexp
        ],
        "unmappable": [
            {**criterion._asdict(), "file": _identity(criterion.file)} for criterion in unmappable
        ],
        "transform": dataclasses.asdict(transform),
        "seqs_per_tfr": seqs_per_tfr,
        "seed": seed,
        "windows": [[*region, split] for region, split in plan.windows],
        "kept_windows": hashlib.sha256(repr(plan.usable).encode()).hexdigest(),
    }
    content: output_directory.Content = "own" if restart else "new"
    with output_directory.claim(out_dir, kind="data", content=content, advice=_NOT_EMPTY):
        work = _begin(out_dir, options)
        if (out_dir / statistics.FILE_NAME).exists():
            files.remove(work)
            _log.info("%s: is finished; nothing is left to do.", out_dir)
            return account.read(out_dir)
        sources = window_blocks.Sources(
            tuple(sizes.items()), tuple(target_files), transform, blacklist_path
        )
        blocks = {
            work / f"block-{index}.h5": block
            for index, block in enumerate(
                window_blocks.group(plan.usable, transform, len(target_files))
            )
        }
        with open_bar("contacts", len(plan.usable)) as advance:
            _compute(blocks, sources, workers, advance)
        dropped = list(plan.dropped)
        for path, block in blocks.items():
            dropped += window_blocks.dropped(block, path)
        dropped_windows = {entry.window for entry in dropped}
        written_windows = [window for window in plan.usable if window not in dropped_windows]
        record_files = shards.deal(
            written_windows, plan.splits, out_dir / "tfrecords", seqs_per_tfr, seed
        )
        block_of = {
            window: (block, path) for path, block in blocks.items() for window in block.windows
        }
        with open_bar("records", len(written_windows)) as advance:
            tally = shards.write(
                record_files,
                block_of,
                fasta,
                work,
                targets=len(target_files),
                workers=workers,
                advance=advance,
            )
        summary = account.summarise(
            windows=len(plan.windows),
            written={
                split: sum(window.split == split for window in written_windows)
                for split in plan.splits
            },
            dropped=dropped,
            identifiers=[target.identifier for target in target_files],
            tally=tally,
        )
        account.write(out_dir, summary, dropped)
        if not written_windows:
            counts = ", ".join(f"{count} {reason}" for reason, count in summary.dropped.items())
            raise errors.DataError(
                f"{out_dir}: no window was written of {len(plan.windows)} ({counts}); see "
                "dropped.tsv."
            )
        for split, count in summary.written.items():
            if not count:
                _log.warning("split %s is empty; see dropped.tsv and contigs.bed.", split)
        training_windows.write_bed(out_dir / "contigs.bed", plan.contigs)
        training_windows.write_bed(
            out_dir / "sequences.bed",
            [window for shard in record_files for window in shard.windows],
        )
        with files.atomic(out_dir / targets.FILE_NAME) as temporary:
            targets.write(temporary, target_files)
        statistics.write(out_dir, _statistics(transform, len(target_files), summary.written))
        files.remove(work)
        return summary


def _plan(
    sizes: dict[str, int],
    target_files: Sequence[targets.TargetFile],
    transform: counts_to_targets.Transform,
    layout: training_windows.Layout | None,
    windows_file: str | Path | None,
    unmappable: Sequence[Unmappable],
) -> Plan:
    """Lays or reads windows and drops those without contacts or mappable sequence."""
    contact_files = [coolers.Contacts(target.uri, sizes) for target in target_files]
    _check_width(contact_files, transform)
    for contact_file in {opened.uri: opened for opened in contact_files}.values():
        contact_file.inspect()
    contig_windows: list[training_windows.Window] = []
    if layout is not None:
        contigs = training_windows.contigs(sizes, layout)
        windows = training_windows.lay(contigs, layout)
        splits = list(contigs)
        contig_windows = [
            training_windows.Window(region, split)
            for split, members in contigs.items()
            for region in members.members()
        ]
    elif windows_file is not None:
        windows = training_windows.read_windows(windows_file, sizes)
        splits = sorted({window.split for window in windows})
    else:
        raise ValueError("give a layout or a file of windows")
    usable, dropped = _check_windows(windows, sizes, contact_files, target_files, transform)
    for criterion in unmappable:
        usable, dropped_by_sequence = training_windows.unmappable(
            usable,
            interval_sets.Intervals.read(criterion.file, sizes),
            width=transform.pool_width,
            threshold=criterion.threshold,
            midpoints=criterion.midpoints,
        )
        dropped += dropped_by_sequence
    return Plan(splits, contig_windows, windows, usable, dropped)


def _statistics(
    transform: counts_to_targets.Transform, num_targets: int, written: dict[str, int]
) -> statistics.Statistics:
    return statistics.Statistics(
        seq_length=transform.seq_length,
        target_length=transform.pixels,
        num_targets=num_targets,
        pool_width=transform.pool_width,
        crop_bp=transform.crop,
        diagonal_offset=transform.diagonal_offset,
        seq_1hot=True,
        seqs=written,
    )


def _check_width(
    contact_files: Sequence[coolers.Contacts], transform: counts_to_targets.Transform
) -> None:
    matching = [
        contact_file
        for contact_file in contact_files
        if contact_file.bin_width == transform.pool_width
    ]
    for contact_file in contact_files:
        if contact_file.bin_width != transform.pool_width and matching:
            raise errors.DataError(
                f"{contact_file.uri}: has bins of {contact_file.bin_width:,} bases, but "
                f"{matching[0].uri} has bins of {transform.pool_width:,}; give coolers of one "
                "resolution."
            )
        if contact_file.bin_width != transform.pool_width:
            raise errors.DataError(
                f"{contact_file.uri}: has bins of {contact_file.bin_width:,} bases, but "
                f"--pool_width is {transform.pool_width:,}; give a cooler of that "
                "resolution, or change --pool_width."
            )


def _check_windows(
    windows: Sequence[training_windows.Window],
    sizes: dict[str, int],
    contact_files: Sequence[coolers.Contacts],
    target_files: Sequence[targets.TargetFile],
    transform: counts_to_targets.Transform,
) -> tuple[list[training_windows.Window], list[training_windows.Dropped]]:
    """Returns the windows within the genome and every cooler, and the others with a reason."""
    usable: list[training_windows.Window] = []
    dropped: list[training_windows.Dropped] = []
    for window in windows:
        region = window.region
        missing = [
            target.identifier
            for target, contact_file in zip(target_files, contact_files, strict=True)
            if region.chrom not in contact_file.names
        ]
        if region.width != transform.seq_length:
            raise errors.DataError(
                f"window {region} has {region.width:,} bases, but seq_length is "
                f"{transform.seq_length:,}; leave --seq_length out, or give windows of that length."
            )
        if region.chrom not in sizes:
            dropped.append(training_windows.Dropped(window, "chromosome missing from genome"))
        elif region.end > sizes[region.chrom]:
            detail = f"{region.chrom} has {sizes[region.chrom]:,} bases"
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


def _identity(path: str | Path) -> dict[str, Any]:
    """Returns path, size and time of an input, by which a restart detects a changed file."""
    resolved = Path(path).resolve()
    status = resolved.stat()
    return {"path": str(resolved), "size": status.st_size, "modified": status.st_mtime_ns}


def _begin(out_dir: Path, options: dict[str, Any]) -> Path:
    """Records the options of a directory, or checks that it was started with the same."""
    record = out_dir / OPTIONS
    if record.exists():
        output_directory.check_inputs(out_dir, "data", options, files.read_json(record))
    files.write_json(record, options)
    work = out_dir / WORK
    work.mkdir(exist_ok=True)
    return work


def _compute(
    blocks: Mapping[Path, window_blocks.Block],
    sources: window_blocks.Sources,
    workers: int,
    advance: progress.Advance,
) -> None:
    """Computes the blocks whose files do not exist yet."""
    missing = {}
    for path, block in blocks.items():
        if path.exists():
            advance(len(block.windows))
        else:
            missing[path] = block
    workers = min(workers, len(missing))
    if workers < 2:
        for path, block in missing.items():
            advance(window_blocks.compute(block, sources, path))
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        jobs = [
            pool.submit(window_blocks.compute, block, sources, path)
            for path, block in missing.items()
        ]
        try:
            for job in concurrent.futures.as_completed(jobs):
                advance(job.result())
        except concurrent.futures.process.BrokenProcessPool:
            raise errors.RunError(
                "a worker process died, perhaps because memory ran out; continue with --restart "
                "and fewer --workers."
            ) from None
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
