"""The interaction of CRP and RNA polymerase by data set and assumption, and joint fits.

    akita_download.py lac
    python -m benchmarks.lac_interaction data/lac measurements.csv [--only NAMES] [--figure F]

`measurements.csv` is the table of Forcier et al. 2018 (github.com/jbkinney/18_expressionmanifolds):
promoters with and without CRP. Reads and pairs of promoters share no parameter but the interaction,
so the profile of a joint fit is the sum of their profiles, and twice its drop from both optima is
chi-squared with one degree of freedom where both have the same interaction. The published method,
in which each promoter has a free strength and no sequence, is fitted beside it as `manifold`.
"""

import argparse
import functools
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
import pandas as pd
import scipy.optimize
import scipy.stats
from numpy.typing import NDArray

from benchmarks import environment, run

ROOT = Path(__file__).resolve().parents[1]
RESULT = Path(__file__).with_name("results") / "lac_interaction.json"
LAC = ROOT / "models" / "json" / "lac_thermodynamic.json"
PAIRS = ROOT / "models" / "json" / "lac_pairs.json"
DESIGNS = {"c61r18": "activated", "oc0": "occluded"}
"""First letters of the names of promoters by where CRP binds: at -61.5, or over the start."""
CONDITIONS = {"log_t+": "", "log_t-": "_without_crp"}
BASES = 75
EVERY = 10
"""One of so many promoters is held out."""
DEPTH = 60.0
"""Nats to which profiles are followed."""
GRID = np.linspace(-14.0, 0.0, 2801)
KCAL = 0.6163
READ_OUTS = ("paper", "odds", "log odds")


def pairs(path: Path) -> pd.DataFrame:
    """Returns the pairs as a table of library, sequence, value and set, without outliers."""
    measured = pd.read_csv(path)
    measured = measured[measured["outlier"] != 1]
    parts = []
    for start, library in DESIGNS.items():
        rows = measured[measured["name"].str.startswith(start)]
        rows = rows.assign(sequence=rows["sequence"].str[:BASES])
        number = rows.groupby("sequence", sort=False).ngroup()
        rows = rows.assign(set=np.where(number % EVERY == EVERY - 1, "test", "training"))
        for column, suffix in CONDITIONS.items():
            part = rows.dropna(subset=[column]).assign(library=library + suffix)
            parts.append(part.rename(columns={column: "value"}))
    return pd.concat(parts)[["library", "sequence", "value", "set"]]


def main(argv: Sequence[str] | None = None) -> None:
    """Fits, and writes `results/lac_interaction.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("reads", type=Path, help="the full-wt library")
    parser.add_argument("measurements", type=Path, help="table of Forcier et al. 2018")
    parser.add_argument("--write_pairs", type=Path, help="only write the pairs to this table")
    parser.add_argument("--only", help="data sets, comma-separated")
    parser.add_argument("--result", type=Path, default=RESULT)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args(argv)
    if options.write_pairs:
        pairs(options.measurements).to_csv(options.write_pairs, index=False)
        return
    work: dict[str, Callable[[], dict[str, Any]]] = {
        "manifold": functools.partial(manifold, options.measurements),
        "pairs": functools.partial(_of_pairs, options.measurements),
        "pairs, activated alone": functools.partial(
            _of_pairs, options.measurements, occluded=False
        ),
        "pairs, activated alone, own scales": functools.partial(
            _of_pairs, options.measurements, occluded=False, shared=False
        ),
    }
    for counts in ("independent", "overdispersed"):
        for read_out in READ_OUTS:
            work[f"reads, {read_out}, {counts}"] = functools.partial(
                _of_reads, options.reads, read_out, counts == "overdispersed"
            )
    results: dict[str, Any] = {}
    if options.result.is_file():
        results = json.loads(options.result.read_text(encoding="utf-8"))["measurements"]
    for name in options.only.split(";") if options.only else work:
        results[name] = work[name]()
        print(name, json.dumps({k: v for k, v in results[name].items() if k != "profile"}))
        run.write(options.result, {**environment.describe(), "measurements": results})
    if "pairs" in results:
        for name, row in results.items():
            if name.startswith("reads"):
                row["joint"] = joint(row, results["pairs"])
        run.write(options.result, {**environment.describe(), "measurements": results})
    if options.figure:
        figure(results).savefig(options.figure, dpi=150, metadata={"Software": None})


def _of_pairs(path: Path, *, occluded: bool = True, shared: bool = True) -> dict[str, Any]:
    from akita_bayes.mechanisms import mechanism_spec
    from akita_bayes.regulation.assay import assay_files

    spec = json.loads(PAIRS.read_text(encoding="utf-8"))
    if not occluded:
        spec["libraries"] = [name for name in spec["libraries"] if name.startswith("activated")]
        del spec["energies"]["overlap"]
        spec["states"]["crp_rnap"]["energies"].remove("overlap")
        values = spec["energies"]["absence"]["value"]
        spec["energies"]["absence"]["value"] = {name: values[name] for name in spec["libraries"]}
    spec["measurement"]["shared"] = shared
    with tempfile.TemporaryDirectory() as folder:
        pairs(path).to_csv(Path(folder) / "pairs.csv", index=False)
        data = assay_files.read(Path(folder) / "pairs.csv")
    return _fit(mechanism_spec.parse(spec), data)


def _of_reads(path: Path, read_out: str, overdispersed: bool) -> dict[str, Any]:
    from akita_bayes.mechanisms import mechanism_spec
    from akita_bayes.regulation.assay import assay_files
    from akita_bayes.regulation.model import smooth_bins
    from akita_bayes.regulation.posterior import assumptions

    mechanism = mechanism_spec.load(LAC)
    if read_out != "paper":
        mechanism = smooth_bins.curves(mechanism, knots=assumptions.KNOTS)[read_out]
    counts = mechanism.measurement.model_copy(update={"overdispersed": overdispersed})
    return _fit(mechanism.model_copy(update={"measurement": counts}), assay_files.read(path))


def _fit(mechanism: Any, table: Any) -> dict[str, Any]:
    """Optimum, intervals of curvature and of profile, and the profile, of the interaction in kT."""
    from akita_bayes.regulation.fits import fitting, identify

    fit = fitting.fit(mechanism, table)
    profile = identify.profile(fit, "interaction", depth=DEPTH)
    names = fit.parameters.names
    concentration = [
        float(np.exp(fit.theta[i]))
        for i, name in enumerate(names)
        if name.endswith("log_concentration")
    ]
    return {
        "interaction": fit.interval("interaction")._asdict(),
        "profile_interval": [profile.lower, profile.upper],
        "better": profile.better,
        "converged": fit.converged,
        "held_out": fit.held_out.log_likelihood,
        "concentration": concentration[0] if concentration else None,
        "constants": {name: value._asdict() for name, value in fit.energies.items()},
        "seconds": fit.seconds,
        "profile": {"value": profile.values.tolist(), "drop": profile.drop.tolist()},
    }


def manifold(path: Path) -> dict[str, Any]:
    """Fits as published: free strengths P, t = tmax P / (1 + P) + t0, and P alpha with CRP.

    alpha' = (1 + F alpha) / (1 + F). The noise of a log activity is one number, so that the
    interval comes from the profile of the sum of squares.
    """
    table = pd.read_csv(path)
    table = table[(table["outlier"] != 1) & table["name"].str.startswith("c61r18")]
    measured = table[["log_t-", "log_t+"]].dropna().to_numpy()

    def model(theta: NDArray[np.float64], log_alpha: float) -> NDArray[np.float64]:
        top, background, strength = theta[0], theta[1], theta[2:]
        log_p = np.stack([strength, strength + log_alpha], axis=1)
        return np.asarray(np.logaddexp(top + log_p - np.logaddexp(0.0, log_p), background))

    def squares(log_alpha: float) -> tuple[float, NDArray[np.float64]]:
        start = np.concatenate([[2.75, -5.5], measured[:, 0] - 2.75])
        solution = scipy.optimize.least_squares(
            lambda theta: (model(theta, log_alpha) - measured).ravel(), start
        )
        return 2 * float(solution.cost), solution.x

    grid = np.arange(5.5, 8.01, 0.05)
    sums = np.array([squares(value)[0] for value in grid])
    variance = sums.min() / (measured.size - len(measured) - 3)
    drop = (sums - sums.min()) / (2 * variance)
    inside = grid[drop < 1.92]
    return {
        "log_alpha": float(grid[sums.argmin()]),
        "profile_interval": [-float(inside.max()), -float(inside.min())],
        "promoters": len(measured),
        "profile": {"value": (-grid[::-1]).tolist(), "drop": drop[::-1].tolist()},
    }


def joint(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Fits the interaction that both data sets share, and tests whether they can share it."""
    total = _drop(first["profile"]) + _drop(second["profile"])
    inside = GRID[total - total.min() < 1.92]
    statistic = 2 * float(total.min())
    return {
        "interaction": float(GRID[total.argmin()]),
        "interval": [float(inside.min()), float(inside.max())],
        "chi_squared": statistic,
        "p": float(scipy.stats.chi2.sf(statistic, 1)),
    }


def _drop(profile: dict[str, list[float]]) -> NDArray[np.float64]:
    """A profile on the grid: signed roots of the drop, whose line also goes beyond both ends."""
    value, drop = np.array(profile["value"]), np.array(profile["drop"])
    drop = drop - drop.min()
    root = np.sign(value - value[drop.argmin()]) * np.sqrt(drop)
    inside = np.interp(GRID, value, root)
    for end, inner in ((0, 1), (-1, -2)):
        slope = (root[end] - root[inner]) / (value[end] - value[inner])
        beyond = value[0] > GRID if end == 0 else value[-1] < GRID
        inside[beyond] = root[end] + slope * (GRID[beyond] - value[end])
    return np.asarray(inside**2)


def figure(results: dict[str, Any]) -> matplotlib.figure.Figure:
    """Draws the interaction by data set and assumption: profile intervals and joint fits."""
    drawing = matplotlib.figure.Figure(figsize=(7, 0.35 * len(results) + 1), layout="constrained")
    axes = drawing.subplots()
    for position, (name, row) in enumerate(results.items()):
        low, high = (
            end if end is not None else edge
            for end, edge in zip(row["profile_interval"], (GRID[0], GRID[-1]), strict=True)
        )
        top = GRID[_drop(row["profile"]).argmin()]
        color = "C1" if name.startswith("reads") else "C0"
        axes.plot([low * KCAL, high * KCAL], [position] * 2, color=color, lw=3)
        axes.plot(top * KCAL, position, "o", color=color)
        if "joint" in row:
            axes.plot(row["joint"]["interaction"] * KCAL, position, "x", color="black")
    axes.set_yticks(range(len(results)), list(results))
    axes.invert_yaxis()
    axes.set_xlabel("interaction, kcal/mol (95 % of the profile; cross: with the pairs)")
    return drawing


if __name__ == "__main__":
    main()
