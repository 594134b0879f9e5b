"""Scores the shards of a variant file in several processes of this machine."""

import contextlib
import dataclasses
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent import futures
from concurrent.futures import process
from pathlib import Path

from akita_bayes import errors, progress
from akita_bayes.variants import score_directory, writers
from akita_bayes.variants.model_files import ModelFiles


def score_shards(
    model_files: ModelFiles,
    variants: str | Path,
    *,
    fasta: str | Path,
    out_dir: str | Path,
    settings: score_directory.FileSettings,
    processes: int,
    start: Callable[[], None] | None = None,
    open_bar: progress.OpenBar = progress.no_bar,
) -> None:
    """Scores a variant file in processes with a shard each; `score_file` then only joins the parts.

    Args:
        model_files: The model, which every process loads.
        variants: VCF or BCF.
        fasta: The genome.
        out_dir: Folder of the outputs.
        settings: What the scoring depends on; the shard and the names of targets are set here.
        processes: Number of processes.
        start: Function that every process calls first, before it imports TensorFlow.
        open_bar: Opens a progress bar; called with a description and the number of steps.

    Raises:
        RunError: A process was killed, or `out_dir` holds other results.
        VariantError: As `score_directory.score_file`.
    """
    context = multiprocessing.get_context("spawn")
    paths = variants, fasta, out_dir
    with (
        open_bar("Scoring, shards", processes) as advance,
        _environment(processes),
        futures.ProcessPoolExecutor(processes, mp_context=context, initializer=start) as pool,
    ):
        jobs = [
            pool.submit(
                _score_shard,
                model_files,
                *paths,
                dataclasses.replace(
                    settings, shard=score_directory.Shard(number, processes), maps=0
                ),
            )
            for number in range(processes)
        ]
        try:
            for job in futures.as_completed(jobs):
                job.result()
                advance(1)
        except process.BrokenProcessPool:
            raise errors.RunError(
                f"-p {processes}: a process was killed, probably for lack of memory; start again "
                "with fewer processes. Finished parts are used again."
            ) from None


@contextlib.contextmanager
def _environment(processes: int) -> Iterator[None]:
    """Sets what TensorFlow reads in the processes: their share of the processors, and of a GPU."""
    variables = {
        "TF_NUM_INTRAOP_THREADS": str(max(1, (os.cpu_count() or 1) // processes)),
        "TF_FORCE_GPU_ALLOW_GROWTH": os.environ.get("TF_FORCE_GPU_ALLOW_GROWTH", "true"),
    }
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _score_shard(
    model_files: ModelFiles,
    variants: str | Path,
    fasta: str | Path,
    out_dir: str | Path,
    settings: score_directory.FileSettings,
) -> None:
    """Scores one shard of a file in a separate process."""
    model = model_files.load()
    settings = dataclasses.replace(settings, targets=writers.targets_of(model_files.labels(model)))
    score_directory.score_file(model, variants, fasta=fasta, out_dir=out_dir, settings=settings)
