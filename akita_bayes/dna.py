"""DNA as arrays: one-hot in the order A C G T, unknown bases as zero rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

ALPHABET = "ACGT"
UNKNOWN = 4

_INDEX = np.full(256, UNKNOWN, np.uint8)
for _position, _base in enumerate(ALPHABET):
    _INDEX[ord(_base)] = _INDEX[ord(_base.lower())] = _position
_ONE_HOT = np.vstack([np.eye(4, dtype=np.uint8), np.zeros((1, 4), np.uint8)])
_PACKED = np.ascontiguousarray(_ONE_HOT).view("<u4")[:, 0]
_LETTER = np.frombuffer(b"ACGTN", np.uint8)
_RNA = str.maketrans("Uu", "Tt")
_COMPLEMENT = str.maketrans("ACGTNacgtn", "TGCANtgcan")


def to_index(sequence: str) -> NDArray[np.uint8]:
    """Returns 0..3 for A, C, G and T of either case, and 4 for every other letter. [L]."""
    return _INDEX[np.frombuffer(sequence.encode("ascii"), np.uint8)]


def from_rna(letters: str) -> str:
    """Returns RNA letters as DNA letters, with T for U, in the same case."""
    return letters.translate(_RNA)


def to_one_hot(sequence: str) -> NDArray[np.uint8]:
    """Encodes letters as one-hot rows; unknown bases are zero rows, as in records. [L, 4]."""
    return _ONE_HOT[to_index(sequence)]


def index_to_one_hot(index: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Encodes indices 0..4 as one-hot rows. [..., L] -> [..., L, 4]."""
    return _ONE_HOT[index]


def one_hot_to_index(one_hot: NDArray[Any]) -> NDArray[np.uint8]:
    """Decodes one-hot rows to indices 0..4; a row of zeros is 4. [..., L, 4] -> [..., L]."""
    # argmax gives 0, which means A, for a row of zeros; `any` separates the two.
    return np.where(one_hot.any(-1), one_hot.argmax(-1), UNKNOWN).astype(np.uint8)


def exact_index(one_hot: NDArray[Any]) -> NDArray[np.uint8] | None:
    """Decodes rows to indices 0..4; None when a row is neither one-hot nor zero. [..., L, 4]."""
    rows = np.ascontiguousarray(one_hot).astype(np.uint8)
    # The four bytes of a row read as one number: A is 1, C 256, G 65536, T 16777216, N 0.
    packed = rows.view("<u4")[..., 0]
    index = np.where(packed == 0, np.uint8(UNKNOWN), np.uint8(0))
    for bits in (8, 16, 24):
        index += (packed >> bits) != 0
    exact = np.array_equal(_PACKED[index], packed) and np.array_equal(rows, one_hot)
    return index if exact else None


def from_one_hot(one_hot: NDArray[Any]) -> str:
    """Decodes one-hot rows to letters, with N for a row of zeros. [L, 4]."""
    return _LETTER[one_hot_to_index(one_hot)].tobytes().decode("ascii")


def reverse_complement(sequence: str) -> str:
    """Returns the other strand, read in its own direction; keeps case and N."""
    return sequence.translate(_COMPLEMENT)[::-1]


def reverse_complement_one_hot(one_hot: NDArray[Any]) -> NDArray[Any]:
    """Returns the other strand of one-hot rows. [..., L, 4] -> [..., L, 4]."""
    # In the order A C G T, the complement of channel c is channel 3 - c.
    return one_hot[..., ::-1, ::-1]


def reverse_complement_index(index: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns the other strand of indices; 4 and larger numbers stay as they are. [..., L]."""
    return np.where(index < UNKNOWN, 3 - index, index).astype(np.uint8)[..., ::-1]


def shift_one_hot(one_hot: NDArray[Any], shift: int) -> NDArray[Any]:
    """Moves bases right for a positive shift and left for a negative one; zeros fill the gap.

    [..., L, 4] -> [..., L, 4]. The direction is Basenji's.
    """
    if shift == 0:
        return one_hot
    moved = np.zeros_like(one_hot)
    if shift > 0:
        moved[..., shift:, :] = one_hot[..., :-shift, :]
    else:
        moved[..., :shift, :] = one_hot[..., -shift:, :]
    return moved


def shift_index(index: NDArray[np.uint8], shift: int) -> NDArray[np.uint8]:
    """Moves bases as `shift_one_hot`; unknown bases fill the gap. [..., L] -> [..., L]."""
    moved = np.full_like(index, UNKNOWN)
    length = index.shape[-1]
    source = slice(max(-shift, 0), length - max(shift, 0))
    moved[..., max(shift, 0) : length - max(-shift, 0)] = index[..., source]
    return moved
