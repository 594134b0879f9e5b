"""Rewrites older spellings of Basenji's specs, and drops keys that Basenji always ignored."""

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from akita_bayes import errors
from akita_bayes.specs import strict_json

_log = logging.getLogger(__name__)

DEAD: dict[str, dict[str, str]] = {
    "train": {
        "train_epochs": "Basenji never reads it either; training stops after "
        '"train_epochs_max" epochs, so write "train_epochs_max": {value} if that is meant',
        "use_gpu": "akita_train.py never reads it in Basenji either; its option --devices "
        "chooses between cpu and gpu",
    },
    "model": {
        "ensemble_rc": "Basenji never reads it either; the option --rc of the commands averages "
        "the predictions of both strands",
        "ensemble_shifts": "Basenji never reads it either; the option --shifts of the commands "
        "averages the predictions of moved windows",
        "verbose": "a summary of the network is never printed",
    },
}
"""Keys of Basenji's parameter files that decide no number, with the text for the log."""

_BLOCKS: dict[str, dict[str, Any]] = {
    "average_to_2d": {"name": "one_to_two", "operation": "mean"},
    "upper_triu": {"name": "upper_tri"},
}


class Claims(NamedTuple):
    """Holds the geometry that Basenji's dead keys claim; Basenji never read them."""

    target_length: int | None
    target_crop: int | None


def translate(raw: Mapping[str, Any]) -> tuple[dict[str, Any], Claims]:
    """Rewrites a spec, as read from JSON, without old spellings and dead keys.

    The log names every dead key of `DEAD`. Dead keys that claim a geometry are returned, so that
    the caller can compare them.

    Raises:
        SpecError: The spec has both the old and the new spelling of one setting.
    """
    translated = dict(raw)
    if isinstance(raw.get("train"), dict):
        translated["train"] = _train(raw["train"])
    if not isinstance(raw.get("model"), dict):
        return translated, Claims(None, None)
    model = _without_dead(_normalisation(raw["model"], "model"), "model")
    claims = Claims(model.pop("target_length", None), model.pop("target_crop", None))
    shift = model.get("augment_shift")
    if isinstance(shift, list) and len(shift) == 1:
        model["augment_shift"] = shift[0]
    for key, value in model.items():
        if key == "trunk" or key.startswith("head"):
            model[key] = _blocks(value, f"model.{key}")
    return {**translated, "model": model}, claims


def _train(train: dict[str, Any]) -> dict[str, Any]:
    train = _without_dead(train, "train")
    if "clipnorm" in train:
        if "clip_norm" in train:
            raise errors.SpecError("train.clipnorm: the old spelling of clip_norm; keep one.")
        train["clip_norm"] = train.pop("clipnorm")
    if train.get("optimizer") == "momentum":
        train["optimizer"] = "sgd"
    return train


def _without_dead(values: dict[str, Any], part: str) -> dict[str, Any]:
    """Returns one half of a spec without its dead keys, and logs the dead keys."""
    for key, reason in DEAD[part].items():
        if key in values:
            value = strict_json.shown(values[key])
            _log.warning("%s.%s: %s is ignored; %s.", part, key, value, reason.format(value=value))
    return {key: value for key, value in values.items() if key not in DEAD[part]}


def _blocks(value: Any, path: str) -> Any:
    if isinstance(value, list):
        return [_blocks(block, f"{path}[{index}]") for index, block in enumerate(value)]
    if not isinstance(value, dict):
        return value
    block = _normalisation(value, path)
    return {**block, **_BLOCKS.get(str(block.get("name")), {})}


def _normalisation(values: dict[str, Any], path: str) -> dict[str, Any]:
    values = dict(values)
    if "batch_norm" in values:
        if "norm_type" in values:
            raise errors.SpecError(f"{path}.batch_norm: the old spelling of norm_type; keep one.")
        values["norm_type"] = "batch" if values.pop("batch_norm") else None
    return values
