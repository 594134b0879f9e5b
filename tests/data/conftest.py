"""What several tests of the contact pipeline look at, made once."""

import pytest

from tests import coolers as world


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory):
    """A folder of `coolers.world` with a data directory `out`, and its summary."""
    folder = world.world(tmp_path_factory.mktemp("world"))
    return folder, world.make(folder)
