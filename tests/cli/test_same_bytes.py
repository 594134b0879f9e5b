"""The same seed makes the same bytes, in every process and with any number of workers."""

import importlib

import pytest

from akita_bayes.origins import provenance
from tests import coolers as world
from tests import forked

SIMULATION = ["--preset", "tiny", "--genome_mb", "0.25", "--depth", "2000", "--no_coolers"]


@pytest.mark.parametrize(
    "command", ["akita_data", pytest.param("akita_simulate", marks=pytest.mark.slow)]
)
def test_data_that_are_made_again_have_the_same_digest(tmp_path, command):
    """This process makes them, and another one, where features of a record lie in another order.

    `akita_train --resume` compares this digest.
    """
    words = world.command(world.world(tmp_path)) if command == "akita_data" else SIMULATION
    main = importlib.import_module(f"akita_bayes.cli.{command}").main
    records = []
    digests = set()
    for workers in ("1", "2"):
        folder = tmp_path / workers
        options = [*map(str, words), "-o", str(folder), "-p", workers]
        if workers == "1":
            assert main(options) == 0
        else:
            stderr_file = tmp_path / "said"
            forked.finish(forked.start(main, options, stderr_file=stderr_file), stderr_file)
        digests.add(provenance.data_digest(folder))
        records.append({path.name: path.read_bytes() for path in folder.glob("tfrecords/*.tfr")})
    assert len(records[0]) >= 3
    assert records[0] == records[1]
    assert len(digests) == 1
