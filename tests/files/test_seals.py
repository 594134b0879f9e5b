"""A sealed file is refused when any of its bytes has changed."""

import h5py
import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.files import hdf5_reader, hdf5_writer, seals
from tests.full_disk import disk_of


def write(path, *, sealed=True):
    with hdf5_writer.create(path, sealed=sealed) as file:
        file.attrs["about"] = "numbers"
        file["numbers"] = np.arange(100.0)
    return path


def numbers_in(path):
    with hdf5_reader.opened(path, "a file of numbers", "remove it") as file:
        return file["numbers"][:]


def test_hdf5_reads_a_sealed_file_as_it_is(tmp_path):
    sealed, plain = write(tmp_path / "a.h5"), write(tmp_path / "b.h5", sealed=False)
    assert sealed.read_bytes()[: plain.stat().st_size] == plain.read_bytes()
    assert sealed.read_bytes()[plain.stat().st_size :].startswith(seals.MARK)
    with h5py.File(sealed) as file:
        np.testing.assert_array_equal(file["numbers"], np.arange(100))
    for path in (sealed, plain):
        np.testing.assert_array_equal(numbers_in(path), np.arange(100))


def test_every_changed_byte_is_noticed(tmp_path):
    path = write(tmp_path / "a.h5")
    content = path.read_bytes()
    end = len(content) - len(seals.MARK) - 32
    random = np.random.default_rng(0)
    for position in [*random.integers(0, end, 60), end + len(seals.MARK), len(content) - 1]:
        changed = bytearray(content)
        changed[position] ^= 1 << random.integers(8)
        path.write_bytes(changed)
        with pytest.raises(errors.DataError, match=r"a\.h5: damaged or not a file of numbers"):
            numbers_in(path)


def test_a_flipped_number_was_read_without_a_seal(tmp_path):
    """The reason for seals: HDF5 has no checksum of its own."""
    path = write(tmp_path / "b.h5", sealed=False)
    content = bytearray(path.read_bytes())
    position = content.index(np.float64(42).tobytes())
    content[position + 6] ^= 1
    path.write_bytes(content)
    assert numbers_in(path)[42] != 42


@pytest.mark.parametrize("lost", [1, 40, 60, 600])
def test_a_sealed_file_that_is_cut_short_is_no_other_file(tmp_path, lost):
    """Without a part of its seal it is a complete file; without more it is damaged."""
    path = write(tmp_path / "a.h5")
    path.write_bytes(path.read_bytes()[:-lost])
    if lost <= len(seals.MARK) + 32:
        np.testing.assert_array_equal(numbers_in(path), np.arange(100))
    else:
        with pytest.raises(errors.DataError, match="damaged or not"):
            numbers_in(path)


def test_a_disk_without_room_for_the_seal_leaves_no_file(tmp_path):
    size = write(tmp_path / "a.h5").stat().st_size
    with pytest.raises(OSError, match="File too large"), disk_of(size - 1):
        write(tmp_path / "c.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_an_empty_file_has_no_seal(tmp_path):
    (tmp_path / "e").write_bytes(b"")
    seals.check(tmp_path / "e")
    seals.put(tmp_path / "e")
    seals.check(tmp_path / "e")
