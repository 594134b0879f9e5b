"""Predicts new sequences with a mechanism that mpra_fit.py has fitted.

Writes predictions.tsv: the energies of every sequence, its activity, and the read-out that the
assay is expected to measure. When the sequences come with measurements, accuracy.json and
predicted.png compare them with the predictions, on sequences that the fit did not use.
"""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from akita_bayes.cli import console, figure_options

if TYPE_CHECKING:
    from akita_bayes.regulation.fits import prediction_accuracy
    from akita_bayes.regulation.results import sequence_predictions


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(__doc__, "mpra_predict.py runs/lac new.fa -o runs/lac_predicted")
    parser.add_argument(
        "fit", type=console.existing_directory, help="directory that mpra_fit.py has written"
    )
    parser.add_argument(
        "sequences",
        type=console.existing_path,
        help="FASTA, one sequence per line, or a table with a column seq; a reporter table or "
        "directory is also compared with its measurements",
    )
    parser.add_argument("-o", "--out_dir", required=True, help="directory to write")
    parser.add_argument(
        "--library",
        help="library whose constants and measurement are used (default: the column library of a "
        "table, or the first library of the fit)",
    )
    figure_options.add(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = _parser().parse_args(argv)

    def command() -> None:
        from akita_bayes.regulation.results import fit_files, sequence_predictions

        fit = fit_files.read(options.fit)
        predictions = sequence_predictions.predict(fit, options.sequences, library=options.library)
        sequence_predictions.write(predictions, options.out_dir)
        _print_summary(predictions, fit.mechanism.measurement.datum)
        console.say(f"Wrote {options.out_dir}.")

    return console.run(command, options=options, out=options.out_dir, claims="sequence_predictions")


def _print_summary(predictions: "sequence_predictions.SequencePredictions", datum: str) -> None:
    console.say(f"Predicted {len(predictions.table):,} sequences.")
    for accuracy in predictions.accuracies:
        bits = accuracy.predictive
        label = f"{accuracy.library}: held out" if accuracy.library else "Held out"
        console.say(
            f"{label}: {accuracy.sequences:,} sequences that the fit did not use: r "
            f"{accuracy.r:.3f}, R2 {accuracy.r2:.3f}, I_pred {bits.bits:.3f} +- "
            f"{bits.standard_error:.3f} bits per {datum}{_variational(accuracy)}."
        )


def _variational(accuracy: "prediction_accuracy.Accuracy") -> str:
    """Returns I_var as the end of a sentence; "" where it is not known."""
    bits = accuracy.variational
    return "" if bits is None else f", I_var {bits.bits:.3f} +- {bits.standard_error:.3f}"


if __name__ == "__main__":
    raise SystemExit(main())
