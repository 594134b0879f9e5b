"""Hand-made chromosomes: strong sites at chosen places in letters that hold none."""

import dataclasses

import numpy as np
import pytest

from akita_bayes import dna
from akita_bayes.simulate import designs, physics

BIN = 512
PHYSICS = physics.Physics()


class Bench:
    """Builds sequences of `bins` bins with consensus sites at the middle of given bins."""

    physics = PHYSICS
    bin_size = BIN

    def background(self, bins: int, seed: int = 0) -> str:
        """Letters of even composition, too poor in G and C runs to hold a site."""
        rng = np.random.default_rng(seed)
        return "".join(rng.choice(list("ACGT"), bins * BIN, p=(0.275, 0.225, 0.225, 0.275)))

    def sequence(self, bins: int, plus: tuple[int, ...] = (), minus: tuple[int, ...] = ()) -> str:
        """Forward sites in the bins `plus`, reverse ones in the bins `minus`."""
        letters = self.background(bins)
        for where, site in ((plus, self.site(1)), (minus, self.site(-1))):
            for number in where:
                letters = self.write(letters, number * BIN + BIN // 2, site)
        return letters

    def site(self, strand: int) -> str:
        """The consensus, as it reads on the forward strand."""
        consensus = PHYSICS.site.consensus
        return consensus if strand > 0 else dna.reverse_complement(consensus)

    @staticmethod
    def write(letters: str, start: int, insert: str) -> str:
        """Letters with some replaced."""
        return letters[:start] + insert + letters[start + len(insert) :]


@pytest.fixture(scope="session")
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="session")
def small_design() -> designs.Design:
    """A design of a few windows, shallow enough that noise shows."""
    return dataclasses.replace(designs.PRESETS["tiny"], genome_mb=0.25, depth=2000.0, variants=4)
