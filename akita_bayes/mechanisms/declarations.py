"""Parts of a mechanism as declared in JSON: terms, states, rates, priors, measurement.

The linear terms of a mechanism, energies or log rates, are a constant, or a constant plus a sum of
contributions of the bases of a site:  dG = theta . x + mu,  log k = log k0 - theta . x.
"""

import math
from collections.abc import Collection
from typing import Literal

import pydantic

from akita_bayes import errors
from akita_bayes.files import safe_names
from akita_bayes.specs.frozen import Frozen


def check_names(**names_by_kind: Collection[str]) -> None:
    """Raises a SpecError for an invalid or repeated name; each keyword is a kind: `rates=names`."""
    for kind, names in names_by_kind.items():
        for name in names:
            if problem := safe_names.fault(name):
                raise errors.SpecError(f"{kind}: {problem}")
            if name == "measurement" and kind in ("energies", "rates", "activities"):
                raise errors.SpecError(
                    f'{kind}: "measurement" is the name of the read-out; choose another.'
                )
    libraries = list(names_by_kind.get("libraries", ()))
    for name in libraries:
        if libraries.count(name) > 1:
            raise errors.SpecError(f'libraries: "{name}" is named twice; name it once.')


class Normal(Frozen):
    """Describes a Gaussian prior, in the unit of its parameter (kT, or log of a rate in 1/s).

    Attributes:
        mean: Mean.
        sd: Standard deviation.
    """

    mean: float = 0.0
    sd: float = pydantic.Field(default=5.0, gt=0)


class Term(Frozen):
    """Describes an energy in kT, or the log of a rate: a constant, with or without a site.

    Attributes:
        site: Bases [start, stop) that the term reads; None for a constant.
        neighbours: True when adjacent pairs of bases contribute as well as single bases.
        base_prior: Prior of the contribution of one base (or pair) of the site.
        prior: Prior of the constant: the chemical potential of a site, or the term itself.
        value: Constant that is not fitted: one number, or by library where the constant is
            `per_library`; libraries that it does not name are fitted. For a rate in 1/s; 0 removes
            the transition.
        per_library: True when each library has its own constant; all libraries share the site.
    """

    site: tuple[int, int] | None = None
    neighbours: bool = False
    base_prior: Normal = Normal(sd=2.0)
    prior: Normal = Normal()
    value: float | dict[str, float] | None = None
    per_library: bool = False

    @property
    def width(self) -> int:
        """Returns the number of bases of the site, 0 for a constant."""
        return self.site[1] - self.site[0] if self.site else 0

    @property
    def bases(self) -> slice:
        """Returns the bases of the site in the sequence; empty for a constant."""
        return slice(*self.site) if self.site else slice(0, 0)

    def known(self, library: str) -> float | None:
        """Returns the constant of a library where it is not fitted, or else None."""
        return self.value.get(library) if isinstance(self.value, dict) else self.value


class Rate(Term):
    """Describes the rate constant of one transition between two species.

    Attributes:
        source: Species that the transition leaves; "from" in JSON.
        target: Species that the transition reaches; "to" in JSON.
    """

    source: str = pydantic.Field(alias="from")
    target: str = pydantic.Field(alias="to")
    value: float | None = pydantic.Field(default=None, ge=0)


class Activity(Frozen):
    """Describes a fitted activity, shared by all states that name it.

    Attributes:
        prior: Prior of the logarithm of the activity.
    """

    prior: Normal = Normal(sd=2.0)


class State(Frozen):
    """Describes a molecular complex by its energies, each as often as it occurs, and its activity.

    Attributes:
        energies: Names of energies; a name given twice counts twice.
        activity: A number, or the name of a fitted activity; states that share a name are tied.
    """

    energies: tuple[str, ...] = ()
    activity: float | str = 0.0

    @property
    def weight(self) -> str:
        """Returns the Boltzmann weight in symbols, e.g. `e^-(crp + 2 rnap)`."""
        counted = {name: self.energies.count(name) for name in self.energies}
        powers = [name if n == 1 else f"{n} {name}" for name, n in counted.items()]
        if not powers:
            return "1"
        return f"e^-{powers[0]}" if len(powers) == 1 else f"e^-({' + '.join(powers)})"


class Truth(Frozen):
    """Describes the true value of a term in simulated data; fits do not read it.

    Attributes:
        matrix: Contributions of A, C, G and T at each position of the site in kT, in any gauge.
        constant: The term of the wild type, or the constant itself: an energy in kT, the log of a
            rate in 1/s, the log of an activity. One number, or one per library.
        source: Source of the numbers.
    """

    matrix: tuple[tuple[float, float, float, float], ...] | None = None
    constant: float | dict[str, float] | None = None
    source: str = ""


Kind = Literal["bins", "monotone_bins", "spline_bins", "gaussian", "skewed", "outliers", "poisson"]
"""Names of measurements."""


class Measurement(Frozen):
    """Describes how activity becomes data, p(measurement | t).

    Attributes:
        kind: `bins` is a dense network with one softmax hidden layer and a softmax over bins;
            `monotone_bins` is the same, with every log odds of adjacent bins rising with activity;
            `spline_bins` has log odds that are splines of the activity, for sampling;
            `gaussian`, `skewed` and `outliers` are noise on a continuous read-out
            a + b log(t + t0): normal, wider on one side, or with a share of wider noise;
            `poisson` is counts with mean exposure * a (t + t0).
        hidden: Width of the hidden layer of the bins; number of knots of the splines.
        read_out: Read-out of the bins: the activity t, as in the paper, or its logarithm.
        relative: True for bins that read o / (o + o_wild_type) in place of t, with o the odds of
            activity. A free curve p(bin | t) absorbs any factor of o, so that only the prior of
            the curve determines this factor; relative bins remove it.
        log_base: Base of a continuous read-out that is the logarithm of something proportional to
            t + t0, such as the ratio of RNA to DNA; b is then 1 / ln(base), in fits and
            simulations. Without it, a fit estimates b, which trades against the scale of all
            energies, and a simulation has b = 1.
        absolute: True for a continuous read-out that is t itself, such as a fold change, in place
            of a + b log(t + t0).
        leave_out: Bins of the table that are not fitted, e.g. an unsorted library.
        overdispersed: True for bins whose reads of one sequence resemble each other, since they
            come from few cells or from copies of one molecule. Their counts are then
            Dirichlet-multinomial, and the concentration is fitted.
        shared: True when all libraries were measured on one scale, so that they share the weights
            of the measurement. Otherwise each library has its own.
        weight_prior: Prior of every weight of the measurement. For a continuous read-out the
            weights count in its standard deviation, from its mean. The weights of splines have
            their own priors.
    """

    kind: Kind = "bins"
    hidden: int = pydantic.Field(default=10, ge=1)
    read_out: Literal["activity", "log_activity"] = "activity"
    relative: bool = False
    log_base: Literal["e", 2, 10] | None = None
    absolute: bool = False
    leave_out: tuple[str, ...] = ()
    overdispersed: bool = False
    shared: bool = False
    weight_prior: Normal = Normal(sd=3.0)

    @property
    def slope(self) -> float | None:
        """Returns the rise of a continuous read-out per nat of t + t0, or None when unknown."""
        if self.log_base is None:
            return None
        return 1.0 if self.log_base == "e" else 1.0 / math.log(self.log_base)

    @property
    def is_continuous(self) -> bool:
        """Returns True for a continuous read-out."""
        return self.kind in ("gaussian", "skewed", "outliers")

    @property
    def datum(self) -> str:
        """Returns the word for one measurement, "read" or "read-out"."""
        return "read" if self.kind.endswith("bins") else "read-out"

    @property
    def has_hidden_units(self) -> bool:
        """Returns True when a permutation of the hidden units gives an equal optimum."""
        return self.kind in ("bins", "monotone_bins")

    def check(self, levels: Collection[float]) -> None:
        """Raises a SpecError for a key that would have no effect, or that cannot be obeyed.

        Args:
            levels: Activities in 0..1 of the states; empty where activity has no odds.
        """
        bins, continuous = self.kind.endswith("bins"), self.is_continuous
        restricted = {
            "log_base": (self.log_base is not None and not continuous, "a continuous read-out"),
            "absolute": (self.absolute and not continuous, "a continuous read-out"),
            "relative": (self.relative and not bins, "bins"),
            "read_out": (self.read_out != "activity" and not bins, "bins"),
            "leave_out": (bool(self.leave_out) and not bins, "bins"),
            "overdispersed": (self.overdispersed and not bins, "bins"),
        }
        for name, (ineffective, kind) in restricted.items():
            if ineffective:
                raise errors.SpecError(
                    f'measurement.{name}: is for {kind}, not for "{self.kind}"; drop it.'
                )
        if self.absolute and self.log_base is not None:
            raise errors.SpecError(
                "measurement.absolute: a read-out is either t itself or a logarithm; drop absolute "
                "or log_base."
            )
        if self.kind == "spline_bins" and self.hidden < 3:
            raise errors.SpecError(
                f"measurement.hidden: {self.hidden} knots are too few for a spline; give 3 or more."
            )
        if self.kind == "spline_bins" and self.weight_prior != Measurement().weight_prior:
            raise errors.SpecError(
                "measurement.weight_prior: splines have their own priors; drop it."
            )
        if self.relative and not levels:
            raise errors.SpecError(
                "measurement.relative: odds of activity need states whose activities are numbers "
                "from 0 to 1; give such numbers, or drop relative."
            )
