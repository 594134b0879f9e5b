"""Designs: splits share no letter, parameters survive the disk, nonsense is refused."""

import dataclasses
import itertools

import pytest

from akita_bayes import errors
from akita_bayes.simulate import design_json, designs, physics


@pytest.mark.parametrize("name", designs.PRESETS)
def test_splits_share_no_letter(name):
    design = designs.PRESETS[name]
    windows = design.windows()
    lengths = design.chromosomes()
    assert {split for _, split in windows} == {"train", "valid", "test"}
    for region, split in windows:
        length, own = lengths[region.chrom]
        assert own == split
        assert design.physics.flank <= region.start
        assert region.end <= length - design.physics.flank
        assert region.start % design.physics.bin_size == 0
        assert region.width == design.seq_length
    for split in ("valid", "test"):
        held_out = [region for region, own in windows if own == split]
        assert len(held_out) >= 5
        assert not any(a.overlaps(b) for a, b in itertools.pairwise(held_out))


def test_the_genome_has_the_size_asked_for():
    design = dataclasses.replace(designs.PRESETS["small"], genome_mb=10.0)
    train = sum(size for size, split in design.chromosomes().values() if split == "train")
    assert train == pytest.approx(10e6, rel=1e-3)
    assert max(size for size, _ in design.chromosomes().values()) <= designs.LONGEST


def test_parameters_survive_the_disk(tmp_path):
    changed = dataclasses.replace(
        designs.PRESETS["tiny"], physics=physics.Physics(stall=0.5), depth=7.0
    )
    design_json.write(tmp_path, changed, seed=3, version="x")
    assert design_json.read(tmp_path) == changed


def test_a_folder_without_a_simulation_is_refused(tmp_path):
    with pytest.raises(errors.DataError, match="no such file"):
        design_json.read(tmp_path)
    (tmp_path / design_json.FILE).write_text('{"design": {"physics": {}}}')
    with pytest.raises(errors.DataError, match=r"version: is missing; .* Simulate again"):
        design_json.read(tmp_path)


def test_a_design_of_another_version_is_refused_by_the_path_of_its_key(tmp_path):
    design_json.write(tmp_path, designs.Design(), seed=3, version="x")
    path = tmp_path / design_json.FILE
    path.write_text(path.read_text().replace('"bin_size"', '"bin_width"'))
    message = rf"^{path}: design\.physics\.bin_width: no such key\. Did you mean \"bin_size\"\?"
    with pytest.raises(errors.DataError, match=message):
        design_json.read(tmp_path)
    design_json.write(tmp_path, designs.Design(), seed=3, version="x")
    path.write_text(path.read_text().replace('"crop": 2048', '"crop": 100'))
    with pytest.raises(errors.DataError, match=r"design: crop 100 is not a whole number of 512-bp"):
        design_json.read(tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seq_length": 1000}, "seq_length 1000 is not a whole number"),
        ({"max_distance": 1024}, "shorter than a window"),
        ({"seq_length": 5120, "crop": 0, "max_distance": 5120}, "contacts beyond 5120 bp"),
        ({"replicates": 1}, "at least 2 replicates"),
        ({"depth": 0.0}, "depth above 0"),
        ({"genome_mb": 0.1}, "fewer than four windows"),
    ],
)
def test_impossible_designs_are_refused(change, says):
    with pytest.raises(errors.DataError, match=says):
        dataclasses.replace(designs.PRESETS["tiny"], **change)


def test_public_names_are_those_of_their_modules():
    import akita_bayes as ab

    assert ab.simulate.PRESETS is designs.PRESETS
    assert ab.simulate.Physics is physics.Physics
    with pytest.raises(AttributeError, match="no attribute 'utils'"):
        ab.simulate.utils  # noqa: B018
