"""Turns the spec of a network into that of a student, whose output states its spread."""

from akita_bayes import errors
from akita_bayes.models import zoo
from akita_bayes.specs.spec import BlockSpec, HeadSpec, Spec

OUTPUT = "normal_final"

_REPLACED = ("final", "dense")


def student(
    spec: Spec,
    *,
    head: str | int | None = None,
    observation_noise: str | None = None,
    spread_weight: float | None = None,
) -> Spec:
    """Returns the spec of a student with the same blocks up to its output.

    The output `final` or `dense` becomes `normal_final`, the loss "distillation", and a SWAG
    posterior is left out, because the student states the spread of its teachers.

    Args:
        spec: Spec of a network, such as that of a teacher.
        head: The head that learns, of several.
        observation_noise: On what the noise of the teachers depends, or None if they state none.
        spread_weight: Factor of the error of the standard deviation; None takes the spec's, or 1.

    Raises:
        SpecError: The spec has no such head, its head ends in another block, or a block holds a
            posterior of its own.
    """
    spec = spec.only(head)
    (own,) = spec.model.heads
    last = own.blocks[-1]
    if last.name != OUTPUT:
        for path, block in spec.model.blocks(own):
            if block.holds_posterior:
                raise errors.SpecError(
                    f"{path}: {block.name} holds a posterior, but a student states the spread of "
                    "its teachers; give a spec without it."
                )
        own = HeadSpec(name=own.name, blocks=(*own.blocks[:-1], _output(own, last)))
    swa = spec.train.swa
    changed = Spec(train=spec.train, model=spec.model.model_copy(update={"heads": (own,)}))
    options = {} if spec.train.distillation is None else spec.train.distillation.model_dump()
    if spread_weight is not None:
        options["spread_weight"] = spread_weight
    return changed.with_training(
        loss="distillation",
        elbo=None,
        distillation={**options, "observation_noise": observation_noise},
        swa=None if swa is None else swa.model_copy(update={"swag_rank": 0}),
    )


def _output(head: HeadSpec, last: BlockSpec) -> BlockSpec:
    """Returns the output of a student with the arguments of the output that it replaces."""
    arguments = last.arguments
    if last.name not in _REPLACED or arguments.get("flatten"):
        raise errors.SpecError(
            f"model.{head.key}: ends in {last.name}, which a student cannot take over; end the "
            f"head in {OUTPUT}."
        )
    word = zoo.vocabulary()[OUTPUT]
    own = {name: arguments.get(name, default) for name, default in word.defaults.items()}
    return BlockSpec.declared(OUTPUT, own, word.traits)
