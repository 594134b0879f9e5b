"""The parts of the benchmarks on yeast and E. coli, on data of which the answer is known."""

import json
import shutil

import numpy as np
import pytest

from akita_bayes import errors, regions, triangle
from akita_bayes.data import genome
from akita_bayes.models import zoo
from akita_bayes.origins import training_regions
from benchmarks import (
    ecoli,
    kmer_ridge,
    map_ceiling,
    yeast_data,
    yeast_picture,
    yeast_pretrained,
    yeast_report,
    yeast_second,
)
from benchmarks import yeast as yeast_benchmark
from tests import coolers, tiny

SIZES = {"chr1": 40_000}
LEARNED = training_regions.TrainingRegions("toy.fa", {"chrI": 900}, {"chrI": ((0, 640),)})


def test_folds_share_no_chromosome():
    names = [name for fold in (*yeast_data.FOLDS, yeast_data.VALID) for name in fold]
    assert len(names) == len(set(names)) == 12


def test_the_preset_makes_the_data_of_the_spec():
    spec = zoo.load_network(yeast_benchmark.SPEC)
    geometry = spec.model.geometry(spec.model.heads[0])
    transform = yeast_data.TRANSFORM
    assert (geometry.seq_length, geometry.bin_width) == (transform.seq_length, transform.pool_width)
    assert (geometry.bins, geometry.crop_bp) == (transform.map_bins, transform.crop)
    assert 2 * transform.kernel_radius + 1 == 13  # As docs/formats.md says.


def test_both_halves_of_a_map_add_up_to_its_counts(tmp_path):
    path = coolers.write(tmp_path / "a.cool", sizes=SIZES, depth=200.0, filtered=0.0)
    halves = map_ceiling.thinned(path, 0)
    whole = map_ceiling.read(path)["chr1"].counts
    np.testing.assert_array_equal(sum(half["chr1"].counts for half in halves), whole)


def test_reliability_follows_the_formula_of_spearman_and_brown():
    assert map_ceiling.reliability(0.5) == pytest.approx(2 / 3)


def test_maps_of_noise_have_no_reliability(tmp_path):
    """Independent Poisson counts of one mean per distance: obs / exp is noise alone."""
    path = coolers.write(tmp_path / "a.cool", sizes=SIZES, depth=200.0, filtered=0.0)
    windows = [regions.Region("chr1", start, start + 3200) for start in range(0, 36_000, 1600)]
    measured = map_ceiling.measure(path, windows, coolers.TRANSFORM, seeds=(0,))
    assert abs(measured["r_of_halves"]) < 0.2  # some 600 pixels, the sd of r is 0.04


def test_a_ridge_finds_a_linear_rule():
    random = np.random.default_rng(0)
    features = random.normal(size=(400, 5))
    values = features @ [1.0, -2.0, 0.0, 0.5, 0.0] + 3.0
    predict = kmer_ridge.fit(features, values, 1e-6)
    np.testing.assert_allclose(predict(features[:10]), values[:10], atol=1e-3)


def test_4_mers_of_both_strands_are_counted_together(tmp_path):
    (tmp_path / "genome.fa").write_text(">a\n" + "AAAC" * 400 + "\n>b\n" + "GTTT" * 400 + "\n")
    counts = kmer_ridge.kmer_counts(tmp_path / "genome.fa")
    assert counts["a"].shape == (4, 136)
    np.testing.assert_allclose(counts["a"][-1], counts["b"][-1], atol=1)
    assert counts["a"][-1].sum() == 1500


def test_a_map_around_its_circle_is_read_at_any_start(tmp_path):
    path = coolers.write(tmp_path / "a.cool", sizes=SIZES, depth=200.0, filtered=0.0)
    tables = map_ceiling.read(path)
    upper = tables["chr1"].counts
    whole, bins = upper + np.triu(upper, 1).T, len(upper)
    around = map_ceiling.around_circle(tables)["chr1"]
    rolled = np.roll(whole, (-(bins - 3), -(bins - 3)), (0, 1))[:8, :8]
    window = slice(bins - 3, bins + 5)
    np.testing.assert_array_equal(around.counts[window, window], np.triu(rolled))
    np.testing.assert_array_equal(around.weights[:bins], around.weights[bins:])


def test_windows_of_e_coli_are_one_window_apart_and_test_every_fifth_once():
    tested = set()
    for fold in range(ecoli.FOLDS):
        bins = {"train": set(), "valid": set(), "test": set()}
        for start, split in ecoli.windows(fold):
            bins[split] |= {(start + step) % ecoli.BINS for step in range(ecoli.WINDOW)}
        for split, other_splits in (("test", ("train", "valid")), ("valid", ("train",))):
            around = {
                (bin_ + step) % ecoli.BINS
                for bin_ in bins[split]
                for step in range(-ecoli.WINDOW, ecoli.WINDOW + 1)
            }
            assert not any(around & bins[other_split] for other_split in other_splits), (
                fold,
                split,
            )
        assert not tested & bins["test"]
        tested |= bins["test"]
    # Windows begin at every fourth bin, so that up to three bins at the end of a fifth are left.
    assert len(tested) >= ecoli.BINS - 3 * ecoli.FOLDS


def test_the_spec_of_e_coli_reads_its_windows():
    spec = zoo.load_network(ecoli.SPEC)
    geometry = spec.model.geometry(spec.model.heads[0])
    assert (geometry.seq_length, geometry.bin_width) == (ecoli.WINDOW * ecoli.BIN, ecoli.BIN)
    assert (geometry.bins, geometry.crop_bp) == (16, ecoli.TRANSFORM.crop)


@pytest.mark.parametrize("name", ["yeast_transformer", "yeast_latent", "yeast_last_layer"])
def test_other_networks_read_the_windows_of_yeast(name, repository):
    spec = zoo.load_network(repository / "benchmarks" / "specs" / f"{name}.json")
    geometry = spec.model.geometry(spec.model.heads[0])
    own = zoo.load_network(yeast_benchmark.SPEC)
    assert geometry == own.model.geometry(own.model.heads[0])


def test_rows_of_other_folders_stay_and_new_rows_replace_old_ones(tmp_path):
    def row(spec, fold, seed, r):
        return {"spec": spec, "fold": fold, "seeds": [seed], "pearsonr": r}

    earlier = {
        "rows": [row("akita_yeast", 0, 0, 0.5), row("akita_yeast", 2, 0, 0.1)],
        "ceilings": {"0": {"test": {"ceiling": 0.9}}, "2": {"test": {"ceiling": 0.8}}},
        "genome": {"choices": []},
    }
    for index, new in enumerate((row("akita_yeast", 2, 0, 0.4), row("a_transformer", 0, 0, 0.3))):
        run = tmp_path / f"run{index}_seed0"
        run.mkdir()
        (run / "test.json").write_text(json.dumps(new))
    result = yeast_benchmark.collect(tmp_path, earlier)
    rows = [(row["spec"], row["fold"], row["pearsonr"]) for row in result["rows"]]
    assert rows == [("akita_yeast", 0, 0.5), ("akita_yeast", 2, 0.4), ("a_transformer", 0, 0.3)]
    assert result["rows"][1]["share_of_ceiling"] == 0.5
    assert result["genome"] == earlier["genome"]


def test_overlapping_windows_are_averaged_pixel_by_pixel():
    """Two maps of 4 bins, two bins apart; they share the pixel (2, 4) of no diagonal 0 or 1."""
    pixels = triangle.length(4, 2)
    rows = np.array([np.full(pixels, 1.0), np.full(pixels, 3.0)])
    rows[1, 0] = np.nan
    whole = yeast_picture.stitched(rows, [0, 1], 6)
    assert whole[0, 2] == 1.0
    assert whole[1, 3] == 1.0  # the second map lacks its first pixel
    assert whole[2, 4] == 3.0
    assert np.isnan(whole[0, 5])
    assert np.isfinite(whole).sum() == 5


def test_blocks_of_pixels_are_averaged_if_most_are_there():
    matrix = np.arange(100.0).reshape(10, 10)
    matrix[:5, :5] = np.nan
    matrix[0, 5] = np.nan
    blocks = yeast_second.averaged(matrix, 2)
    assert np.isnan(blocks[0, 0])
    assert blocks[0, 1] == np.nanmean(matrix[:5, 5:])
    assert blocks[1, 1] == matrix[5:, 5:].mean()


def test_correlations_of_groups_of_distance_are_weighted_by_their_pixels():
    transform = yeast_data.TRANSFORM
    count = transform.map_bins - np.arange(transform.diagonal_offset, transform.map_bins)
    # The first group holds one diagonal, of 22 of the 253 pixels.
    assert yeast_report.stratum_adjusted([1.0, 0, 0, 0, 0, 0, 0, 0]) == count[0] / count.sum()
    assert yeast_report.stratum_adjusted([0.5] * 8) == pytest.approx(0.5)


@pytest.fixture
def shipped_copy(tmp_path, repository):
    folder = repository / "models" / "pretrained" / "akita_yeast"
    return shutil.copytree(folder, tmp_path / "model"), shutil.copytree(folder, tmp_path / "run")


def test_a_run_is_shipped_with_its_numbers_and_without_folders(shipped_copy):
    model, run = shipped_copy
    record = json.loads((run / "provenance.json").read_text())
    record["data"][0]["path"] = "/home/somebody/data"
    (run / "provenance.json").write_text(json.dumps(record))
    (run / "checkpoint.bin").write_bytes(b"0" * 100)
    yeast_pretrained.ship(run, model, "Pearson 0.999.", LEARNED)
    assert training_regions.read(model) == {"hic": LEARNED}
    assert (model / "novelty.npz").read_bytes() == (run / "novelty.npz").read_bytes()
    assert "Pearson 0.999." in (model / "README.md").read_text()
    assert "Pearson 0.545" not in (model / "README.md").read_text()
    assert "somebody" not in (model / "provenance.json").read_text()
    assert not (model / "checkpoint.bin").exists()


def test_learned_regions_have_the_names_and_lengths_of_the_whole_genome(tmp_path):
    """The windows name chromosomes as the map, 1 to 3; the genome calls them I to III."""
    data = tiny.write_data(tmp_path / "data", train=2, valid=1)
    (data / "sequences.bed").write_text(
        "chr1\t0\t128\ttrain\nchr1\t64\t192\ttrain\nchr2\t0\t128\tvalid\n"
    )
    sequences = {"chrI": "A" * 200, "chrII": "C" * 150, "chrIII": "G" * 100}
    genome.write_fasta(tmp_path / "whole.fa", sequences)
    learned = yeast_pretrained.learned_regions(data, tmp_path / "whole.fa")
    assert learned.intervals == {"chrI": ((0, 192),)}
    assert (learned.genome, learned.sizes) == ("whole.fa", {"chrI": 200})


def test_a_run_that_is_incomplete_or_too_large_changes_nothing(shipped_copy):
    model, run = shipped_copy
    before = (model / "README.md").read_bytes()
    (run / "model_best.keras").write_bytes(b"0" * 3_000_000)
    with pytest.raises(errors.RunError, match="expected at most 3,000,000"):
        yeast_pretrained.ship(run, model, "Pearson 0.999.", LEARNED)
    (run / "swag.npz").unlink()
    with pytest.raises(errors.RunError, match=r"has no swag.npz"):
        yeast_pretrained.ship(run, model, "Pearson 0.999.", LEARNED)
    assert (model / "README.md").read_bytes() == before
