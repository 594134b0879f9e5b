"""Compares mechanisms on one reporter assay: same split, held-out likelihood, paired bootstrap.

Writes comparison.tsv, with the best mechanism first, and comparison.png; constants.tsv, the
constants of every mechanism with 95 % intervals; and ranges.tsv and ranges.png, the range of each
constant over all mechanisms that neither the held-out sequences nor the evidence reject. With
--assumptions, it also fits each mechanism with other read-outs and wider priors.
"""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from akita_bayes.cli import console, figure_options, worker_options

if TYPE_CHECKING:
    import pandas as pd


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(
        __doc__,
        "mpra_compare.py models/json/lac_thermodynamic.json models/json/lac_additive.json "
        "data/lac -o runs/lac_compared",
    )
    parser.add_argument(
        "params", nargs="+", type=console.spec_file, help="JSON specs of the mechanisms"
    )
    parser.add_argument("data", type=console.existing_path, help="directory or table of the assay")
    parser.add_argument("-o", "--out_dir", required=True, help="directory to write")
    parser.add_argument(
        "--assumptions",
        action="store_true",
        help="also fit each mechanism with other read-outs and wider priors",
    )
    parser.add_argument(
        "--starts",
        type=console.positive_integer,
        default=6,
        help="random starting points of each fit",
    )
    parser.add_argument(
        "--seed",
        type=console.whole_number,
        default=0,
        help="seed of the split and of the starting points",
    )
    worker_options.add(parser)
    figure_options.add(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = _parser().parse_args(argv)

    def command() -> None:
        from akita_bayes.mechanisms import mechanism_spec
        from akita_bayes.regulation.assay import assay_files, assay_references
        from akita_bayes.regulation.compare import ranking
        from akita_bayes.regulation.posterior import assumptions
        from akita_bayes.regulation.results import comparison_files

        mechanisms = [mechanism_spec.load(path) for path in options.params]
        if options.assumptions:
            mechanisms = [
                alternative
                for mechanism in mechanisms
                for alternative in assumptions.alternatives(mechanism)
            ]
        table = assay_files.read(options.data)
        truth = assay_references.constants(options.data)
        with console.progress("fits", len(mechanisms)) as advance:
            ranked, judged = ranking.compare(
                mechanisms,
                table,
                starts=options.starts,
                seed=options.seed,
                cluster=worker_options.cluster(options),
                advance=advance,
            )
        comparison = comparison_files.collect(ranked, judged)
        comparison_files.write(comparison, options.out_dir, truth=truth)
        _print_summary(ranked, comparison.ranges)
        console.say(f"Wrote {options.out_dir}.")

    return console.run(command, options=options, out=options.out_dir, claims="report")


def _print_summary(ranked: "pd.DataFrame", ranges: "pd.DataFrame") -> None:
    for row in ranked.to_dict("records"):
        behind = (
            "best"
            if row["behind"] == 0
            else f"{row['behind']:.1f} nats behind "
            f"({row['behind_lower']:.1f} to {row['behind_upper']:.1f})"
        )
        bits = (
            f", I_pred {row['predictive_bits']:.3f} +- {row['predictive_error']:.3f}, "
            f"I_var {row['variational_bits']:.3f} +- {row['variational_error']:.3f} bits"
            if "predictive_bits" in row
            else ""
        )
        less = row["log_evidence"] - ranked["log_evidence"].max()
        evidence = "" if less != less else f", log evidence {less:.1f} nats from the best"
        console.say(f"{row['name']}: {behind}{bits}{evidence}.")
    for row in ranges[ranges["mechanisms"] > 1].to_dict("records"):
        console.say(
            f"{row['name']}: {row['lower']:.2f} to {row['upper']:.2f} {row['unit']} over the "
            f"{row['mechanisms']} fits that the data do not reject, each with an "
            f"interval of at most {row['widest']:.2f}."
        )


if __name__ == "__main__":
    raise SystemExit(main())
