"""Geometry follows every block as Keras builds it: a word without a row fails."""

import keras
import pytest

from akita_bayes.blocks import registry
from akita_bayes.models import zoo
from akita_bayes.specs import geometry

TRACK, MAP = (64, 6), (16, 16, 6)
ROWS = [
    ("conv_block", TRACK, {"filters": 5, "kernel_size": 3, "pool_size": 2}),
    ("conv_block", TRACK, {"stride": 2, "kernel_size": 3, "pool_size": 3, "padding": "valid"}),
    ("conv_tower", TRACK, {"filters_init": 5, "pool_size": 2, "repeat": 3, "kernel_size": 5}),
    ("dilated_residual", TRACK, {"filters": 3, "repeat": 3}),
    ("dilated_dense", TRACK, {"filters": 3, "repeat": 2}),
    ("conv_nac", TRACK, {"filters": 5, "kernel_size": 5, "padding": "valid", "pool_size": 2}),
    ("conv_dna", TRACK, {"filters": 5, "pool_size": 2, "padding": "valid"}),
    ("conv_next", TRACK, {"filters": 5, "pool_size": 2}),
    ("conv_tower_nac", TRACK, {"filters_init": 5, "repeat": 2, "pool_size": 2}),
    ("res_tower", TRACK, {"filters_init": 6, "repeat": 2, "kernel_size": 3}),
    ("transformer", TRACK, {"heads": 2, "key_size": 3, "num_position_features": 6}),
    ("transformer_tower", TRACK, {"key_size": 3, "num_position_features": 6}),
    ("transformer_encoder", TRACK, {"heads": 2, "dense_width": 5, "repeat": 1}),
    ("bottleneck", TRACK, {"units": 3}),
    ("normal_final", TRACK, {"units": 3}),
    ("normal_latent", TRACK, {"units": 3}),
    ("dense_variational", TRACK, {"units": 3}),
    ("dense", TRACK, {"units": 3}),
    ("final", TRACK, {"units": 3}),
    ("final", TRACK, {"units": 3, "flatten": True}),
    ("dense_block", TRACK, {"units": 3}),
    ("dense_block", TRACK, {"units": 3, "flatten": True}),
    ("dense_block", TRACK, {}),
    ("global_context", TRACK, {}),
    ("squeeze_excite", TRACK, {"bottleneck_ratio": 2}),
    ("squeeze_excite", MAP, {"bottleneck_ratio": 2}),
    ("one_to_two", TRACK, {}),
    ("one_to_two", TRACK, {"operation": "concat"}),
    ("concat_dist_2d", MAP, {}),
    ("symmetrize_2d", MAP, {}),
    ("conv_block_2d", MAP, {"filters": 3, "kernel_size": 3, "pool_size": 2}),
    ("dilated_residual_2d", MAP, {"filters": 3, "repeat": 2}),
    ("cropping_2d", MAP, {"cropping": 3}),
    ("upper_tri", MAP, {"diagonal_offset": 3}),
    ("Activation", TRACK, {"activation": "relu"}),
    ("AveragePooling1D", TRACK, {"pool_size": 3}),
    ("AveragePooling1D", TRACK, {"pool_size": 5, "strides": 2, "padding": "same"}),
    ("AveragePooling2D", MAP, {"pool_size": 2}),
    ("Conv1D", TRACK, {"filters": 3, "kernel_size": 5, "dilation_rate": 2}),
    ("Conv1D", TRACK, {"filters": 3, "kernel_size": 5, "padding": "same", "strides": 2}),
    ("Conv2D", MAP, {"filters": 3, "kernel_size": (3, 3)}),
    ("Cropping1D", TRACK, {"cropping": 5}),
    ("Cropping1D", TRACK, {"cropping": (4, 4)}),
    ("Cropping2D", MAP, {"cropping": ((2, 2), (2, 2))}),
    ("Dense", TRACK, {"units": 3}),
    ("Dropout", TRACK, {"rate": 0.1}),
    ("Flatten", TRACK, {}),
    ("GaussianNoise", TRACK, {"stddev": 0.1}),
    ("GlobalAveragePooling1D", TRACK, {}),
    ("GlobalAveragePooling2D", MAP, {}),
    ("LayerNormalization", TRACK, {}),
    ("MaxPooling1D", TRACK, {}),
    ("MaxPooling2D", MAP, {"padding": "same", "pool_size": (3, 3)}),
    ("Reshape", TRACK, {"target_shape": (32, 12)}),
    ("SeparableConv1D", TRACK, {"filters": 3, "kernel_size": 3}),
    ("UpSampling1D", TRACK, {"size": 2}),
    ("UpSampling2D", MAP, {}),
    ("ZeroPadding1D", TRACK, {"padding": 2}),
]
WIDTH = 16
"""Bases per bin before the block."""


def followed(seq_length: int, blocks: list) -> geometry.Geometry:
    """The geometry after blocks, by the rules that they declare."""
    rules = [(name, registry.words()[name].traits.geometry, settings) for name, settings in blocks]
    return list(geometry.follow(seq_length, rules))[-1]


def test_every_word_has_a_row():
    assert {name for name, _, _ in ROWS} == set(zoo.vocabulary())


@pytest.mark.parametrize(("name", "shape", "settings"), ROWS, ids=str)
def test_bins_units_and_placement_are_those_of_the_layers(name: str, shape: tuple, settings: dict):
    word = registry.words()[name]
    arguments = {**word.defaults, **settings}
    built = word.function(keras.Input(shape), **arguments).shape[1:]
    bins, pairwise = shape[0], len(shape) == 3
    before = [("conv_block", {"pool_size": WIDTH, "kernel_size": 1, "filters": 1})]
    before += [("one_to_two", {"operation": "mean"})] if pairwise else []
    before += [("dense", {"units": shape[-1]})]
    result = followed(WIDTH * bins, [*before, (name, arguments)])
    assert result.pairwise is (pairwise or name == "one_to_two")
    if name in ("Flatten", "GlobalAveragePooling1D", "GlobalAveragePooling2D"):
        assert (result.bins, len(built)) == (1, 1)
        return
    assert built[0] == result.target_length
    if result.units is not None and name != "Reshape":
        assert built[-1] == result.units
    covered = result.bins * result.bin_width + 2 * result.crop_bp
    assert abs(covered - result.seq_length) < result.bin_width


def test_asymmetry_is_refused():
    for name, key, value in (
        ("Cropping1D", "cropping", (1, 2)),
        ("Conv2D", "kernel_size", (3, 1)),
    ):
        with pytest.raises(ValueError, match=f"^{name}: {key} must be one number for all sides"):
            followed(64, [(name, {key: value, "filters": 3})])
    with pytest.raises(ValueError, match=r"^UpSampling1D: cannot divide bins of 1 bp by 2"):
        followed(64, [("UpSampling1D", {"size": 2})])
    with pytest.raises(ValueError, match=r"^one_to_two: needs a track"):
        followed(64, [("one_to_two", {"operation": "mean"})] * 2)
    with pytest.raises(ValueError, match=r"^MaxPooling1D: leaves nothing"):
        followed(4, [("MaxPooling1D", {"pool_size": 8, "padding": "valid"})])
