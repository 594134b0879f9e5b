"""A JSON spec as a frozen value: `load` reads it, every default is resolved, `dumps` writes it.

The schema is Basenji's: `{"train": {...}, "model": {..., "trunk": [...], "head_hic": [...]}}`, and
a block is `{"name": word, argument: value, ...}`. The vocabulary of words is an argument, so that
this module needs no Keras.
"""

import inspect
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from akita_bayes import errors, files
from akita_bayes.specs import frozen, geometry, legacy
from akita_bayes.specs.model_spec import BlockSpec, Globals, HeadSpec, ModelSpec
from akita_bayes.specs.train_spec import ElboSpec, SwaSpec, TrainSpec

__all__ = ["BlockSpec", "ElboSpec", "HeadSpec", "ModelSpec", "Spec", "SwaSpec", "TrainSpec"]

OUTPUT_BLOCKS = ("final", "dense", "dense_variational", "Dense", "Conv1D")
"""Blocks that end in their activation; the global activation is not their default."""

POSTERIOR_BLOCKS = ("normal_latent", "dense_variational")
"""Blocks that hold a distribution. A block whose `variational` is true holds one, too."""

_log = logging.getLogger(__name__)


class Word(Protocol):
    """Describes a block in a vocabulary, as `blocks.registry.Word` does."""

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Maps argument names to defaults; `inspect.Parameter.empty` where there is none."""

    @property
    def types(self) -> Mapping[str, Any]:
        """Maps argument names to annotations."""


Vocabulary = Mapping[str, Word]


class Spec(frozen.Frozen):
    """Describes a model and its training."""

    train: TrainSpec
    model: ModelSpec

    @property
    def head_names(self) -> tuple[str, ...]:
        """Returns the names of the heads, in order."""
        return tuple(head.name for head in self.model.heads)

    def head(self, head: str | int | None = None) -> HeadSpec:
        """Returns a head by name or number (as int or text); None selects the only head.

        Raises:
            SpecError: There is no such head, or `head` is None and there are several.
        """
        heads, names = self.model.heads, self.head_names
        if head is None and len(heads) > 1:
            raise errors.SpecError(f"model: choose a head out of {', '.join(names)}.")
        if isinstance(head, str) and head not in names and head.isdecimal():
            head = int(head)  # Basenji's --head 1
        if isinstance(head, str) and head not in names:
            hint = errors.did_you_mean(head, names)
            raise errors.SpecError(f'model: has no head "{head}" but {", ".join(names)}.{hint}')
        if isinstance(head, int) and not 0 <= head < len(heads):
            raise errors.SpecError(f"model: has no head {head}; they count 0 to {len(heads) - 1}.")
        return heads[names.index(head) if isinstance(head, str) else head or 0]

    def geometry(self, head: str | int | None = None) -> geometry.Geometry:
        """Computes the position of a head's outputs on the window."""
        return self.model.geometry(self.head(head))

    def check_statistics(
        self, statistics: Mapping[str, Any], head: str | int | None = None
    ) -> None:
        """Compares a head with the `statistics.json` of its training data.

        Raises:
            SpecError: Two numbers disagree; names both.
        """
        head_spec = self.head(head)
        layout, head_path = self.model.geometry(head_spec), f"model.{head_spec.key}"
        for path, of_model, key in (
            ("model.seq_length:", layout.seq_length, "seq_length"),
            ("model.diagonal_offset:", layout.diagonal_offset, "diagonal_offset"),
            (f"{head_path}: bin width", layout.bin_width, "pool_width"),
            (f"{head_path}: cropped bases per side", layout.crop_bp, "crop_bp"),
            (f"{head_path}: output length", layout.target_length, "target_length"),
            (f"{head_path}: units", layout.units, "num_targets"),
        ):
            of_data = statistics.get(key)
            if None not in (of_data, of_model) and of_model != of_data:
                raise errors.SpecError(
                    f"{path} {of_model} of the spec disagrees with {key} {of_data} of the data's "
                    "statistics.json; correct the spec, or make the data anew."
                )

    def only(self, head: str | int | None = None) -> "Spec":
        """Returns the spec with one head only."""
        head_spec, model = self.head(head), self.model
        pairs = model.strand_pair and (model.strand_pair[model.heads.index(head_spec)],)
        changes = {"heads": (head_spec,), "strand_pair": pairs}
        return self.model_copy(update={"model": model.model_copy(update=changes)})

    def to_json(self) -> dict[str, Any]:
        """Returns the spec in the schema of the file, with every default written out."""
        model = self.model.model_dump(mode="json", exclude={"heads"})
        for head in self.model.heads:
            model[head.key] = [block.model_dump(mode="json") for block in head.blocks]
        return {"train": self.train.model_dump(mode="json"), "model": model}

    def __str__(self) -> str:
        return dumps(self)


def load(path: str | Path, vocabulary: Vocabulary) -> Spec:
    """Reads a spec from a JSON file.

    Raises:
        DataError: The file is missing or is not JSON.
        SpecError: As `parse`; the message ends with the name of the file.
    """
    raw = files.read_json(path)
    try:
        return parse(raw, vocabulary)
    except errors.SpecError as error:
        raise errors.SpecError(f"{error} [{path}]") from None


def dumps(spec: Spec) -> str:
    """Writes the spec as JSON text; `parse(json.loads(dumps(spec)), vocabulary)` equals `spec`."""
    return json.dumps(spec.to_json(), indent=2, allow_nan=False) + "\n"


def parse(raw: Any, vocabulary: Vocabulary) -> Spec:
    """Validates a spec as read from JSON: old spellings, unknown keys, types, geometry.

    Args:
        raw: The value of the JSON text.
        vocabulary: Every block that a spec may use, by name.

    Raises:
        SpecError: The message starts with the JSON path of the bad value.
    """
    if not isinstance(raw, dict):
        raise errors.SpecError(f"spec: expected an object, got {frozen.shown(raw)}.")
    frozen.refuse_unknown(raw, ("train", "model"), "")
    raw, claims = legacy.translate(raw)
    model = _model(raw.get("model"), vocabulary)
    train = frozen.validated(
        TrainSpec, raw.get("train", {}), "train", {"elbo": ElboSpec, "swa": SwaSpec}
    )
    spec = Spec(train=train, model=model)
    _check_claims(spec, claims)
    _check_posteriors(spec)
    return spec


def _model(raw: Any, vocabulary: Vocabulary) -> ModelSpec:
    if not isinstance(raw, dict):
        raise errors.SpecError(f"model: expected an object, got {frozen.shown(raw)}.")
    # Head keys are "head", "head_hic" or "head0", but not "header".
    own = [name for name in ModelSpec.model_fields if name != "heads"]
    keys = sorted((key for key in raw if re.match(r"head(_|\d|$)", key)), key=_natural)
    frozen.refuse_unknown(raw, (*own, *keys, "head"), "model.")
    if not keys:
        raise errors.SpecError('model: has no head; add "head_hic", a list of blocks.')
    values = {name: frozen.immutable(raw[name]) for name in own if name in raw}
    defaults = {name: values[name] for name in Globals.model_fields if name in values}
    shared = frozen.validated(Globals, defaults, "model").model_dump(exclude_none=True)
    values["trunk"] = _blocks(raw.get("trunk"), "model.trunk", shared, vocabulary)
    heads = [
        HeadSpec(
            name=key.removeprefix("head_") or "head",
            blocks=_blocks(raw[key], f"model.{key}", shared, vocabulary),
        )
        for key in keys
    ]
    return frozen.validated(ModelSpec, {**values, "heads": tuple(heads)}, "model").checked()


def _blocks(
    raw: Any, path: str, shared: Mapping[str, Any], vocabulary: Vocabulary
) -> tuple[BlockSpec, ...]:
    if isinstance(raw, dict):
        return (_block(raw, path, shared, vocabulary),)
    if not isinstance(raw, list) or not raw:
        raise errors.SpecError(f"{path}: expected a list of blocks, got {frozen.shown(raw)}.")
    return tuple(
        _block(block, f"{path}[{index}]", shared, vocabulary) for index, block in enumerate(raw)
    )


def _block(raw: Any, path: str, shared: Mapping[str, Any], vocabulary: Vocabulary) -> BlockSpec:
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
        raise errors.SpecError(f'{path}: expected a block, as {{"name": "conv_block"}}.')
    name = raw["name"]
    if name not in vocabulary:
        hint = errors.did_you_mean(name, vocabulary)
        raise errors.SpecError(f'{path}.name: no block is called "{name}".{hint}')
    word = vocabulary[name]
    arguments = {**word.defaults, **_inherited(word, name, raw, shared, path)}
    for key, value in raw.items():
        if key == "name":
            continue
        if key not in word.defaults:
            hint = errors.did_you_mean(key, word.defaults)
            raise errors.SpecError(f"{path}.{key}: {name} has no such argument.{hint}")
        arguments[key] = frozen.typed(word.types[key], frozen.immutable(value), f"{path}.{key}")
    for key, value in arguments.items():
        if value is inspect.Parameter.empty:
            raise errors.SpecError(f"{path}.{key}: {name} needs it.")
    return BlockSpec(name=name, **arguments)


def _inherited(
    word: Word, name: str, raw: Mapping[str, Any], shared: Mapping[str, Any], path: str
) -> dict[str, Any]:
    """Returns the model's globals that a block has as arguments and does not set itself."""
    inherited = {
        key: frozen.typed(word.types[key], value, f"model.{key}")
        for key, value in shared.items()
        if key in word.defaults and key not in raw
    }
    if name in OUTPUT_BLOCKS and inherited.pop("activation", "linear") != "linear":
        _log.warning(
            '%s: %s without "activation" is linear here; Basenji would apply the global %s. '
            "Write the one that is meant.",
            path,
            name,
            shared["activation"],
        )
    return inherited


def _check_claims(spec: Spec, claims: legacy.Claims) -> None:
    layouts = [spec.geometry(name) for name in spec.head_names]
    # Files count target_length with or without the crop or in pixels, target_crop in bins or bp.
    lengths = [
        length
        for layout in layouts
        for length in (layout.uncropped_bins, layout.bins, layout.target_length)
    ]
    crops = [crop for layout in layouts for crop in (layout.crop, layout.crop_bp)]
    for key, claim, actual in (
        ("target_length", claims.target_length, lengths),
        ("target_crop", claims.target_crop, crops),
    ):
        if claim is not None and claim not in actual:
            raise errors.SpecError(
                f"model.{key}: {claim} disagrees with the blocks, which give "
                f"{' or '.join(map(str, dict.fromkeys(actual)))}; Basenji never read this key, "
                "so correct it or leave it out."
            )


def holds_posterior(block: BlockSpec) -> bool:
    """Returns True for a block that holds a distribution over latents or weights."""
    return block.name in POSTERIOR_BLOCKS or bool(block.arguments.get("variational"))


def _check_posteriors(spec: Spec) -> None:
    """Requires the ELBO for models with a posterior.

    Beside a mean error, the divergence, which is a sum, would collapse the posterior onto the
    prior.
    """
    parts = [("trunk", spec.model.trunk), *((head.key, head.blocks) for head in spec.model.heads)]
    for key, blocks in parts:
        for index, block in enumerate(blocks):
            if holds_posterior(block) and spec.train.loss != "elbo":
                raise errors.SpecError(
                    f"model.{key}[{index}]: {block.name} holds a posterior, which train.loss "
                    f'"{spec.train.loss}" would train to be its prior; write "loss": "elbo".'
                )


def _natural(text: str) -> list[Any]:
    """Returns a sort key that orders head_2 before head_10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]
