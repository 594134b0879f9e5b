"""Samples the posterior of a regulatory mechanism: NUTS, Laplace and the bootstrap side by side.

Bins with hidden units are sampled as smooth curves of the odds of activity or of their logarithm,
whichever has more evidence, or as both. Writes posterior.json (every constant with its 95 %
interval in kT and kcal/mol, by each method; convergence), posterior.tsv (every energy: mean,
interval, R-hat, effective sample size), draws.npz, summary.png, chains.png and intervals.png.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from akita_bayes import files
from akita_bayes.cli import console

if TYPE_CHECKING:
    from akita_bayes.regulation.posterior import sampling


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(
        __doc__, "mpra_posterior.py models/json/lac_thermodynamic.json data/lac -o runs/lac"
    )
    parser.add_argument("params", type=console.existing_file, help="mechanism, JSON")
    parser.add_argument("data", help="directory or table of the assay")
    parser.add_argument("-o", "--out_dir", required=True, help="directory to write")
    parser.add_argument(
        "--knots",
        type=console.positive_integer,
        help="knots of the splines p(bin | t), 3 or more (default: those declared, or 32)",
    )
    parser.add_argument(
        "--weigh",
        action="store_true",
        help="sample every read-out that Laplace's evidence does not reject, weighed by its draws",
    )
    parser.add_argument(
        "--optima",
        type=console.positive_integer,
        default=2,
        help="fits, every second with wider priors; the modes that these end in are sampled",
    )
    parser.add_argument(
        "--starts", type=console.positive_integer, default=6, help="random starts of each fit"
    )
    parser.add_argument("--chains", type=console.positive_integer, default=4, help="chains")
    parser.add_argument(
        "--burn_in", type=console.whole_number, default=300, help="draws thrown away per chain"
    )
    parser.add_argument(
        "--effective",
        type=console.positive_number,
        default=400.0,
        help="effective sample size to stop at",
    )
    parser.add_argument(
        "--most_draws",
        type=console.positive_integer,
        default=2000,
        help="draws per chain at the most, made 50 at a time",
    )
    parser.add_argument(
        "--bootstrap", type=console.whole_number, default=32, help="bootstrap refits; 0 for none"
    )
    parser.add_argument("--seed", type=console.whole_number, default=0, help="of fits and chains")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = _parser().parse_args(argv)

    def command() -> None:
        from akita_bayes.regulation.assay import assay_references
        from akita_bayes.regulation.posterior import sampling

        truth = assay_references.constants(options.data)
        with console.progress("draws") as advance:
            found = sampling.sample_posterior(
                options.params,
                options.data,
                knots=options.knots,
                weigh=options.weigh,
                optima=options.optima,
                starts=options.starts,
                chains=options.chains,
                burn_in=options.burn_in,
                effective=options.effective,
                most_draws=options.most_draws,
                replicates=options.bootstrap,
                seed=options.seed,
                report=advance,
            )
        write(found, options.out_dir, truth=truth)
        _tell(found)
        console.stdout.print(f"Wrote {options.out_dir}.", markup=False)

    return console.run(command, out=options.out_dir)


def write(
    found: "sampling.PosteriorRun",
    out_dir: str | Path,
    *,
    truth: Mapping[str, float] | None = None,
) -> None:
    """Writes a posterior and its figures, with known constants where given, into a directory."""
    import numpy as np

    from akita_bayes.regulation.fit import summary_data
    from akita_bayes.regulation.plots import mechanism_plots as plots
    from akita_bayes.regulation.plots import summary_page
    from akita_bayes.regulation.posterior import physical_units

    out = Path(out_dir)
    files.write_json(out / "posterior.json", found.summary())
    with files.atomic(out / "posterior.tsv") as path:
        found.table.to_csv(path, sep="\t", index=False, float_format="%.6g")
    arrays: dict[str, Any] = {
        "energies": np.stack(list(found.energies.values()), axis=-1).astype(np.float32),
        "names": np.array(list(found.energies)),
        "units": found.table["unit"].to_numpy(str),
    }
    for number, one in enumerate(found.components, start=1):
        parameters = one.draws.parameters
        arrays[f"chains_{number}"] = parameters.natural(one.draws.theta).astype(np.float32)
        arrays[f"names_{number}"] = np.array(parameters.names)
        arrays[f"units_{number}"] = np.array(parameters.units)
        arrays[f"log_density_{number}"] = one.draws.log_density
    with files.atomic(out / "draws.npz") as path:
        np.savez_compressed(path, **arrays)
    drawn = found.table.set_index("name")
    constants = [name for name in drawn.index if "," not in name]
    values = [
        physical_units.physical(one.draws.parameters, one.draws.theta) for one in found.components
    ]
    chains = {name: [chain for each in values for chain in each[name]] for name in constants}
    weights = [one.share.mean for one in found.components for _ in one.draws.theta]
    units = drawn["unit"].to_dict()
    traces = plots.chains(chains, weights=weights, units=units, truth=truth)
    plots.save(traces, out / "chains.png")
    shown = summary_data.page(found.fit)
    intervals = plots.intervals(found.tables, constants, truth=truth, unit=shown.unit)
    plots.save(intervals, out / "intervals.png")
    shown = shown._replace(intervals=drawn.loc[constants].reset_index())
    plots.save(summary_page.summary(shown, truth=truth), out / "summary.png")


def _tell(found: "sampling.PosteriorRun") -> None:
    def say(line: str) -> None:
        console.stdout.print(line, highlight=False, markup=False, soft_wrap=True)

    summary = found.summary()
    for method, energies in summary["energies"].items():
        for name, row in energies.items():
            kcal = (
                f" = {row['mean_kcal']:.2f} ({row['lower_kcal']:.2f} to "
                f"{row['upper_kcal']:.2f}) kcal/mol"
                if row["mean_kcal"] is not None
                else ""
            )
            say(
                f"{method}: {name} {row['mean']:.2f} ({row['lower']:.2f} to {row['upper']:.2f}) "
                f"{row['unit']}{kcal}."
            )
    if len(summary["modes"]) > 1:
        say("NUTS is the posterior of all modes, each by its share.")
    sampled = {one.read_out for one in found.components}
    for other, evidence in found.read_outs.items():
        behind = max(found.read_outs.values()) - evidence
        if other not in sampled:
            say(
                f"p(bin) as smooth curves of the {other} was not sampled: {behind:.1f} nats less "
                "evidence by Laplace's approximation."
            )
    told = summary["convergence"]
    say(
        f"{'Converged' if told['converged'] else 'Not converged'}: largest R-hat "
        f"{told['largest_r_hat']:.3f} (split, and folded for the width), least effective sample "
        f"size {told['least_effective_sample_size']:.0f} (of the centre and of both ends of the "
        f"interval), over {told['energies']} energies; {told['divergent']:.1%} divergent, "
        f"{told['seconds']:.0f} s."
    )
    for label, mode in zip(found.labels, summary["modes"], strict=True):
        lower, upper = mode["share_interval"]
        several = f", holds {mode['share']:.0%} ({lower:.0%} to {upper:.0%}) of the posterior"
        say(
            f"{label.capitalize()}, found by {mode['fits']} of the fits"
            f"{several if len(summary['modes']) > 1 else ''}: log evidence "
            f"{mode['log_evidence']:.1f} +- {mode['log_evidence_error']:.1f}."
        )
    for mode in summary["left_out"]:
        say(
            f"A mode found by {mode['fits']} of the fits was left out: {mode['behind']:.0f} nats "
            "less evidence by Laplace's approximation."
        )
    if summary["bootstrap"] is not None:
        say(f"{summary['bootstrap']['share_converged']:.0%} of the bootstrap's refits converged.")


if __name__ == "__main__":
    console.main_guard(main)
