"""What commands say about a trained model and its predictions: each option written once.

A command adds the options that it takes, in the order of its help, and may word their help itself.
`load` and `scoring` turn what was parsed into a model, and into what decides variant scores.
"""

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from akita_bayes.cli import console

if TYPE_CHECKING:
    from akita_bayes.data import targets
    from akita_bayes.variants.options import Options

_OPTIONS: dict[str, dict[str, Any]] = {
    "params": {"type": console.existing_file, "help": "JSON spec of the model"},
    "model": {"help": "run directory, .keras, SavedModel, or HDF5 weights of Basenji"},
    "regions": {"type": console.readable, "help": "BED file, plain or gzipped"},
    "--fasta": {
        "flag": "-f",
        "required": True,
        "type": console.existing_file,
        "help": "genome, plain or bgzipped",
    },
    "--targets_file": {"flag": "-t", "type": console.existing_file},
    "--rc": {"action": "store_true", "help": "average both strands"},
    "--shifts": {
        "type": console.integers,
        "default": (0,),
        "help": "average shifts, comma-separated",
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
        "help": "further run directories, comma-separated: members are draws",
    },
    "--head": {"help": "one head of several"},
    "--targets": {"type": console.integers, "help": "numbers of the targets to score; else all"},
    "--draws": {"type": console.whole_number, "default": 0},
    "--seed": {"type": console.seed, "default": 0, "help": "of the draws"},
    "--batch_size": {"type": console.positive_integer, "help": "windows at a time"},
}


def add(parser: argparse.ArgumentParser, *names: str, **changes: Any) -> None:
    """Adds options to a parser.

    Args:
        parser: Of a command.
        names: Options, in the order of its help.
        changes: What this command says of all these otherwise, as `add_argument` takes it.
    """
    for name in names:
        settings = {**_OPTIONS[name], **changes}
        flags = [flag] if (flag := settings.pop("flag", None)) else []
        parser.add_argument(*flags, name, **settings)


def load(options: argparse.Namespace) -> Any:
    """The model, or the ensemble, that was named.

    Raises:
        AkitaBayesError: It cannot be loaded, or the shifts leave nothing of its windows.
    """
    from akita_bayes.models import load, predict

    runs = (options.model, *getattr(options, "ensemble", ()))
    pairs: list[Any] = [(options.params, run) for run in runs]
    model = load.load_model(pairs if len(pairs) > 1 else pairs[0], head=options.head)
    predict.check_shifts(getattr(options, "shifts", ()), model.spec.model.seq_length)
    return model


def target_labels(options: argparse.Namespace, model: Any) -> "list[targets.Label] | None":
    """Returns what the targets of a head are called by the table -t, else by the model's run.

    None where neither says, or all of several heads are chosen.

    Raises:
        DataError: The table cannot be read, or is of another number of targets.
    """
    from akita_bayes import errors
    from akita_bayes.data import targets
    from akita_bayes.models import predict

    head = predict.head_name(model, options.head)
    if head is None:
        return None
    count = model.spec.geometry(head).units or 1
    table = getattr(options, "targets_file", None)
    if table is None:
        return targets.of_run(options.model, head, count)
    labels = targets.labels(table)
    if len(labels) != count:
        raise errors.DataError(
            f"{table}: {len(labels)} targets are named, but head {head} has {count}; give the "
            "table of the targets that it was trained on."
        )
    return labels


def scoring(options: argparse.Namespace) -> "Options":
    """What decides variant scores: every option that is called like a field of it."""
    from akita_bayes.variants.options import Options

    given = vars(options)
    names = [field.name for field in dataclasses.fields(Options) if field.name in given]
    return Options(**{name: given[name] for name in names})
