"""Variants: the edit is what the VCF says, and the map changes where and when it should."""

import numpy as np
import pandas as pd
import pysam
import pytest

from akita_bayes import dna, triangle
from akita_bayes.simulate import chromatin, chromosomes, effects, sites
from akita_bayes.simulate.simulation_folder import effect_files

CELL = "alpha"


@pytest.fixture(scope="module")
def chromosome(bench):
    return chromosomes.chromosome("chr1", 1 << 18, bench.physics, chromosomes.Landscape(), seed=9)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, chromosome, small_design):
    folder = tmp_path_factory.mktemp("effects")
    (folder / "genome.fa").write_text(f">chr1\n{chromosome.sequence}\n")
    effect_files.write(folder, [chromosome], small_design, seed=0)
    return folder


def test_disruptive_variants_change_the_map_and_neutral_ones_do_not(folder, small_design):
    table = pd.read_csv(folder / "variants.tsv", sep="\t")
    assert (table["kind"].value_counts() == 4).all()
    assert set(table["kind"]) == {*effects.NEGATIVES, *effects.NEGATIVES.values()} | {
        "neutral_inversion",
        "decoy_inversion",
    }
    largest = table[[f"scd_{cell}" for cell in small_design.cell_types]].max(axis=1)
    assert largest[table["neutral"]].max() < 0.5
    for kind in ("site_deletion", "site_inversion", "stretch_deletion", "stretch_inversion"):
        assert largest[table["kind"] == kind].median() > 2
    edits_of_sites = table["kind"].str.match("site|stretch")
    assert largest[edits_of_sites].median() > 10 * largest[table["neutral"]].max()
    assert largest[table["kind"] == "decoy_inversion"].median() < 0.5


def test_a_negative_has_the_type_and_size_of_its_kind_and_no_site(bench, chromosome):
    variants = effects.choose(chromosome, bench.physics, margin=32768, per_kind=8, seed=2)
    bound = sites.find(chromosome.sequence, bench.physics)
    width = bench.physics.site.width
    sizes = {}
    for effect in variants:
        touched = (bound.start < effect.end) & (effect.start < bound.start + width)
        has_site = effect.kind.startswith(("site", "stretch"))
        assert touched.any() == has_site, effect
        change = len(effect.alt) - (effect.end - effect.start)
        sizes.setdefault(effect.kind, set()).add(
            (effect.end - effect.start, change) if "stretch" not in effect.kind else np.sign(change)
        )
        if effect.kind == "near_substitution":
            middle = bound.start + width / 2
            assert np.abs(middle - effect.start).min() <= (effects.NEAR + 1) * width
    for kind, negative in effects.NEGATIVES.items():
        assert sizes[kind] == sizes[negative], kind


def test_decoys_score_just_below_a_site(bench, chromosome):
    variants = effects.choose(chromosome, bench.physics, margin=32768, per_kind=8, seed=2)
    least = sites.least_score(bench.physics, 0)
    for effect in variants:
        if effect.kind == effects.DECOY:
            letters = chromosome.sequence[effect.start : effect.end]
            index = dna.to_index(letters), dna.to_index(dna.reverse_complement(letters))
            score = max(float(sites.scan(strand, bench.physics.site).max()) for strand in index)
            assert least - effects.DECOY_NATS <= score < least


def test_a_substitution_in_a_site_takes_any_of_its_bases(bench, chromosome):
    variants = effects.choose(chromosome, bench.physics, margin=32768, per_kind=40, seed=3)
    bound = sites.find(chromosome.sequence, bench.physics)
    offsets = set()
    for effect in variants:
        if effect.kind == "site_substitution":
            inside = (bound.start <= effect.start) & (
                effect.start < bound.start + bench.physics.site.width
            )
            offsets.update((effect.start - bound.start[inside]).tolist())
    assert len(offsets) > bench.physics.site.width / 2


def test_a_chromosome_without_a_strong_site_has_no_variants(tmp_path, bench, small_design):
    empty = chromosomes.Chromosome("chr1", bench.background(256), [])
    (tmp_path / "genome.fa").write_text(f">chr1\n{empty.sequence}\n")
    effect_files.write(tmp_path, [empty], small_design, seed=0)
    assert list(effects.read(tmp_path)) == []
    assert "scd_alpha" in pd.read_csv(tmp_path / "variants.tsv", sep="\t").columns


def test_the_vcf_says_what_was_edited(folder, chromosome):
    """REF is the genome's, and the ALT of every record, spelled out, is the edit."""
    letters = chromosome.sequence
    read = list(effects.read(folder))
    with pysam.VariantFile(str(folder / "variants.vcf")) as records:
        records = list(records)
    assert len(read) == len(records) == 60
    for record, effect in zip(records, read, strict=True):
        assert letters[record.start : record.start + len(record.ref)] == record.ref
        assert record.info["KIND"] == effect.kind
        edited = effect.apply(letters)
        (alt,) = record.alts
        if not alt.startswith("<"):
            spelled = letters[: record.start] + alt + letters[record.start + len(record.ref) :]
            assert edited == spelled
        else:
            assert record.stop == effect.end
            assert record.start == effect.start - 1
            stretch = letters[effect.start : effect.end]
            expected = {"<DEL>": "", "<DUP>": stretch * 2}.get(alt, dna.reverse_complement(stretch))
            assert effect.alt == expected
            assert abs(record.info["SVLEN"]) == abs(len(effect.alt) - len(stretch))


@pytest.mark.parametrize("copies", [0, 1, 2])
def test_bins_are_paired_by_their_letters(bench, small_design, copies):
    """Deleting or doubling empty bins far from a dot moves it, and the pairing moves it back."""
    letters = bench.sequence(192, plus=(100,), minus=(115,))
    start, end = 88 * 512, 92 * 512
    effect = effects.Effect("chr1", start, end, letters[start:end] * copies, "x")
    change = effects.true_change(effect, letters, small_design)[:, 0]
    crop = small_design.crop // 512
    square = triangle.to_matrix(change[:, None], diagonal_offset=2, fill=0.0)[..., 0]
    first = 90 - 32 + crop
    assert abs(square[100 - first, 115 - first]) < 0.35
    lost = np.flatnonzero(np.isnan(square).sum(axis=0) > len(square) / 2) + first
    assert list(lost) == (list(range(88, 92)) if copies == 0 else [])
    if copies == 1:
        np.testing.assert_allclose(change, 0, atol=1e-12)
    else:
        moved = _unpaired(effect, letters, small_design, bench)
        assert abs(moved[100 - first, 115 - first]) > 1


def _unpaired(effect, letters, design, bench):
    """ALT minus REF without pairing: the dot is lost where it was."""
    start, end = (90 - 32) * 512, (90 + 32) * 512
    flank = bench.physics.flank
    before, after = (
        chromatin.truth(text[start - flank : end + flank], bench.physics, CELL, flank=flank)
        for text in (letters, effect.apply(letters))
    )
    inside = slice(design.crop // 512, -design.crop // 512)
    return (after - before)[inside, inside]


def test_weakening_takes_the_worst_base(bench, chromosome):
    variants = effects.choose(chromosome, bench.physics, margin=32768, per_kind=6, seed=1)
    again = effects.choose(chromosome, bench.physics, margin=32768, per_kind=6, seed=1)
    assert variants == again
    for effect in variants:
        if effect.kind == "site_weakening":
            before = _best(chromosome.sequence, effect, bench)
            after = _best(effect.apply(chromosome.sequence), effect, bench)
            assert before - after > 3


def _best(letters, effect, bench):
    width = bench.physics.site.width
    located = sites.find(letters[effect.start - width : effect.start + width], bench.physics)
    return located.score.max(initial=0)
