"""Trains in a process of its own, and dies by SIGKILL where it is told to.

usage: trainer.py SPEC DATA OUT [--devices D] [--kill-step N | --kill-write N] [--resume]
       [--then OUT]
"""

import argparse
import json
import os
import signal
import sys

import numpy as np

from akita_bayes.models import zoo
from akita_bayes.training import fit, observers

parser = argparse.ArgumentParser()
parser.add_argument("spec")
parser.add_argument("data")
parser.add_argument("out")
parser.add_argument("--devices", default="cpu")
parser.add_argument("--kill-step", type=int, default=0, help="after so many steps")
parser.add_argument("--kill-write", type=int, default=0, help="halfway through that checkpoint")
parser.add_argument("--resume", action="store_true")
parser.add_argument("--then", help="trains a second run from its beginning, into this folder")
options = parser.parse_args()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Watch(observers.Silent):
    steps = 0

    def end_step(self, loss: float, learning_rate: float) -> None:
        self.steps += 1
        if self.steps == options.kill_step:
            die()


savez, writes = np.savez, 0


def interrupted_savez(path, **arrays):
    global writes
    writes += 1
    if writes != options.kill_write:
        return savez(path, **arrays)
    savez(path, **arrays)
    os.truncate(path, os.path.getsize(path) // 2)
    die()


np.savez = interrupted_savez
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
    observer=Watch(),
)
if options.then:
    fit.fit(spec, options.data, out_dir=options.then, options=settings)
sys.exit(0)
