"""Letters of .2bit files: masks, unknown stretches, byte orders, and files that were cut short."""

import numpy as np
import pytest

from akita_bayes import dna, errors, regions
from akita_bayes.data import genome, two_bit
from tests.two_bit_files import write


def random_sequence(length, seed):
    random = np.random.default_rng(seed)
    letters = random.choice(list("ACGTacgtNn"), length, p=[0.2] * 4 + [0.04] * 4 + [0.02] * 2)
    for start in random.integers(0, length, 6):
        letters[start : start + 17] = "N"
        letters[start + 30 : start + 60] = np.char.lower(letters[start + 30 : start + 60])
    return "".join(letters)


SEQUENCES = {"chrI": random_sequence(1001, 1), "chrII": random_sequence(402, 2), "chrM": "acgTN"}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("version", [0, 1])
def test_every_region_equals_the_letters(tmp_path, order, version):
    path = write(tmp_path / "genome.2bit", SEQUENCES, order=order, version=version)
    random = np.random.default_rng(0)
    with genome.Genome(path) as opened:
        assert opened.sizes == {name: len(text) for name, text in SEQUENCES.items()}
        for name, text in SEQUENCES.items():
            assert opened.fetch(regions.Region(name, 0, len(text))) == text
            for start, end in np.sort(random.integers(0, len(text) + 1, (200, 2))).tolist():
                assert opened.fetch(regions.Region(name, start, end)) == text[start:end]
            np.testing.assert_array_equal(
                opened.index(regions.Region(name, 0, len(text))), dna.to_index(text)
            )
        with pytest.raises(errors.DataError, match="leaves chrM, which has 5 bases"):
            opened.fetch(regions.Region("chrM", 0, 6))


def test_a_file_that_was_cut_short_is_refused_wherever_it_ends(tmp_path):
    content = write(tmp_path / "genome.2bit", SEQUENCES).read_bytes()
    for length in (5, 15, 20, 30, 60, 200, len(content) // 2, len(content) - 1):
        (tmp_path / "cut.2bit").write_bytes(content[:length])
        with pytest.raises(errors.DataError, match="is damaged or was cut short"):
            genome.Genome(tmp_path / "cut.2bit")
    twice = write(tmp_path / "twice.2bit", SEQUENCES).read_bytes().replace(b"chrII", b"chrIx")
    (tmp_path / "twice.2bit").write_bytes(twice.replace(b"\x04chrI", b"\x04chrM", 1))
    with pytest.raises(errors.DataError, match="two sequences are called 'chrM'"):
        genome.Genome(tmp_path / "twice.2bit")
    newer = write(tmp_path / "newer.2bit", SEQUENCES, version=2)
    with pytest.raises(errors.DataError, match="version 2; expected 0 or 1"):
        genome.Genome(newer)


def test_real_yeast(real_data):
    path = real_data / "genome" / "yeast" / "sacCer3.2bit"
    assert two_bit.is_two_bit(path)
    with genome.Genome(path) as opened:
        assert sum(opened.sizes.values()) == 12_157_105  # as UCSC lists sacCer3
        assert opened.fetch(regions.Region("chrI", 0, 20)).upper() == "CCACACCACACCCACACACC"
        assert set(opened.fetch(regions.Region("chrM", 0, 85_779)).upper()) == set("ACGT")
