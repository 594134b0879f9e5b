"""Simulated reporter assays: a mutant library, its activities, sorting, and sequencing.

Sort-seq as in Kinney et al. (2010): each sequence of the library has a number of cells; the log
fluorescence of a cell is log(t + background) plus Gaussian noise; gates cut the fluorescence of all
cells into bins of equal occupancy, which contaminate each other a little; each bin is amplified to
the same number of reads. An unsorted sample of the library may be the first bin. Continuous and
count read-outs are drawn from the layer that a fit of the mechanism's `measurement` has.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import scipy.special
from numpy.typing import NDArray

from akita_bayes import dna, errors
from akita_bayes.mechanisms import declarations, mechanism_spec, trees
from akita_bayes.regulation.assay import assay_table
from akita_bayes.regulation.layers import measurement, read_outs

OUTLIERS, OUTLIER_RATIO = 0.1, 4.0
"""Share of outliers of simulated `outliers`, and their standard deviation in that of the others."""
SKEW = 2.0
"""Skew of skewed noise: twice the noise above the mode, half of it below; chances are 4 : 1."""
SORTED = ("bins", "unsorted", "cells", "copies", "contamination")
"""Properties of an experiment that sorts cells."""


@dataclasses.dataclass(frozen=True)
class Design:
    """Describes an experiment.

    Attributes:
        sequences: Number of different sequences of a library; those without reads are then lost.
        mutation_rate: Probability that a base of the wild type is replaced by one of the others.
        reads: Reads of a library over all bins; read-outs have one measurement per sequence.
        bins: Number of sorted bins.
        unsorted: True to sequence a sample of the unsorted library as bin 0.
        cells: Mean number of sorted cells per sequence; where a sequence has more reads than cells,
            its reads are not independent.
        copies: Mean number of reads of one amplified molecule; above 1, reads of a sequence in one
            bin are copies of each other, and hold less information.
        noise: Standard deviation of log fluorescence, or of a log read-out, in nats. A read-out
            whose logarithm has base b has noise / ln(b) in its own unit; counts have none.
        background: Activity that fluoresces without any transcription.
        contamination: Share of reads that come from cells or molecules of all bins equally.
    """

    sequences: int = 5000
    mutation_rate: float = 0.12
    reads: int = 50_000
    bins: int = 9
    unsorted: bool = True
    cells: float = 200.0
    copies: float = 1.0
    noise: float = 1.0
    background: float = 1e-3
    contamination: float = 0.02

    def __post_init__(self) -> None:
        for name, low, high in (
            ("sequences", 10, 1e9),
            ("mutation_rate", 1e-6, 0.75),
            ("reads", 10, assay_table.LARGEST),
            ("bins", 2, 100),
            ("cells", 1.0, 1e6),
            ("copies", 1.0, 1e6),
            ("noise", 1e-6, 100.0),
            ("background", 0.0, 1e9),
            ("contamination", 0.0, 1.0),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                label = name.replace("_", " ")
                raise errors.DataError(
                    f"{label}: {value:g} is out of range; give {low:g} to {high:g}."
                )


class Truth(NamedTuple):
    """Holds the terms of a simulated mechanism.

    Attributes:
        matrices: Per term with a site, [W, 4] contributions of bases in kT, each position centred.
        constants: Per term and library, the term of the wild type (or the constant itself), in kT
            or as the log of a rate.
        activities: Per named activity, its value.
    """

    matrices: dict[str, NDArray[np.float64]]
    constants: dict[str, dict[str, float]]
    activities: dict[str, float]


class Simulated(NamedTuple):
    """Holds a simulated experiment.

    Attributes:
        table: Simulated measurements.
        truth: Parameters of the simulation.
        activity: Per library, [N] true activity of the rows of the table.
        gates: Per library, the log fluorescence between bins; empty for read-outs.
        weights: Per library, the weights of the measurement of a read-out, in its own unit and
            under the names of a fit; empty for bins, whose cells are sorted.
    """

    table: assay_table.Table
    truth: Truth
    activity: dict[str, NDArray[np.float64]]
    gates: dict[str, NDArray[np.float64]]
    weights: dict[str, dict[str, float]]


def draw_truth(mechanism: mechanism_spec.Mechanism, *, seed: int = 0) -> Truth:
    """Returns the spec's `truth`, or a draw from each term's prior at half its sd.

    A matrix drawn from the prior has the wild type's base as the best of its position, since the
    wild type of a promoter binds better than its mutants.
    """
    rng = np.random.default_rng([seed, 1])
    libraries = mechanism.libraries or ("",)
    wild = dna.to_index(_wild_type(mechanism))
    matrices, constants = {}, {}
    for name, term in mechanism.terms.items():
        declared = mechanism.truth.get(name, declarations.Truth())
        if isinstance(term.value, float) and declared.constant is not None:
            raise errors.SpecError(
                f"truth.{name}.constant: {name} has a value, which is simulated; drop one of them."
            )
        if term.neighbours:
            raise errors.SpecError(
                f"{_path(mechanism, name)}.neighbours: the simulator knows only single bases; "
                "simulate a mechanism without neighbours."
            )
        if term.site is not None:
            matrix = rng.normal(0.0, term.base_prior.sd / 2, (term.width, 4))
            # The lowest energy of each position changes places with that of the wild type's base.
            best = np.argmin(matrix, axis=1)
            rows, wild_bases = np.arange(term.width), wild[term.bases]
            matrix[rows, best], matrix[rows, wild_bases] = (
                matrix[rows, wild_bases],
                matrix[rows, best].copy(),
            )
            if declared.matrix is not None:
                matrix = np.array(declared.matrix)
            matrices[name] = matrix - matrix.mean(1, keepdims=True)
        log = np.log if isinstance(mechanism, mechanism_spec.Kinetic) else float
        values = rng.normal(term.prior.mean, term.prior.sd / 2, len(libraries))
        if not term.per_library:
            values[:] = values[0]
        if declared.constant is not None:
            values[:] = [_in_library(declared.constant, library) for library in libraries]
        for position, library in enumerate(libraries):
            if (fixed := term.known(library)) is not None:
                values[position] = log(fixed)
        constants[name] = dict(zip(libraries, values.tolist(), strict=True))
    activities = {}
    if isinstance(mechanism, mechanism_spec.Thermodynamic):
        for name, activity in mechanism.activities.items():
            level = rng.normal(activity.prior.mean, activity.prior.sd / 2)
            declared = mechanism.truth.get(name, declarations.Truth())
            log_level = level if declared.constant is None else _in_library(declared.constant, "")
            with np.errstate(over="ignore"):
                activities[name] = float(np.exp(log_level))
    return Truth(matrices, constants, activities)


def _in_library(constant: float | dict[str, float], library: str) -> float:
    """Returns the value of a constant that may differ from library to library."""
    return constant[library] if isinstance(constant, dict) else constant


def _path(mechanism: mechanism_spec.Mechanism, name: str) -> str:
    """Returns the JSON path of a term."""
    return f"{'rates' if isinstance(mechanism, mechanism_spec.Kinetic) else 'energies'}.{name}"


def _wild_type(mechanism: mechanism_spec.Mechanism) -> str:
    if mechanism.wild_type is None:
        raise errors.SpecError(
            "wild_type: is missing, and the simulator mutates it; give sequence_length letters."
        )
    return mechanism.wild_type


def mutate(
    wild_type: str, sequences: int, rate: float, *, seed: int | list[int] = 0
) -> NDArray[np.uint8]:
    """Draws different mutants of a sequence; `rate` is the chance to replace a base. [N, L].

    Returns fewer than `sequences` rows where there are fewer different mutants.
    """
    rng = np.random.default_rng(seed)
    wild = dna.to_index(wild_type)
    mutants = np.zeros((0, len(wild)), np.uint8)
    for _ in range(20):  # rounds of drawing, since some candidates repeat earlier mutants
        mutated = rng.random((sequences, len(wild))) < rate
        replacement = (wild + rng.integers(1, 4, mutated.shape)) % 4
        candidates = np.where(mutated, replacement, wild).astype(np.uint8)
        _, first = np.unique(np.concatenate([mutants, candidates]), axis=0, return_index=True)
        # `first` follows the order of the letters; sorted, it keeps the order of drawing.
        mutants = np.concatenate([mutants, candidates])[np.sort(first)][:sequences]
        if len(mutants) == sequences:
            break
    return mutants


def activity(
    mechanism: mechanism_spec.Mechanism, truth: Truth, index: NDArray[np.uint8], library: str = ""
) -> NDArray[np.float64]:
    """Computes the activity of sequences from the equations of the mechanism. [N, L] -> [N]."""
    wild = dna.to_index(_wild_type(mechanism))
    sign = -1.0 if isinstance(mechanism, mechanism_spec.Kinetic) else 1.0
    terms = np.zeros((len(index), len(mechanism.terms)))
    for j, (name, term) in enumerate(mechanism.terms.items()):
        terms[:, j] = truth.constants[name][library]
        if term.site is not None:
            rows, matrix = np.arange(term.width), truth.matrices[name]
            bases = matrix[rows, index[:, term.bases]].sum(1)
            terms[:, j] += sign * (bases - matrix[rows, wild[term.bases]].sum())
    if isinstance(mechanism, mechanism_spec.Kinetic):
        rates = np.exp(terms)
        occupancy = trees.steady_state(rates, len(mechanism.species), mechanism.edges)
        product_rates = [list(mechanism.terms).index(name) for name in mechanism.product]
        fluxes = [rates[:, r] * occupancy[:, mechanism.edges[r][0]] for r in product_rates]
        return np.asarray(np.sum(fluxes, axis=0))
    probability = scipy.special.softmax(-terms @ mechanism.occupancy.T, axis=1)
    levels = [
        truth.activities[state.activity] if isinstance(state.activity, str) else state.activity
        for state in mechanism.states.values()
    ]
    return np.asarray(probability @ np.array(levels))


def simulate(
    mechanism: mechanism_spec.Mechanism,
    design: Design = Design(),
    *,
    truth: Truth | None = None,
    seed: int = 0,
) -> Simulated:
    """Simulates every library that the mechanism declares (one when it declares none).

    Args:
        mechanism: Declared mechanism; its `truth`, or its priors, set the parameters.
        design: The experiment.
        truth: Parameters to use in place of the mechanism's own.
        seed: Seed of the parameters, the library, the sort and the reads.
    """
    check_bins(mechanism.measurement, design)
    truth = truth or draw_truth(mechanism, seed=seed)
    tables, activities = [], {}
    gates: dict[str, NDArray[np.float64]] = {}
    weights: dict[str, dict[str, float]] = {}
    for number, name in enumerate(mechanism.libraries or ("",)):
        rng = np.random.default_rng([seed, 2, number])
        index = mutate(
            _wild_type(mechanism), design.sequences, design.mutation_rate, seed=[seed, 3, number]
        )
        with np.errstate(over="ignore", invalid="ignore"):
            t = activity(mechanism, truth, index, name)
        if not np.isfinite(t).all():
            raise errors.SpecError(
                "truth: the activities are not finite; give constants, or priors, nearer to 0."
            )
        if mechanism.measurement.kind.endswith("bins"):
            counts, gates[name] = sort(t, design, rng)
            weights[name], columns = {}, bin_names(design)
            with_reads = counts.any(1)
            library = assay_table.Library(
                name, index[with_reads], counts[with_reads], columns, np.ones(int(with_reads.sum()))
            )
            activities[name] = t[with_reads]
        else:
            weights[name] = read_out_weights(t, mechanism.measurement, design)
            observed = read_out(t, mechanism.measurement, design, rng)
            column = "count" if mechanism.measurement.kind == "poisson" else "value"
            library = assay_table.Library(
                name, index, observed[:, None], (column,), np.ones(len(t))
            )
            activities[name], gates[name] = t, np.zeros(0)
        tables.append(library)
    return Simulated(assay_table.Table(tuple(tables)), truth, activities, gates, weights)


def bin_names(design: Design) -> tuple[str, ...]:
    """Returns the names of the bins of an experiment; 0 is the unsorted sample."""
    return tuple(str(number) for number in range(0 if design.unsorted else 1, design.bins + 1))


def idle(kind: str) -> tuple[str, ...]:
    """Returns the properties of a `Design` on which a measurement of a kind does not depend."""
    if kind.endswith("bins"):
        return ()
    return (*SORTED, "noise") if kind == "poisson" else (*SORTED, "reads")


def check_bins(declared: declarations.Measurement, design: Design) -> None:
    """Raises a SpecError for bins that a fit could not take as the spec declares them."""
    if not declared.kind.endswith("bins"):
        return
    names = bin_names(design)
    for name in declared.leave_out:
        if name not in names:
            raise errors.SpecError(
                f'measurement.leave_out: the experiment has no bin "{name}"; its bins are '
                f"{names[0]} to {names[-1]}. Change the bins of the experiment, or leave_out."
            )
    if declared.kind == "monotone_bins" and "0" in names and "0" not in declared.leave_out:
        raise errors.SpecError(
            'measurement.kind: "monotone_bins" takes the bins in the order of their signal, in '
            "which bin 0, the unsorted sample, has no position; simulate sorted bins only, or give "
            '"leave_out": ["0"].'
        )


def sort(
    t: NDArray[np.float64], design: Design, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sorts the cells of a library and reads every bin. [N] -> [N, M] counts, [M - 1] gates."""
    cells = rng.poisson(design.cells, len(t))
    sequence = np.repeat(np.arange(len(t)), cells)
    log_fluorescence = np.log(t[sequence] + design.background) + rng.normal(
        0, design.noise, len(sequence)
    )
    gates = np.quantile(log_fluorescence, np.arange(1, design.bins) / design.bins)
    # Gates 0.1 and 0.7 put cells of 0.0, 0.3 and 0.9 into bins 0, 1 and 2.
    sorted_cells = np.zeros((len(t), design.bins))
    np.add.at(sorted_cells, (sequence, np.searchsorted(gates, log_fluorescence)), 1)
    mixed = (1 - design.contamination) * sorted_cells
    mixed += design.contamination * (cells / design.bins)[:, None]
    pools = [cells, *mixed.T] if design.unsorted else list(mixed.T)
    reads_per_bin = design.reads // len(pools)
    molecules = max(1, round(reads_per_bin / design.copies))
    counts = np.stack([rng.multinomial(molecules, pool / pool.sum()) for pool in pools], axis=1)
    if design.copies > 1:
        counts = counts + rng.poisson(counts * (design.copies - 1))
    return counts.astype(float), gates


def read_out(
    t: NDArray[np.float64],
    declared: declarations.Measurement,
    design: Design,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draws a read-out of each activity from the layer that a fit has. [N] -> [N]."""
    process = measurement.process(declared, 1)
    assert isinstance(process, read_outs.ReadOut)
    return process.draw(read_out_weights(t, declared, design), t, np.ones(len(t)), rng)


def read_out_weights(
    t: NDArray[np.float64], declared: declarations.Measurement, design: Design
) -> dict[str, float]:
    """Returns the weights of the layer of a read-out, in its own unit, by name.

    A logarithm without a declared base is drawn as a natural one.
    """
    slope = 1.0 if declared.slope is None else declared.slope
    with np.errstate(divide="ignore"):  # no background is a logarithm of -inf
        weights = {
            "offset": 0.0,
            "log_slope": np.log(slope),
            "log_background": np.log(design.background),
            "log_sd": np.log(design.noise * slope),
            "log_skew": np.log(SKEW),
            "log_excess": np.log(OUTLIER_RATIO - 1),
            "logit_share": np.log(OUTLIERS / (1 - OUTLIERS)),
            "log_scale": np.log(design.reads) - np.log((t + design.background).sum()),
        }
    return {name: float(weights[name]) for name in measurement.process(declared, 1).shapes}
