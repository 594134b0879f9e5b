"""Haplotypes of a sample through akita_predict and akita_scd, beside genomes written by hand."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest

from akita_bayes.cli import akita_predict, akita_scd
from akita_bayes.data import genome
from akita_bayes.models import build, zoo
from tests import tiny
from tests.data import phased

# Edits of haplotype 1: 3 bases more from base 450 on; of haplotype 2: a base changed at 520.
OTHER = {"A": "C", "C": "G", "G": "T", "T": "A"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("haplotypes")
    (folder / "params.json").write_text(json.dumps(tiny.spec_json()))
    build.build(zoo.parse_spec(tiny.spec_json())).save(folder / "model.keras")
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 1200))
    genome.write_fasta(folder / "genome.fa", {"chr1": letters})
    before, changed = letters[449], letters[520]
    records = [
        ("chr1", 450, before, f"{before}TTT", "1|0"),
        ("chr1", 521, changed, OTHER[changed], "0|1"),
        ("chr1", 600, letters[599], OTHER[letters[599]], "0/1"),
    ]
    phased.write_vcf(folder / "phased.vcf", records, sizes={"chr1": 1200})
    # The haplotypes by hand: slices of the reference around the edits.
    genome.write_fasta(folder / "first.fa", {"chr1": f"{letters[:450]}TTT{letters[450:]}"})
    second = f"{letters[:520]}{OTHER[changed]}{letters[521:]}"
    genome.write_fasta(folder / "second.fa", {"chr1": second})
    return folder


def model_and(folder, *words):
    return [*(str(folder / name) for name in ("params.json", "model.keras")), *words]


def phased_options(folder):
    return ["--haplotype", "HG1", "--vcf", str(folder / "phased.vcf")]


def predict(folder, region, fasta, out, *options):
    words = [region, "-f", str(folder / fasta), "-o", str(out), *options]
    assert akita_predict.main(model_and(folder, *words)) == 0


def test_maps_of_both_haplotypes_equal_those_of_genomes_by_hand(folder, tmp_path, capsys, caplog):
    start, end = 500, 500 + tiny.SEQ_LENGTH  # a window right of the insertion, around base 628
    region = f"chr1:{start}-{end}"
    predict(folder, region, "genome.fa", tmp_path / "both", *phased_options(folder), "--draws", "0")
    moved = f"chr1:{start + 3}-{end + 3}"
    predict(folder, moved, "first.fa", tmp_path / "first")
    predict(folder, region, "second.fa", tmp_path / "second")
    for number, name in enumerate(("first", "second"), 1):
        with (
            h5py.File(tmp_path / f"both/haplotype_{number}/predict.h5") as own,
            h5py.File(tmp_path / f"{name}/predict.h5") as by_hand,
        ):
            np.testing.assert_allclose(own["preds"], by_hand["preds"], atol=1e-6)
            assert own["start"][0] == start  # coordinates of the reference
            np.testing.assert_array_equal(own["reference_start"], own["bin_start"])
            assert own.attrs["haplotype"] == number
            assert own.attrs["sample"] == "HG1"
    left_out = pd.read_csv(tmp_path / "both/left_out.tsv", sep="\t")
    assert left_out[["pos", "reason"]].values.tolist() == [[600, "heterozygous and not phased"]]
    assert "Haplotype 1 of HG1 has 1 edits." in capsys.readouterr().out
    assert "1 genotypes of HG1 were not applied: heterozygous and not phased" in caplog.text


def test_bins_beyond_an_indel_name_their_bases(folder, tmp_path):
    # The middle, base 528, is 3 bases further on haplotype 1; bins left of base 450 are not.
    start = 528 - tiny.SEQ_LENGTH // 2
    region = f"chr1:{start}-{start + tiny.SEQ_LENGTH}"
    predict(folder, region, "genome.fa", tmp_path, *phased_options(folder))
    with h5py.File(tmp_path / "haplotype_1/predict.h5") as file:
        nominal, actual = file["bin_start"][0], file["reference_start"][0]
    right = nominal >= 450
    np.testing.assert_array_equal(actual[right], nominal[right])
    left = nominal + 3 < 450
    assert left.any()
    np.testing.assert_array_equal(actual[left], nominal[left] + 3)


@pytest.fixture(scope="module")
def scored(folder, tmp_path_factory):
    """Tables of both haplotypes, of genomes by hand, and of the reference."""
    out = tmp_path_factory.mktemp("scores")
    with genome.Genome(folder / "genome.fa") as reference:
        letters = reference.padded("chr1", 0, 1200)
    changed, snv = letters[520], letters[522]
    rows = [
        ("chr1", 450, letters[449], f"{letters[449]}TTT", "1|0"),
        ("chr1", 521, changed, OTHER[changed], "0|1"),
        ("chr1", 521, changed, OTHER[OTHER[changed]], "0|0"),
        ("chr1", 523, snv, OTHER[snv], "0|0"),
        ("chr1", 800, letters[799], "<DEL>", "0|0"),
    ]
    phased.write_vcf(out / "variants.vcf", rows, sizes={"chr1": 1200})
    phased.write_vcf(
        out / "moved.vcf",
        [("chr1", 526, snv, OTHER[snv], "0|0")],
        sizes={"chr1": 1203},
    )
    calls = {
        "both": ("genome.fa", "variants.vcf", phased_options(folder)),
        "first": ("first.fa", "moved.vcf", []),
        "second": ("second.fa", "variants.vcf", []),
        "reference": ("genome.fa", "variants.vcf", []),
    }
    tables = {}
    for name, (fasta, variants, options) in calls.items():
        words = [str(out / variants), "-f", str(folder / fasta), "-o", str(out / name), *options]
        assert akita_scd.main(model_and(folder, *words)) == 0
        folders = sorted((out / name).glob("haplotype_*")) or [out / name]
        tables[name] = [pd.read_csv(path / "scores.tsv", sep="\t") for path in folders]
    return tables


def scores(table, row):
    return table.loc[row, [name for name in table if name.startswith("SCD:")]].to_numpy(float)


def test_variants_are_scored_among_those_of_the_haplotype(scored):
    first, second = scored["both"]
    (moved,), (by_hand,), (reference,) = (scored[n] for n in ("first", "second", "reference"))
    np.testing.assert_allclose(scores(first, 3), scores(moved, 0), rtol=1e-4)
    np.testing.assert_allclose(scores(second, 3), scores(by_hand, 3), rtol=1e-4)
    difference = np.abs(scores(second, 3) - scores(reference, 3))
    assert difference.max() > 1e-3 * scores(reference, 3).max()
    assert first["pos"].tolist() == [450, 521, 521, 523, 800]  # POS of the file
    assert first.loc[3, "start"] == 525  # on the haplotype
    assert second.loc[3, "start"] == 522


def test_own_variants_are_scored_from_ref_to_alt(scored):
    first, second = scored["both"]
    (reference,), (by_hand,) = scored["reference"], scored["second"]
    assert first.loc[0, "flags"] == "on_haplotype,alleles_swapped"
    assert second.loc[1, "flags"] == "on_haplotype,alleles_swapped"
    # Haplotype 1 has no other edit near, so its insertion scores as in the reference.
    np.testing.assert_allclose(scores(first, 0), scores(reference, 0), rtol=1e-3)
    np.testing.assert_allclose(scores(second, 1), scores(by_hand, 1), rtol=1e-4)


def test_rows_without_a_place_on_the_haplotype_say_why(scored):
    first, second = scored["both"]
    assert second.loc[2, "reason"] == "an edit of the haplotype changes REF"
    assert pd.isna(first.loc[2, "reason"])
    for table in (first, second):
        assert table.loc[4, "reason"] == "only alleles of letters are scored on a haplotype"


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        (akita_predict, ["chr1:0-9", "--haplotype", "HG1"], "--haplotype SAMPLE and --vcf FILE"),
        (akita_scd, ["chr1:9:A:C", "--haplotype", "HG1"], "--haplotype needs the phased variants"),
        (akita_scd, ["chr1:9:A:C", "--vcf", "phased.vcf"], "give --haplotype SAMPLE too"),
    ],
)
def test_options_that_do_not_fit_are_refused(folder, capsys, monkeypatch, command, words, message):
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as stopped:
        command.main(model_and(folder, *words, "-f", "genome.fa"))
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_a_sample_that_is_missing_is_one_line_and_exit_2(folder, tmp_path, capsys):
    options = ["--haplotype", "HG2", "--vcf", str(folder / "phased.vcf")]
    words = ["chr1:0-9", "-f", str(folder / "genome.fa"), "-o", str(tmp_path / "out"), *options]
    assert akita_predict.main(model_and(folder, *words)) == 2
    assert 'has no sample "HG2"' in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
