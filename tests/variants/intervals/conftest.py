"""A simulated genome, without the experiment on it."""

import pytest

from akita_bayes.data import genome
from akita_bayes.simulate import chromosomes, design_json, designs


@pytest.fixture(scope="session")
def known_genome(tmp_path_factory):
    """What `akita_simulate.py` leaves for variants: a genome and its parameters."""
    return write_genome(tmp_path_factory.mktemp("known"))


def write_genome(folder, design=designs.PRESETS["tiny"]):
    """Writes the genome of a design and its parameters; returns the folder."""
    letters = {
        name: chromosomes.chromosome(
            name, length, design.physics, chromosomes.Landscape(), seed=number
        ).sequence
        for number, (name, (length, _)) in enumerate(design.chromosomes().items())
    }
    genome.write_fasta(folder / "genome.fa", letters)
    design_json.write(folder, design, seed=0, version="x")
    return folder
