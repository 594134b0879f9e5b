"""Older spellings of Basenji's specs, rewritten as today's; what was always ignored, set aside."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from akita_bayes import errors

_BLOCKS: dict[str, dict[str, Any]] = {
    "average_to_2d": {"name": "one_to_two", "operation": "mean"},
    "upper_triu": {"name": "upper_tri"},
}


class Claims(NamedTuple):
    """What Basenji's dead keys say of the geometry; it never read them."""

    target_length: int | None
    target_crop: int | None


def translate(raw: Mapping[str, Any]) -> tuple[dict[str, Any], Claims]:
    """Rewrites a spec, as read from JSON, without old spellings and dead keys.

    Raises:
        SpecError: An old and a new spelling of one setting are both given.
    """
    translated = dict(raw)
    if isinstance(raw.get("train"), dict):
        translated["train"] = _train(raw["train"])
    if not isinstance(raw.get("model"), dict):
        return translated, Claims(None, None)
    model = _normalisation(raw["model"], "model")
    claims = Claims(model.pop("target_length", None), model.pop("target_crop", None))
    model.pop("verbose", None)
    shift = model.get("augment_shift")
    if isinstance(shift, list) and len(shift) == 1:
        model["augment_shift"] = shift[0]
    for key, value in model.items():
        if key == "trunk" or key.startswith("head"):
            model[key] = _blocks(value, f"model.{key}")
    return {**translated, "model": model}, claims


def _train(train: dict[str, Any]) -> dict[str, Any]:
    train = dict(train)
    if "clipnorm" in train:
        if "clip_norm" in train:
            raise errors.SpecError("train.clipnorm: the old spelling of clip_norm; keep one.")
        train["clip_norm"] = train.pop("clipnorm")
    if train.get("optimizer") == "momentum":
        train["optimizer"] = "sgd"
    return train


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
