"""The spec of a student is that of a network with another output and another loss."""

import pytest

from akita_bayes import errors
from akita_bayes.models import zoo
from akita_bayes.training.teachers import student_spec
from tests import tiny


def student(raw, **options):
    return student_spec.student(zoo.parse_spec(raw), **options)


def test_the_output_states_its_spread_and_the_other_blocks_stay():
    raw = tiny.spec_json(swa={"start": 1, "swag_rank": 4})
    teacher, spec = zoo.parse_spec(raw), student(raw, spread_weight=3.0)
    assert spec.model.trunk == teacher.model.trunk
    assert spec.model.heads[0].blocks[:-1] == teacher.model.heads[0].blocks[:-1]
    output = spec.model.heads[0].blocks[-1]
    assert output.name == "normal_final"
    assert output.states_spread
    assert output.arguments["units"] == tiny.TARGETS
    assert spec.geometry() == teacher.geometry()
    assert spec.train.loss == "distillation"
    assert spec.train.distillation.spread_weight == 3.0
    assert spec.train.swa.swag_rank == 0
    assert spec.train.swa.start == 1
    assert zoo.parse_spec(spec.to_json()) == spec


def test_a_spec_of_a_student_stays_one_and_learns_the_noise_of_its_teachers():
    first = student(tiny.spec_json(), spread_weight=2.0)
    again = student_spec.student(first, observation_noise="target")
    assert again.model == first.model
    assert again.train.distillation.spread_weight == 2.0
    assert again.train.distillation.observation_noise == "target"


def test_the_elbo_of_a_teacher_is_left_out():
    spec = student(tiny.spec_json(loss="elbo", elbo={"initial_noise": 0.5}))
    assert spec.train.elbo is None


def test_one_head_of_several_learns():
    spec = student(tiny.spec_json(heads=("human", "mouse")), head="mouse")
    assert spec.head_names == ("mouse",)
    with pytest.raises(errors.SpecError, match="choose a head out of human, mouse"):
        student(tiny.spec_json(heads=("human", "mouse")))


def with_blocks(change):
    raw = tiny.spec_json(loss="elbo")
    change(raw["model"]["head_hic"])
    return raw


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda blocks: blocks.insert(0, {"name": "normal_latent", "units": 3}),
            r"model\.head_hic\[0\]: normal_latent holds a posterior",
        ),
        (
            lambda blocks: blocks[-1].update(variational=True),
            r"model\.head_hic\[6\]: final holds a posterior",
        ),
        (lambda blocks: blocks.pop(), "head_hic: ends in upper_tri, which a student cannot take"),
    ],
)
def test_heads_that_cannot_state_a_spread_are_refused(change, message):
    with pytest.raises(errors.SpecError, match=message):
        student(with_blocks(change))


@pytest.mark.parametrize(
    ("train", "output", "message"),
    [
        ({"loss": "mse"}, "normal_final", 'does not train; write "loss": "distillation"'),
        ({"loss": "distillation"}, "final", "ends in final, but train.loss"),
        ({"loss": "mse", "distillation": {}}, "final", "distillation options are given, but"),
        (
            {"loss": "distillation", "swa": {"swag_rank": 2}},
            "normal_final",
            "set swag_rank to 0",
        ),
    ],
)
def test_loss_and_output_belong_together(train, output, message):
    raw = tiny.spec_json(**train)
    raw["model"]["head_hic"][-1]["name"] = output
    with pytest.raises(errors.SpecError, match=message):
        zoo.parse_spec(raw)
