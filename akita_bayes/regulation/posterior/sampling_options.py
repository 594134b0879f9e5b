"""Options of a sampled posterior: numbers of fits, chains, draws and refits."""

import dataclasses

from akita_bayes import errors

LEAST = {"optima": 1, "starts": 1, "chains": 2, "burn_in": 2, "most_draws": 1}
"""Smallest value of each option that counts something."""


@dataclasses.dataclass(frozen=True)
class SamplingOptions:
    """Holds the options of `sampling.sample_mechanism`.

    Attributes:
        knots: Knots of the splines; None for the declared number, or 32.
        weigh: True to sample every read-out of `smooth_bins.curves` that Laplace's evidence does
            not reject, and to weigh read-outs by the evidence of their draws.
        optima: Fits of every read-out that may be sampled, each with its own starts and split;
            every second fit has wider priors of the bases. Chains start from all optima that may
            hold a share of the posterior (`mixture.explore`).
        starts: Random starts of each fit.
        chains: Chains of each read-out, and of each mode that chains do not leave.
        burn_in: Draws thrown away. After the first half the coordinates follow the curvature at the
            current place of the chains; the step size is adapted in both halves.
        effective: Effective draws, of the centre and of both ends of every interval, at which
            sampling stops once R-hat is small enough.
        most_draws: Draws per chain at which sampling stops in any case.
        replicates: Refits of the bootstrap; 0 for none.
        seed: Seed of the fits, the sampler and the bootstrap.
        target_acceptance: Target of the dual averaging of the step size; None for 0.9, or for 0.8
            where curves are integrated out. Independent dimensions are sampled best at 0.65 (Beskos
            et al. 2013). Posteriors with ridges need shorter steps: at 0.65, 11 % of the
            trajectories of a toy promoter diverged and the chains had 10 effective draws, at 0.9
            none and 121 (docs/lac_findings.md).
        max_tree_depth: Largest depth n of a trajectory of at most 2^n - 1 steps.

    Raises:
        SpecError: A number of fits, chains or draws is too small.
    """

    knots: int | None = None
    weigh: bool = False
    optima: int = 2
    starts: int = 6
    chains: int = 4
    burn_in: int = 300
    effective: float = 400.0
    most_draws: int = 2000
    replicates: int = 32
    seed: int = 0
    target_acceptance: float | None = None
    max_tree_depth: int = 6

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            value = getattr(self, name)
            if value < least:
                raise errors.SpecError(f"{name}: {value} is too few; give {least} or more.")


DEFAULTS = SamplingOptions()
