"""What a spec takes for granted, taken otherwise, and how far that moves its energies.

An interval holds given the read-out and the priors that a spec declares. Predictions of unseen
sequences hardly depend on either, so no held-out score can justify them; constants may move by many
times their interval. Here a mechanism is fitted under every combination of

    the declared read-out; smooth curves of the odds of activity; smooth curves of their logarithm
        (of activity itself where it has no odds; for continuous read-outs, the declared noise and
        the other of `gaussian` and `skewed`);
    the declared priors of the bases; priors several times as wide, which shrink no scale,

and the union of the intervals that neither held-out sequences nor the evidence reject is reported.
Curves of one variable are smoother than those of another, and the evidence, unlike a held-out
score, counts how much a curve has to bend.
"""

from collections.abc import Collection

import pandas as pd

from akita_bayes.mechanisms import declarations, mechanism_spec
from akita_bayes.regulation.model import smooth_bins

KNOTS = 16
"""Of the smooth curves, where no splines are declared: half as many as are sampled. Laplace's
evidence, which ranks them here, is 7 nats below that of draws on the lac reads of Kinney et al.
(2010) with 16 knots, and 43 nats below it with 32, whose many bends the data hardly hold."""
DOUBT = 45.0
"""Nats of Laplace's evidence that say nothing between two read-outs: against that of draws it was
27 too high on simulated reads and, as said, up to 43 too low. Of several libraries together it is
farther off: some 190 nats too low for five."""
WIDER = 2.5
"""Times the declared sd of the priors of bases."""


def alternatives(mechanism: mechanism_spec.Mechanism) -> list[mechanism_spec.Mechanism]:
    """The mechanism as declared, then otherwise; each name says what differs.

    Args:
        mechanism: With any measurement; one of counts has no other read-out.
    """
    measured = {mechanism.name: mechanism.measurement, **_read_outs(mechanism)}
    found = [
        mechanism.model_copy(update={"name": name, "measurement": measurement})
        for name, measurement in measured.items()
    ]
    wide = [
        widened(each).model_copy(update={"name": f"{each.name}, wide priors"}) for each in found
    ]
    return found + wide


def supported(ranked: pd.DataFrame) -> list[str]:
    """Names of the mechanisms that the data do not reject, the best first.

    Rejected is what is behind the best by a difference whose 95 % interval is above 0, or by more
    than `DOUBT` nats of evidence behind the best of those that have one.

    Args:
        ranked: As `compare.compare` returns it.
    """
    far = ranked["log_evidence"] < ranked["log_evidence"].max() - DOUBT
    return list(ranked.loc[(ranked["behind_lower"] <= 0) & ~far, "name"])


def ranges(constants: pd.DataFrame, kept: Collection[str]) -> pd.DataFrame:
    """Where the constants are, over several mechanisms.

    Args:
        constants: As `compare.constants` returns it.
        kept: Names of the mechanisms, as `supported` gives them.

    Returns:
        One row per constant that all of them have: name, unit, lower and upper, the ends of the
        union of their 95 % intervals; `widest`, the largest width of any of these; `mechanisms`,
        how many they are.
    """
    rows = constants[constants["mechanism"].isin(kept)]
    rows = rows.assign(width=rows["upper"] - rows["lower"])
    found = rows.groupby(["name", "unit"], sort=False).agg(
        lower=("lower", "min"),
        upper=("upper", "max"),
        widest=("width", "max"),
        mechanisms=("mechanism", "nunique"),
    )
    return found[found["mechanisms"] == len(kept)].reset_index()


def _read_outs(mechanism: mechanism_spec.Mechanism) -> dict[str, declarations.Measurement]:
    declared, name = mechanism.measurement, mechanism.name
    if declared.kind in ("gaussian", "skewed"):
        other = "skewed" if declared.kind == "gaussian" else "gaussian"
        return {f"{name}, {other}": declared.model_copy(update={"kind": other})}
    if not declared.kind.endswith("bins"):
        return {}
    curves = smooth_bins.curves(
        mechanism, knots=None if declared.kind == "spline_bins" else KNOTS
    ).items()
    return {
        f"{name}, {label}": made.measurement
        for label, made in curves
        if made.measurement != declared
    }


def widened(mechanism: mechanism_spec.Mechanism) -> mechanism_spec.Mechanism:
    """The same with priors of the bases `WIDER` times as wide."""
    kind = "energies" if isinstance(mechanism, mechanism_spec.Thermodynamic) else "rates"
    terms = {}
    for name, term in getattr(mechanism, kind).items():
        prior = term.base_prior.model_copy(update={"sd": WIDER * term.base_prior.sd})
        terms[name] = term.model_copy(update={"base_prior": prior})
    return mechanism.model_copy(update={kind: terms})
