"""Every JSON spec of the zoo: full size, built without computing; a spec without a row fails."""

import functools
import json
import re
import shlex
from typing import NamedTuple

import numpy as np
import pytest

from akita_bayes.models import build, zoo
from akita_bayes.specs import spec as specs


class Row(NamedTuple):
    head: str
    output: tuple[int, int]
    parameters: int
    trainable: int
    statistics: dict[str, int]


AKITA_V1 = {"seq_length": 2**20, "pool_width": 2048, "crop_bp": 65536, "diagonal_offset": 2}
AKITA_V2 = {"seq_length": 1310720, "pool_width": 2048, "crop_bp": 131072, "diagonal_offset": 2}
TRACKS = {"seq_length": 131072, "pool_width": 32, "crop_bp": 32768}
ROWS = {
    "akita_v1": [Row("hic", (99_681, 5), 751_653, 746_149, AKITA_V1)],
    "akita_v2": [
        Row("human", (130_305, 5), 1_508_143, 1_499_183, AKITA_V2),
        Row("mouse", (130_305, 6), 1_508_224, 1_499_264, AKITA_V2),
    ],
    "basenji_small": [Row("human", (2048, 74), 110_734, 108_794, TRACKS)],
}

FIRST_HEADS = {"akita_v1": "hic", "akita_v2": "human", "akita_pt": "hic"}


@pytest.fixture(scope="session")
def folder(repository):
    return repository / "models" / "json"


@pytest.fixture(scope="module")
def built(folder):
    """Builds a network of the zoo with one head; a network is built once, as no test changes it."""

    @functools.cache
    def network(name, head):
        return build.build(zoo.load_spec(folder / f"{name}.json"), head=head)

    return network


def test_every_spec_is_read_and_described(folder, repository):
    card = (repository / "models" / "README.md").read_text(encoding="utf-8")
    for path in sorted(folder.glob("*.json")):
        assert f"`{path.name}`" in card, path.name
        loaded = zoo.load_spec(path)
        if isinstance(loaded, specs.Spec):
            assert zoo.parse_spec(json.loads(str(loaded))) == loaded


def test_the_tutorials_spec_is_what_its_page_makes(folder, repository):
    page = (repository / "docs" / "lac.md").read_text(encoding="utf-8")
    edits = re.search(r"^sed (.+?)\\?\n +models/json/lac_thermodynamic.json", page, re.M | re.S)
    words = shlex.split(edits[1].replace("\\\n", " "))
    text = (folder / "lac_thermodynamic.json").read_text()
    for _, old, new, _ in (word.split("/") for word in words if word != "-e"):
        assert old in text
        text = text.replace(old, new)
    assert (folder / "lac_log.json").read_text() == text


def test_published_sizes_are_held(folder):
    assert {path.stem for path in folder.glob("*.json")} >= set(ROWS)


def networks(folder):
    loaded = {path.stem: zoo.load_spec(path) for path in sorted(folder.glob("*.json"))}
    return {name: value for name, value in loaded.items() if isinstance(value, specs.Spec)}


def test_every_network_is_built_at_full_size_and_is_what_its_row_says(folder, built, repository):
    lines = (repository / "models" / "README.md").read_text(encoding="utf-8").splitlines()
    for name, spec in networks(folder).items():
        (row,) = (line for line in lines if line.startswith(f"| `{name}.json`"))
        for head in spec.head_names:
            model, geometry = built(name, head), spec.geometry(head)
            assert model.output.shape == (None, geometry.target_length, geometry.units), name
            for text in (
                f"{model.count_params():,}",
                f"{geometry.seq_length:,} bp",
                f"{geometry.bins:,} bins of {geometry.bin_width:,} bp",
                str(geometry.units),
            ):
                assert text in row, f"models/README.md, row of {name}: {text} is missing"


@pytest.mark.parametrize(
    ("name", "row"), [(name, row) for name, rows in ROWS.items() for row in rows], ids=str
)
def test_published_models_have_their_parameters_and_outputs(folder, built, name: str, row: Row):
    spec = zoo.load_spec(folder / f"{name}.json")
    model = built(name, row.head)
    assert model.output.shape == (None, *row.output)
    assert model.count_params() == row.parameters
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == row.trainable
    length, targets = row.output
    spec.check_statistics(
        {**row.statistics, "target_length": length, "num_targets": targets}, row.head
    )


def test_old_spellings_of_the_published_file_are_today_s_akita_v1(folder):
    """The file of the paper's repository: batch_norm, and the dead keys beside it."""
    raw = json.loads((folder / "akita_v1.json").read_text())
    model = raw["model"]
    assert model.pop("norm_type") == "batch"
    model.update(batch_norm=True, target_length=512, target_crop=32)
    assert zoo.parse_spec(raw) == zoo.load_spec(folder / "akita_v1.json")
    model["verbose"] = True
    raw["train"]["clipnorm"] = raw["train"].pop("clip_norm")
    model["head_hic"][0] = {"name": "average_to_2d"}
    model["head_hic"][6] = {"name": "upper_triu", "diagonal_offset": 2}
    assert zoo.parse_spec(raw) == zoo.load_spec(folder / "akita_v1.json")


def test_dilations_are_the_published_ones(built):
    def rates(name, blocks):
        model = built(name, FIRST_HEADS[name])
        kind = {"1d": "Conv1D", "2d": "Conv2D"}[blocks]
        layers = [layer for layer in model.layers if type(layer).__name__ == kind]
        dilations = [layer.dilation_rate[0] for layer in layers if layer.kernel_size[0] == 3]
        return (
            dilations if blocks == "1d" else dilations[1:]
        )  # the first 2-D convolution is undilated

    assert rates("akita_v1", "1d") == [1, 2, 3, 5, 9, 16, 29, 50]
    assert rates("akita_v1", "2d") == [1, 2, 3, 5, 9, 16]
    assert rates("akita_v2", "1d") == [1, 2, 3, 4, 7, 11, 18, 30, 49, 79, 128]
    assert rates("akita_v2", "2d") == [1, 2, 3, 5, 9, 16]
    # akita/model.py of AkitaPT lists these
    assert rates("akita_pt", "1d") == [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 145]
    assert rates("akita_pt", "2d") == [1, 2, 4, 7, 12, 21]


def test_the_small_track_model_fits_the_real_human_data(folder, real_data):
    spec = zoo.load_spec(folder / "basenji_small.json")
    statistics = json.loads((real_data / "hg38_tiny" / "statistics.json").read_text())
    spec.check_statistics(statistics)


def test_the_tutorial_s_toy_is_read_with_its_older_words():
    """64 bins of 128 bp, none cropped, one target; Adam; batch_norm and a target_crop of 0."""
    spec = zoo.parse_spec(
        {
            "train": {"batch_size": 2, "optimizer": "adam", "learning_rate": 0.0065, "loss": "mse"},
            "model": {
                "seq_length": 8192,
                "target_length": 64,
                "target_crop": 0,
                "diagonal_offset": 2,
                "augment_rc": True,
                "augment_shift": 11,
                "activation": "relu",
                "batch_norm": True,
                "bn_momentum": 0.9265,
                "verbose": False,
                "trunk": [
                    {"name": "conv_block", "filters": 8, "kernel_size": 11, "pool_size": 2},
                    {"name": "conv_tower", "filters_init": 8, "pool_size": 2, "repeat": 6},
                    {"name": "dilated_residual", "filters": 4, "rate_mult": 1.75, "repeat": 1},
                ],
                "head_hic": [
                    {"name": "average_to_2d"},
                    {"name": "concat_dist_2d"},
                    {"name": "conv_block_2d", "filters": 4, "kernel_size": 3},
                    {"name": "symmetrize_2d"},
                    {"name": "cropping_2d", "cropping": 0},
                    {"name": "upper_triu", "diagonal_offset": 2},
                    {"name": "dense", "units": 1, "activation": "linear"},
                ],
            },
        }
    )
    assert build.build(spec).output.shape == (None, 1953, 1)
    spec.check_statistics({"seq_length": 8192, "target_length": 1953, "crop_bp": 0})
