"""Trains in a process of its own, and dies by SIGKILL where it is told to.

usage: trainer.py SPEC DATA OUT [--devices D] [--kill-step N | --kill-write N] [--resume]
       [--then OUT]
"""

import argparse
import itertools
import json
import os
import signal
import sys

import numpy as np

from akita_bayes.models import zoo
from akita_bayes.training import fit, observers


def words_of(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("spec")
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("--devices", default="cpu")
    parser.add_argument("--kill-step", type=int, default=0, help="after so many steps")
    parser.add_argument("--kill-write", type=int, default=0, help="halfway through that checkpoint")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--then", help="trains a second run from its beginning, into this folder")
    return parser.parse_args(arguments)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Watch(observers.Silent):
    def __init__(self, kill_step: int) -> None:
        self.steps, self.kill_step = 0, kill_step

    def end_step(self, loss: float, learning_rate: float) -> None:
        self.steps += 1
        if self.steps == self.kill_step:
            die()


def interrupt_savez(kill_write: int) -> None:
    savez, writes = np.savez, itertools.count(1)

    def interrupted_savez(path, **arrays):
        savez(path, **arrays)
        if next(writes) == kill_write:
            os.truncate(path, os.path.getsize(path) // 2)
            die()

    np.savez = interrupted_savez


def main(arguments: list[str]) -> int:
    options = words_of(arguments)
    interrupt_savez(options.kill_write)
    with open(options.spec, encoding="utf-8") as handle:
        spec = zoo.parse_spec(json.load(handle))
    settings = fit.FitOptions(
        devices=options.devices,
        deterministic=True,
        checkpoint_steps=4,
        checkpoint_minutes=None,
        tensorboard=False,
    )
    fit.fit(
        spec,
        options.data,
        out_dir=options.out,
        options=settings,
        resume=options.resume,
        observer=Watch(options.kill_step),
    )
    if options.then:
        fit.fit(spec, options.data, out_dir=options.then, options=settings)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
