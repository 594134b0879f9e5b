"""The lac promoter: seconds of a fit beside the paper's way, posteriors, and King-Altman's trees.

    akita_download.py lac && akita_download.py lac_libraries
    python -m benchmarks.regulation data/lac --libraries data/lac_libraries [--only fit,posterior]

Fits and posteriors are whole commands, start-up included, each in a process of its own on at most
2 and 4 cores. A file that is there keeps the measurements that are not taken again.
"""

import argparse
import functools
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import environment, run

ROOT = Path(__file__).resolve().parents[1]
RESULT = Path(__file__).with_name("results") / "regulation.json"
LAC = ROOT / "models" / "json" / "lac_thermodynamic.json"
JOINT = ROOT / "models" / "json" / "lac_joint.json"
SPECIES = (3, 4, 5, 6)
TOY: dict[str, Any] = {
    "kind": "thermodynamic",
    "name": "toy",
    "sequence_length": 9,
    "wild_type": "ACGTACGTA",
    "energies": {"a": {"site": [0, 4]}, "b": {"site": [4, 9]}, "ab": {}},
    "states": {
        "free": {},
        "a": {"energies": ["a"]},
        "b": {"energies": ["b"], "activity": 1},
        "ab": {"energies": ["a", "b", "ab"], "activity": 1},
    },
    "measurement": {"kind": "gaussian", "log_base": "e"},
    "truth": {"a": {"constant": 0.5}, "b": {"constant": 0.0}, "ab": {"constant": -2.5}},
}
"""A promoter of which many experiments can be simulated; its matrices are drawn from the priors."""


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and writes `results/regulation.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, help="the full-wt library")
    parser.add_argument("--libraries", type=Path, help="all five libraries")
    parser.add_argument("--only", help="measurements, comma-separated")
    parser.add_argument("--repeats", type=int, default=3, help="of a fit, with seeds 0, 1, ...")
    parser.add_argument("--result", type=Path, default=RESULT)
    parser.add_argument("--runs", type=Path, help="keep the runs of posteriors and joint fits here")
    options = parser.parse_args(argv)
    work: dict[str, Callable[[], dict[str, Any]]] = {
        "trees": trees,
        "coverage": functools.partial(coverage, TOY),
        "coverage_slope_unknown": functools.partial(
            coverage, {**TOY, "measurement": {"kind": "gaussian"}}
        ),
        "copies": copies,
        "fit": functools.partial(fits, options.data, options.repeats),
        "adam_as_in_the_paper": functools.partial(
            fits, options.data, options.repeats, "--method", "adam"
        ),
        "posterior": functools.partial(posterior, LAC, options.data, keep=options.runs),
    }
    if options.libraries:
        work["fit_joint"] = functools.partial(_fit, JOINT, options.libraries, keep=options.runs)
        work["posterior_joint_odds"] = functools.partial(
            posterior_of_odds, JOINT, options.libraries, keep=options.runs
        )
    names = options.only.split(",") if options.only else list(work)
    measurements = {}
    if options.result.is_file():
        measurements = json.loads(options.result.read_text(encoding="utf-8"))["measurements"]
    for name in names:
        measurements[name] = {**work[name](), "load": round(os.getloadavg()[0], 2)}
        print(name, json.dumps(measurements[name]), flush=True)
        run.write(options.result, {**environment.describe(), "measurements": measurements})


def fits(data: Path, repeats: int, *arguments: str) -> dict[str, Any]:
    """Runs `mpra_fit.py` from several seeds: seconds, correlations and the interaction."""
    summaries = [_fit(LAC, data, *arguments, "--seed", str(seed)) for seed in range(repeats)]
    return {
        "seconds_median": float(np.median([summary["seconds"] for summary in summaries])),
        "seconds_largest": max(summary["seconds"] for summary in summaries),
        "runs": summaries,
    }


def _fit(
    spec: Path, data: Path, *arguments: str, cores: int = 2, keep: Path | None = None
) -> dict[str, Any]:
    summary, timing = _command("mpra_fit.py", spec, data, *arguments, cores=cores, keep=keep)
    return {
        **timing,
        "correlation": summary["correlation"],
        "interaction_kcal": summary["energies"]["interaction"]["kcal_per_mol"],
        "bits_per_read": summary["held_out"]["information_bits"],
        "converged": summary["convergence"]["converged"],
    }


def posterior_of_odds(spec: Path, data: Path, *, keep: Path | None = None) -> dict[str, Any]:
    """Samples a mechanism whose bins are declared to see the odds, without bootstrap."""
    from akita_bayes.mechanisms import mechanism_spec
    from akita_bayes.regulation.model import smooth_bins

    seen_as_odds = smooth_bins.curves(mechanism_spec.load(spec))["odds"]
    with tempfile.TemporaryDirectory() as folder:
        declared = Path(folder) / spec.name
        declared.write_text(seen_as_odds.model_dump_json(), encoding="utf-8")
        return posterior(declared, data, "--bootstrap", "0", keep=keep)


def posterior(spec: Path, data: Path, *arguments: str, keep: Path | None = None) -> dict[str, Any]:
    """Runs `mpra_posterior.py`: the interaction by method and mode, and how chains mixed."""
    summary, timing = _command("mpra_posterior.py", spec, data, *arguments, cores=4, keep=keep)
    return {
        **timing,
        "interaction": {
            method: energies["interaction"] for method, energies in summary["energies"].items()
        },
        "read_outs": summary["read_outs"],
        "modes": summary["modes"],
        "left_out": summary["left_out"],
        "bootstrap": summary["bootstrap"],
        "convergence": summary["convergence"],
    }


def _command(
    script: str, *arguments: Any, cores: int, keep: Path | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Runs a command of `bin/` on so many cores; its JSON summary, and seconds of wall clock."""
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder) / "run"
        command = [sys.executable, ROOT / "bin" / script, *arguments, "-o", run_dir]
        allowed = sorted(os.sched_getaffinity(0))[:cores]
        started = time.perf_counter()
        subprocess.run(
            [str(part) for part in command],
            check=True,
            stdout=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, allowed),
        )
        seconds = time.perf_counter() - started
        (summary_file,) = [
            path
            for name in ("summary.json", "posterior.json")
            if (path := run_dir / name).is_file()
        ]
        summary = json.loads(summary_file.read_text(encoding="utf-8"))
        if keep is not None:
            copy = keep / f"{Path(script).stem}_{summary['mechanism']}"
            shutil.copytree(run_dir, copy, dirs_exist_ok=True)
        return summary, {"seconds": seconds, "cores": len(allowed)}


def coverage(spec: dict[str, Any], experiments: int = 40) -> dict[str, Any]:
    """Measures the share of energies inside their 95 % intervals, without use of the truth."""
    # TensorFlow keeps every program that it compiled, some 1,500 memory maps per experiment.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=8) as process:
        results = process.map(functools.partial(_experiment, spec), range(experiments), chunksize=1)
    shares_by_method = {
        method: [experiment[method] for experiment in results] for method in ("NUTS", "Laplace")
    }
    return {
        "experiments": experiments,
        "converged": sum(experiment["converged"] for experiment in results),
        "energies": int(results[0]["energies"]),
        **{
            method: {
                "mean": float(np.mean(shares)),
                "standard_error": float(np.std(shares, ddof=1) / np.sqrt(experiments)),
                "lowest": min(shares),
                "each": shares,
            }
            for method, shares in shares_by_method.items()
        },
    }


def _experiment(spec: dict[str, Any], seed: int) -> dict[str, float]:
    """Shares of the energies of one simulated experiment that intervals hold, by method."""
    from akita_bayes.mechanisms import mechanism_spec
    from akita_bayes.regulation.assay import simulated_assay
    from akita_bayes.regulation.compare import experiment_design
    from akita_bayes.regulation.posterior import physical_units, sampling

    mechanism = mechanism_spec.parse(spec)
    design = simulated_assay.Design(sequences=3000, mutation_rate=0.3, noise=0.3)
    simulated = simulated_assay.simulate(mechanism, design, seed=seed)
    sampled = sampling.sample_mechanism(
        mechanism, simulated.table, starts=3, replicates=0, seed=seed
    )
    theta = experiment_design.true_theta(sampled.fit.parameters, simulated.truth, sampled.fit.theta)
    truth = physical_units.physical(sampled.fit.parameters, theta[None])
    shares = {}
    for method in ("NUTS", "Laplace"):
        table = sampled.tables[method]
        true = np.array([truth[name][0] for name in table["name"]])
        shares[method] = float(((table["lower"] <= true) & (true <= table["upper"])).mean())
    converged = sampled.summary()["convergence"]["converged"]
    return {**shares, "energies": len(truth), "converged": converged}


def copies(mean_copies: float = 5.0, replicates: int = 16) -> dict[str, Any]:
    """Compares the sd of refits of resampled sequences with that of curvature, for copies.

    Sequences are independent, so the bootstrap knows how much the reads say; curvature knows it
    only where the counts are declared as they are.
    """
    from akita_bayes.mechanisms import mechanism_spec
    from akita_bayes.regulation.assay import simulated_assay
    from akita_bayes.regulation.fits import fitting
    from akita_bayes.regulation.posterior import laplace

    results: dict[str, Any] = {}
    for overdispersed in (False, True):
        measurement = {
            "kind": "spline_bins",
            "hidden": 5,
            "read_out": "log_activity",
            "relative": True,
            "overdispersed": overdispersed,
        }
        mechanism = mechanism_spec.parse({**TOY, "measurement": measurement})
        design = simulated_assay.Design(
            sequences=3000, mutation_rate=0.3, noise=0.5, reads=15_000, bins=4, copies=mean_copies
        )
        simulated = simulated_assay.simulate(mechanism, design, seed=0)
        fit = fitting.fit(mechanism, simulated.table, starts=1)
        gaussian = laplace.laplace(fit.likelihood, fit.theta)
        refits = laplace.bootstrap(fit.likelihood, gaussian, replicates=replicates)
        bases = [i for i, name in enumerate(fit.parameters.names) if ".bases" in name]
        curvature = np.sqrt(np.diag(fit.covariance))
        index = fit.parameters.index("ab")
        ratio = refits.theta.std(axis=0, ddof=1) / curvature
        results["overdispersed" if overdispersed else "independent"] = {
            "interaction": fit.interval("ab")._asdict(),
            "truth": TOY["truth"]["ab"]["constant"],
            "ratio_interaction": float(ratio[index]),
            "ratio_bases": float(np.sqrt(np.mean(ratio[bases] ** 2))),
            "refits": len(refits.theta),
            "concentration": [
                float(np.exp(fit.theta[i]))
                for i, name in enumerate(fit.parameters.names)
                if "concentration" in name
            ],
        }
    return results


def trees() -> dict[str, Any]:
    """Compares spanning trees with a linear solve on complete graphs: difference and seconds.

    Both routes of the layer, in float64 on 4,096 sets of rates.
    """
    return {str(species): _trees(species) for species in SPECIES}


def _trees(species: int) -> dict[str, Any]:
    import tensorflow as tf

    from akita_bayes.mechanisms import trees as diagrams
    from akita_bayes.regulation.layers import kinetic

    edges = [(i, j) for i in range(species) for j in range(species) if i != j]
    log_rates = np.random.default_rng(species).normal(0, 2, (4096, len(edges)))
    results: dict[str, Any] = {"diagrams": diagrams.count(species, edges)}
    occupancy = {}
    for route in ("trees", "elimination"):
        layer = kinetic.KingAltman(species, edges, route=route, dtype="float64")
        call = tf.function(layer, jit_compile=True)
        occupancy[route] = np.asarray(call(tf.constant(log_rates)))
        results[route] = run.timed(functools.partial(call, tf.constant(log_rates)), 9)
    solved = diagrams.steady_state(np.exp(log_rates), species, edges)
    for route, values in occupancy.items():
        results[route]["largest_difference_from_solve"] = float(abs(values - solved).max())
    return results


if __name__ == "__main__":
    main()
