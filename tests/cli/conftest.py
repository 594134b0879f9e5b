"""What tests of several commands start from, made once."""

import shutil

import pytest

from tests import coolers


@pytest.fixture(scope="session")
def cooler_template(tmp_path_factory):
    """A genome, coolers and a table of targets; not to be changed."""
    return coolers.world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def cooler_world(cooler_template, tmp_path):
    """A fresh copy: most tests spoil it."""
    copy = tmp_path / "world"
    shutil.copytree(cooler_template, copy)
    return copy
