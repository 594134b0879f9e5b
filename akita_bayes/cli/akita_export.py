"""Exports a trained model as a TensorFlow SavedModel, which needs neither this package nor Keras.

tf.saved_model.load(DIR)(x) returns the predictions for one-hot sequences x [B, L, 4], or uint8
indices [B, L]. docs/serving.md describes the signatures for TensorFlow Serving.
"""

import argparse
from collections.abc import Sequence

from akita_bayes import errors
from akita_bayes.cli import console, model_options


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(__doc__, "akita_export.py run/params.json run -o saved_model")
    model_options.add(parser, "params")
    model_options.add(parser, "model", help="run directory, .keras, or HDF5 weights of Basenji")
    parser.add_argument("-o", "--out_dir", required=True, help="SavedModel directory to write")
    model_options.add(parser, "--head", help="head of the HDF5 weights")
    model_options.add(parser, "--trust")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = _parser().parse_args(argv)

    def command() -> None:
        from akita_bayes.models import export

        model = model_options.load(options)
        if options.head not in (None, *model.spec.head_names):
            raise errors.SpecError(
                f'{options.model}: has no head "{options.head}"; choose one of '
                f"{', '.join(model.spec.head_names)}."
            )
        export.export(model, options.out_dir)
        console.say(f"The model is in {options.out_dir}.")

    return console.run(command, options=options, out=options.out_dir, own_record=True)


if __name__ == "__main__":
    raise SystemExit(main())
