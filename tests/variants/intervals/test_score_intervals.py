"""Intervals of scores are fitted to one split, tested on another, and written once for both."""

import contextlib

import numpy as np
import pandas as pd
import pytest

from akita_bayes import errors
from akita_bayes.simulate import design_json, designs
from akita_bayes.variants import interval_files
from akita_bayes.variants.alleles import records
from akita_bayes.variants.intervals import known_effects, score_intervals
from akita_bayes.variants.options import Options
from akita_bayes.variants.scores import score_table

DESIGN = designs.PRESETS["tiny"]
ORIGIN = interval_files.FittedTo("1" * 64, {"draws": 3}, "genome.fa", "2" * 64)


def effects(seed, rows=40):
    random = np.random.default_rng(seed)
    score = random.gamma(2, size=(rows, 2)).astype(np.float32)
    truth = score * random.lognormal(0, 0.5, score.shape).astype(np.float32)
    variants = [
        records.Variant(number, 1, "chr1", number, f"v{number}", "A", "C", "SNV")
        for number in range(rows)
    ]
    zeros = np.zeros((rows, 3), np.int32)
    window = [("chr1", 0, 9)] * rows
    scored = score_table.Scored(variants, [""] * rows, zeros, window, {"SCD": score}, {})
    return known_effects.KnownEffects(["site_deletion"] * rows, scored, {"SCD": truth})


def test_intervals_of_one_split_are_tested_on_the_other_and_written(tmp_path, monkeypatch):
    design_json.write(tmp_path / "data", DESIGN, seed=0, version="x")
    splits = {"valid": effects(1), "test": effects(2)}
    calls, bars = [], []

    def compare(model, data, split, **options):
        calls.append((model, split, options["count"], options["seed"], options["level"]))
        return splits[split]

    @contextlib.contextmanager
    def open_bar(description, total=None):
        bars.append(description)
        yield lambda *_, **__: None

    monkeypatch.setattr(known_effects, "compare", compare)
    genomes = []
    monkeypatch.setattr(
        interval_files, "fitted_to", lambda *words: genomes.append(words[2]) or ORIGIN
    )
    intervals = score_intervals.calibrate_scores(
        "model",
        tmp_path / "data",
        scoring=Options(scores=("SCD",)),
        options=score_intervals.IntervalOptions(count=5, level=0.8),
        seed=3,
        open_bar=open_bar,
    )
    assert calls == [("model", "valid", 5, 3, 0.8), ("model", "test", 5, 3, 0.8)]
    assert bars == ["Scoring and simulating valid", "Scoring and simulating test"]
    assert intervals.widenings == known_effects.fit(splits["valid"], level=0.8)
    pd.testing.assert_frame_equal(
        intervals.tested,
        known_effects.table(splits["test"], DESIGN.cell_types, intervals.widenings),
    )
    assert genomes == [tmp_path / "data" / "genome.fa"]
    path = score_intervals.write(intervals, tmp_path / "out")
    assert path == tmp_path / "out" / "variant_intervals.json"
    assert interval_files.load(path) == (intervals.widenings, ORIGIN)
    rows = pd.read_csv(tmp_path / "out" / "variant_intervals.tsv", sep="\t")
    pd.testing.assert_frame_equal(rows, intervals.tested, rtol=1e-5)


def test_one_split_for_both_is_refused(tmp_path):
    with pytest.raises(errors.DataError, match='intervals fitted on "valid" cannot be judged'):
        score_intervals.calibrate_scores("model", tmp_path, scoring=Options(), split="valid")
