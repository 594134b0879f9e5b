"""Damaged files at every door: a right result, or an error of this package."""

import pytest

from tests.fuzz import doors, fuzzing

pytestmark = pytest.mark.filterwarnings("ignore")
COUNT = 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("doors")
    doors.sources(folder)
    return folder


@pytest.mark.parametrize("door", doors.DOORS)
def test_damaged_files_are_read_or_refused(folder, door):
    """`make fuzz` reads many more."""
    path = folder / doors.DOORS[door].file
    assert doors.DOORS[door].read(path) is not None
    outcomes = fuzzing.fuzz(doors.DOORS[door], folder, range(COUNT))
    assert set(outcomes) <= {"read", "refused"}
    assert outcomes.total() == COUNT
    assert doors.DOORS[door].read(path) is not None
