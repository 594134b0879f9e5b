"""Fits a regulatory mechanism to a massively parallel reporter assay.

The data are a directory with files.txt and a table of reads per bin, a wide table of counts, or
a long table of library, bin and sequence. Writes summary.json (energies with 95 % intervals,
held-out likelihood and information, correlation with reference matrices in the directory of the
data), params.json and fit.npz (which ab.regulation.read_fit reads to predict new sequences), the
energy matrix of every site, theta.tsv, identifiability.txt, summary.png, logos.png and, with
reference matrices, reference.png.
"""

import argparse
import re
from collections.abc import Sequence
from typing import Any

from akita_bayes.cli import console, figure_options


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(
        __doc__, "mpra_fit.py models/json/lac_thermodynamic.json data/lac -o runs/lac"
    )
    parser.add_argument("params", type=console.spec_file, help="JSON spec of the mechanism")
    parser.add_argument(
        "data",
        type=console.existing_path,
        help="directory with files.txt, or a table: counts ct_* per bin, a value or count, or rows "
        "of library, bin and sequence; energy matrices <site>_* beside it serve as reference",
    )
    parser.add_argument("-o", "--out_dir", required=True, help="run directory to write")
    parser.add_argument(
        "--method",
        choices=("quasi-newton", "adam", "sgd"),
        default="quasi-newton",
        help="quasi-newton uses all data at once; adam and sgd stop early, as in the paper",
    )
    parser.add_argument(
        "--starts",
        type=console.positive_integer,
        default=6,
        help="random starting points; the best fit is kept",
    )
    parser.add_argument(
        "--epochs",
        type=console.positive_integer,
        default=300,
        help="largest number of epochs of adam and sgd",
    )
    parser.add_argument(
        "--seed",
        type=console.whole_number,
        default=0,
        help="seed of the split and of the starting points",
    )
    parser.add_argument(
        "--profile",
        type=_names,
        default=(),
        metavar="NAMES",
        help="also profile the likelihood of these parameters, named as in theta.tsv, for example "
        "interaction,crp or 'crp[low]' (one library) or 'crp.bases[0,2]' (a matrix)",
    )
    figure_options.add(parser)
    return parser


def _names(text: str) -> tuple[str, ...]:
    """Returns comma-separated names; commas inside brackets belong to a name: `a,b[0,2]`."""
    parts = re.split(r",(?![^\[]*\])", text)
    return tuple(part.strip() for part in parts if part.strip())


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = _parser().parse_args(argv)

    def command() -> None:
        from akita_bayes.mechanisms import mechanism_spec
        from akita_bayes.regulation.assay import assay_files, assay_references
        from akita_bayes.regulation.fits import fitting, identify
        from akita_bayes.regulation.results import fit_files

        mechanism = mechanism_spec.load(options.params)
        table = assay_files.read(options.data)
        widths = {name: term.width for name, term in mechanism.terms.items() if term.site}
        references = assay_references.matrices(options.data, widths)
        truth = assay_references.constants(options.data)
        identify.check_names(options.profile, mechanism, table)
        fit = fitting.fit(
            mechanism,
            table,
            method=options.method,
            starts=options.starts,
            seed=options.seed,
            epochs=options.epochs,
        )
        profiles = tuple(identify.profile(fit, name) for name in options.profile)
        fit_files.write(fit, options.out_dir, references=references, truth=truth, profiles=profiles)
        _print_summary(fitting.summary(fit, references))
        words = identify.in_words(fit, profiles)
        console.say(words)
        console.say(f"Wrote {options.out_dir}.")

    return console.run(command, options=options, out=options.out_dir, claims="fit")


def _print_summary(summary: dict[str, Any]) -> None:
    console.say(summary["rate_law"])
    for name, value in summary["correlation"].items():
        slope = summary["slope"][name]
        console.say(
            f"{name}: correlation {value:.4f} with the reference matrix, slope {slope['kT']:.2f} "
            f"in kT, {slope['kcal_per_mol']:.2f} in kcal/mol."
        )
    for name, energy in {**summary["wild_type"], **summary["energies"]}.items():
        kcal = energy.get("kcal_per_mol")
        also = (
            f" = {kcal['mean']:.2f} ({kcal['lower']:.2f} to {kcal['upper']:.2f}) kcal/mol"
            if kcal
            else ""
        )
        label = f"{name} (wild type)" if name in summary["wild_type"] else name
        console.say(
            f"{label}: {energy['mean']:.2f} ({energy['lower']:.2f} to {energy['upper']:.2f}) "
            f"{energy['unit']}{also}."
        )
    if summary["wild_type"] or summary["energies"]:
        console.say(
            "Intervals hold for this read-out and these priors; mpra_compare.py --assumptions "
            "shows how far other assumptions move them."
        )
    held_out, convergence = summary["held_out"], summary["convergence"]
    bits = held_out["information_bits"]
    if bits:
        console.say(
            f"Held out: {bits['bits']:.3f} +- {bits['standard_error']:.3f} bits per {bits['per']}."
        )
    state = "Converged" if convergence["converged"] else "Not converged"
    console.say(
        f"{state} in {summary['seconds']:.0f} s; a further step would gain "
        f"{convergence['expected_gain_nats']:.2g} nats."
    )


if __name__ == "__main__":
    raise SystemExit(main())
