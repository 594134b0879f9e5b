"""From coolers and a FASTA to a data directory: blocks, records, and an account of both.

Two stages, each a pool of workers over files that are written atomically, so that a stopped run
continues where it was:

    .work/block-{i}.h5               targets of overlapping windows, one read of each cooler
    tfrecords/{split}-{i}.tfr        shuffled windows with their sequences
"""

import concurrent.futures
import concurrent.futures.process
import contextlib
import dataclasses
import hashlib
import json
import logging
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from akita_bayes import errors, files
from akita_bayes.data import genome, interval_sets
from akita_bayes.data.contacts import coolers, counts_to_targets, expectation
from akita_bayes.data.preparation import account, shards, targets, training_windows, window_blocks
from akita_bayes.data.records import statistics

OPTIONS = "options.json"
WORK = ".work"

Progress: TypeAlias = Callable[
    [str, int | None], contextlib.AbstractContextManager[Callable[..., None]]
]

_log = logging.getLogger(__name__)


class Unmappable(NamedTuple):
    """Windows to leave out for their sequence.

    Attributes:
        file: BED of unmappable stretches.
        threshold: Least share of unmappable bins.
        midpoints: Look at the two central bins instead.
    """

    file: str | Path
    threshold: float = 0.3
    midpoints: bool = False


class Plan(NamedTuple):
    """Windows of every split before any contact is read, and the contigs they were laid on."""

    splits: list[str]
    contigs: list[training_windows.Window]
    laid: list[training_windows.Window]
    kept: list[training_windows.Window]
    dropped: list[training_windows.Dropped]


@contextlib.contextmanager
def silent(description: str, total: int | None) -> Iterator[Callable[..., None]]:
    """A progress bar that shows nothing."""
    yield lambda steps=1, **fields: None


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
    progress: Progress = silent,
) -> account.Summary:
    """Makes a data directory and returns what `summary.json` says.

    Args:
        fasta: Genome, plain or bgzipped.
        targets_file: Table of coolers, as `targets.read` takes it.
        out_dir: New directory; or, with `restart`, one that was begun with the same options.
        transform: How contacts become targets.
        layout: How windows are laid; or give `windows_file`.
        windows_file: BED of windows, taken as they are.
        blacklist: BED of stretches whose bins are filtered.
        unmappable: Which windows are left out for their sequence, by each in turn.
        clip: For targets whose row gives none.
        seqs_per_tfr: Records per file.
        seed: Of the order of records.
        workers: Processes.
        restart: Continue an unfinished directory; one that is finished stays as it is.
        progress: Opens a bar; called with a description and the number of steps.

    Raises:
        DataError: An input is missing, damaged or does not fit the others; or no window is left.
        RunError: A worker died.
    """
    out_dir = Path(out_dir)
    found = targets.read(targets_file, clip=clip)
    with genome.Genome(fasta) as opened:
        sizes = opened.sizes
    filtered = None if blacklist is None else str(Path(blacklist).resolve())
    if filtered is not None:
        interval_sets.Intervals.read(filtered, sizes)
    plan = _plan(sizes, found, transform, layout, windows_file, unmappable)
    options = {
        "fasta": _identity(fasta),
        "targets": [
            {**target._asdict(), **_identity(target.uri.partition("::")[0])} for target in found
        ],
        "blacklist": filtered,
        "blacklist_file": None if filtered is None else _identity(filtered),
        "expected_files": [
            _identity(expectation.existing(target.expected))
            for target in found
            if transform.global_obsexp
        ],
        "unmappable": [{**each._asdict(), "file": _identity(each.file)} for each in unmappable],
        "transform": dataclasses.asdict(transform),
        "seqs_per_tfr": seqs_per_tfr,
        "seed": seed,
        "windows": [[*region, split] for region, split in plan.laid],
        "kept_windows": hashlib.sha256(repr(plan.kept).encode()).hexdigest(),
    }
    work = _begin(out_dir, options, restart=restart)
    if (out_dir / statistics.FILE_NAME).exists():
        files.remove(work)
        _log.info("%s: is finished; nothing is left to do.", out_dir)
        return account.read(out_dir)
    sources = window_blocks.Sources(tuple(sizes.items()), tuple(found), transform, filtered)
    grouped = {
        work / f"block-{index}.h5": block
        for index, block in enumerate(window_blocks.group(plan.kept, transform, len(found)))
    }
    with progress("contacts", len(plan.kept)) as advance:
        _compute(grouped, sources, workers, advance)
    dropped = list(plan.dropped)
    for path, block in grouped.items():
        dropped += window_blocks.dropped(block, path)
    lost = {entry.window for entry in dropped}
    kept = [window for window in plan.kept if window not in lost]
    dealt = shards.deal(kept, plan.splits, out_dir / "tfrecords", seqs_per_tfr, seed)
    homes = {window: (block, path) for path, block in grouped.items() for window in block.windows}
    with progress("records", len(kept)) as advance:
        tally = shards.write(
            dealt, homes, fasta, work, targets=len(found), workers=workers, advance=advance
        )
    summary = account.summarise(
        given=len(plan.laid),
        written={name: sum(window.split == name for window in kept) for name in plan.splits},
        dropped=dropped,
        identifiers=[target.identifier for target in found],
        tally=tally,
    )
    account.write(out_dir, summary, dropped)
    if not kept:
        counts = ", ".join(f"{count} {reason}" for reason, count in summary.dropped.items())
        raise errors.DataError(
            f"{out_dir}: no window was written of {len(plan.laid)} ({counts}); see dropped.tsv."
        )
    for name, count in summary.written.items():
        if not count:
            _log.warning("split %s is empty; see dropped.tsv and contigs.bed.", name)
    training_windows.write_bed(out_dir / "contigs.bed", plan.contigs)
    training_windows.write_bed(
        out_dir / "sequences.bed", [window for shard in dealt for window in shard.windows]
    )
    with files.atomic(out_dir / targets.FILE_NAME) as temporary:
        targets.write(temporary, found)
    statistics.write(out_dir, _statistics(transform, len(found), summary.written))
    files.remove(work)
    return summary


def _plan(
    sizes: dict[str, int],
    found: Sequence[targets.TargetFile],
    transform: counts_to_targets.Transform,
    layout: training_windows.Layout | None,
    windows_file: str | Path | None,
    unmappable: Sequence[Unmappable],
) -> Plan:
    """Lays or reads windows and leaves out those that no cooler or sequence can serve."""
    opened = [coolers.Contacts(target.uri, sizes) for target in found]
    _check_width(opened, transform)
    for contact in {contact.uri: contact for contact in opened}.values():
        contact.inspect()
    stretches: list[training_windows.Window] = []
    if layout is not None:
        contigs = training_windows.contigs(sizes, layout)
        laid = training_windows.lay(contigs, layout)
        splits = list(contigs)
        stretches = [
            training_windows.Window(region, split)
            for split, members in contigs.items()
            for region in members.members()
        ]
    elif windows_file is not None:
        laid = training_windows.read_windows(windows_file, sizes)
        splits = sorted({window.split for window in laid})
    else:
        raise ValueError("give a layout or a file of windows")
    kept, dropped = _place(laid, sizes, opened, found, transform)
    for each in unmappable:
        kept, more = training_windows.unmappable(
            kept,
            interval_sets.Intervals.read(each.file, sizes),
            width=transform.pool_width,
            threshold=each.threshold,
            midpoints=each.midpoints,
        )
        dropped += more
    return Plan(splits, stretches, laid, kept, dropped)


def _statistics(
    transform: counts_to_targets.Transform, width: int, written: dict[str, int]
) -> statistics.Statistics:
    return statistics.Statistics(
        seq_length=transform.seq_length,
        target_length=transform.pixels,
        num_targets=width,
        pool_width=transform.pool_width,
        crop_bp=transform.crop,
        diagonal_offset=transform.diagonal_offset,
        seq_1hot=True,
        seqs=written,
    )


def _check_width(
    opened: Sequence[coolers.Contacts], transform: counts_to_targets.Transform
) -> None:
    fitting = [contact for contact in opened if contact.bin_width == transform.pool_width]
    for contact in opened:
        if contact.bin_width != transform.pool_width and fitting:
            raise errors.DataError(
                f"{contact.uri}: has bins of {contact.bin_width:,} bases, but {fitting[0].uri} has "
                f"bins of {transform.pool_width:,}; give coolers of one resolution."
            )
        if contact.bin_width != transform.pool_width:
            raise errors.DataError(
                f"{contact.uri}: has bins of {contact.bin_width:,} bases, --pool_width says "
                f"{transform.pool_width:,}; give a cooler of that resolution, or change "
                "--pool_width."
            )


def _place(
    laid: Sequence[training_windows.Window],
    sizes: dict[str, int],
    opened: Sequence[coolers.Contacts],
    found_targets: Sequence[targets.TargetFile],
    transform: counts_to_targets.Transform,
) -> tuple[list[training_windows.Window], list[training_windows.Dropped]]:
    """Windows that lie within the genome and every cooler, and why the others do not."""
    kept: list[training_windows.Window] = []
    dropped: list[training_windows.Dropped] = []
    for window in laid:
        region = window.region
        missing = [
            target.identifier
            for target, contact in zip(found_targets, opened, strict=True)
            if region.chrom not in contact.names
        ]
        if region.width != transform.seq_length:
            raise errors.DataError(
                f"window {region} has {region.width:,} bases, seq_length says "
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
            kept.append(window)
    return kept, dropped


def _identity(path: str | Path) -> dict[str, Any]:
    """What tells whether an input is still the one a run began with."""
    found = Path(path).resolve()
    about = found.stat()
    return {"path": str(found), "size": about.st_size, "modified": about.st_mtime_ns}


def _begin(out_dir: Path, options: dict[str, Any], *, restart: bool) -> Path:
    """Creates the directory, or checks that it was begun with the same options."""
    options = json.loads(json.dumps(options))
    if out_dir.exists() and any(out_dir.iterdir()):
        if not restart:
            raise errors.DataError(
                f"{out_dir}: not empty; choose another directory, or continue it with --restart."
            )
        if not (out_dir / OPTIONS).exists():
            raise errors.DataError(f"{out_dir}: not begun by akita_data.py; choose another.")
        begun = files.read_json(out_dir / OPTIONS)
        changed = [key for key in options if options[key] != begun.get(key)]
        if changed:
            raise errors.DataError(
                f"{out_dir}: was begun with other {', '.join(changed)}; begin in a new directory."
            )
        for path in out_dir.rglob(".*.partial.*"):
            files.remove(path)
    files.write_json(out_dir / OPTIONS, options)
    work = out_dir / WORK
    work.mkdir(exist_ok=True)
    return work


def _compute(
    grouped: Mapping[Path, window_blocks.Block],
    sources: window_blocks.Sources,
    workers: int,
    advance: Callable[..., None],
) -> None:
    """Computes the blocks that are not there yet."""
    wanted = {}
    for path, block in grouped.items():
        if path.exists():
            advance(len(block.windows))
        else:
            wanted[path] = block
    workers = min(workers, len(wanted))
    if workers < 2:
        for path, block in wanted.items():
            advance(window_blocks.compute(block, sources, path))
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        jobs = [
            pool.submit(window_blocks.compute, block, sources, path)
            for path, block in wanted.items()
        ]
        try:
            for job in concurrent.futures.as_completed(jobs):
                advance(job.result())
        except concurrent.futures.process.BrokenProcessPool:
            raise errors.RunError(
                "a worker process died, perhaps for want of memory; continue with --restart and "
                "fewer --workers."
            ) from None
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
