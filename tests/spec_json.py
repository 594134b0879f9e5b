"""A vocabulary of blocks without layers, a spec in its words, and ways to change it."""

import inspect
from typing import Any, Literal, NamedTuple

from akita_bayes.specs import geometry_rules as rules
from akita_bayes.specs import spec
from akita_bayes.specs.geometry import Traits


class Word(NamedTuple):
    defaults: dict[str, Any]
    types: dict[str, Any]
    traits: Traits


REQUIRED = inspect.Parameter.empty
CONV = {
    "filters": (REQUIRED, int),
    "kernel_size": (1, int),
    "pool_size": (1, int),
    "dropout": (0.0, float),
    "activation": ("relu", str | None),
    "norm_type": (None, Literal["batch", "layer"] | None),
    "padding": ("same", str),
}
FINAL = {
    "units": (REQUIRED, int),
    "activation": ("linear", str | None),
    "variational": (False, bool),
}
VOCABULARY = {
    name: Word(
        {argument: default for argument, (default, _) in arguments.items()},
        {argument: kind for argument, (_, kind) in arguments.items()},
        traits,
    )
    for name, arguments, traits in (
        ("conv_block", CONV, Traits(rules.Convolution())),
        ("conv_tower", {**CONV, "repeat": (1, int)}, Traits(rules.Convolution(widens=True))),
        ("one_to_two", {"operation": ("mean", str)}, Traits(rules.pairs)),
        ("cropping_2d", {"cropping": (REQUIRED, int)}, Traits(rules.crop)),
        ("upper_tri", {"diagonal_offset": (2, int)}, Traits(rules.upper_triangle)),
        ("normal_latent", {"units": (64, int)}, Traits(rules.dense, posterior=True)),
        ("final", FINAL, Traits(rules.dense, posterior="variational", output=True)),
    )
}


def raw() -> dict[str, Any]:
    """64 bins of 128 bp, 4 cropped at each side: 56 bins, 54 * 55 / 2 pixels."""
    return {
        "train": {"batch_size": 4, "loss": "mse"},
        "model": {
            "seq_length": 8192,
            "diagonal_offset": 2,
            "augment_shift": 3,
            "activation": "gelu",
            "norm_type": "batch",
            "trunk": [
                {"name": "conv_block", "filters": 8, "pool_size": 2},
                {"name": "conv_tower", "filters": 8, "pool_size": 2, "repeat": 6},
            ],
            "head_hic": [
                {"name": "one_to_two"},
                {"name": "cropping_2d", "cropping": 4},
                {"name": "upper_tri", "diagonal_offset": 2},
                {"name": "final", "units": 5, "activation": "linear"},
            ],
        },
    }


def parse(value: Any) -> spec.Spec:
    return spec.parse(value, VOCABULARY)


def changed(path: str, value: Any) -> dict[str, Any]:
    """`raw()` with one value set; `path` as in error messages, '-' removes."""
    whole = raw()
    *steps, last = path.replace("[", ".").replace("]", "").split(".")
    section: Any = whole
    for step in steps:
        section = section[int(step)] if step.isdigit() else section.setdefault(step, {})
    if value == "-":
        del section[int(last) if last.isdigit() else last]
    else:
        section[int(last) if last.isdigit() else last] = value
    return whole
