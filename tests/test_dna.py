import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from akita_bayes import dna

SEQUENCE = st.text("ACGTN", min_size=1, max_size=60)
PAIR = {"A": "T", "C": "G", "G": "C", "T": "A", "N": "N"}


def naive_one_hot(sequence: str) -> np.ndarray:
    rows = [[int(base == letter) for letter in "ACGT"] for base in sequence]
    return np.array(rows, np.uint8).reshape(-1, 4)


@given(SEQUENCE)
def test_one_hot_is_the_letter_by_letter_one_and_reads_back(sequence: str):
    encoded = dna.to_one_hot(sequence)
    assert encoded.dtype == np.uint8
    assert np.array_equal(encoded, naive_one_hot(sequence))
    assert np.array_equal(dna.to_one_hot(sequence.lower()), encoded)
    assert dna.from_one_hot(encoded) == sequence
    assert np.array_equal(dna.one_hot_to_index(encoded), dna.to_index(sequence))
    assert np.array_equal(dna.index_to_one_hot(dna.to_index(sequence)), encoded)


@pytest.mark.parametrize("letter", "RYKMSWBDHVU-*. x")
def test_any_other_letter_is_unknown(letter: str):
    assert dna.to_index(letter).tolist() == [dna.UNKNOWN]
    assert not dna.to_one_hot(letter).any()


@given(SEQUENCE)
def test_reverse_complement_pairs_bases_and_undoes_itself(sequence: str):
    turned = dna.reverse_complement(sequence)
    assert turned == "".join(PAIR[base] for base in reversed(sequence))
    assert dna.reverse_complement(turned) == sequence
    assert np.array_equal(
        dna.reverse_complement_one_hot(dna.to_one_hot(sequence)), dna.to_one_hot(turned)
    )
    index = dna.reverse_complement_index(dna.to_index(sequence))
    assert np.array_equal(index, dna.to_index(turned))


def test_reverse_complement_keeps_case():
    assert dna.reverse_complement("AcgTn") == "nAcgT"


@given(SEQUENCE, st.integers(-70, 70))
def test_a_positive_shift_moves_right_and_leaves_unknown_bases(sequence: str, shift: int):
    moved = dna.from_one_hot(dna.shift_one_hot(dna.to_one_hot(sequence), shift))
    length = len(sequence)
    padded = "N" * length + sequence + "N" * length
    offset = length - max(-length, min(length, shift))
    assert moved == padded[offset : offset + length]


def test_shifts_and_strands_work_on_batches():
    batch = np.stack([dna.to_one_hot("ACGTA"), dna.to_one_hot("GGNCC")])
    assert dna.from_one_hot(dna.shift_one_hot(batch, 2)[1]) == "NNGGN"
    assert dna.from_one_hot(dna.reverse_complement_one_hot(batch)[0]) == "TACGT"


def test_rows_that_are_one_hot_or_zero_have_an_exact_index():
    index = np.array([[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]], np.uint8)
    rows = dna.index_to_one_hot(index)
    for dtype in (np.uint8, bool, np.float32, np.int64):
        exact = dna.exact_index(rows.astype(dtype))
        assert exact is not None
        assert exact.dtype == np.uint8
        np.testing.assert_array_equal(exact, index)
    np.testing.assert_array_equal(
        dna.exact_index(rows[:, ::-1, ::-1]), [[4, 0, 1, 2, 3], [3, 2, 1, 0, 4]]
    )
    for value in (0.5, 2, -1, 256, 1e9):
        changed = rows.astype(np.float64)
        changed[1, 2, 2] = value
        assert dna.exact_index(changed) is None
    rows[0, 0, 1] = 1  # two bases at one position
    assert dna.exact_index(rows) is None


@pytest.mark.parametrize("shift", [0, 2, -3])
def test_indices_move_as_rows_do(shift):
    index = dna.to_index("ACGTNCA")
    moved = dna.shift_one_hot(dna.index_to_one_hot(index), shift)
    np.testing.assert_array_equal(dna.index_to_one_hot(dna.shift_index(index, shift)), moved)
