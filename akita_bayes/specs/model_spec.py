"""The `model` half of a spec: blocks from sequence to heads, all arguments resolved."""

from typing import Any

import pydantic
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from akita_bayes import errors
from akita_bayes.specs import geometry
from akita_bayes.specs.frozen import Frozen


class BlockSpec(Frozen):
    """Describes a block by its name and all its arguments, as attributes: `block.filters`."""

    model_config = pydantic.ConfigDict(extra="allow")

    name: str

    @property
    def arguments(self) -> dict[str, Any]:
        """Returns the keyword arguments of the block's function."""
        return dict(self.model_extra or {})


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
        activation: Also applied to the trunk's output.
    """

    activation: str | None = None
    norm_type: str | None = None
    bn_momentum: float | None = pydantic.Field(None, ge=0, lt=1)
    l2_scale: NonNegativeFloat | None = None
    l1_scale: NonNegativeFloat | None = None
    padding: str | None = None
    kernel_initializer: str | None = None


class ModelSpec(Globals):
    """Describes a network, from sequence to heads.

    Attributes:
        seq_length: Bases L of the input window.
        diagonal_offset: First diagonal of the triangle of a map; None for a track.
        augment_rc: True to train on both strands at random.
        augment_shift: Largest random shift of a training window, in bases.
        augment_per_example: True to draw strand and shift for each example, not for each batch.
        strand_pair: For each head and target, the index of the target on the other strand.
        trunk: Blocks that all heads share.
        heads: Heads in natural order of their keys, as Basenji numbers them.
    """

    seq_length: PositiveInt
    diagonal_offset: NonNegativeInt | None = None
    augment_rc: bool = False
    augment_shift: NonNegativeInt = 0
    augment_per_example: bool = False
    strand_pair: tuple[tuple[NonNegativeInt, ...], ...] = ()
    trunk: tuple[BlockSpec, ...]
    heads: tuple[HeadSpec, ...] = pydantic.Field(min_length=1)

    def geometry(self, head: HeadSpec) -> geometry.Geometry:
        """Computes the position of a head's outputs on the window."""
        blocks = [(block.name, block.arguments) for block in (*self.trunk, *head.blocks)]
        return geometry.walk(self.seq_length, blocks)

    def checked(self) -> "ModelSpec":
        """Returns a copy with `diagonal_offset` filled in, after checks that Basenji lacks.

        Raises:
            SpecError: Two numbers disagree; names both.
        """
        model = self._with_offset()
        if model.strand_pair and len(model.strand_pair) != len(model.heads):
            raise errors.SpecError(
                f"model.strand_pair: {len(model.strand_pair)} lists for {len(model.heads)} heads."
            )
        for number, head in enumerate(model.heads):
            try:
                units = model.geometry(head).units
            except ValueError as error:
                raise errors.SpecError(f"model.{head.key}: {error}.") from None
            for pairs in model.strand_pair[number : number + 1]:
                # A pairing is its own inverse: (1, 0, 2) pairs 0 with 1 and 2 with itself.
                twins = [pairs.index(index) for index in range(len(pairs)) if index in pairs]
                if pairs and (tuple(twins) != pairs or len(pairs) != units):
                    raise errors.SpecError(
                        f"model.strand_pair[{number}]: {len(pairs)} entries do not pair the "
                        f"{units} targets of {head.key} with one another."
                    )
        return model

    def _with_offset(self) -> "ModelSpec":
        offset, source = self.diagonal_offset, "model.diagonal_offset"
        paths = [("model.trunk", self.trunk)]
        paths += [(f"model.{head.key}", head.blocks) for head in self.heads]
        for path, blocks in paths:
            for index, block in enumerate(blocks):
                if block.name != "upper_tri":
                    continue
                key, own = f"{path}[{index}].diagonal_offset", block.arguments["diagonal_offset"]
                if offset is None:
                    offset, source = own, key
                elif offset != own:
                    raise errors.SpecError(f"{key}: {own} disagrees with {source} {offset}.")
        return self.model_copy(update={"diagonal_offset": offset})
