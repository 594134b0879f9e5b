"""Which errors count as damage of a file, and how they are told."""

import errno
import gzip
import os

import h5py
import pytest

from akita_bayes import errors
from akita_bayes.files import damage


def explained(error):
    with damage.explained("a.h5", "a model", "train again"):
        raise error


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE])
def test_a_full_disk_or_too_many_open_files_are_no_damage(number):
    for error in (
        OSError(number, os.strerror(number)),
        OSError(f"Unable to open file (name = 'a.h5', errno = {number}, error message = 'x')"),
    ):
        with pytest.raises(OSError, match=r"errno|Errno") as raised:
            explained(error)
        assert raised.value is error
        assert damage.number_of(error) == number


@pytest.mark.parametrize("kind", [FileNotFoundError, PermissionError, IsADirectoryError])
def test_files_that_cannot_be_opened_are_no_damage(kind):
    with pytest.raises(kind):
        explained(kind("x"))


@pytest.mark.parametrize("error", [OSError(errno.EIO, "bad sector"), KeyError("x"), MemoryError()])
def test_all_other_errors_are_damage(error):
    with pytest.raises(errors.DataError, match=r"a\.h5: damaged or not a model .*; train again\."):
        explained(error)


def test_hdf5_states_too_many_open_files(tmp_path):
    import resource

    h5py.File(tmp_path / "a.h5", "w").close()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with (
            pytest.raises(OSError, match="Too many open files") as raised,
            damage.explained(tmp_path / "a.h5", "a model", "train again"),
        ):
            h5py.File(tmp_path / "a.h5")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert damage.number_of(raised.value) == errno.EMFILE


def test_a_damaged_archive_is_one_sentence():
    content = gzip.compress(b"chr1" * 1000)
    for cut in (content[:-9], content[:12] + bytes(9), b"PK" + content):
        with (
            pytest.raises(
                errors.DataError, match=r"x\.gz: the archive is damaged or was cut short"
            ),
            damage.unpacking("x.gz"),
        ):
            gzip.decompress(cut)
    sentence = damage.archive_fault("x.gz", EOFError("end"), 3)
    assert sentence == (
        "x.gz: the archive is damaged or was cut short after line 3 (end); compress or copy it "
        "again."
    )
