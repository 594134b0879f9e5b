"""Scores of variants beside the truth that the simulator knows."""

import dataclasses

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.data import genome
from akita_bayes.models import build, zoo
from akita_bayes.simulate import chromatin, design_json, designs
from akita_bayes.variants import engine
from akita_bayes.variants.alleles import records
from akita_bayes.variants.intervals import known_effects
from akita_bayes.variants.options import Options
from akita_bayes.variants.scores import conformal, score_table

DESIGN = designs.PRESETS["tiny"]
LENGTHS = DESIGN.chromosomes()


@pytest.fixture(scope="module")
def folder(known_genome):
    return known_genome


@pytest.fixture(scope="module")
def model(repository):
    return build.build(zoo.load_network(repository / "models" / "json" / "akita_tiny.json"))


def test_the_true_score_is_that_of_the_edited_letters(folder, model):
    """By hand: the window's letters with one base replaced, and what they fold to."""
    with genome.Genome(folder / "genome.fa") as letters:
        scorer = engine.Engine(model, letters, Options(scores=("SCD", "SSD")))
        kinds, rows = known_effects.draw(letters, DESIGN, "test", count=2, seed=1)
        (name,) = {row.chrom for row in rows}
        assert LENGTHS[name][1] == "test"
        assert sorted(kinds) == sorted(2 * list(dict.fromkeys(kinds)))
        assert len(kinds) == 2 * len(set(kinds)) >= 2 * 14
        number = kinds.index("site_weakening")
        row = rows[number]
        true = known_effects.truth(scorer.windows, letters, DESIGN, [row])
        pair = scorer.windows.pair(row)
        window = pair.reference[0]
        flank, size = DESIGN.physics.flank, DESIGN.seq_length
        start = window.allele[0].start + window.start
        around = letters.padded(name, start - flank, start + size + flank)
    at = row.start - (start - flank)
    edited = around[:at] + row.alt + around[at + 1 :]
    crop = DESIGN.crop // DESIGN.physics.bin_size
    for target, cell in enumerate(DESIGN.cell_types):
        ref, alt = (
            chromatin.truth(text, DESIGN.physics, cell, flank=flank)[crop:-crop, crop:-crop]
            for text in (around, edited)
        )
        upper = np.triu_indices(len(ref), chromatin.DIAGONAL_OFFSET)
        ref, alt = ref[upper], alt[upper]
        assert true["SCD"][0, target] == pytest.approx(np.linalg.norm(alt - ref), rel=1e-4)
        expected = np.linalg.norm(alt) - np.linalg.norm(ref)
        assert true["SSD"][0, target] == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert true["SCD"].max() > 0.1


def test_variants_are_scored_and_simulated_alike(folder, model):
    """An edit without effect is told from one with an effect, and those are of the same size."""
    options = Options(scores=("SCD",), targets=(1,))
    compared = known_effects.compare(model, folder, "valid", count=3, options=options, seed=3)
    neutral, strong = (
        np.array([kind.startswith(start) for kind in compared.kinds])
        for start in ("neutral", ("site", "stretch"))
    )
    assert compared.truth["SCD"].shape == compared.scored.values["SCD"].shape
    assert compared.truth["SCD"].shape == (3 * len(set(compared.kinds)), 1)
    assert compared.truth["SCD"][neutral].max() < 0.5 < np.median(compared.truth["SCD"][strong])
    rows = known_effects.table(compared, ["beta"])
    assert list(rows) == ["id", "chrom", "pos", "type", "kind", "name", "target", "score", "truth"]
    np.testing.assert_array_equal(rows["truth"], compared.truth["SCD"][:, 0])


def known_variants(kinds, score, truth, sd=None):
    """Known variants of given scores. [rows, T] each."""
    rows = [
        records.Variant(number, 1, "chr1", number, f"v{number}", "A", "C", "SNV")
        for number in range(len(kinds))
    ]
    statistics = {} if sd is None else {("SCD", "sd"): sd}
    nothing = np.zeros((len(rows), 3), np.int32)
    window = [("chr1", 0, 9)] * len(rows)
    scored = score_table.Scored(rows, [""] * len(rows), nothing, window, {"SCD": score}, statistics)
    return known_effects.KnownEffects(kinds, scored, {"SCD": truth})


def test_intervals_are_fitted_to_what_has_a_score():
    random = np.random.default_rng(0)
    score = random.gamma(2, size=(60, 2)).astype(np.float32)
    truth = score * random.lognormal(0, 0.5, score.shape).astype(np.float32)
    score[7] = np.nan
    for sd in (None, 0.1 * score):
        widening = known_effects.fit(known_variants(["a"] * 60, score, truth, sd), level=0.8)["SCD"]
        have = np.isfinite(score[:, 0])
        spread = np.zeros_like(score) if sd is None else sd
        assert widening == conformal.fit(truth[have], score[have], spread[have], level=0.8)
        assert (widening.level, widening.of_draws) == (0.8, sd is not None)


def test_coverage_is_counted_by_kind():
    score = np.array([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]])
    truth = np.array([[1.0, 9.0], [2.0, 2.0], [4.0, 0.1]])
    widening = conformal.Widening(1e-6, 1.0, (), (-np.log(2),), (np.log(2),), of_draws=False)
    rows = known_effects.table(
        known_variants(["a", "b", "b"], score, truth), ["x", "y"], {"SCD": widening}
    )
    np.testing.assert_allclose(rows["ci_low"], score.ravel() / 2, rtol=1e-5)
    np.testing.assert_allclose(rows["ci_high"], score.ravel() * 2, rtol=1e-5)
    assert known_effects.coverage(rows).to_dict() == pytest.approx(
        {"a": 0.5, "b": 0.75, "all": 4 / 6}
    )


def test_refuses_what_cannot_be_fitted_before_it_scores(folder, model, tmp_path, monkeypatch):
    monkeypatch.setattr(engine.Engine, "score", lambda *_, **__: pytest.fail("scored"))

    def compare(data=folder, scores=("SCD",), split="valid", count=2, **more):
        known_effects.compare(
            model, data, split, count=count, options=Options(scores=scores), **more
        )

    with pytest.raises(errors.VariantError, match="SSD: has values below 0, and only scores of 0"):
        compare(scores=("SCD", "SSD"))
    with pytest.raises(errors.VariantError, match=r"399 variants .* are needed .*; got \d\d"):
        compare(level=0.995)
    with pytest.raises(errors.VariantError, match=r"between 0 and 1; got 1\.0"):
        compare(level=1.0)
    with pytest.raises(errors.DataError, match='split "train2" of the simulation has no site'):
        compare(split="train2")
    design = dataclasses.replace(DESIGN, crop=1024)
    design_json.write(tmp_path, design, seed=0, version="x")
    (tmp_path / "genome.fa").symlink_to(folder / "genome.fa")
    with pytest.raises(errors.DataError, match=r"the simulation's maps .* the model's"):
        compare(data=tmp_path)
    with pytest.raises(errors.AkitaBayesError, match=r"simulation\.json: no such file"):
        compare(data=tmp_path / "none")


def test_kinds_are_in_the_order_of_the_rows(folder):
    """The kinds are the simulator's, in the order of the rows."""
    with genome.Genome(folder / "genome.fa") as letters:
        kinds, rows = known_effects.draw(letters, DESIGN, "valid", count=3, seed=5)
    widths = {
        kind: {row.end - row.start for k, row in zip(kinds, rows, strict=True) if k == kind}
        for kind in set(kinds)
    }
    assert widths["neutral_substitution"] == widths["site_weakening"] == {1}
    assert widths["site_deletion"] == {DESIGN.physics.site.width}
    assert min(widths["stretch_deletion"]) >= 2 * DESIGN.physics.bin_size
