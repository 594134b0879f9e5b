"""Damages bytes in the ways in which files are damaged: cut short, flipped, zeroed, repeated."""

import numpy as np


def mutant(content, seed):
    """Returns a damaged copy of some bytes; the same seed gives the same copy."""
    random = np.random.default_rng(seed)
    damaged = bytearray(content)
    size = max(len(damaged), 1)
    kind = seed % 5
    if kind == 0:
        return bytes(damaged[: random.integers(size)])
    start = int(random.integers(size))
    end = start + int(min(random.geometric(1 / 64), 4096))
    if kind == 1:
        damaged[start:end] = bytes(len(damaged[start:end]))
    elif kind == 2:
        damaged[start:end] = random.bytes(len(damaged[start:end]))
    elif kind == 3:
        damaged[start:start] = damaged[start:end]
    else:
        for at in random.integers(size, size=random.integers(1, 9)):
            damaged[at : at + 1] = bytes([damaged[at] ^ 1 << random.integers(8)])
    return bytes(damaged)
