"""Kills commands, fills disks, takes rights and damages checkpoints, and starts commands again.

`python -m tests.faults.kills COUNT [COMMAND ...]` tries every fault COUNT times on each command and
prints how many were tried; it exits with 1 when one of them leaves other results than a run without
a fault. A server loads TensorFlow once and forks a process for every run.
"""

import importlib
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests import forked, unprivileged
from tests.faults.commands import COMMANDS, damaged, results, write_inputs
from tests.full_disk import disk_of

_TICKS = os.sysconf("SC_CLK_TCK")


class Ended(NamedTuple):
    """How a process ended: its status, what it wrote on stderr, and its processor seconds."""

    status: int
    stderr: str
    seconds: float


class Harness:
    """Runs commands in the folder of their inputs."""

    def __init__(self, folder, seed=0):
        self.folder, self.random = folder, random.Random(seed)
        self._context = forked.context()
        self._whole = {}

    def run(self, name, out, *, again=False, kill_at=None, room=None, drop=False, threads=None):
        """Runs a command; kills it when it has used some processor seconds."""
        command = COMMANDS[name]
        words = [*command.line.split(), *(command.again.split() if again else ()), "-o", str(out)]
        stderr_file = self.folder / "said"
        arguments = (words, str(self.folder), str(stderr_file), room, drop, threads)
        process = self._context.Process(target=_child, args=arguments)
        process.start()
        seconds = 0.0
        while process.is_alive():
            seconds = max(seconds, _seconds(process.pid))
            if kill_at is not None and seconds >= kill_at:
                os.kill(process.pid, signal.SIGKILL)
                process.join()
            time.sleep(0.005)
        process.join()
        return Ended(process.exitcode, stderr_file.read_text(), seconds)

    def whole(self, name):
        """Results and processor seconds of a run without a fault."""
        if name not in self._whole:
            out = self.folder / f"{name}_whole"
            ended = self.run(name, out)
            if ended.status != 0:
                raise RuntimeError(f"{name}: {ended}")
            self._whole[name] = results(COMMANDS[name], out), ended.seconds
        return self._whole[name]

    def killed(self, name):
        """Kills a command at a random moment; returns what is wrong afterwards."""
        _, seconds = self.whole(name)
        out = self._out(name)
        moment = self.random.uniform(0, seconds)
        ended = self.run(name, out, kill_at=moment)
        wrong = damaged(out)
        if ended.status not in (0, -signal.SIGKILL):
            wrong.append(f"status {ended.status} instead of a kill: {ended.stderr}")
        return [
            f"killed after {moment:.2f} s: {problem}" for problem in wrong + self._again(name, out)
        ]

    def full(self, name):
        """Fills the disk after a random number of bytes; returns what is wrong afterwards.

        stderr is on this disk, so a message may find no room.
        """
        self.whole(name)
        whole = self.folder / f"{name}_whole"
        largest = max(path.stat().st_size for path in whole.rglob("*") if path.is_file())
        out, room = self._out(name), self.random.randrange(largest)
        ended = self.run(name, out, room=room)
        wrong = damaged(out)
        is_said = "disk is full" in ended.stderr or len(ended.stderr.encode()) >= room
        if ended.status not in (0, 2) or (ended.status == 2 and not is_said):
            wrong.append(f"status {ended.status}: {ended.stderr}")
        return [f"full after {room} bytes: {problem}" for problem in wrong + self._again(name, out)]

    def read_only(self, name):
        """Takes the right to write beside the results; returns what is wrong afterwards."""
        parent = self.folder / "read_only"
        parent.mkdir(exist_ok=True)
        parent.chmod(0o555)
        try:
            ended = self.run(name, parent / "out", drop=True)
        finally:
            parent.chmod(0o755)
        errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
        if ended.status == 2 and len(errors) == 1 and not (parent / "out").exists():
            return []
        return [f"read-only: status {ended.status}: {ended.stderr}"]

    def corrupted(self, name):
        """Damages the newest checkpoint of a killed training; returns what is wrong afterwards."""
        _, seconds = self.whole(name)
        out = self._out(name)
        newest, before = (out / "checkpoint" / f"{stem}.npz" for stem in ("state", "previous"))
        moment = self.random.uniform(0.6, 1) * seconds
        while not before.exists() or not newest.exists():  # also when killed before the second
            shutil.rmtree(out, ignore_errors=True)
            self.run(name, out, kill_at=moment)
            moment = min(1.1 * moment, 2 * seconds)
        content = bytearray(newest.read_bytes())
        content[self.random.randrange(len(content) // 2)] ^= 0xFF
        newest.write_bytes(bytes(content[: self.random.randrange(1, len(content))]))
        wrong = self._again(name, out)
        if "continues from the checkpoint before" not in self.stderr:
            wrong.append(f"does not say that a checkpoint is damaged: {self.stderr}")
        return [f"damaged checkpoint: {problem}" for problem in wrong]

    def _out(self, name):
        out = self.folder / f"{name}_out"
        shutil.rmtree(out, ignore_errors=True)
        return out

    def _again(self, name, out):
        """Starts a stopped command again; returns how its results differ from those of no stop."""
        if not out.exists() and COMMANDS[name].again:
            out.mkdir()
        ended = self.run(name, out, again=True)
        self.stderr = ended.stderr
        if ended.status != 0:
            return [f"status {ended.status} when started again: {ended.stderr}"]
        expected, _ = self.whole(name)
        digests = results(COMMANDS[name], out)
        names = sorted(key for key in expected | digests if expected.get(key) != digests.get(key))
        left = [path.name for path in out.rglob("*.partial.*")]
        return [f"other results: {', '.join(names)}"] * bool(names) + left


def _child(words, folder, stderr_file, room, drop, threads):
    """Runs a command and ends the process, with stderr in a file."""
    descriptor = os.open(stderr_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(descriptor, 2)
    os.chdir(folder)
    if drop and os.geteuid() == 0:
        unprivileged.drop()
    if threads is not None:  # TensorFlow reads them when it computes for the first time.
        names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
        os.environ.update(dict.fromkeys(names, str(threads)))
    main = importlib.import_module(f"akita_bayes.cli.{words[0]}").main
    with disk_of(resource.getrlimit(resource.RLIMIT_FSIZE)[0] if room is None else room):
        status = main(words[1:])
    os._exit(status)


def _seconds(pid):
    """Processor seconds that a process has used; 0 when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def main(words):
    """Tries all faults; returns the exit status."""
    count, names = int(words[0]), words[1:] or list(COMMANDS)
    wrong, faults_run = [], 0
    with tempfile.TemporaryDirectory() as folder:
        write_inputs(Path(folder))
        for name in names:
            harness = Harness(Path(folder), seed=sum(map(ord, name)))
            faults = [harness.killed, harness.full] * count + [harness.read_only]
            faults += [harness.corrupted] * (count if name == "train" else 0)
            problems = [f"{name}: {text}" for fault in faults for text in fault(name)]
            print(f"{name}: {len(faults)} faults, {len(problems)} problems", flush=True)
            print("\n".join(problems), flush=True)
            wrong, faults_run = wrong + problems, faults_run + len(faults)
    print(f"{faults_run} faults, {len(wrong)} problems")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
