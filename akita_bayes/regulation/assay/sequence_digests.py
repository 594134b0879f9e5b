"""Digests of sequences, by which a fit knows the sequences that it was fitted to."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def digests(index: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Returns the first 8 bytes of BLAKE2b of each sequence. [N, L] bases 0..3 -> [N]."""
    rows = np.ascontiguousarray(index, np.uint8)
    joined = b"".join(hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in rows)
    return np.frombuffer(joined, "<u8").astype(np.uint64)
