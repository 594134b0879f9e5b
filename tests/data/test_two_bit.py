"""Letters of .2bit files: masks, unknown stretches, byte orders, and files that were cut short."""

import struct

import numpy as np
import pytest

from akita_bayes import dna, errors, regions
from akita_bayes.data import genome, two_bit

CODES = {letter: code for code, letter in enumerate("TCAG")}


def runs(text, test):
    """Starts and sizes of the stretches of letters that pass a test."""
    flags = np.array([False, *map(test, text), False])
    edges = np.flatnonzero(flags[1:] != flags[:-1])
    return edges[::2].tolist(), (edges[1::2] - edges[::2]).tolist()


def write(path, sequences, *, order="<", version=0):
    """Writes a .2bit file as faToTwoBit does; N is packed as T."""
    wide = version == 1
    position = 16 + sum(1 + len(name) + (8 if wide else 4) for name in sequences)
    index, bodies = b"", b""
    for name, text in sequences.items():
        index += bytes([len(name)]) + name.encode()
        index += struct.pack(order + ("Q" if wide else "I"), position + len(bodies))
        body = struct.pack(f"{order}I", len(text))
        for test in (lambda letter: letter in "nN", str.islower):
            starts, sizes = runs(text, test)
            body += struct.pack(f"{order}{1 + 2 * len(starts)}I", len(starts), *starts, *sizes)
        body += struct.pack(f"{order}I", 0)
        codes = [CODES.get(letter, 0) for letter in text.upper()] + [0] * (-len(text) % 4)
        quads = np.array(codes, np.uint8).reshape(-1, 4)
        bodies += body + (quads << np.array([6, 4, 2, 0], np.uint8)).sum(1).astype("u1").tobytes()
    head = struct.pack(f"{order}4I", 0x1A412743, version, len(sequences), 0)
    path.write_bytes(head + index + bodies)
    return path


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
