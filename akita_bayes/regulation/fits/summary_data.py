"""Collects the data of a fit's summary page: responses of states, p(bin | t), intervals."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy.special
from numpy.typing import NDArray

from akita_bayes.mechanisms import mechanism_spec, rate_laws, trees
from akita_bayes.regulation.fits import fitting
from akita_bayes.regulation.model import parameters as layout

GRID = 201
"""Number of points of a curve."""


class Response(NamedTuple):
    """Holds occupancies and activity as one term varies and the others stay at the wild type's.

    Attributes:
        label: Name of the term that varies, with its unit.
        term: [G] values of the term.
        wild_type: Value of the term for the wild type.
        states: Names of the K states or species.
        probability: [G, K] probabilities of the states.
        activity: [G] activities.
    """

    label: str
    term: NDArray[np.float64]
    wild_type: float
    states: tuple[str, ...]
    probability: NDArray[np.float64]
    activity: NDArray[np.float64]


class Page(NamedTuple):
    """Holds the contents of a summary page.

    Attributes:
        title: Name, rate law, held-out information, and a warning if the fit has not converged.
        matrices: Per site, [W, 4] energies in kT, in the mechanism's gauge.
        matrix_label: Quantity and unit of the matrices.
        starts: First base of each site.
        responses: Response of each site.
        activity: [G] ascending activities, or None for read-outs.
        bins: [M, G] p(bin | t) at these activities, or None.
        columns: Names of the M bins.
        intervals: Columns name, mean, lower, upper; rows for every constant, and for the term of
            every site at the wild type.
        unit: Unit of the intervals.
        activity_label: Quantity of `activity`.
    """

    title: str
    matrices: Mapping[str, NDArray[np.float64]]
    matrix_label: str
    starts: Mapping[str, int]
    responses: tuple[Response, ...]
    activity: NDArray[np.float64] | None
    bins: NDArray[np.float64] | None
    columns: tuple[str, ...]
    intervals: pd.DataFrame
    unit: str
    activity_label: str = "activity t"


def response(
    parameters: layout.Parameters,
    theta: NDArray[np.float64],
    name: str,
    *,
    library: str | None = None,
    reach: float = 8.0,
) -> Response:
    """Varies one term by `reach` (kT, or ln 1/s) to both sides of the wild type's."""
    mechanism = parameters.mechanism
    library = parameters.libraries[0] if library is None else library
    wild = np.array([parameters.term(theta, term).constant[library] for term in mechanism.terms])
    column = list(mechanism.terms).index(name)
    moved = np.linspace(wild[column] - reach, wild[column] + reach, GRID)
    terms = np.tile(wild, (GRID, 1))
    terms[:, column] = moved
    if isinstance(mechanism, mechanism_spec.Kinetic):
        rates = np.exp(terms)
        probability = trees.steady_state(rates, len(mechanism.species), mechanism.edges)
        product_rates = [list(mechanism.terms).index(rate) for rate in mechanism.product]
        activity = sum(rates[:, r] * probability[:, mechanism.edges[r][0]] for r in product_rates)
        names, label = mechanism.species, f"ln {name} (1/s)"
    else:
        probability = scipy.special.softmax(-terms @ mechanism.occupancy.T, axis=1)
        activity = probability @ np.array(
            [_level(parameters, theta, state.activity) for state in mechanism.states.values()]
        )
        names, label = tuple(mechanism.states), f"dG {name} (kT)"
    return Response(label, moved, float(wild[column]), names, probability, np.asarray(activity))


def _level(
    parameters: layout.Parameters, theta: NDArray[np.float64], activity: float | str
) -> float:
    if isinstance(activity, str):
        return float(np.exp(theta[parameters.find(activity, "log_activity").start]))
    return float(activity)


def page(fit: fitting.Fit) -> Page:
    """Builds the page of a fit; the first library represents the measurement of all."""
    parameters, mechanism = fit.parameters, fit.mechanism
    sites = {name: term.site for name, term in mechanism.terms.items() if term.site}
    grid = bins = None
    if mechanism.measurement.kind.endswith("bins"):
        library = parameters.libraries[0]
        signal = np.asarray(fit.likelihood.signal(fit.theta[None]))[0]
        low, high = np.quantile(signal, [0.005, 0.995])
        grid = np.geomspace(max(low, 1e-6), high, GRID)
        weights = parameters.weights(fit.theta[None], library)
        bins = np.asarray(parameters.processes[library].outputs(weights, grid[None]))[0]
    rows = [
        {"name": name, **interval._asdict()}
        for name, interval in {**fit.wild_type, **fit.energies}.items()
    ]
    kinetic = isinstance(mechanism, mechanism_spec.Kinetic)
    relative = mechanism.measurement.relative
    information = fit.held_out.information
    title = f"{mechanism.name}: {rate_laws.rate_law(mechanism)}"
    if information is not None:
        title += (
            f"\nheld out: {information.bits:.3f} ± {information.standard_error:.3f} bits per "
            f"{mechanism.measurement.datum}"
        )
    if not fit.converged:
        title += f"\nnot converged: a further step would gain {fit.gain:.2g} nats"
    return Page(
        title=title,
        matrices={name: np.asarray(fit.term(name).matrix) for name in sites},
        matrix_label="activation energy (kT)" if kinetic else "energy (kT)",
        starts={name: site[0] for name, site in sites.items()},
        responses=tuple(response(parameters, fit.theta, name) for name in sites),
        activity=grid,
        activity_label="o / (o + o of the wild type)" if relative else "activity t",
        bins=bins,
        columns=fit.likelihood.table.libraries[0].columns,
        intervals=pd.DataFrame(rows),
        unit=mechanism.unit,
    )
