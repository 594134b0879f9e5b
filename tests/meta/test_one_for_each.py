"""`benchmarks.variants` compares networks of one cell type each with the truth of all of them."""

import dataclasses

import numpy as np
import pytest

from akita_bayes import files
from akita_bayes.models import build, zoo
from akita_bayes.simulate import chromatin, chromosomes, design_json, designs
from benchmarks import variants
from tests.variants.intervals.conftest import write_genome


@pytest.fixture(scope="module")
def networks(repository):
    spec = files.read_json(repository / "models" / "json" / "akita_tiny.json")
    spec["model"]["head_hic"][-1]["units"] = 1
    return [build.build(zoo.parse_spec(spec)) for _ in range(2)]


def test_each_network_predicts_its_own_cell_type(networks, tmp_path, monkeypatch):
    folder = write_genome(tmp_path)
    draw = variants_of_two_kinds(monkeypatch)
    both = variants.compare(networks, folder, "test", draws=0, count=1)
    assert sorted(c.kind for c in both) == draw
    for number, network in enumerate(networks):
        alone = variants.compare([network], folder, "test", draws=0, count=1)
        for together, single in zip(both, alone, strict=True):
            np.testing.assert_allclose(
                together.change[:, number], single.change[:, 0], rtol=1e-3, atol=1e-5
            )
            np.testing.assert_array_equal(together.truth, single.truth)
            assert together.truth.shape[1] == together.true_scd.size == 2


def variants_of_two_kinds(monkeypatch):
    """Limits the variants to two kinds, since every variant of a test takes time."""
    from akita_bayes.variants.intervals import known_effects

    original, kinds = known_effects.draw, ["site_deletion", "site_weakening"]

    def few(*words, **options):
        pairs = [
            pair for pair in zip(*original(*words, **options), strict=True) if pair[0] in kinds
        ]
        return tuple(map(list, zip(*pairs, strict=True)))

    monkeypatch.setattr(known_effects, "draw", few)
    return kinds


@pytest.mark.parametrize("cell_type", ["alpha", "beta"])
def test_the_design_of_one_cell_type_has_the_genome_of_both(repository, cell_type):
    specs = repository / "benchmarks" / "specs"
    single = design_json.with_changes(designs.PRESETS["small"], specs / f"design_{cell_type}.json")
    weakened = dataclasses.replace(single.landscape, weakened=0.5)
    both = dataclasses.replace(designs.PRESETS["small"], landscape=weakened)
    letters = [
        chromosomes.chromosome("chr1", 60000, design.physics, design.landscape, seed=3).sequence
        for design in (single, both)
    ]
    assert letters[0] == letters[1]
    number = both.cell_types.index(cell_type)
    tracks = [chromatin.all_tracks(letters[0], design.physics) for design in (single, both)]
    for of_one, of_both in zip(tracks[0][0], tracks[1][number], strict=True):
        np.testing.assert_allclose(of_one, of_both, atol=0.01)  # weak sites are left out
    spec = zoo.load_network(specs / "sites_one.json")
    assert spec.model.geometry(spec.model.heads[0]).units == len(single.cell_types) == 1
    shared = files.read_json(specs / "sites.json")["model"]
    own = files.read_json(specs / "sites_one.json")["model"]
    assert own["trunk"] == shared["trunk"]
    assert own["head_hic"][:-1] == shared["head_hic"][:-1]
