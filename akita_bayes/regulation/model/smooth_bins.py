"""Replaces the bins of a mechanism by smooth curves, which a sampler can explore."""

from typing import Any

from akita_bayes import errors
from akita_bayes.mechanisms import declarations, mechanism_spec

KNOTS = 32
"""Knots of the splines in place of hidden units, enough that their positions do not matter. With 16
knots the posterior of the lac reads of Kinney et al. (2010) has two modes, each at a scale of
energies at which turns of its curves coincide with knots; with 32, chains from both modes meet
between them, where the evidence is 16 nats higher."""


def curves(
    mechanism: mechanism_spec.Mechanism, *, knots: int | None = None
) -> dict[str, mechanism_spec.Mechanism]:
    """Returns the mechanism with bins as smooth curves of the odds of activity, and of log odds.

    Activity takes the place of odds where the mechanism has no odds. A curve that is smooth in one
    has to bend in the other, so the evidence distinguishes them where held-out sequences do not.

    Args:
        mechanism: Mechanism whose measurement has bins.
        knots: Number of knots, as for `bins`.
    """
    signal = "odds" if mechanism.levels else "activity"
    variants = {}
    for label, read_out in ((signal, "activity"), (f"log {signal}", "log_activity")):
        measurement = mechanism.measurement.model_copy(update={"read_out": read_out})
        variant = mechanism.model_copy(update={"measurement": measurement})
        variants[label] = bins(variant, knots=knots)
    return variants


def bins(
    mechanism: mechanism_spec.Mechanism, *, knots: int | None = None
) -> mechanism_spec.Mechanism:
    """Returns the mechanism with splines for its bins, and relative, which a sampler can explore.

    The hidden units of `bins` and `monotone_bins` can trade places, and units that the data do not
    need wander; splines describe the same curves without these problems. A factor on the odds of
    activity moves the curve and leaves the likelihood unchanged; where odds exist, the bins see
    them relative to the wild type's, and the factor keeps its prior. Measurements without bins
    stay unchanged.

    Args:
        mechanism: Declared mechanism.
        knots: Number of knots; None for the number that the mechanism declares, or `KNOTS`.

    Raises:
        SpecError: There are fewer knots than a spline needs, or the measurement has no bins.
    """
    declared = mechanism.measurement
    if knots is not None and knots < 3:
        raise errors.SpecError(f"knots: {knots} are too few for a spline; give 3 or more.")
    if not declared.kind.endswith("bins"):
        if knots is not None:
            raise errors.SpecError(
                f"knots: a measurement of kind {declared.kind} has no splines; leave knots out."
            )
        return mechanism
    updates: dict[str, Any] = {} if knots is None else {"hidden": knots}
    if declared.kind != "spline_bins":
        prior = declarations.Normal(sd=3.0)
        updates = {"kind": "spline_bins", "hidden": knots or KNOTS, "weight_prior": prior}
    if mechanism.levels:
        updates["relative"] = True
    return mechanism.model_copy(update={"measurement": declared.model_copy(update=updates)})
