"""A mechanism with its bins as smooth curves, which a sampler can explore."""

from typing import Any

from akita_bayes import errors
from akita_bayes.mechanisms import declarations, mechanism_spec

KNOTS = 32
"""Of the splines in place of hidden units: enough that where they lie does not matter. With 16 the
posterior of the lac reads of Kinney et al. (2010) falls apart into two modes, each at the scale of
energies at which turns of its curves meet knots; with 32 chains from both meet between them, where
the evidence is 16 nats higher."""


def curves(
    mechanism: mechanism_spec.Mechanism, *, knots: int | None = None
) -> dict[str, mechanism_spec.Mechanism]:
    """The mechanism with bins as smooth curves of the odds of activity, and of their logarithm.

    Of activity itself, where it has no odds. A curve that is smooth in one has to bend in the
    other, so the evidence tells them apart where held-out sequences do not.

    Args:
        mechanism: Its measurement has bins.
        knots: As for `bins`.
    """
    seen = "odds" if mechanism.levels else "activity"
    found = {}
    for label, read_out in ((seen, "activity"), (f"log {seen}", "log_activity")):
        measurement = mechanism.measurement.model_copy(update={"read_out": read_out})
        other = mechanism.model_copy(update={"measurement": measurement})
        found[label] = bins(other, knots=knots)
    return found


def bins(
    mechanism: mechanism_spec.Mechanism, *, knots: int | None = None
) -> mechanism_spec.Mechanism:
    """The mechanism with its bins as splines, and relative, which a sampler can explore.

    The hidden units of `bins` and `monotone_bins` can trade places, and those that the data do not
    need wander; splines hold the same curves with neither. A factor of the odds of activity moves
    the curve and changes no likelihood; where odds exist, the bins see them against the wild
    type's, and the factor keeps its prior. Other measurements stay as they are.

    Args:
        mechanism: What is declared.
        knots: Of the splines; None for those that the mechanism declares, or `KNOTS`.

    Raises:
        SpecError: Fewer knots than a spline needs, or knots of a measurement without bins.
    """
    declared = mechanism.measurement
    if knots is not None and knots < 3:
        raise errors.SpecError(f"knots: {knots} bear no spline; give 3 or more.")
    if not declared.kind.endswith("bins"):
        if knots is not None:
            raise errors.SpecError(
                f"knots: a measurement of kind {declared.kind} has no splines; leave them out."
            )
        return mechanism
    changed: dict[str, Any] = {} if knots is None else {"hidden": knots}
    if declared.kind != "spline_bins":
        prior = declarations.Normal(sd=3.0)
        changed = {"kind": "spline_bins", "hidden": knots or KNOTS, "weight_prior": prior}
    if mechanism.levels:
        changed["relative"] = True
    return mechanism.model_copy(update={"measurement": declared.model_copy(update=changed)})
