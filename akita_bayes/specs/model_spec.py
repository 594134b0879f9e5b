"""The `model` half of a spec: blocks from sequence to heads, all arguments resolved."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pydantic
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from akita_bayes import errors
from akita_bayes.specs import geometry
from akita_bayes.specs.frozen import Frozen
from akita_bayes.specs.geometry import Geometry, Traits


def _undeclared(before: Geometry, arguments: Mapping[str, Any]) -> Geometry:
    """Raises a ValueError: the block was made by hand, not by a vocabulary."""
    raise ValueError("the block has no declared geometry; make it with BlockSpec.declared")


class BlockSpec(Frozen):
    """Describes a block by its name and all its arguments, as attributes: `block.filters`."""

    model_config = pydantic.ConfigDict(extra="allow")

    name: str
    _traits: Traits = Traits(_undeclared)

    @classmethod
    def declared(cls, name: str, arguments: Mapping[str, Any], traits: Traits) -> "BlockSpec":
        """Makes the spec of a block of a vocabulary.

        Args:
            name: Name of the block.
            arguments: All its arguments.
            traits: What its word in the vocabulary declares.
        """
        block = cls(name=name, **arguments)
        block._traits = traits
        return block

    @property
    def arguments(self) -> dict[str, Any]:
        """Returns the keyword arguments of the block's function."""
        return dict(self.model_extra or {})

    @property
    def rule(self) -> geometry.Rule:
        """Returns the rule by which the block changes the geometry."""
        return self._traits.geometry

    @property
    def holds_posterior(self) -> bool:
        """Returns True when the block holds a distribution over latents or weights."""
        return self._traits.holds_posterior(self.arguments)

    @property
    def states_spread(self) -> bool:
        """Returns True when the block is an output that states its standard deviation."""
        return self._traits.spread


class HeadSpec(Frozen):
    """Describes the blocks from the trunk to one output; `head_human` in JSON is "human"."""

    name: str
    blocks: tuple[BlockSpec, ...]

    @property
    def key(self) -> str:
        """Returns the key in JSON."""
        return self.name if self.name.startswith("head") else f"head_{self.name}"


class Globals(Frozen):
    """Holds defaults of all blocks that have the argument; None leaves the block's own default.

    Attributes:
        activation: Activation of blocks; also applied to the trunk's output.
        norm_type: Normalisation of blocks.
        bn_momentum: Momentum of the running means of batch normalisation.
        l2_scale: Factor of the penalty sum(w^2) on weights of blocks.
        l1_scale: Factor of the penalty sum(|w|) on weights of blocks.
        padding: Padding of the pooling of blocks, "same" or "valid".
        kernel_initializer: Distribution of the first weights, by the name that Keras gives it.
    """

    activation: str | None = None
    norm_type: str | None = None
    bn_momentum: float | None = pydantic.Field(None, ge=0, lt=1)
    l2_scale: NonNegativeFloat | None = None
    l1_scale: NonNegativeFloat | None = None
    padding: str | None = None
    kernel_initializer: str | None = None


class Settings(Globals):
    """Holds what describes a network apart from its blocks.

    Attributes:
        seq_length: Bases L of the input window.
        diagonal_offset: First diagonal of the triangle of a map; None for a track.
        augment_rc: True to train on both strands at random.
        augment_shift: Largest random shift of a training window, in bases.
        augment_per_example: True to draw strand and shift for each example, not for each batch.
        strand_pair: For each head and target, the index of the target on the other strand.
    """

    seq_length: PositiveInt
    diagonal_offset: NonNegativeInt | None = None
    augment_rc: bool = False
    augment_shift: NonNegativeInt = 0
    augment_per_example: bool = False
    strand_pair: tuple[tuple[NonNegativeInt, ...], ...] = ()


class Layout(NamedTuple):
    """Describes the geometry after one block; `path` is the JSON path of the block."""

    path: str
    block: BlockSpec
    geometry: Geometry


class ModelSpec(Settings):
    """Describes a network, from sequence to heads.

    Attributes:
        trunk: Blocks that all heads share.
        heads: Heads in natural order of their keys, as Basenji numbers them.
    """

    trunk: tuple[BlockSpec, ...]
    heads: tuple[HeadSpec, ...] = pydantic.Field(min_length=1)

    def blocks(self, head: HeadSpec) -> list[tuple[str, BlockSpec]]:
        """Returns the blocks from sequence to a head's output, each with its JSON path."""
        trunk = [(f"model.trunk[{index}]", block) for index, block in enumerate(self.trunk)]
        own = [(f"model.{head.key}[{index}]", block) for index, block in enumerate(head.blocks)]
        return trunk + own

    def layouts(self, head: HeadSpec) -> Iterator[Layout]:
        """Yields the geometry after each block from sequence to a head's output.

        Raises:
            SpecError: A block cannot follow the blocks before it; names its path.
        """
        blocks = self.blocks(head)
        rules = [(block.name, block.rule, block.arguments) for _, block in blocks]
        geometries = geometry.follow(self.seq_length, rules)
        for path, block in blocks:
            try:
                yield Layout(path, block, next(geometries))
            except ValueError as error:
                raise errors.SpecError(f"{path}: {error}.") from None

    def geometry(self, head: HeadSpec) -> Geometry:
        """Computes the position of a head's outputs on the window."""
        *_, last = self.layouts(head)
        return last.geometry

    def checked(self) -> "ModelSpec":
        """Returns a copy with `diagonal_offset` filled in, after checks that Basenji lacks.

        Raises:
            SpecError: Two numbers disagree; names both.
        """
        model = self.model_copy(update={"diagonal_offset": self._offset()})
        if model.strand_pair and len(model.strand_pair) != len(model.heads):
            raise errors.SpecError(
                f"model.strand_pair: {len(model.strand_pair)} lists for {len(model.heads)} heads."
            )
        for number, head in enumerate(model.heads):
            units = model.geometry(head).units
            for pairs in model.strand_pair[number : number + 1]:
                # A pairing is its own inverse: (1, 0, 2) pairs 0 with 1 and 2 with itself.
                twins = [pairs.index(index) for index in range(len(pairs)) if index in pairs]
                if pairs and (tuple(twins) != pairs or len(pairs) != units):
                    raise errors.SpecError(
                        f"model.strand_pair[{number}]: {len(pairs)} entries do not pair the "
                        f"{units} targets of {head.key} with one another."
                    )
        return model

    def _offset(self) -> int | None:
        """Returns the first diagonal of the triangles, which is the same for all heads."""
        offset, source = self.diagonal_offset, "model.diagonal_offset"
        for head in self.heads:
            for layout in self.layouts(head):
                own = layout.geometry.diagonal_offset
                if own is None or own == offset:
                    continue
                path = f"{layout.path}.diagonal_offset"
                if offset is not None:
                    raise errors.SpecError(f"{path}: {own} disagrees with {source} {offset}.")
                offset, source = own, path
        return offset
