"""Fits a mechanism under other assumptions and shows how far its energies move.

An interval depends on the read-out and on the priors that a spec declares. Predictions of unseen
sequences hardly depend on either, so no held-out score can justify them. Constants may still move
by many times the width of their interval. This module varies every combination of

    the declared read-out; smooth curves of the odds of activity; smooth curves of their logarithm
        (of the activity itself where it has no odds; for continuous read-outs, the declared noise
        and `gaussian`, or `skewed` in place of `gaussian`);
    the declared priors of the bases; priors several times as wide, which do not shrink any scale.

It reports the union of the intervals that neither held-out sequences nor the evidence reject. A
curve of one variable can be smoother than a curve of another variable. The evidence counts how much
a curve has to bend; a held-out score does not.
"""

from collections.abc import Collection

import pandas as pd

from akita_bayes.mechanisms import declarations, mechanism_spec
from akita_bayes.regulation.model import smooth_bins

KNOTS = 16
"""Knots of the smooth curves where the spec declares no splines: half as many as the sampler uses.
Laplace's evidence ranks the curves here. On the lac reads of Kinney et al. (2010) it is 7 nats
below the evidence of draws with 16 knots, and 43 nats below it with 32 knots, because the data
hardly determine that many bends."""
DOUBT = 45.0
"""Nats of Laplace's evidence that are too few to choose between two read-outs. Compared with the
evidence of draws it was 27 nats too high on simulated reads and up to 43 nats too low on the lac
reads. The error is larger for several libraries together: some 190 nats too low for five."""
WIDER = 2.5
"""Factor on the declared sd of the priors of bases."""


def alternatives(mechanism: mechanism_spec.Mechanism) -> list[mechanism_spec.Mechanism]:
    """Returns the mechanism as declared, then its variants; each name says what differs.

    Args:
        mechanism: Mechanism with any measurement; a measurement of counts has no second read-out.
    """
    measurements = {mechanism.name: mechanism.measurement, **_read_outs(mechanism)}
    variants = [
        mechanism.model_copy(update={"name": name, "measurement": measurement})
        for name, measurement in measurements.items()
    ]
    wide = [
        widened(variant).model_copy(update={"name": f"{variant.name}, wide priors"})
        for variant in variants
    ]
    return variants + wide


def supported(ranked: pd.DataFrame) -> list[str]:
    """Returns the names of the mechanisms that the data do not reject, the best first.

    A mechanism is rejected when the 95 % interval of its distance to the best one lies above 0, or
    when its evidence is more than `DOUBT` nats below the highest evidence.

    Args:
        ranked: Table that `ranking.compare` returns.
    """
    # A mechanism with hidden units has NaN as evidence. NaN < x is False, so it is not rejected.
    far = ranked["log_evidence"] < ranked["log_evidence"].max() - DOUBT
    return list(ranked.loc[(ranked["behind_lower"] <= 0) & ~far, "name"])


def ranges(constants: pd.DataFrame, supported_names: Collection[str]) -> pd.DataFrame:
    """Returns the range of every constant over several mechanisms.

    Args:
        constants: Table that `ranking.constants` returns.
        supported_names: Names of the mechanisms, as `supported` returns them.

    Returns:
        One row per constant that all of these mechanisms have. Columns: name; unit; `lower` and
        `upper`, the ends of the union of the 95 % intervals; `widest`, the width of the widest
        interval; `mechanisms`, the number of mechanisms.
    """
    rows = constants[constants["mechanism"].isin(supported_names)]
    rows = rows.assign(width=rows["upper"] - rows["lower"])
    limits = rows.groupby(["name", "unit"], sort=False).agg(
        lower=("lower", "min"),
        upper=("upper", "max"),
        widest=("width", "max"),
        mechanisms=("mechanism", "nunique"),
    )
    return limits[limits["mechanisms"] == len(supported_names)].reset_index()


def _read_outs(mechanism: mechanism_spec.Mechanism) -> dict[str, declarations.Measurement]:
    """Returns measurements that differ from the declared one, by the name of their variant."""
    declared, name = mechanism.measurement, mechanism.name
    if declared.is_continuous:
        noise = "skewed" if declared.kind == "gaussian" else "gaussian"
        return {f"{name}, {noise}": declared.model_copy(update={"kind": noise})}
    if not declared.kind.endswith("bins"):
        return {}
    curves = smooth_bins.curves(
        mechanism, knots=None if declared.kind == "spline_bins" else KNOTS
    ).items()
    return {
        f"{name}, {label}": variant.measurement
        for label, variant in curves
        if variant.measurement != declared
    }


def widened(mechanism: mechanism_spec.Mechanism) -> mechanism_spec.Mechanism:
    """Returns the mechanism with priors of the bases `WIDER` times as wide."""
    kind = "energies" if isinstance(mechanism, mechanism_spec.Thermodynamic) else "rates"
    terms = {}
    for name, term in getattr(mechanism, kind).items():
        prior = term.base_prior.model_copy(update={"sd": WIDER * term.base_prior.sd})
        terms[name] = term.model_copy(update={"base_prior": prior})
    return mechanism.model_copy(update={kind: terms})
