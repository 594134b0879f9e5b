"""Defines the options for a trained model and its predictions, once for all commands.

A command adds the options that it needs, in the order of its help, and may change their help texts.
`load` and `scoring` turn the parsed options into a model and into the settings of variant scores.
"""

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from akita_bayes.cli import console

if TYPE_CHECKING:
    from akita_bayes import regions
    from akita_bayes.models.protocol import Model
    from akita_bayes.variants import model_files
    from akita_bayes.variants.options import Options

_OPTIONS: dict[str, dict[str, Any]] = {
    "params": {"type": console.spec_file, "help": "JSON spec of the model, or its bare name"},
    "model": {
        "type": console.model_source,
        "help": "run directory, .keras, SavedModel, HDF5 weights of Basenji, or a shipped model",
    },
    "--trust": {
        "action": "store_true",
        "help": "open a SavedModel of another program, which may read and write files",
    },
    "regions": {"type": console.readable, "help": "BED file, plain or gzipped"},
    "--fasta": {
        "flag": "-f",
        "required": True,
        "type": console.existing_file,
        "help": "genome: FASTA, plain or compressed by bgzip or gzip, or .2bit",
    },
    "--targets_file": {"flag": "-t", "type": console.existing_file},
    "--rc": {"action": "store_true", "help": "average the predictions of both strands"},
    "--shifts": {
        "type": console.integers,
        "default": (0,),
        "help": "average these shifts in bases, comma-separated",
    },
    "--stats": {
        "dest": "scores",
        "metavar": "STATS",
        "type": console.words,
        "help": "scores, comma-separated",
    },
    "--ensemble": {
        "type": console.words,
        "default": (),
        "help": "further run directories, comma-separated; each member gives draws",
    },
    "--members": {
        "choices": ("held_out", "all"),
        "default": "held_out",
        "help": "score a variant by those members of an ensemble that did not learn from it, where "
        "there are any, or always by all",
    },
    "--head": {"help": "name or number of the head, if the model has several"},
    "--targets": {
        "type": console.integers,
        "help": "numbers of the targets to score (default: all)",
    },
    "--draws": {"type": console.whole_number, "default": 0},
    "--seed": {"type": console.seed, "default": 0, "help": "seed of the draws"},
    "--precision": {
        "choices": ("float32", "bfloat16"),
        "help": "precision of the convolutions; bfloat16 takes about half of the time on "
        "processors that compute with it (default: as the model was saved)",
    },
    "--batch_size": {
        "type": console.positive_integer,
        "help": "windows that are predicted together",
    },
}


def add(parser: argparse.ArgumentParser, *names: str, **changes: Any) -> None:
    """Adds options of this module to a parser (`console.add_options`)."""
    console.add_options(parser, _OPTIONS, *names, **changes)


def files_of(options: argparse.Namespace) -> "model_files.ModelFiles":
    """Returns the files of the model, or of the ensemble, that the options name."""
    from akita_bayes.variants import model_files

    return model_files.ModelFiles(
        options.params,
        (options.model, *getattr(options, "ensemble", ())),
        options.head,
        getattr(options, "targets_file", None),
        getattr(options, "trust", False),
    )


def load(options: argparse.Namespace) -> "Model":
    """Returns the model or the ensemble that the options name.

    Raises:
        AkitaBayesError: The model cannot be loaded, a shift is as long as its window, or the model
            cannot compute in the precision.
    """
    from akita_bayes.models import predict

    model = files_of(options).load()
    predict.check_shifts(getattr(options, "shifts", ()), model.spec.model.seq_length)
    predict.check_precision(model, getattr(options, "precision", None))
    return model


def region(text: str, fasta: str) -> "regions.Region":
    """Returns a region of a genome, whose chromosome names may contain colons.

    Raises:
        DataError: The text is not a region, or the genome cannot be read or lacks the chromosome.
    """
    from akita_bayes import regions
    from akita_bayes.data.genome import Genome

    with Genome(fasta) as genome:
        return regions.parse_in(text, genome.sizes)


def scoring(options: argparse.Namespace) -> "Options":
    """Returns the settings of variant scores: each option with the name of a field."""
    from akita_bayes.variants.options import Options

    values = vars(options)
    names = [field.name for field in dataclasses.fields(Options) if field.name in values]
    return Options(**{name: values[name] for name in names})
