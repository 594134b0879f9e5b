"""A block of one's own declares its geometry, and a spec follows it."""

import keras
import pytest

from akita_bayes import errors
from akita_bayes.blocks import registry
from akita_bayes.models import build, zoo
from akita_bayes.specs import geometry_rules
from tests import tiny


def pool_by_three(x, *, padding: str = "same"):
    """Pools three bins to one. [B, L, C] -> [B, L / 3, C]."""
    return keras.layers.MaxPooling1D(3, padding=padding)(x)


@pytest.fixture
def block(monkeypatch):
    """Registers blocks for one test."""
    monkeypatch.setattr(registry, "_WORDS", dict(registry.words()))
    return registry.block


def track(**pool):
    """A track of 2 targets: 96 bases, pooled by 4, then by a block of one's own."""
    trunk = [{"name": "conv_block", "filters": 5, "pool_size": 4}, {"name": "pool_by_three"} | pool]
    head = [{"name": "final", "units": 2, "activation": "linear"}]
    model = {"seq_length": 96, "trunk": trunk, "head_x": head}
    return {"train": {"loss": "mse"}, "model": model}


def pooled(before, arguments):
    """Three bins become one."""
    return before.after_window(3, 3, padded=arguments["padding"] == "same")


def test_bins_and_width_follow_a_block_that_pools_by_three(block):
    block(geometry=pooled)(pool_by_three)
    spec = zoo.parse_spec(track())
    geometry = spec.geometry()
    assert (geometry.bins, geometry.bin_width, geometry.units) == (8, 12, 2)
    assert build.build(spec).output_shape == (None, geometry.bins, geometry.units)
    longer = spec.with_model(seq_length=104)
    assert longer.geometry().bins == build.build(longer).output_shape[1] == 9
    shorter = zoo.parse_spec(track(padding="valid")).with_model(seq_length=104)
    assert shorter.geometry().bins == build.build(shorter).output_shape[1] == 8
    with pytest.raises(errors.SpecError, match="bin width 12 of the spec disagrees"):
        spec.check_statistics({"pool_width": 4})


def test_a_block_that_cannot_follow_is_refused_by_its_path(block):
    def refuse(before, arguments):
        raise ValueError(f"bins of {before.bin_width} bp are too narrow")

    block(geometry=refuse)(pool_by_three)
    message = r"^model\.trunk\[1\]: pool_by_three: bins of 4 bp are too narrow\.$"
    with pytest.raises(errors.SpecError, match=message):
        zoo.parse_spec(track())


def test_a_block_must_declare_its_geometry(block):
    with pytest.raises(TypeError, match="geometry"):
        block()(pool_by_three)


def test_a_posterior_and_an_output_are_declared(block, caplog):
    block(geometry=geometry_rules.keep, posterior=True)(pool_by_three)
    with pytest.raises(errors.SpecError, match=r"^model\.trunk\[1\]: pool_by_three holds a poster"):
        zoo.parse_spec(track())

    def own_output(x, *, units: int, activation: str = "linear"):
        return keras.layers.Dense(units, activation=activation)(x)

    for output in (False, True):
        block(geometry=geometry_rules.dense, output=output)(own_output)
        raw = tiny.spec_json(model={"activation": "gelu"})
        raw["model"]["head_x"] = [{"name": "own_output", "units": 2}]
        head = zoo.parse_spec(raw).head("x")
        assert head.blocks[0].activation == ("linear" if output else "gelu")
        assert ('own_output without "activation" is linear' in caplog.text) is output
