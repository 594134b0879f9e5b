"""Makes a data directory from contacts and a genome: blocks of targets, records, and a summary.

In each of two stages workers write whole files atomically, so that a stopped run continues with the
files that are missing:

    .work/block-{i}.h5               targets of overlapping windows, one read of each cooler
    tfrecords/{split}-{i}.tfr        shuffled windows with their sequences
"""

import contextlib
import dataclasses
import functools
import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from akita_bayes import errors, files, progress, workers
from akita_bayes.data.contacts import contact_file, expectation, window_noise
from akita_bayes.data.preparation import (
    account,
    data_options,
    data_plan,
    recorded_sources,
    shards,
    targets,
    training_windows,
    window_blocks,
)
from akita_bayes.data.records import statistics
from akita_bayes.files import output_directory

WORK = ".work"
_NOT_EMPTY = "choose another -o, or continue it with --restart"

_log = logging.getLogger(__name__)


def make(
    options: data_options.DataOptions,
    out_dir: str | Path,
    *,
    plan: data_plan.Plan | None = None,
    cluster: workers.Cluster = workers.HERE,
    restart: bool = False,
    open_bar: progress.OpenBar = progress.no_bar,
) -> account.Summary:
    """Makes a data directory and returns the content of its `summary.json`.

    Args:
        options: Inputs, windows and targets.
        out_dir: New directory; or, with `restart`, an unfinished one of the same options.
        plan: The plan of these options; None to make it.
        cluster: Workers that compute and write the files.
        restart: True to continue an unfinished directory; a finished one stays unchanged.
        open_bar: Opens a progress bar; called with a description and the number of steps.

    Raises:
        DataError: An input is missing, is damaged or does not fit the others; or no window is
            left.
        RunError: The directory holds something else or other inputs, another process writes to it,
            or a worker died.
    """
    out_dir = Path(out_dir)
    plan = data_plan.plan(options) if plan is None else plan
    content: output_directory.Content = "own" if restart else "new"
    with output_directory.claim(out_dir, kind="data", content=content, advice=_NOT_EMPTY):
        work = _begin(out_dir, _record(options, plan))
        if (out_dir / statistics.FILE_NAME).exists():
            files.remove(work)
            _log.info("%s: is finished; nothing is left to do.", out_dir)
            return account.read(out_dir)
        sampled = window_noise.sample(plan.usable, options.seed)
        sources = dataclasses.replace(plan.sources, folder=work, noise_windows=sampled)
        setup = functools.partial(
            contextlib.nullcontext, shards.Inputs(sources, options.fasta, work)
        )
        if not cluster.is_here:
            # Each worker would otherwise balance the coolers without weights by itself.
            for target in sources.targets:
                sources.contacts(target).share_weights()
        with workers.opened(cluster, setup) as opened:
            summary = _write(options, plan, sources, out_dir, work, opened, open_bar)
        files.remove(work)
        return summary


def _write(
    options: data_options.DataOptions,
    plan: data_plan.Plan,
    sources: window_blocks.Sources,
    out_dir: Path,
    work: Path,
    opened: workers.Workers,
    open_bar: progress.OpenBar,
) -> account.Summary:
    """Writes the files of a data directory that do not exist yet."""
    transform, target_files = sources.transform, sources.targets
    periods = sources.genome.periods(transform.pool_width)
    blocks = {
        work / f"block-{index}.h5": block
        for index, block in enumerate(
            window_blocks.group(plan.usable, transform, len(target_files), periods=periods)
        )
    }
    with open_bar("contacts", len(plan.usable)) as advance:
        _compute(blocks, opened, advance)
    dropped = list(plan.dropped)
    for path, block in blocks.items():
        dropped += window_blocks.dropped(block, path)
    dropped_windows = {entry.window for entry in dropped}
    written_windows = [window for window in plan.usable if window not in dropped_windows]
    record_files = shards.deal(
        written_windows, plan.splits, out_dir / "tfrecords", options.seqs_per_tfr, options.seed
    )
    block_of = {window: (block, path) for path, block in blocks.items() for window in block.windows}
    with open_bar("records", len(written_windows)) as advance:
        tally = shards.write(record_files, block_of, len(target_files), opened, advance=advance)
    summary = account.summarise(
        windows=len(plan.windows),
        written={
            split: sum(window.split == split for window in written_windows) for split in plan.splits
        },
        dropped=dropped,
        identifiers=[target.identifier for target in target_files],
        tally=tally,
    )
    account.write(out_dir, summary, dropped)
    if not written_windows:
        counts = ", ".join(f"{count} {reason}" for reason, count in summary.dropped.items())
        raise errors.DataError(
            f"{out_dir}: no window was written of {len(plan.windows)} ({counts}); see dropped.tsv."
        )
    for split, count in summary.written.items():
        if not count:
            _log.warning("split %s is empty; see dropped.tsv and contigs.bed.", split)
    training_windows.write_bed(out_dir / "contigs.bed", plan.contigs)
    training_windows.write_bed(
        out_dir / "sequences.bed", [window for shard in record_files for window in shard.windows]
    )
    with files.atomic(out_dir / targets.FILE_NAME) as temporary:
        targets.write(temporary, list(target_files))
    window_noise.write(
        out_dir,
        map(window_blocks.noise, blocks),
        [len(target.replicates) for target in target_files],
        transform,
    )
    statistics.write(out_dir, _statistics(sources, summary.written))
    return summary


def _record(options: data_options.DataOptions, plan: data_plan.Plan) -> dict[str, Any]:
    """Returns the content of `options.json`, which a restart compares with its own."""
    sources, blacklist = plan.sources, plan.sources.blacklist
    return {
        "fasta": _identity(options.fasta),
        "targets": [
            {**target.record(), **_identity(contact_file.path_of(target.uri))}
            for target in sources.targets
        ],
        "blacklist": blacklist,
        "blacklist_file": None if blacklist is None else _identity(blacklist),
        "expected_files": [
            _identity(expectation.existing(target.expected))
            for target in sources.targets
            if sources.transform.global_obsexp
        ],
        "unmappable": [
            {**criterion._asdict(), "file": _identity(criterion.file)}
            for criterion in options.unmappable
        ],
        "transform": dataclasses.asdict(sources.transform),
        "circular": sources.genome.circular,
        "chromosomes": sources.genome.table,
        "seqs_per_tfr": options.seqs_per_tfr,
        "seed": options.seed,
        "windows": [[*region, split] for region, split in plan.windows],
        "kept_windows": hashlib.sha256(repr(plan.usable).encode()).hexdigest(),
    }


def _statistics(sources: window_blocks.Sources, written: dict[str, int]) -> statistics.Statistics:
    transform = sources.transform
    return statistics.Statistics(
        seq_length=transform.seq_length,
        target_length=transform.pixels,
        num_targets=len(sources.targets),
        pool_width=transform.pool_width,
        crop_bp=transform.crop,
        diagonal_offset=transform.diagonal_offset,
        seq_1hot=True,
        seqs=written,
        circular={chrom: sources.genome.sizes[chrom] for chrom in sources.genome.circular},
    )


def _identity(path: str | Path) -> dict[str, Any]:
    """Returns path, size and time of an input, by which a restart detects a changed file."""
    resolved = Path(path).resolve()
    status = resolved.stat()
    return {"path": str(resolved), "size": status.st_size, "modified": status.st_mtime_ns}


def _begin(out_dir: Path, options: dict[str, Any]) -> Path:
    """Records the options of a directory, or checks that it was started with the same."""
    record = out_dir / recorded_sources.FILE_NAME
    if record.exists():
        output_directory.check_inputs(out_dir, "data", options, files.read_json(record))
    files.write_json(record, options)
    work = out_dir / WORK
    work.mkdir(exist_ok=True)
    return work


def _compute(
    blocks: Mapping[Path, window_blocks.Block],
    opened: workers.Workers,
    advance: progress.Advance,
) -> None:
    """Computes the blocks whose files do not exist yet."""
    missing = []
    for path, block in blocks.items():
        if path.exists():
            advance(len(block.windows))
        else:
            missing.append((block, path))
    for windows in opened.map(_compute_block, missing):
        advance(windows)


def _compute_block(inputs: shards.Inputs, part: tuple[window_blocks.Block, Path]) -> int:
    """Computes a block in a worker, unless another one has; returns the number of its windows."""
    block, path = part
    if path.exists():
        return len(block.windows)
    return window_blocks.compute(block, inputs.sources, path)
