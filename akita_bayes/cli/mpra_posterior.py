"""Samples the posterior of a regulatory mechanism: NUTS, Laplace and the bootstrap side by side.

Bins with hidden units are sampled as smooth curves of the odds of activity, or of the logarithm of
the odds; the command takes the read-out with more evidence, or both. Writes posterior.json (every
constant with its 95 % interval in kT and kcal/mol, by each method; convergence), posterior.tsv
(every energy: mean, interval, R-hat, effective sample size), draws.npz, summary.png, chains.png and
intervals.png.
"""

import argparse
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from akita_bayes.cli import console, figure_options, worker_options
from akita_bayes.regulation.posterior.sampling_options import DEFAULTS, SamplingOptions

if TYPE_CHECKING:
    from akita_bayes.regulation.posterior import sampling


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(
        __doc__, "mpra_posterior.py models/json/lac_thermodynamic.json data/lac -o runs/lac"
    )
    parser.add_argument("params", type=console.spec_file, help="JSON spec of the mechanism")
    parser.add_argument("data", type=console.existing_path, help="directory or table of the assay")
    parser.add_argument("-o", "--out_dir", required=True, help="directory to write")
    parser.add_argument(
        "--knots",
        type=console.positive_integer,
        help="knots of the splines p(bin | t), 3 or more (default: from the spec, or 32)",
    )
    parser.add_argument(
        "--weigh",
        action="store_true",
        help="sample every read-out that Laplace's evidence does not reject, weighted by evidence",
    )
    parser.add_argument(
        "--optima",
        type=console.positive_integer,
        default=DEFAULTS.optima,
        help="number of fits, every second one with wider priors; the modes they find are sampled",
    )
    parser.add_argument(
        "--starts",
        type=console.positive_integer,
        default=DEFAULTS.starts,
        help="random starting points of each fit",
    )
    parser.add_argument(
        "--chains", type=console.positive_integer, default=DEFAULTS.chains, help="number of chains"
    )
    parser.add_argument(
        "--burn_in",
        type=console.whole_number,
        default=DEFAULTS.burn_in,
        help="draws discarded at the start of each chain",
    )
    parser.add_argument(
        "--effective",
        type=console.positive_number,
        default=DEFAULTS.effective,
        help="stop at this effective sample size",
    )
    parser.add_argument(
        "--most_draws",
        type=console.positive_integer,
        default=DEFAULTS.most_draws,
        help="largest number of draws per chain, drawn 50 at a time",
    )
    parser.add_argument(
        "--bootstrap",
        dest="replicates",
        metavar="BOOTSTRAP",
        type=console.whole_number,
        default=DEFAULTS.replicates,
        help="number of bootstrap refits; 0 for none",
    )
    parser.add_argument(
        "--seed",
        type=console.whole_number,
        default=DEFAULTS.seed,
        help="seed of the fits and chains",
    )
    worker_options.add(parser)
    figure_options.add(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = _parser().parse_args(argv)

    def command() -> None:
        from akita_bayes.regulation.assay import assay_references
        from akita_bayes.regulation.posterior import sampling
        from akita_bayes.regulation.results import posterior_files

        truth = assay_references.constants(options.data)
        with console.progress("draws") as advance:
            posterior = sampling.sample_mechanism(
                options.params,
                options.data,
                options=_sampling_options(options),
                cluster=worker_options.cluster(options),
                advance=advance,
            )
        posterior_files.write(posterior, options.out_dir, truth=truth)
        _print_summary(posterior)
        console.say(f"Wrote {options.out_dir}.")

    return console.run(command, options=options, out=options.out_dir, claims="posterior")


def _sampling_options(options: argparse.Namespace) -> SamplingOptions:
    """Returns the options of the command that are options of the sampler."""
    values = {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(SamplingOptions)
        if hasattr(options, field.name)
    }
    return SamplingOptions(**values)


def _print_summary(posterior: "sampling.MechanismPosterior") -> None:
    summary = posterior.summary()
    for method, energies in summary["energies"].items():
        for name, row in energies.items():
            kcal = (
                f" = {row['mean_kcal']:.2f} ({row['lower_kcal']:.2f} to "
                f"{row['upper_kcal']:.2f}) kcal/mol"
                if row["mean_kcal"] is not None
                else ""
            )
            console.say(
                f"{method}: {name} {row['mean']:.2f} ({row['lower']:.2f} to {row['upper']:.2f}) "
                f"{row['unit']}{kcal}."
            )
    if len(summary["modes"]) > 1:
        console.say("NUTS combines the draws of all modes, weighted by the share of each mode.")
    sampled = {component.read_out for component in posterior.components}
    for read_out, evidence in posterior.read_outs.items():
        behind = max(posterior.read_outs.values()) - evidence
        if read_out not in sampled:
            console.say(
                f"p(bin) as smooth curves of the {read_out} was not sampled: {behind:.1f} nats "
                "less evidence by Laplace's approximation."
            )
    convergence = summary["convergence"]
    console.say(
        f"{'Converged' if convergence['converged'] else 'Not converged'}: largest R-hat "
        f"{convergence['largest_r_hat']:.3f} (split, and folded for the width), least effective "
        f"sample size {convergence['least_effective_sample_size']:.0f} (of the centre and of both "
        f"ends of the interval), over {convergence['energies']} energies; "
        f"{convergence['divergent']:.1%} divergent, {convergence['seconds']:.0f} s."
    )
    for label, mode in zip(posterior.labels, summary["modes"], strict=True):
        lower, upper = mode["share_interval"]
        share = f", holds {mode['share']:.0%} ({lower:.0%} to {upper:.0%}) of the posterior"
        console.say(
            f"{label.capitalize()}, found by {mode['fits']} of the fits"
            f"{share if len(summary['modes']) > 1 else ''}: log evidence "
            f"{mode['log_evidence']:.1f} +- {mode['log_evidence_error']:.1f}."
        )
    for mode in summary["left_out"]:
        console.say(
            f"A mode found by {mode['fits']} of the fits was left out: {mode['behind']:.0f} nats "
            "less evidence by Laplace's approximation."
        )
    if summary["bootstrap"] is not None:
        console.say(
            f"{summary['bootstrap']['share_converged']:.0%} of the bootstrap's refits converged."
        )


if __name__ == "__main__":
    raise SystemExit(main())
