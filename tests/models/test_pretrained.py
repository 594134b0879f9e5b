"""The models that the repository ships: they load, predict, and state what they are."""

import json

import numpy as np
import pytest

import akita_bayes as ab
from akita_bayes import dna, errors
from akita_bayes.cli import akita_predict
from akita_bayes.data import assembly, genome
from akita_bayes.models.intervals import novelty
from akita_bayes.origins import training_regions

LARGEST = 3_000_000
"""Bytes of a shipped folder."""


@pytest.fixture
def folder(repository):
    return repository / "models" / "pretrained" / "akita_yeast"


def test_the_yeast_model_predicts_a_map_from_a_random_sequence(folder):
    model = ab.load_model(folder)
    geometry = model.spec.geometry(model.spec.head_names[0])
    index = np.random.default_rng(0).integers(0, 4, geometry.seq_length).astype(np.uint8)
    prediction = ab.predict(model, dna.index_to_one_hot(index)[None])
    assert prediction.shape == (1, 253, 1)
    assert np.isfinite(prediction).all()
    assert 0 < prediction.std() < 1


def test_its_posterior_has_a_spread(folder):
    model = ab.load_model(folder)
    length = model.spec.model.seq_length
    index = np.random.default_rng(1).integers(0, 4, length).astype(np.uint8)
    posterior = ab.sample_posterior(model, dna.index_to_one_hot(index)[None], draws=3)
    assert posterior.epistemic_sd.mean() > 0
    assert posterior.aleatoric_sd.mean() > 0


def test_its_spec_is_the_one_of_the_zoo(folder, repository):
    zoo = repository / "models" / "json" / "akita_yeast.json"
    trained = ab.load_spec(folder / "params.json")
    assert trained.model == ab.load_spec(zoo).model


def test_its_card_is_there_and_the_folder_is_small(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    for heading in ("Data", "Accuracy", "Do not use"):
        assert f"## {heading}" in card
    assert sum(path.stat().st_size for path in folder.iterdir()) < LARGEST


def test_its_card_states_the_accuracy_of_the_result_file(folder, repository):
    result = json.loads((repository / "benchmarks" / "results" / "yeast.json").read_text())
    card = (folder / "README.md").read_text(encoding="utf-8")
    row = next(row for row in result["rows"] if row["fold"] == 0 and row["seeds"] == [0])
    assert f"Pearson {row['pearsonr']:.3f}" in card
    assert f"{result['ceilings']['0']['test']['ceiling']:.3f}" in card


def test_it_learned_from_other_chromosomes_than_those_of_its_tests(folder):
    (learned,) = training_regions.of_model(ab.load_model(folder), "hic")
    tested = {"chrII", "chrXI", "chrXIV", "chrIII", "chrVIII", "chrIX"}
    numerals = {f"chr{assembly.numeral(number)}" for number in range(1, 17)}
    assert set(learned.intervals) == numerals - tested
    with pytest.raises(errors.DataError, match=r"chrI has 230,000 bases"):
        learned.check_genome({"chrI": 230_000}, "other.fa")


def test_its_bare_name_and_a_region_are_enough_on_the_command_line(tmp_path):
    letters = "".join(np.random.default_rng(2).choice(list("ACGT"), 70_000))
    genome.write_fasta(tmp_path / "genome.fa", {"chrII": letters})
    words = ["akita_yeast", "chrII:0-64,000", "-f", str(tmp_path / "genome.fa"), "--draws", "3"]
    assert akita_predict.main([*words, "-o", str(tmp_path / "out"), "--plot", "--cool"]) == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [
        "W303_G1.cool",
        "W303_G1.sd.cool",
        "chrII_8000_56000.png",
        "predict.h5",
        "provenance.json",
    ]


def test_it_knows_how_its_training_windows_look(folder, repository):
    model = ab.load_model(folder)
    measured = json.loads((repository / "benchmarks" / "results" / "novelty.json").read_text())
    threshold = measured["measurements"]["threshold"]
    assert novelty.threshold(model.members) == pytest.approx(threshold)
    # One base alone is stranger than any window of a genome.
    x = np.zeros((1, model.spec.model.seq_length), np.uint8)
    assert novelty.of_windows(model.members, x)[0] > 2 * threshold
