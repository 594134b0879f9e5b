"""A JSON spec as a frozen value: `load` reads it, every default is resolved, `dumps` writes it.

The schema is Basenji's: `{"train": {...}, "model": {..., "trunk": [...], "head_hic": [...]}}`, and
a block is `{"name": word, argument: value, ...}`. The vocabulary of words is an argument, so that
this module needs no Keras.
"""

import inspect
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from akita_bayes import errors
from akita_bayes.files import safe_names
from akita_bayes.specs import frozen, geometry, legacy, strict_json
from akita_bayes.specs.model_spec import BlockSpec, Globals, HeadSpec, ModelSpec, Settings
from akita_bayes.specs.train_spec import ElboSpec, SwaSpec, TrainSpec

__all__ = ["BlockSpec", "ElboSpec", "HeadSpec", "ModelSpec", "Spec", "SwaSpec", "TrainSpec"]

_log = logging.getLogger(__name__)


class Word(Protocol):
    """Describes a block in a vocabulary, as `blocks.registry.Word` does."""

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Maps argument names to defaults; `inspect.Parameter.empty` where there is none."""

    @property
    def types(self) -> Mapping[str, Any]:
        """Maps argument names to annotations."""

    @property
    def traits(self) -> geometry.Traits:
        """Declares geometry, posterior and output."""


Vocabulary = Mapping[str, Word]


class Disagreement(NamedTuple):
    """Holds a number of a spec, by its JSON path, and that of a data directory, by its key."""

    path: str
    of_model: int | None
    key: str
    of_data: Any


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
            raise errors.SpecError(
                f"model: has several heads; choose a head out of {', '.join(names)} with head=, or "
                "with --head of a command."
            )
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
        for path, of_model, key, of_data in self.disagreements(statistics, head):
            raise errors.SpecError(
                f"{path} {of_model} of the spec disagrees with {key} {of_data} of the data's "
                "statistics.json; correct the spec, or make the data anew."
            )

    def disagreements(
        self, statistics: Mapping[str, Any], head: str | int | None = None
    ) -> Iterator[Disagreement]:
        """Yields the numbers in which a head and the `statistics.json` of data disagree."""
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
                yield Disagreement(path, of_model, key, of_data)

    def only(self, head: str | int | None = None) -> "Spec":
        """Returns the spec with one head only."""
        return self.with_model(heads=(self.head(head).name,))

    def with_training(self, **changes: Any) -> "Spec":
        """Returns the spec with other settings of its training.

        Args:
            **changes: Keys of the `train` section with values as in JSON, or as the frozen
                sections that this spec holds: `seed=1`, `swa={"start": 3}`, `swa=None`.

        Raises:
            SpecError: A key is unknown, a value is invalid, or settings exclude each other.
        """
        values = self.train.model_dump(mode="json")
        for key, value in changes.items():
            values[key] = (
                value.model_dump(mode="json") if isinstance(value, frozen.Frozen) else value
            )
        spec = Spec(train=strict_json.read(TrainSpec, values, "train"), model=self.model)
        _check_posteriors(spec)
        return spec

    def with_model(self, *, heads: Sequence[str] | None = None, **changes: Any) -> "Spec":
        """Returns the spec with other settings of its network, or with some of its heads.

        Args:
            heads: Names of the heads to keep; None keeps all. They stay in the order of the spec.
            **changes: Keys of the `model` section with values as in JSON, such as
                `augment_rc=False`. Defaults of blocks cannot be changed, because each block already
                holds its own.

        Raises:
            SpecError: A head or key is unknown, a value is invalid, or numbers disagree.
        """
        model = self.model
        names = self.head_names if heads is None else [self.head(name).name for name in heads]
        numbers = [number for number, name in enumerate(self.head_names) if name in names]
        allowed = [name for name in Settings.model_fields if name not in Globals.model_fields]
        strict_json.refuse_unknown(changes, allowed, "model")
        values = model.model_dump(mode="json", include=set(Settings.model_fields))
        if model.strand_pair:
            values["strand_pair"] = [list(model.strand_pair[number]) for number in numbers]
        settings = strict_json.read(Settings, {**values, **changes}, "model")
        selected = tuple(model.heads[number] for number in numbers)
        model = ModelSpec(**dict(settings), trunk=model.trunk, heads=selected).checked()
        return Spec(train=self.train, model=model)

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
        SpecError: As `parse`; the message begins with the name of the file.
    """
    return strict_json.load(path, lambda raw: parse(raw, vocabulary))


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
    strict_json.check(raw)
    if not isinstance(raw, dict):
        raise strict_json.unexpected("", "an object", raw)
    strict_json.refuse_unknown(raw, ("train", "model"))
    raw, claims = legacy.translate(raw)
    if "model" not in raw:
        raise strict_json.missing("model")
    model = _model(raw["model"], vocabulary)
    spec = Spec(train=strict_json.read(TrainSpec, raw.get("train", {}), "train"), model=model)
    _check_claims(spec, claims)
    _check_posteriors(spec)
    return spec


MOST_LAYERS = 1000
"""Blocks of a network with all repeats; published networks have fewer than 100."""


def _model(raw: Any, vocabulary: Vocabulary) -> ModelSpec:
    if not isinstance(raw, dict):
        raise strict_json.unexpected("model", "an object", raw)
    # Head keys are "head", "head_hic" or "head0", but not "header".
    keys = sorted((key for key in raw if re.match(r"head(_|\d|$)", key)), key=_natural)
    strict_json.refuse_unknown(raw, (*Settings.model_fields, "trunk", *keys, "head"), "model")
    if not keys:
        raise errors.SpecError('model: has no head; add "head_hic", a list of blocks.')
    for key in keys:
        if problem := safe_names.fault(key):
            raise errors.SpecError(f"model: the head {problem}")
    if "trunk" not in raw:
        raise strict_json.missing("model.trunk")
    values = {key: raw[key] for key in Settings.model_fields if key in raw}
    settings = strict_json.read(Settings, values, "model")
    shared = {name: getattr(settings, name) for name in Globals.model_fields}
    shared = {name: value for name, value in shared.items() if value is not None}
    heads = [
        HeadSpec(
            name=key.removeprefix("head_") or "head",
            blocks=_blocks(raw[key], f"model.{key}", shared, vocabulary),
        )
        for key in keys
    ]
    trunk = _blocks(raw["trunk"], "model.trunk", shared, vocabulary)
    _check_layers([*trunk, *(block for head in heads for block in head.blocks)])
    return ModelSpec(**dict(settings), trunk=trunk, heads=tuple(heads)).checked()


def _check_layers(blocks: Sequence[BlockSpec]) -> None:
    """Refuses a network that would take hours and all memory to build."""
    repeats = [block.arguments.get("repeat", 1) for block in blocks]
    count = sum(max(1, repeat) for repeat in repeats if isinstance(repeat, int))
    if count > MOST_LAYERS:
        raise errors.SpecError(
            f"model: has {count:,} blocks with all repeats; expected at most {MOST_LAYERS:,}."
        )


def _blocks(
    raw: Any, path: str, shared: Mapping[str, Any], vocabulary: Vocabulary
) -> tuple[BlockSpec, ...]:
    if isinstance(raw, dict):
        return (_block(raw, path, shared, vocabulary),)
    if not isinstance(raw, (list, tuple)) or not raw:
        raise strict_json.unexpected(path, "a list of blocks", raw)
    return tuple(
        _block(block, f"{path}[{index}]", shared, vocabulary) for index, block in enumerate(raw)
    )


def _block(raw: Any, path: str, shared: Mapping[str, Any], vocabulary: Vocabulary) -> BlockSpec:
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
        raise strict_json.unexpected(path, 'a block, as {"name": "conv_block"}', raw)
    name = raw["name"]
    if name not in vocabulary:
        hint = errors.did_you_mean(name, vocabulary)
        raise errors.SpecError(f'{path}.name: no block is called "{name}".{hint}')
    word = vocabulary[name]
    own = {key: value for key, value in raw.items() if key != "name"}
    strict_json.refuse_unknown(own, word.defaults, path, owner=name)
    arguments = {**word.defaults, **_inherited(word, name, raw, shared, path)}
    for key, value in own.items():
        arguments[key] = _argument(word, key, value, f"{path}.{key}")
    for key, value in arguments.items():
        if value is inspect.Parameter.empty:
            raise strict_json.missing(f"{path}.{key}", name)
    return BlockSpec.declared(name, arguments, word.traits)


def _argument(word: Word, key: str, value: Any, path: str) -> Any:
    return frozen.immutable(strict_json.read(word.types[key], value, path))


def _inherited(
    word: Word, name: str, raw: Mapping[str, Any], shared: Mapping[str, Any], path: str
) -> dict[str, Any]:
    """Returns the model's globals that a block has as arguments and does not set itself."""
    inherited = {
        key: _argument(word, key, value, f"model.{key}")
        for key, value in shared.items()
        if key in word.defaults and key not in raw
    }
    if word.traits.output and inherited.pop("activation", "linear") != "linear":
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


def _check_posteriors(spec: Spec) -> None:
    """Requires the ELBO for models with a posterior, and distillation for a stated spread.

    Beside a mean error, the divergence, which is a sum, would collapse the posterior onto the
    prior.
    """
    for head in spec.model.heads:
        last = head.blocks[-1]
        if spec.train.loss == "distillation" and not last.states_spread:
            raise errors.SpecError(
                f'model.{head.key}: ends in {last.name}, but train.loss "distillation" needs an '
                "output with a standard deviation; end the head in normal_final."
            )
        for path, block in spec.model.blocks(head):
            if block.states_spread and spec.train.loss != "distillation":
                raise errors.SpecError(
                    f"{path}: {block.name} states a standard deviation, which train.loss "
                    f'"{spec.train.loss}" does not train; write "loss": "distillation", or final.'
                )
            if block.holds_posterior and spec.train.loss != "elbo":
                raise errors.SpecError(
                    f"{path}: {block.name} holds a posterior, which train.loss "
                    f'"{spec.train.loss}" would train to be its prior; write "loss": "elbo".'
                )


def _natural(text: str) -> list[Any]:
    """Returns a sort key that orders head_2 before head_10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]
