"""A JSON spec as a frozen value: `load` reads it, every default is resolved, `dumps` writes it.

The schema is Basenji's: `{"train": {...}, "model": {..., "trunk": [...], "head_hic": [...]}}`, and
a block is `{"name": word, argument: value, ...}`. The words come in as an argument, the vocabulary,
so that this module needs no Keras.
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
"""Blocks that end in their activation: the global one is no default for these."""

POSTERIOR_BLOCKS = ("normal_latent", "dense_variational")
"""Blocks that hold a distribution, as does any block whose `variational` is true."""

_log = logging.getLogger(__name__)


class Word(Protocol):
    """What a vocabulary knows of a block; `blocks.registry.Word` is one."""

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Argument name -> default; `inspect.Parameter.empty` without one."""

    @property
    def types(self) -> Mapping[str, Any]:
        """Argument name -> annotation."""


Vocabulary = Mapping[str, Word]


class Spec(frozen.Frozen):
    """A model and how to train it."""

    train: TrainSpec
    model: ModelSpec

    @property
    def head_names(self) -> tuple[str, ...]:
        """Names of the heads, in order."""
        return tuple(head.name for head in self.model.heads)

    def head(self, head: str | int | None = None) -> HeadSpec:
        """Returns a head by name or by number, which text may give too; None is the only one.

        Raises:
            SpecError: There is no such head, or more than one to choose from.
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
        """Where a head's outputs lie on the window."""
        return self.model.geometry(self.head(head))

    def check_statistics(
        self, statistics: Mapping[str, Any], head: str | int | None = None
    ) -> None:
        """Compares a head with the `statistics.json` of the data that it shall learn.

        Raises:
            SpecError: Names the two numbers that disagree.
        """
        chosen = self.head(head)
        place, where = self.model.geometry(chosen), f"model.{chosen.key}"
        for path, of_model, key in (
            ("model.seq_length:", place.seq_length, "seq_length"),
            ("model.diagonal_offset:", place.diagonal_offset, "diagonal_offset"),
            (f"{where}: bin width", place.bin_width, "pool_width"),
            (f"{where}: cropped bases per side", place.crop_bp, "crop_bp"),
            (f"{where}: output length", place.target_length, "target_length"),
            (f"{where}: units", place.units, "num_targets"),
        ):
            of_data = statistics.get(key)
            if None not in (of_data, of_model) and of_model != of_data:
                raise errors.SpecError(
                    f"{path} {of_model} of the spec disagrees with {key} {of_data} of the data's "
                    "statistics.json; correct the spec, or make the data anew."
                )

    def only(self, head: str | int | None = None) -> "Spec":
        """The same spec without the other heads."""
        chosen, model = self.head(head), self.model
        pairs = model.strand_pair and (model.strand_pair[model.heads.index(chosen)],)
        alone = {"heads": (chosen,), "strand_pair": pairs}
        return self.model_copy(update={"model": model.model_copy(update=alone)})

    def to_json(self) -> dict[str, Any]:
        """The spec in the schema of the file, every default spelled out."""
        model = self.model.model_dump(mode="json", exclude={"heads"})
        for head in self.model.heads:
            model[head.key] = [block.model_dump(mode="json") for block in head.blocks]
        return {"train": self.train.model_dump(mode="json"), "model": model}

    def __str__(self) -> str:
        return dumps(self)


def load(path: str | Path, vocabulary: Vocabulary) -> Spec:
    """Reads a spec from a JSON file.

    Raises:
        DataError: The file is missing or no JSON.
        SpecError: As `parse`; the message ends with the name of the file.
    """
    raw = files.read_json(path)
    try:
        return parse(raw, vocabulary)
    except errors.SpecError as error:
        raise errors.SpecError(f"{error} [{path}]") from None


def dumps(spec: Spec) -> str:
    """The spec as JSON text; `parse(json.loads(dumps(spec)), vocabulary)` equals `spec`."""
    return json.dumps(spec.to_json(), indent=2, allow_nan=False) + "\n"


def parse(raw: Any, vocabulary: Vocabulary) -> Spec:
    """Validates a spec as read from JSON: old spellings, unknown keys, types, geometry.

    Args:
        raw: The value of the JSON text.
        vocabulary: Every block that a spec may use, by name.

    Raises:
        SpecError: The message starts with the JSON path of what is wrong.
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
    own = [name for name in ModelSpec.model_fields if name != "heads"]
    keys = sorted((key for key in raw if re.match(r"head(_|\d|$)", key)), key=_natural)
    frozen.refuse_unknown(raw, (*own, *keys, "head"), "model.")
    if not keys:
        raise errors.SpecError('model: has no head; add "head_hic", a list of blocks.')
    values = {name: frozen.immutable(raw[name]) for name in own if name in raw}
    given = {name: values[name] for name in Globals.model_fields if name in values}
    shared = frozen.validated(Globals, given, "model").model_dump(exclude_none=True)
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
    """The model's globals that a block knows and does not set itself."""
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
    places = [spec.geometry(name) for name in spec.head_names]
    lengths = [n for p in places for n in (p.uncropped_bins, p.bins, p.target_length)]
    crops = [n for p in places for n in (p.crop, p.crop_bp)]
    for key, claim, held in (
        ("target_length", claims.target_length, lengths),
        ("target_crop", claims.target_crop, crops),
    ):
        if claim is not None and claim not in held:
            raise errors.SpecError(
                f"model.{key}: {claim} disagrees with the blocks, which give "
                f"{' or '.join(map(str, dict.fromkeys(held)))}; Basenji never read this key, "
                "so correct it or leave it out."
            )


def holds_posterior(block: BlockSpec) -> bool:
    """Whether a block holds a distribution over latents or weights."""
    return block.name in POSTERIOR_BLOCKS or bool(block.arguments.get("variational"))


def _check_posteriors(spec: Spec) -> None:
    """A divergence, which is a sum, beside a mean error collapses the posterior onto the prior."""
    parts = [("trunk", spec.model.trunk), *((head.key, head.blocks) for head in spec.model.heads)]
    for key, blocks in parts:
        for index, block in enumerate(blocks):
            if holds_posterior(block) and spec.train.loss != "elbo":
                raise errors.SpecError(
                    f"model.{key}[{index}]: {block.name} holds a posterior, which train.loss "
                    f'"{spec.train.loss}" would train to be its prior; write "loss": "elbo".'
                )


def _natural(text: str) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]
