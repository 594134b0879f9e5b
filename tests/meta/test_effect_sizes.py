"""The numbers of `benchmarks.variants`, on made-up scores whose answer is known."""

import dataclasses

import numpy as np
import pytest

from akita_bayes.data import genome
from akita_bayes.simulate import chromosomes, designs, effects
from akita_bayes.simulate.simulation_folder import effect_files
from akita_bayes.variants.alleles import records
from akita_bayes.variants.scores import conformal
from benchmarks import effect_sizes, variants


@pytest.fixture(scope="module")
def physics():
    return designs.PRESETS["small"].physics


@pytest.fixture(scope="module")
def chromosome(physics):
    return chromosomes.chromosome("chr1", 1 << 18, physics, chromosomes.Landscape(), seed=9)


def test_the_scan_sees_edits_of_sites_and_nothing_elsewhere(chromosome, physics):
    edits = effects.choose(chromosome, physics, margin=32768, per_kind=6, seed=0)
    scanned = {}
    for edit in edits:
        change = effect_sizes.changed_occupancy(edit, chromosome.sequence, physics)
        assert change.shape == (2,)
        scanned.setdefault(edit.kind, []).append(change.max())
    for kind in ("site_deletion", "site_inversion", "site_weakening", "stretch_inversion"):
        assert np.median(scanned[kind]) > 0.2
    assert np.median(scanned["site_inversion"]) > 1  # lost on one strand, won on the other
    for kind in ("neutral_substitution", "free_stretch_duplication"):
        assert max(scanned[kind]) < 0.05


def test_a_row_of_the_vcf_is_the_edit(chromosome, physics, tmp_path):
    design = dataclasses.replace(designs.PRESETS["small"], variants=2)
    genome.write_fasta(tmp_path / "genome.fa", {"chr1": chromosome.sequence})
    effect_files.write(tmp_path, [chromosome], design, seed=0)
    with genome.Genome(tmp_path / "genome.fa") as letters:
        rows = list(records.read(tmp_path / effect_files.VARIANTS, letters))
    for row, edit in zip(rows, effects.read(tmp_path), strict=True):
        edit_of_row = effect_sizes.edit_of(row, chromosome.sequence)
        assert edit_of_row.apply(chromosome.sequence) == edit.apply(chromosome.sequence)


def test_a_model_that_doubles_every_logarithm_has_slope_two():
    true = np.exp(np.random.default_rng(0).normal(size=(50, 2)))
    numbers = effect_sizes.agreement(effect_sizes.Sizes(true**2, true, true * 3))
    assert numbers["log_slope"] == pytest.approx(2)
    assert numbers["log_r2"] == pytest.approx(1)
    assert numbers["scan_log_r2"] == pytest.approx(1)


def test_effects_that_are_zero_do_not_count_as_logarithms():
    true = np.array([[0.0, 1.0], [2.0, 4.0], [0.0, 8.0]])
    numbers = effect_sizes.agreement(effect_sizes.Sizes(true + 1e-9, true, true))
    assert numbers["log_r2"] == pytest.approx(1)


def test_differences_between_cell_types_have_sign_and_slope():
    true = np.array([[5.0, 1.0], [1.0, 4.0], [2.0, 2.0], [0.01, 0.05]])
    predicted = np.array([[3.0, 2.0], [2.0, 2.75], [9.0, 0.0], [9.0, 0.0]])
    numbers = effect_sizes.between_cell_types(effect_sizes.Sizes(predicted, true, true))
    assert numbers["differences"] == 2  # equal effects, and effects of rounding, are left out
    assert numbers["same_sign"] == 1
    assert numbers["slope"] == pytest.approx(0.25)


def test_a_kind_is_compared_with_its_negative_alone():
    kinds = ["site_deletion"] * 2 + ["free_deletion"] * 2 + ["neutral_substitution"] * 2
    rows = effect_sizes.against_negatives(kinds, np.array([2.0, 4.0, 1.0, 3.0, 9.0, 9.0]))
    assert rows["site_deletion"] == pytest.approx(0.75)
    assert np.isnan(rows["site_weakening"])


def test_a_table_has_the_scan_and_constant_intervals_as_baselines():
    random = np.random.default_rng(0)

    def variant(kind, size):
        truth = random.normal(0, size, (8, 2))
        draws = np.abs(truth).sum(axis=0) + np.zeros((2, 2))
        score = np.sqrt((truth**2).sum(axis=0))
        return variants.Compared(kind, truth, truth, score, draws, None, score)

    compared = [
        variant(kind, size)
        for kind, size in (("site_substitution", 1.0), ("neutral_substitution", 0.1))
        for _ in range(30)
    ]
    fitted = conformal.Widening(0.1, 1.0, (), (-1.0,), (0.0,))
    constants = variants.constants_of(compared)
    assert set(constants) == {"site_substitution", "neutral_substitution"}
    rows = variants.summarise(compared, fitted, constants)
    assert rows["site_substitution"]["auroc_scan"] == 1
    assert np.isnan(rows["neutral_substitution"]["auroc_scan"])
    assert rows["all"]["coverage_90_constant"] == pytest.approx(0.9, abs=0.03)
    assert rows["all"]["interval_score_constant"] > 0
    assert "interval score, constant" in variants.as_table(rows)
