"""Compares mechanisms on one reporter assay: same split, held-out likelihood, paired bootstrap.

Writes comparison.tsv, best first, and comparison.png.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from akita_bayes import files
from akita_bayes.cli import console


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(
        __doc__,
        "mpra_compare.py models/json/lac_thermodynamic.json models/json/lac_additive.json "
        "data/lac -o runs/lac_compared",
    )
    parser.add_argument("params", nargs="+", type=console.existing_file, help="mechanisms, JSON")
    parser.add_argument("data", help="directory or table of the assay")
    parser.add_argument("-o", "--out_dir", required=True, help="directory to write")
    parser.add_argument(
        "--starts", type=console.positive_integer, default=6, help="random starts of each fit"
    )
    parser.add_argument(
        "--seed", type=console.whole_number, default=0, help="of the split and of the starts"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = _parser().parse_args(argv)

    def command() -> None:
        from akita_bayes import states
        from akita_bayes.data import mpra_files
        from akita_bayes.plots import regulation as plots
        from akita_bayes.regulation import compare

        mechanisms = [states.load(path) for path in options.params]
        table = mpra_files.read(options.data)
        with console.progress("fits", len(mechanisms)) as advance:
            ranked, _ = compare.compare(
                mechanisms, table, starts=options.starts, seed=options.seed, report=advance
            )
        out = Path(options.out_dir)
        with files.atomic(out / "comparison.tsv") as path:
            ranked.to_csv(path, sep="\t", index=False, float_format="%.6g")
        plots.save(plots.comparison(ranked), out / "comparison.png")
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
            console.stdout.print(f"{row['name']}: {behind}{bits}.", highlight=False, soft_wrap=True)
        console.stdout.print(f"Wrote {out}.")

    return console.run(command, out=options.out_dir)


if __name__ == "__main__":
    console.main_guard(main)
