"""Reads many damaged files at each door, in processes that a library may crash or keep busy.

`python -m tests.fuzz.fuzzing 2000 [door ...]` reads 2,000 damaged files at each door and prints
every outcome. A process that one file keeps busy is killed, and a new one goes on with the next
file. The exit status is 1 for a defect of this package or a crash, and 0 when all files were read,
refused, or kept a library busy; the last line counts them.
"""

import collections
import contextlib
import faulthandler
import importlib
import json
import logging
import multiprocessing
import os
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import NamedTuple

import akita_bayes
from akita_bayes import errors
from tests.fuzz import doors as all_doors
from tests.fuzz import mutations

LONGEST = 30  # seconds of computing after which a process that reads one file is killed
ASLEEP = 600  # seconds of the clock, for a process that waits and does not compute
SLOW = 20  # seconds of computing for one file that count as a defect
MEMORY = 12 << 30  # bytes that a process may take
TIME_LIMITS = (-signal.SIGPROF, -signal.SIGALRM)  # exit codes

_PACKAGE = Path(akita_bayes.__file__).parent
_FRAME = re.compile(r'File "([^"]+)", line (\d+) in ')


class Result(NamedTuple):
    """Counts what happened at a door.

    Attributes:
        outcomes: How often each outcome occurred; one that is not "read" or "refused" names the
            seed of its file.
        defects: Number of files that show a defect of this package, or crash the process.
        busy: Number of files that keep a library busy without end.
    """

    outcomes: collections.Counter
    defects: int
    busy: int


@contextlib.contextmanager
def _unharmed(path):
    """Restores a file and its index after the body, which may damage both; yields the content."""
    index = _index(path)
    saved = {file: file.read_bytes() for file in (path, index) if file.exists()}
    try:
        yield saved[path]
    finally:
        index.unlink(missing_ok=True)
        for file, content in saved.items():
            file.write_bytes(content)


def _index(path):
    return path.with_name(f"{path.name}.fai")


def attempt(door, path, content, seed):
    """Reads one damaged file; returns "read", "refused", or the unexpected error and its place."""
    path.write_bytes(mutations.mutant(content, seed))
    _index(path).unlink(missing_ok=True)  # of the mutant before
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            door.read(path)
    except errors.AkitaBayesError:
        return "refused"
    except Exception as error:  # what a reader must never raise; the caller reports it
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if _is_own(frame.filename)]
        where = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "a library"
        return f"{type(error).__name__} in {where}: {error!s:.90}"
    return "read"


def fuzz(door, folder, seeds, begin=lambda seed: None):
    """Reads damaged files at a door; returns how often each outcome occurred.

    Args:
        door: The door.
        folder: Folder of undamaged files.
        seeds: Seeds of the mutants.
        begin: Called with each seed before its file is read.
    """
    logging.disable(logging.WARNING)
    path = folder / door.file
    outcomes = collections.Counter()
    try:
        with _unharmed(path) as content:
            for seed in seeds:
                begin(seed)
                start = time.process_time()
                outcome = attempt(door, path, content, seed)
                if time.process_time() - start > SLOW:
                    outcome = f"slow: {outcome}"
                is_expected = outcome in ("read", "refused")
                outcomes[outcome if is_expected else f"{outcome}, seed {seed}"] += 1
    finally:
        logging.disable(logging.NOTSET)
    return outcomes


def fuzz_apart(name, folder, count, *, module=all_doors.__name__, longest=LONGEST):
    """Reads damaged files at a door in processes of their own; returns a `Result`.

    Args:
        name: Name of the door.
        folder: Folder of undamaged files.
        count: Number of damaged files, with seeds from 0.
        module: Module with the doors; each process imports it.
        longest: Seconds of computing that one file may take.
    """
    # Processes are forked from one that has imported TensorFlow and has not used it.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__spec__.name, module])
    path = folder / importlib.import_module(module).DOORS[name].file
    outcomes, defects, busy, first = collections.Counter(), 0, 0, 0
    while first < count:
        # Of its own for each process, which may end before it has written anything.
        with tempfile.TemporaryDirectory() as notes, _unharmed(path):
            seed_file, trace = Path(notes, "seed"), Path(notes, "trace")
            done = Path(notes, "outcomes")
            arguments = (module, name, folder, range(first, count), Path(notes), longest)
            process = context.Process(target=_serve, args=arguments)
            process.start()
            process.join()
            part = json.loads(done.read_text()) if done.exists() else {}
            seed = int(seed_file.read_text()) if seed_file.exists() else None
            culprit = _culprit(trace.read_text()) if trace.exists() else None
        outcomes.update(part)
        if process.exitcode == 0:
            break
        if seed is None:
            outcomes[f"no process could be started ({process.exitcode})"] += 1
            defects += 1
            break
        where = culprit or "an unknown place"
        if process.exitcode in TIME_LIMITS:
            outcomes[f"no end within {longest} s in {where}, seed {seed}"] += 1
            is_library = culprit is not None and not culprit.startswith(f"{_PACKAGE.name}/")
            busy, defects = busy + is_library, defects + (not is_library)
        else:
            outcomes[f"crash ({process.exitcode}) in {where}, seed {seed}"] += 1
            defects += 1
        first = seed + 1
    defects += sum(
        number
        for outcome, number in outcomes.items()
        if outcome not in ("read", "refused") and not outcome.startswith(("no ", "crash "))
    )
    return Result(outcomes, defects, busy)


def _serve(module, name, folder, seeds, notes, longest):
    """Reads the files of one process; writes the seed at work, and all outcomes so far."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    trace = open(notes / "trace", "w")  # noqa: SIM115 - open until the process is killed
    faulthandler.enable(trace)
    # Each writes the stack, also from within C, and then ends the process as is usual.
    for number in (signal.SIGPROF, signal.SIGALRM):
        faulthandler.register(number, trace, chain=True)
    door = importlib.import_module(module).DOORS[name]
    outcomes = collections.Counter()

    def begin(seed):
        (notes / "seed").write_text(str(seed))
        signal.setitimer(signal.ITIMER_PROF, longest)
        signal.setitimer(signal.ITIMER_REAL, ASLEEP)

    for seed in seeds:
        outcomes += fuzz(door, folder, (seed,), begin)
        (notes / "next").write_text(json.dumps(outcomes))
        os.replace(notes / "next", notes / "outcomes")
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)


def _is_own(filename):
    return Path(filename).is_relative_to(_PACKAGE)


def _culprit(trace):
    """Returns the innermost frame of the thread that reads files, as akita_bayes/x.py:3 or h5py.

    The text is that of `faulthandler`, which writes the innermost frame of each thread first.
    """
    for thread in re.split(r"\n(?=\S)", trace):
        frames = [match.groups() for match in map(_FRAME.search, thread.splitlines()) if match]
        if not any(filename.endswith("fuzzing.py") for filename, _ in frames):
            continue
        filename, line = frames[0]
        if _is_own(filename):
            return f"{Path(filename).relative_to(_PACKAGE.parent)}:{line}"
        return f"{'/'.join(Path(filename).parts[-2:])}:{line}"
    return None


def main(words):
    """Reads many damaged files at each door, also past crashes of libraries."""
    count, names = int(words[0]), words[1:] or list(all_doors.DOORS)
    totals, defects, busy = collections.Counter(), 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        all_doors.sources(folder)
        for door in names:
            result = fuzz_apart(door, folder, count)
            print(f"{door}: {json.dumps(dict(result.outcomes), indent=1)}", flush=True)
            totals += result.outcomes
            defects, busy = defects + result.defects, busy + result.busy
    print(
        f"{len(names)} doors, {count:,} files at each: {totals['read']:,} read, "
        f"{totals['refused']:,} refused, {busy} kept a library busy without end, {defects} defects"
    )
    return int(defects > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
