"""A JSON spec as a frozen value: `load` reads it, every default is resolved, `dumps` writes it.

The schema is Basenji's: `{"train": {...}, "model": {..., "trunk": [...], "head_hic": [...]}}`, and a
block is `{"name": word, argument: value, ...}`. The words come in as an argument, the vocabulary,
so that this module needs no Keras.
"""

import inspect
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pydantic
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from akita_bayes import errors, files, geometry, legacy
from akita_bayes.train_spec import ElboSpec, Frozen, SwaSpec, TrainSpec

__all__ = ["BlockSpec", "ElboSpec", "HeadSpec", "ModelSpec", "Spec", "SwaSpec", "TrainSpec"]

OUTPUT_BLOCKS = ("final", "dense", "Dense", "Conv1D")
"""Blocks that end in their activation: for these the global one is no default."""

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


class BlockSpec(Frozen):
    """A word and all its arguments, which are attributes: `block.filters`."""

    model_config = pydantic.ConfigDict(extra="allow")

    name: str

    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of the block's function."""
        return dict(self.model_extra or {})


class HeadSpec(Frozen):
    """The blocks from the trunk to one output; `head_human` in JSON has the name "human"."""

    name: str
    blocks: tuple[BlockSpec, ...]

    @property
    def key(self) -> str:
        """The key in JSON."""
        return self.name if self.name.startswith("head") else f"head_{self.name}"


class Globals(Frozen):
    """Defaults of all blocks that know the argument; None leaves the block's own default.

    Attributes:
        activation: Also applied to the trunk's output, and no default of OUTPUT_BLOCKS.
    """

    activation: str | None = None
    norm_type: str | None = None
    bn_momentum: float | None = pydantic.Field(None, ge=0, lt=1)
    l2_scale: NonNegativeFloat | None = None
    l1_scale: NonNegativeFloat | None = None
    padding: str | None = None
    kernel_initializer: str | None = None


class ModelSpec(Globals):
    """A network, from sequence to heads.

    Attributes:
        seq_length: Bases L of the input window.
        diagonal_offset: First diagonal kept of a map; None for a track.
        augment_rc: Train on both strands at random.
        augment_shift: Train with windows moved at random by up to so many bases.
        augment_per_example: Draw strand and shift for each example instead of each batch.
        strand_pair: Per head, the target measured on the other strand, for every target.
        trunk: Blocks shared by all heads.
        heads: In natural order of their keys, as Basenji numbers them.
    """

    seq_length: PositiveInt
    diagonal_offset: NonNegativeInt | None = None
    augment_rc: bool = False
    augment_shift: NonNegativeInt = 0
    augment_per_example: bool = False
    strand_pair: tuple[tuple[NonNegativeInt, ...], ...] = ()
    trunk: tuple[BlockSpec, ...]
    heads: tuple[HeadSpec, ...] = pydantic.Field(min_length=1)


class Spec(Frozen):
    """A model and how to train it."""

    train: TrainSpec
    model: ModelSpec

    @property
    def head_names(self) -> tuple[str, ...]:
        """Names of the heads, in order."""
        return tuple(head.name for head in self.model.heads)

    def head(self, head: str | int | None = None) -> HeadSpec:
        """A head by name or by number; None is the only one.

        Raises:
            SpecError: There is no such head, or more than one to choose from.
        """
        heads, names = self.model.heads, self.head_names
        if head is None and len(heads) > 1:
            raise errors.SpecError(f"model: choose a head out of {', '.join(names)}.")
        if isinstance(head, str) and head not in names:
            raise errors.SpecError(
                f'model: no head "{head}"; there {"are" if names[1:] else "is"} '
                f"{', '.join(names)}.{errors.did_you_mean(head, names)}"
            )
        if isinstance(head, int) and not 0 <= head < len(heads):
            raise errors.SpecError(f"model: no head {head}; there are {len(heads)}, from 0.")
        return heads[names.index(head) if isinstance(head, str) else head or 0]

    def geometry(self, head: str | int | None = None) -> geometry.Geometry:
        """Where a head's outputs lie on the window."""
        return _geometry(self.model, self.head(head))

    def check_statistics(
        self, statistics: Mapping[str, Any], head: str | int | None = None
    ) -> None:
        """Compares a head with the `statistics.json` of the data that it shall learn.

        Raises:
            SpecError: Names the two numbers that disagree.
        """
        chosen = self.head(head)
        place, where = self.geometry(chosen.name), f"model.{chosen.key}"
        for path, of_model, key in (
            ("model.seq_length", place.seq_length, "seq_length"),
            ("model.diagonal_offset", place.diagonal_offset, "diagonal_offset"),
            (f"{where}: bin width", place.bin_width, "pool_width"),
            (f"{where}: cropped bases per side", place.crop_bp, "crop_bp"),
            (f"{where}: output length", place.target_length, "target_length"),
            (f"{where}: units", place.units, "num_targets"),
        ):
            of_data = statistics.get(key)
            if of_data is not None and of_model is not None and of_model != of_data:
                raise errors.SpecError(
                    f"{path} {of_model} of the spec disagrees with {key} {of_data} "
                    "of the data's statistics.json; change the one or make the other anew."
                )

    def with_units(self, units: int, head: str | int | None = None) -> "Spec":
        """The same spec with another number of targets in the last block of a head."""
        chosen = self.head(head)
        last = chosen.blocks[-1].model_copy(update={"units": units})
        changed = chosen.model_copy(update={"blocks": (*chosen.blocks[:-1], last)})
        heads = tuple(changed if each.name == chosen.name else each for each in self.model.heads)
        return self.model_copy(update={"model": self.model.model_copy(update={"heads": heads})})

    def to_json(self) -> dict[str, Any]:
        """The spec in the schema of the file, every default spelled out."""
        model = self.model.model_dump(mode="json")
        for head in model.pop("heads"):
            key = head["name"] if head["name"].startswith("head") else f"head_{head['name']}"
            model[key] = head["blocks"]
        return {"train": self.train.model_dump(mode="json"), "model": model}

    def __str__(self) -> str:
        return dumps(self)


def load(path: str | Path, vocabulary: Vocabulary) -> Spec:
    """Reads a spec from a JSON file.

    Raises:
        SpecError: As `parse`; the message ends with the file's name.
    """
    raw = files.read_json(path)
    try:
        return parse(raw, vocabulary)
    except errors.SpecError as error:
        raise errors.SpecError(f"{error} [{path}]") from None


def dumps(spec: Spec) -> str:
    """The spec as JSON text; `parse(json.loads(dumps(spec)))` equals `spec`."""
    return json.dumps(spec.to_json(), indent=2, allow_nan=False) + "\n"


def parse(raw: Any, vocabulary: Vocabulary) -> Spec:
    """Validates a spec as read from JSON: old spellings, unknown keys, types, geometry.

    Args:
        raw: The value of the JSON text.
        vocabulary: Every block that a spec may use.

    Raises:
        SpecError: The message starts with the JSON path of what is wrong.
    """
    if not isinstance(raw, dict):
        raise errors.SpecError(f"spec: expected an object, got {_shown(raw)}.")
    _refuse_unknown(raw, ("train", "model"), "")
    if not isinstance(raw.get("model"), dict):
        raise errors.SpecError(f"model: expected an object, got {_shown(raw.get('model'))}.")
    raw, claims = legacy.translate(raw)
    model = _model(raw["model"], vocabulary)
    spec = Spec(train=_validated(TrainSpec, raw.get("train", {}), "train"), model=model)
    _check_claims(spec, claims)
    return spec


def _model(raw: dict[str, Any], vocabulary: Vocabulary) -> ModelSpec:
    own = [name for name in ModelSpec.model_fields if name != "heads"]
    keys = sorted((key for key in raw if key.startswith("head")), key=_natural)
    _refuse_unknown(raw, (*own, *keys, "head"), "model.")
    if not keys:
        raise errors.SpecError('model: has no head; add "head_hic", a list of blocks.')
    shared = _validated(
        Globals, {name: raw[name] for name in Globals.model_fields if name in raw}, "model"
    )
    defaults = shared.model_dump(exclude_none=True)
    values = {name: _frozen(raw[name]) for name in own if name in raw and name != "trunk"}
    values["trunk"] = _blocks(raw.get("trunk"), "model.trunk", defaults, vocabulary)
    heads = {key: _blocks(raw[key], f"model.{key}", defaults, vocabulary) for key in keys}
    values["heads"] = tuple(
        HeadSpec(name=key.removeprefix("head_") or "head", blocks=blocks)
        for key, blocks in heads.items()
    )
    return _check(_settle_offset(_validated(ModelSpec, values, "model")))


def _blocks(
    raw: Any, path: str, shared: Mapping[str, Any], vocabulary: Vocabulary
) -> tuple[BlockSpec, ...]:
    if isinstance(raw, dict):
        return (_block(raw, path, shared, vocabulary),)
    if not isinstance(raw, list) or not raw:
        raise errors.SpecError(f"{path}: expected a list of blocks, got {_shown(raw)}.")
    return tuple(
        _block(block, f"{path}[{index}]", shared, vocabulary) for index, block in enumerate(raw)
    )


def _block(raw: Any, path: str, shared: Mapping[str, Any], vocabulary: Vocabulary) -> BlockSpec:
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
        raise errors.SpecError(f'{path}: expected a block, as {{"name": "conv_block"}}.')
    name = raw["name"]
    if name not in vocabulary:
        raise errors.SpecError(
            f'{path}.name: no block is called "{name}".{errors.did_you_mean(name, vocabulary)}'
        )
    word = vocabulary[name]
    arguments = dict(word.defaults)
    for key, value in shared.items():
        if key in arguments and not (key == "activation" and name in OUTPUT_BLOCKS):
            arguments[key] = value
    if (
        name in OUTPUT_BLOCKS
        and "activation" not in raw
        and shared.get("activation") not in (None, "linear")
    ):
        _log.warning(
            "%s: %s without an activation is linear; Basenji would apply the global %s. "
            'Write "activation" to say which is meant.',
            path,
            name,
            shared["activation"],
        )
    for key, value in raw.items():
        if key == "name":
            continue
        if key not in arguments:
            raise errors.SpecError(
                f"{path}.{key}: {name} has no such argument.{errors.did_you_mean(key, arguments)}"
            )
        arguments[key] = _typed(_frozen(value), word.types.get(key, Any), f"{path}.{key}")
    missing = [key for key, value in arguments.items() if value is inspect.Parameter.empty]
    if missing:
        raise errors.SpecError(f"{path}.{missing[0]}: {name} needs it.")
    return BlockSpec(name=name, **arguments)


def _typed(value: Any, annotation: Any, path: str) -> Any:
    try:
        return pydantic.TypeAdapter(annotation).validate_python(value, strict=True)
    except pydantic.ValidationError as error:
        raise _spec_error(error, path) from None


def _validated(kind: type[Frozen], values: Any, path: str) -> Any:
    if not isinstance(values, dict):
        raise errors.SpecError(f"{path}: expected an object, got {_shown(values)}.")
    try:
        return kind.model_validate(values)
    except pydantic.ValidationError as error:
        raise _spec_error(error, path, kind) from None


def _spec_error(
    error: pydantic.ValidationError, path: str, kind: type[Frozen] | None = None
) -> errors.SpecError:
    first = error.errors()[0]
    if kind is not None:
        path += "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in first["loc"])
    hint = ""
    if first["type"] == "extra_forbidden" and kind is not None:
        word = str(first["loc"][-1])
        for at in first["loc"][:-1]:
            kind = {"elbo": ElboSpec, "swa": SwaSpec}.get(str(at), kind)
        return errors.SpecError(
            f"{path}: no such key.{errors.did_you_mean(word, kind.model_fields)}"
        )
    if first["type"] == "missing":
        return errors.SpecError(f"{path}: is missing.")
    if first["type"] == "value_error":
        return errors.SpecError(f"{path}: {first['ctx']['error']}.")
    if first["type"] == "literal_error":
        known = re.findall(r"'([^']+)'", first["ctx"]["expected"])
        hint = errors.did_you_mean(str(first["input"]), known)
    message = first["msg"].removeprefix("Input ")
    return errors.SpecError(f"{path}: {message}, got {_shown(first['input'])}.{hint}")


def _settle_offset(model: ModelSpec) -> ModelSpec:
    """Takes `diagonal_offset` from upper_tri when the model does not say it, else compares."""
    offset, said = model.diagonal_offset, "model.diagonal_offset"
    for path, blocks in (
        ("model.trunk", model.trunk),
        *((f"model.{head.key}", head.blocks) for head in model.heads),
    ):
        for index, block in enumerate(blocks):
            if block.name != "upper_tri":
                continue
            here = f"{path}[{index}].diagonal_offset"
            if offset is None:
                offset, said = block.arguments["diagonal_offset"], here
            elif offset != block.arguments["diagonal_offset"]:
                raise errors.SpecError(
                    f"{here}: {block.arguments['diagonal_offset']} disagrees with {said} {offset}."
                )
    return model.model_copy(update={"diagonal_offset": offset})


def _geometry(model: ModelSpec, head: HeadSpec) -> geometry.Geometry:
    blocks = [(block.name, block.arguments) for block in (*model.trunk, *head.blocks)]
    return geometry.walk(model.seq_length, blocks)


def _check(model: ModelSpec) -> ModelSpec:
    """Compares the numbers of a model that Basenji never compared."""
    if model.strand_pair and len(model.strand_pair) != len(model.heads):
        raise errors.SpecError(
            f"model.strand_pair: {len(model.strand_pair)} lists for {len(model.heads)} heads."
        )
    for number, head in enumerate(model.heads):
        try:
            place = _geometry(model, head)
        except ValueError as error:
            raise errors.SpecError(f"model.{head.key}: {error}.") from None
        for pairs in model.strand_pair[number : number + 1]:
            if pairs and sorted(pairs) != list(range(place.units)):
                raise errors.SpecError(
                    f"model.strand_pair[{number}]: does not pair the {place.units} targets of "
                    f"{head.key} with one another."
                )
    return model


def _check_claims(spec: Spec, claims: legacy.Claims) -> None:
    places = [spec.geometry(name) for name in spec.head_names]
    for key, claim, true in (
        (
            "target_length",
            claims.target_length,
            [length for p in places for length in (p.uncropped_bins, p.bins, p.target_length)],
        ),
        ("target_crop", claims.target_crop, [n for p in places for n in (p.crop, p.crop_bp)]),
    ):
        if claim is not None and claim not in true:
            raise errors.SpecError(
                f"model.{key}: {claim} disagrees with the blocks, which give "
                f"{' or '.join(map(str, dict.fromkeys(true)))}. "
                "Basenji never read this key; correct it or leave it out."
            )


def _refuse_unknown(values: Mapping[str, Any], known: tuple[str, ...], prefix: str) -> None:
    for key in values:
        if key not in known:
            raise errors.SpecError(f"{prefix}{key}: no such key.{errors.did_you_mean(key, known)}")


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _natural(text: str) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
