r"""Declares what the simulated experiment adds to the contacts, each with its unit and its default.

The reads of bins i and j in replicate r of target t have the mean

    m = depth_t C[i, j] b_i b_j exp(bias_t[i, j] + bias_tr[i, j])

with C the noise-free contacts of `simulate.chromatin`, b the coverage of a bin, and log-normal
fields of the target and of the replicate. All factors have the mean 1. Counts are Poisson with a
mean that itself varies (negative binomial), so that

    variance = m + dispersion m^2.

The coverage b is the same in all replicates and is removed by balancing. The two fields are no
products over bins, so balancing leaves them: replicates differ by their own, and targets by theirs,
which replicates of one target share.
"""

import dataclasses
from typing import Literal

from akita_bayes import errors

_RANGES: dict[str, tuple[float, float]] = {
    "kernel_sigma": (0.0, 8.0),
    "dispersion": (0.0, 10.0),
    "coverage_smooth": (0.0, 2.0),
    "coverage_bin": (0.0, 2.0),
    "unmappable_stretches": (0.0, 0.4),
    "replicate_bias": (0.0, 3.0),
    "target_bias": (0.0, 3.0),
    "target_depth": (0.0, 2.0),
}
"""Least and greatest value of each number that may be 0."""

_LENGTHS = ("coverage_length", "unmappable_length", "bias_length")
R_RANGE = (0.3, 0.995)
"""Least and greatest correlation of replicates that can be asked for."""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Holds all parameters of the experiment but depth and number of replicates.

    The defaults add counting noise alone. "sd of ln" is the standard deviation of a log-normal
    factor's logarithm, without unit.

    Args:
        kernel_sigma: Standard deviation of the Gaussian that smooths targets and their truth, bins;
            0 for none. Akita's data have 1.
        kernel_width: Width of its kernel, bins, odd; None for 8 `kernel_sigma`. Akita's data have
            5.
        dispersion: Overdispersion of counts: variance = mean + dispersion mean^2. No unit.
        coverage_smooth: sd of ln of the part of a bin's coverage that neighbours share.
        coverage_length: Distance over which this part varies (standard deviation of a Gaussian),
            bp.
        coverage_bin: sd of ln of the part of a bin's coverage that is its own.
        unmappable_stretches: Share of bins in unmappable stretches, beside `Design.unmappable`.
        unmappable_length: Mean length of a stretch, bp; the longest has four times this length.
        replicate_bias: sd of ln of the field of contacts by which a replicate differs from others.
        target_bias: sd of ln of the field of contacts that all replicates of a target share.
        bias_length: Distance over which both fields vary (standard deviation of a Gaussian), bp.
        target_depth: sd of ln of the depth of a target; the mean over targets is the design's.
        replicate_r: Correlation of the targets of two replicates that is wanted on the test
            chromosome, mean over pairs and targets; None to leave it to the other parameters.
        solve_for: What is set to reach it: "bias" replaces `replicate_bias`, "depth" the design's
            depth.
    """

    kernel_sigma: float = 0.0
    kernel_width: int | None = None
    dispersion: float = 0.0
    coverage_smooth: float = 0.0
    coverage_length: float = 16384.0
    coverage_bin: float = 0.0
    unmappable_stretches: float = 0.0
    unmappable_length: float = 2048.0
    replicate_bias: float = 0.0
    target_bias: float = 0.0
    bias_length: float = 1024.0
    target_depth: float = 0.0
    replicate_r: float | None = None
    solve_for: Literal["bias", "depth"] = "bias"

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise errors.DataError(
                    f"measurement.{name} {value:g} is out of range; choose {least:g} to {most:g}."
                )
        for name in _LENGTHS:
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                raise errors.DataError(
                    f"measurement.{name} {value:g} is not a length in bp; choose one above 0."
                )
        if self.kernel_width is not None and (self.kernel_width < 1 or self.kernel_width % 2 == 0):
            raise errors.DataError(
                f"measurement.kernel_width {self.kernel_width} must be odd and positive, so that "
                "the kernel has a middle bin."
            )
        if self.replicate_r is not None and not R_RANGE[0] <= self.replicate_r <= R_RANGE[1]:
            raise errors.DataError(
                f"measurement.replicate_r {self.replicate_r:g} is out of range; choose "
                f"{R_RANGE[0]:g} to {R_RANGE[1]:g}."
            )
        if self.solve_for not in ("bias", "depth"):
            raise errors.DataError(
                f'measurement.solve_for "{self.solve_for}" is unknown; choose "bias" or "depth".'
            )

    @property
    def has_coverage(self) -> bool:
        """Returns True when bins differ in coverage, so that maps need balancing."""
        return self.coverage_smooth > 0 or self.coverage_bin > 0


COUNTING_NOISE = Measurement()
"""Counting noise alone."""
