"""What a mechanism is made of, as declared in JSON: terms, states, rates, priors, measurement.

The linear terms of a mechanism, energies or log rates, are a constant, or a constant plus a sum of
contributions of the bases of a site:  dG = theta . x + mu,  log k = log k0 - theta . x.
"""

import math
from collections.abc import Collection
from typing import Literal

import pydantic

from akita_bayes import errors


def fault(name: str) -> str:
    """Why a name can be no part of a file's name and of `name[i,B]`; empty where it can."""
    if not name.strip():
        return "a name is empty; give it letters."
    if (
        not name.isprintable()
        or name != name.strip()
        or name.startswith(".")
        or set(name) & set("/\\,[]")
    ):
        return (
            f"{name!r:.60} can name no column and no file; leave out / \\ , [ ], line ends, a dot "
            "in front and spaces around it."
        )
    size = len(name.encode())
    return "" if size <= 100 else f'"{name:.20}..." is a name of {size} bytes; give up to 100.'


def check_names(**named: Collection[str]) -> None:
    """Raises a SpecError for a name, by what it names, that a run could not bear."""
    for what, names in named.items():
        for name in names:
            if problem := fault(name):
                raise errors.SpecError(f"{what}: {problem}")
            if name == "measurement" and what in ("energies", "rates", "activities"):
                raise errors.SpecError(
                    f'{what}: "measurement" is the name of the read-out; choose another.'
                )
    libraries = list(named.get("libraries", ()))
    for name in libraries:
        if libraries.count(name) > 1:
            raise errors.SpecError(f'libraries: "{name}" is named twice; name it once.')


class Frozen(pydantic.BaseModel):
    """A declaration: immutable, comparable, and with no keys but its own."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class Normal(Frozen):
    """A Gaussian prior, in the unit of what it is about (kT, or the log of a rate in 1/s)."""

    mean: float = 0.0
    sd: float = pydantic.Field(default=5.0, gt=0)


class Term(Frozen):
    """An energy in kT, or the log of a rate: a constant, or a constant and the bases of a site.

    Attributes:
        site: Bases [start, stop) that the term reads; none for a constant.
        neighbours: Whether adjacent pairs of bases contribute as well as single bases.
        base_prior: Prior of the contribution of one base (or pair) of the site.
        prior: Prior of the constant: the chemical potential of a site, or the term itself.
        value: A constant that is not fitted. For a rate in 1/s; 0 says that it does not occur.
        per_library: Whether each library has a constant of its own; the site is always shared.
    """

    site: tuple[int, int] | None = None
    neighbours: bool = False
    base_prior: Normal = Normal(sd=2.0)
    prior: Normal = Normal()
    value: float | None = None
    per_library: bool = False

    @property
    def width(self) -> int:
        """Number of bases of the site, 0 for a constant."""
        return self.site[1] - self.site[0] if self.site else 0

    @property
    def bases(self) -> slice:
        """Where the site lies in the sequence; empty for a constant."""
        return slice(*self.site) if self.site else slice(0, 0)


class Rate(Term):
    """The rate constant of one transition between two species."""

    source: str = pydantic.Field(alias="from")
    target: str = pydantic.Field(alias="to")
    value: float | None = pydantic.Field(default=None, ge=0)


class Activity(Frozen):
    """An activity that is fitted, one for all the states that name it; its log has the prior."""

    prior: Normal = Normal(sd=2.0)


class State(Frozen):
    """A molecular complex: the energies it pays, repeated as often as they occur, and its activity.

    Attributes:
        energies: Names of energies; a name given twice counts twice.
        activity: A number, or the name of a fitted activity; states that share a name are tied.
    """

    energies: tuple[str, ...] = ()
    activity: float | str = 0.0

    @property
    def weight(self) -> str:
        """Boltzmann weight in symbols, e.g. `e^-(crp + 2 rnap)`."""
        counted = {name: self.energies.count(name) for name in self.energies}
        powers = [name if n == 1 else f"{n} {name}" for name, n in counted.items()]
        if not powers:
            return "1"
        return f"e^-{powers[0]}" if len(powers) == 1 else f"e^-({' + '.join(powers)})"


class Truth(Frozen):
    """What a term is taken to be when data are simulated; fits do not look at it.

    Attributes:
        matrix: Per position of the site, contributions of A, C, G and T in kT, in any gauge.
        constant: The term of the wild type, or the constant itself: an energy in kT, the log of a
            rate in 1/s, the log of an activity. One number, or one per library.
        source: Where the numbers are from.
    """

    matrix: tuple[tuple[float, float, float, float], ...] | None = None
    constant: float | dict[str, float] | None = None
    source: str = ""


class Measurement(Frozen):
    """How activity becomes data, p(measurement | t).

    Attributes:
        kind: `bins` is a dense network with one softmax hidden layer and a softmax over bins;
            `monotone_bins` the same with every adjacent-bin log odds rising with activity;
            `spline_bins` log odds that are splines of the activity, for sampling;
            `gaussian` and `skewed` are noise on a continuous read-out a + b log(t + t0);
            `poisson` counts with mean exposure * a (t + t0).
        hidden: Width of the hidden layer of the bins; number of knots of the splines.
        read_out: What the bins see: the activity t, as in the paper, or its logarithm.
        relative: Whether they see the odds o of activity against the wild type's, as
            o / (o + o_wild_type), in place of t. A free curve p(bin | t) takes up any factor of o,
            so that only the curve's prior tells that factor; relative bins say so.
        log_base: Of a continuous read-out that is a logarithm of something proportional to t + t0,
            such as the ratio of RNA to DNA: b is then known, 1 / ln(base), in fits and simulations.
            Left out, a fit finds b, which trades against the scale of all energies, and a
            simulation has b = 1.
        leave_out: Bins of the table that are not fitted, e.g. an unsorted library.
        weight_prior: Prior of every weight of the process; those of a continuous read-out are in
            its standard deviation, from its mean. The weights of splines have priors of their own.
    """

    kind: Literal["bins", "monotone_bins", "spline_bins", "gaussian", "skewed", "poisson"] = "bins"
    hidden: int = pydantic.Field(default=10, ge=1)
    read_out: Literal["activity", "log_activity"] = "activity"
    relative: bool = False
    log_base: Literal["e", 2, 10] | None = None
    leave_out: tuple[str, ...] = ()
    weight_prior: Normal = Normal(sd=3.0)

    @property
    def slope(self) -> float | None:
        """What a continuous read-out rises by per nat of t + t0, where that is known."""
        if self.log_base is None:
            return None
        return 1.0 if self.log_base == "e" else 1.0 / math.log(self.log_base)

    @property
    def has_hidden_units(self) -> bool:
        """Whether many equal optima come from hidden units that can trade places."""
        return self.kind in ("bins", "monotone_bins")

    def check(self, levels: Collection[float]) -> None:
        """Raises a SpecError for a key that would play no part, or that cannot be obeyed.

        Args:
            levels: Activities in 0..1 of the states; empty where there are no odds of activity.
        """
        bins, continuous = self.kind.endswith("bins"), self.kind in ("gaussian", "skewed")
        idle = {
            "log_base": (self.log_base is not None and not continuous, "a continuous read-out"),
            "relative": (self.relative and not bins, "bins"),
            "read_out": (self.read_out != "activity" and not bins, "bins"),
            "leave_out": (bool(self.leave_out) and not bins, "bins"),
        }
        for name, (plays_no_part, measured) in idle.items():
            if plays_no_part:
                raise errors.SpecError(
                    f'measurement.{name}: is for {measured}, not for "{self.kind}"; drop it.'
                )
        if self.kind == "spline_bins" and self.hidden < 3:
            raise errors.SpecError(
                f"measurement.hidden: {self.hidden} knots bear no spline; give 3 or more."
            )
        if self.kind == "spline_bins" and self.weight_prior != Measurement().weight_prior:
            raise errors.SpecError(
                "measurement.weight_prior: splines have priors of their own; drop it."
            )
        if self.relative and not levels:
            raise errors.SpecError(
                "measurement.relative: odds of activity need states whose activities are numbers "
                "from 0 to 1; give such, or drop relative."
            )
