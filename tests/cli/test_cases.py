"""Inputs that went wrong for people, each run through the command that they would type."""

import importlib
import json
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest

from akita_bayes.data.records import statistics, tfrecord
from akita_bayes.models import zoo

WINDOW = "--windows windows.bed -w 128 -c 512"


@pytest.fixture
def case(cases, tmp_path, monkeypatch, request):
    """Goes to a copy of the case that the test names."""
    folder = tmp_path / "case"
    shutil.copytree(cases / request.param, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def model(parity):
    return [str(parity / "tiny_v1.json"), str(parity / "tiny_v1.h5")]


def run(command, *arguments):
    """Runs a command line in this process and returns its exit code."""
    main = importlib.import_module(f"akita_bayes.cli.{command}").main
    words = [word for argument in arguments for word in str(argument).split()]
    try:
        return main(words) or 0
    except SystemExit as stopped:
        return stopped.code or 0


def score(model, variants, genome, out="out", *options):
    """Scores a variant file and returns the table of scores."""
    assert run("akita_scd", *model, variants, "-f", genome, "-o", out, *options) == 0
    return pd.read_csv(f"{out}/scores.tsv", sep="\t", keep_default_na=False, na_values=["NA"])


def targets(folder):
    """Returns the targets and masks of all records of a data directory, by region."""
    shapes = statistics.read(folder)
    rows = {}
    for path in sorted(folder.glob("tfrecords/*.tfr")):
        for record in tfrecord.read_records(path, shapes):
            rows[str(record.region)] = (record.target, record.mask)
    assert rows
    return rows


def assert_same_targets(first, second):
    first_targets, second_targets = targets(first), targets(second)
    assert set(first_targets) == set(second_targets)
    for region in first_targets:
        np.testing.assert_array_equal(first_targets[region][0], second_targets[region][0])
        np.testing.assert_array_equal(first_targets[region][1], second_targets[region][1])


def case_of(name):
    return pytest.mark.parametrize("case", [name], indirect=True)


@case_of("reports/contig-names-with-colon")
def test_contig_names_with_colons_go_from_data_to_a_region(case, model):
    assert run("akita_data", "genome.fa targets.txt -o data", WINDOW, "--as_obsexp") == 0
    params = json.loads((case / "params.json").read_text())
    params["train"] |= {"train_epochs_max": 1, "train_epochs_min": 1}
    (case / "params.json").write_text(json.dumps(params))
    assert run("akita_train", "params.json data -o run") == 0
    assert run("akita_test", "params.json", model[1], "data -o test") == 0
    region = "HLA-A*01:01:01:01:8000-10000"
    table = score(model, "variants.vcf", "genome.fa", "scd", "--region", region)
    assert len(table) > 0
    assert (table["chrom"] == "HLA-A*01:01:01:01").all()
    assert (table["reason"] == "").all()


@case_of("reports/cooler-duplicate-pixels")
def test_pixels_in_several_rows_are_summed(case):
    for name in ("whole", "split"):
        assert run("akita_data", f"genome.fa {name}.txt -o {name}", WINDOW, "--as_obsexp") == 0
    assert_same_targets(case / "whole", case / "split")
    assert run("akita_data", "--check split") == 0


@case_of("reports/cooler-nan-counts")
def test_counts_that_are_not_numbers_are_refused(case, capsys):
    assert run("akita_data", "genome.fa nan.txt -o out", WINDOW, "--as_obsexp") == 2
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert "is nan" in line
    assert not list(case.glob("out/tfrecords/*.tfr"))


@case_of("reports/expected-numeric-chromosomes")
def test_expected_tables_of_numbered_chromosomes_are_read(case):
    assert run("akita_data", "genome.fa targets.txt -o out", WINDOW, "--global_obsexp") == 0
    values = np.concatenate([target.ravel() for target, _ in targets(case / "out").values()])
    assert np.isfinite(values).all()
    assert values.std() > 0.05


@case_of("reports/fasta-unequal-lines")
@pytest.mark.parametrize("name", ["ragged", "blank_inside"])
def test_lines_of_unequal_length_are_named(case, model, name, capsys):
    assert run("akita_predict", *model, "regions.bed -f", f"{name}.fa -o out") == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "Different line length in sequence 'chr1'" in line or "chr1" in line
    assert "bgzip" not in line


@case_of("reports/params-dead-key")
def test_a_dead_key_changes_nothing(case, model):
    for name in ("plain", "train_epochs"):
        line = f"{name}.json {model[1]} regions.bed -f genome.fa -o {name}"
        assert run("akita_predict", line) == 0
    with h5py.File("plain/predict.h5") as plain, h5py.File("train_epochs/predict.h5") as changed:
        (key,) = [key for key in plain if plain[key].ndim == 3]
        np.testing.assert_array_equal(plain[key][:], changed[key][:])


@case_of("reports/roi-bed6-score-zero")
def test_regions_whose_weights_are_all_zero_are_refused(case, model, capsys):
    options = ("--stats", "SCD,ROI", "--roi")
    table = score(model, "variants.vcf", "genome.fa", "roi3", *options, "roi3.bed")
    assert float(table.filter(like="ROI:").iloc[0, 0]) == pytest.approx(5.7e-5, rel=0.05)
    line = "variants.vcf -f genome.fa -o roi6 --stats SCD,ROI --roi roi6.bed"
    assert run("akita_scd", *model, line) == 2
    assert "weight" in capsys.readouterr().err.strip().splitlines()[-1]


@case_of("reports/vcf-fewer-columns-than-header")
def test_variant_files_of_every_shape_are_scored_alike(case, model):
    shapes = ("whole", "rows7_no_header", "rows7_header8", "rows6_header6", "no_fileformat")
    tables = {
        name: score(model, f"{name}.vcf", "genome.fa", name)
        for name in (*shapes, "header_ends_in_blank")
    }
    whole = tables.pop("whole").filter(like="SCD")
    for name, table in tables.items():
        np.testing.assert_array_equal(table.filter(like="SCD"), whole, err_msg=name)


@case_of("reports/vcf-iupac-reference")
def test_a_reference_base_that_the_ambiguity_code_allows_is_accepted(case, model):
    coded = score(model, "variants.vcf", "genome.fa", "coded")
    plain = score(model, "variants.vcf", "plain.fa", "plain")
    assert (coded["reason"] == "").all()
    assert coded["flags"].str.contains("ambiguous_reference").any()
    snv = coded["type"] == "SNV"
    columns = [name for name in coded if name.startswith("SCD:")]
    assert snv.any()
    np.testing.assert_array_equal(coded.loc[snv, columns], plain.loc[snv, columns])


@case_of("reports/vcf-latin1")
def test_letters_of_latin_1_are_scored_and_kept(case, model):
    tables = {
        name: score(model, f"{name}.vcf", "genome.fa", name) for name in ("utf8", "info", "header")
    }
    for name in ("info", "header"):
        np.testing.assert_array_equal(
            tables[name].filter(like="SCD"), tables["utf8"].filter(like="SCD")
        )
        source = (case / f"{name}.vcf").read_bytes()
        scored = (case / name / f"{name}.scored.vcf").read_bytes()
        foreign = {bytes([byte]) for byte in source if byte > 127}
        assert foreign
        assert all(byte in scored for byte in foreign)


@case_of("reports/vcf-pos-zero-and-CN0")
def test_position_zero_and_a_copy_number_of_zero_are_deletions(case, model):
    table = score(model, "variants.vcf", "genome.fa").set_index("id")
    assert tuple(table.loc["del0", ["start", "end", "type", "reason"]]) == (0, 900, "DEL", "")
    scores = table.filter(like="SCD:").to_numpy(float)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores[1], scores[2])


@case_of("peers")
def test_pixels_lost_are_pixels_that_are_not_compared(case, model):
    table = score(model, "a3_pixels_lost_but_none_masked.vcf", "a3.fa")
    counts = table.loc[0, ["pixels_compared", "pixels_lost", "pixels_gained"]]
    assert list(counts.astype(int)) == [1485, 0, 0]


@case_of("peers")
def test_a_window_of_unknown_bases_is_flagged(case, model):
    table = score(model, "b3_window_half_N.vcf", "b3_window_half_N.fa")
    assert len(table) == 2
    assert table["flags"].str.contains("unknown_bases").all()


@case_of("peers")
def test_the_parameters_of_basenjis_tutorial_are_read(case):
    spec = zoo.load_spec("c1_basenji_tutorial_params_small.json")
    assert spec.model.seq_length == 131072


@case_of("peers")
def test_rna_letters_of_a_reporter_table_are_read(case):
    line = "d1_mpsa_additive.json d1_rna.csv -o fit --starts 1"
    assert run("mpra_fit", line) == 0
    assert len(pd.read_csv("fit/theta.tsv", sep="\t")) > 9
