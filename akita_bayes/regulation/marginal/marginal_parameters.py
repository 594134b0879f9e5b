"""The layout of the parameters that remain when the weights of curves are integrated out."""

import functools

import numpy as np
from numpy.typing import NDArray

from akita_bayes.mechanisms import declarations
from akita_bayes.regulation.model import parameters as layout
from akita_bayes.regulation.model import priors

CURVE_PARTS = ("line", "bend")
"""Blocks of theta that hold the weights of curves."""
ROUGHNESS = "log_roughness"
"""Part that takes the place of bends: the log of their prior's standard deviation."""


class MarginalParameters(layout.Parameters):
    """Describes theta without the weights of curves, and with the roughness of each curve."""

    @functools.cached_property
    def whole(self) -> layout.Parameters:
        """Returns the layout with the weights of curves."""
        return layout.Parameters(self.mechanism, self.wild_type, self.columns, self.read_outs)

    @functools.cached_property
    def blocks(self) -> tuple[layout.Block, ...]:
        """Returns every block of theta, in order."""
        blocks: list[layout.Block] = []
        for block in self.whole.blocks:
            start = blocks[-1].stop if blocks else 0
            if block.part == "bend":
                prior = declarations.Normal(mean=np.log(block.prior.sd), sd=priors.SPREAD)
                block = block._replace(part=ROUGHNESS, shape=(), prior=prior)
            elif block.part in CURVE_PARTS:
                continue
            blocks.append(block._replace(start=start))
        return tuple(blocks)

    @functools.cached_property
    def source(self) -> NDArray[np.int64]:
        """Returns where each entry stands in the whole theta; -1 for a roughness. [P]."""
        entries = [
            [-1]
            if block.part == ROUGHNESS
            else self.whole.find(block.owner, block.part, block.library).start
            + np.arange(block.stop - block.start)
            for block in self.blocks
        ]
        return np.concatenate(entries)

    def reduce(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Takes the remaining entries of a whole theta. [D] -> [P].

        The roughness of a curve is the root mean square of its bends.
        """
        reduced = theta[self.source]
        for block in self.blocks:
            if block.part == ROUGHNESS:
                bend = self.whole.find(block.owner, "bend", block.library)
                mean_square = float(np.mean(theta[bend.start : bend.stop] ** 2))
                reduced[block.start] = (
                    0.5 * np.log(mean_square) if mean_square else block.prior.mean
                )
        return reduced
