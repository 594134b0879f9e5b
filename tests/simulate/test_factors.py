"""Partial occupancy, further proteins that stall extrusion, and motifs that do nothing."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from akita_bayes import dna, errors
from akita_bayes.simulate import (
    chromatin,
    chromosomes,
    designs,
    effects,
    experiment,
    physics,
    sites,
)
from akita_bayes.simulate.simulation_folder import effect_files, simulation

FACTOR = physics.Factor(
    physics.Motif("GCAATTAGCCTAATG", (0.9,) * 15), midpoint=14.0, stall=0.4, most_occupancy=0.8
)
WITH_FACTOR = physics.Physics(factors=(FACTOR,))
BINS = 40


def _planted(letters, motif, start, strand=1):
    insert = motif.consensus if strand > 0 else dna.reverse_complement(motif.consensus)
    return letters[:start] + insert + letters[start + len(insert) :]


def test_the_largest_occupancy_multiplies_every_occupancy(bench):
    letters = bench.sequence(BINS, plus=(10,), minus=(20,))
    partial = dataclasses.replace(bench.physics, most_occupancy=0.6)
    full, part = sites.find(letters, bench.physics), sites.find(letters, partial)
    strong = full.occupancy.max(axis=1) > 0.02
    weak = part.occupancy.max(axis=1) > 0.012
    np.testing.assert_array_equal(full.start[strong], part.start[weak])
    np.testing.assert_allclose(part.occupancy[weak], 0.6 * full.occupancy[strong], rtol=1e-12)


@pytest.mark.parametrize("strand", [1, -1])
@pytest.mark.parametrize("both_ways", [True, False])
def test_a_factor_stalls_the_legs_that_it_faces_or_both(bench, strand, both_ways):
    factor = dataclasses.replace(FACTOR, both_ways=both_ways)
    letters = _planted(bench.background(BINS), FACTOR.motif, 20 * 512 + 200, strand)
    own = physics.Physics(factors=(factor,))
    tracks = chromatin.tracks(letters, own, "alpha")
    before = chromatin.tracks(bench.background(BINS), own, "alpha")
    score = FACTOR.motif.log_odds.max(axis=1).sum()
    expected = 0.4 * 0.8 / (1 + np.exp(14.0 - score))
    stalls = {1: tracks.left_stall[20], -1: tracks.right_stall[20]}
    assert before.left_stall[20] == before.right_stall[20] == 0
    assert stalls[strand] == pytest.approx(expected)
    assert stalls[-strand] == pytest.approx(expected if both_ways else 0)


def test_a_factor_binds_where_it_is_expressed(bench):
    factor = dataclasses.replace(FACTOR, cell_types=("beta",))
    letters = _planted(bench.background(BINS), FACTOR.motif, 20 * 512 + 200)
    bound = sites.find(letters, physics.Physics(factors=(factor,)))
    own = bound.take(bound.staller == 1)
    assert own.start.tolist() == [20 * 512 + 200]
    assert own.occupancy[0, 0] == 0
    assert own.occupancy[0, 1] > 0.7
    everywhere = sites.find(letters, WITH_FACTOR)
    assert everywhere.occupancy[everywhere.staller == 1].min() > 0.7


def test_a_factor_leaves_other_sites_and_maps_without_its_motif_as_they_are(bench):
    letters = bench.sequence(BINS, plus=(10,), minus=(25,))
    with_factor, without = sites.find(letters, WITH_FACTOR), sites.find(letters, bench.physics)
    own = with_factor.take(with_factor.staller == 0)
    for column, expected in zip(own, without, strict=True):
        np.testing.assert_array_equal(column, expected)
    assert (with_factor.staller == 0).all()
    np.testing.assert_array_equal(
        chromatin.truth(letters, WITH_FACTOR, "alpha"),
        chromatin.truth(letters, bench.physics, "alpha"),
    )


def test_a_factor_makes_a_weaker_border_than_the_site(bench):
    """The stall of a factor is lower, and so is what its deletion changes."""
    empty = chromatin.truth(bench.background(BINS), WITH_FACTOR, "alpha")
    weaker = _planted(bench.background(BINS), FACTOR.motif, 20 * 512 + 200)
    change = {
        "factor": chromatin.truth(weaker, WITH_FACTOR, "alpha") - empty,
        "site": chromatin.truth(bench.sequence(BINS, plus=(20,)), WITH_FACTOR, "alpha") - empty,
    }
    size = {name: np.sqrt((values**2).sum()) for name, values in change.items()}
    assert 1 < size["factor"] < 0.8 * size["site"]


def test_a_window_with_flanks_has_the_map_of_its_chromosome_with_factors():
    """The flank covers sites of factors that are wider than anything else."""
    wide = physics.Motif("GCAATTAGCCTAATG" * 21, (0.5,) * 315)
    own = physics.Physics(factors=(dataclasses.replace(FACTOR, motif=wide, midpoint=30.0),))
    assert own.flank >= own.tether_bins * 512 + wide.width
    chromosome = chromosomes.chromosome(
        "chr1", 120 * 512, own, chromosomes.Landscape(factor_site=4096.0), seed=3
    )
    assert (sites.find(chromosome.sequence, own).staller == 1).sum() > 5
    whole = chromatin.contacts(chromosome.sequence, own, "alpha")
    start, end, flank = 40 * 512, 80 * 512, own.flank
    letters = chromosome.sequence[start - flank : end + flank]
    window = chromatin.contacts(letters, own, "alpha", flank=flank)
    np.testing.assert_allclose(window, whole[40:80, 40:80], rtol=1e-9)


def test_planted_sites_of_factors_are_found_and_decoy_motifs_are_not():
    decoy = physics.Motif("ATGCAAATGGCAT", (0.95,) * 13)
    landscape = chromosomes.Landscape(decoy_motifs=(decoy,), decoy_motif=8192.0)
    length = 1 << 19
    chromosome = chromosomes.chromosome("chr1", length, WITH_FACTOR, landscape, seed=1)
    by_kind = {}
    for planted in chromosome.planted:
        by_kind.setdefault(planted.kind, []).append(planted)
    # Distances between planted motifs are a third of the mean, and an exponential for the rest.
    for kind, mean in (("factor1", 16384.0), ("motif1", 8192.0)):
        count = length / mean
        assert abs(len(by_kind[kind]) - count) < 4 * np.sqrt(count * 4 / 9) + 0.15 * count
        assert {planted.strand for planted in by_kind[kind]} == {1, -1}
    bound = sites.find(chromosome.sequence, WITH_FACTOR)
    keys = set(zip(bound.start, bound.strand, bound.staller, strict=True))
    hits = [(planted.start, planted.strand, 1) in keys for planted in by_kind["factor1"]]
    assert np.mean(hits) > 0.75  # the others have three bases or more of other letters
    beside, scores = [], []
    for planted in by_kind["motif1"]:
        letters = chromosome.sequence[planted.start : planted.end]
        letters = letters if planted.strand > 0 else dna.reverse_complement(letters)
        scores.append(sites.scan(dna.to_index(letters), decoy)[0])
        overlaps = (bound.start < planted.end) & (bound.start + 15 > planted.start)
        beside.append(overlaps.any())
    assert np.mean(beside) < 0.1
    assert np.median(scores) > 12


def test_decoy_motifs_change_nothing_but_their_letters(bench):
    """A map with the decoy is that of the same letters with another filling of its bases."""
    decoy = designs.PRESETS["realistic"].landscape.decoy_motifs[0]
    letters = bench.sequence(BINS, plus=(10,), minus=(25,))
    shuffled = "".join(np.random.default_rng(0).permutation(list(decoy.consensus)))
    maps = [
        chromatin.truth(
            letters[:9000] + insert + letters[9000 + decoy.width :], bench.physics, "alpha"
        )
        for insert in (decoy.consensus, shuffled)
    ]
    np.testing.assert_array_equal(*maps)


def test_weakened_sites_have_one_base_changed(bench):
    """With every site weakened, the share of strong ones falls; decoys stay as they are."""
    shares = []
    for weakened in (0.0, 1.0):
        landscape = chromosomes.Landscape(regulated=0.0, misplaced=0.0, weakened=weakened)
        chromosome = chromosomes.chromosome("chr1", 1 << 19, bench.physics, landscape, seed=1)
        bound = sites.find(chromosome.sequence, bench.physics)
        strength = dict(zip(bound.start.tolist(), bound.occupancy.max(axis=1), strict=True))
        planted = [site for site in chromosome.planted if site.kind == "site"]
        shares.append(np.mean([strength.get(site.start, 0.0) > 0.9 for site in planted]))
    assert shares[0] > 0.6
    assert shares[1] < 0.6 * shares[0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"most_occupancy": 0.0}, "physics: most_occupancy is a share above 0 and at most 1"),
        ({"most_occupancy": 1.1}, "physics: most_occupancy is a share above 0 and at most 1"),
        ({"stall": 1.0}, "physics: stall is a probability below 1"),
    ],
)
def test_physics_out_of_range_is_refused(change, says):
    with pytest.raises(errors.DataError, match=says):
        physics.Physics(**change)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"most_occupancy": 2.0}, "factor: most_occupancy is a share"),
        ({"stall": -0.1}, "factor: stall is a probability"),
        ({"motif": physics.Motif("ACGT", (0.9,) * 4)}, "ACGT has 4 bases; an odd number"),
    ],
)
def test_factors_out_of_range_are_refused(change, says):
    with pytest.raises(errors.DataError, match=says):
        dataclasses.replace(FACTOR, **change)


def test_a_factor_of_an_unknown_cell_type_is_refused():
    factor = dataclasses.replace(FACTOR, cell_types=("gamma",))
    with pytest.raises(errors.DataError, match=r"A factor is expressed in \['gamma'\]"):
        physics.Physics(factors=(factor,))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"weakened": 1.5}, "landscape.weakened 1.5 is a share; choose 0 to 1"),
        ({"regulated": -0.1}, "landscape.regulated -0.1 is a share"),
        ({"factor_site": 0.0}, "landscape.factor_site 0 is not a length"),
        ({"decoy_motif": -5.0}, "landscape.decoy_motif -5 is not a length"),
    ],
)
def test_a_landscape_out_of_range_is_refused(change, says):
    with pytest.raises(errors.DataError, match=says):
        chromosomes.Landscape(**change)


@pytest.fixture(scope="module")
def realistic():
    return dataclasses.replace(designs.PRESETS["realistic"], genome_mb=0.14, variants=3)


def test_variants_edit_the_own_sites_and_neutral_ones_avoid_all(tmp_path, realistic):
    chromosome = chromosomes.chromosome(
        "chr1", 1 << 18, realistic.physics, realistic.landscape, seed=4
    )
    (tmp_path / "genome.fa").write_text(f">chr1\n{chromosome.sequence}\n")
    effect_files.write(tmp_path, [chromosome], realistic, seed=0)
    bound = sites.find(chromosome.sequence, realistic.physics)
    own = set(bound.start[bound.staller == 0].tolist())
    table = pd.read_csv(tmp_path / "variants.tsv", sep="\t")
    assert set(table[table["kind"] == "site_deletion"]["start"]) <= own
    for effect in effects.read(tmp_path):
        if effect.kind == "neutral_substitution":
            assert np.abs(bound.start - effect.start).min() >= 60
    largest = table[["scd_alpha", "scd_beta"]].max(axis=1)
    assert largest[table["kind"] == "site_deletion"].median() > 1
    assert largest[table["neutral"]].max() < 0.5


def test_the_smoothed_truth_of_letters_is_that_of_the_windows(realistic):
    """`chromatin.truth` with the design's measurement gives the truth that windows store."""
    plain = dataclasses.replace(realistic.measurement, replicate_r=None)
    design = dataclasses.replace(realistic, measurement=plain)
    simulated = experiment.simulate_chromosome("chr3", design, 0)
    flank, crop = design.physics.flank, design.crop // 512
    window = simulated.windows[2]
    end = window.start + design.seq_length
    letters = simulated.chromosome.sequence[window.start - flank : end + flank]
    for cell, name in enumerate(design.cell_types):
        truth, sharp = (
            chromatin.truth(letters, design.physics, name, flank=flank, **keys)[
                crop:-crop, crop:-crop
            ][np.triu_indices(56, 2)]
            for keys in ({"measurement": design.measurement}, {})
        )
        np.testing.assert_allclose(window.truth[:, cell], truth, atol=2e-3)
        assert np.abs(truth - sharp).max() > 0.05


def test_a_realistic_simulation_agrees_with_its_files(tmp_path, realistic):
    """The same seed gives the same bytes; sites of factors are listed with their width and name."""
    folders = [
        simulation.simulate(tmp_path / name, realistic, workers=1, with_coolers=False, seed=2)
        for name in ("first", "second")
    ]
    for path in sorted(folders[0].rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (folders[1] / path.relative_to(folders[0])).read_bytes()
    table = pd.read_csv(folders[0] / "sites.bed", sep="\t")
    second = table[table["name"].str.endswith("_factor2")]
    assert len(second) > 5
    assert (second["end"] - second["start"] == 13).all()
    assert (second["occupancy_beta"] == 0).all()
    decoys = pd.read_csv(folders[0] / "decoys.bed", sep="\t")
    assert {"motif1", "motif2"} < set(decoys["name"])
    assert not decoys["name"].str.startswith("factor").any()
