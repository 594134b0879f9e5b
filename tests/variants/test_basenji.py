"""Basenji's window: its place, its unknown bases, its shifts and its scores."""

import gzip

import h5py
import numpy as np
import pytest

import akita_bayes as ab
from akita_bayes import dna
from akita_bayes.data import genome
from akita_bayes.models import predict
from akita_bayes.variants import engine
from akita_bayes.variants.alleles import records
from akita_bayes.variants.options import Options
from tests.variants.long import CHR1, HEADER, L, W, columns, line, naive_maps, score, substitute


def test_basenji_window_takes_a_written_copy_by_its_letters(small_model, long_genome, write_vcf):
    copied = CHR1[2000:2060]
    path = write_vcf(line(2060, alt=CHR1[2059] + copied), header=HEADER)
    table = score(small_model, path, long_genome, window="basenji")
    assert table["type"][0] == "DUP"
    start = 2059 - (L // 2 - 1)
    changed = CHR1[:2060] + copied + CHR1[2060:]
    ref = naive_maps(small_model, CHR1, start)
    alt = naive_maps(small_model, changed, start + len(copied) // 2)
    expected = np.sqrt(((alt - ref) ** 2).sum((0, 1)) / 2)
    np.testing.assert_allclose(columns(table, "SCD")[0], expected, rtol=1e-4)


@pytest.mark.parametrize(("window", "fill"), [("anchored", 0), ("basenji", 0.25)])
def test_unknown_bases_are_zeros_or_basenjis_quarters(small_model, tmp_path, window, fill):
    chrom = CHR1[:970] + "N" * 28 + CHR1[998:]
    edited = chrom[:999] + substitute(CHR1[999]) + chrom[1000:]
    genome.write_fasta(tmp_path / "unknown.fa", {"chr1": chrom})
    event = records.Variant(
        0, 1, "chr1", 999, ".", CHR1[999], edited[999], "SNV", 999, 1000, edited[999]
    )
    with genome.Genome(tmp_path / "unknown.fa") as opened:
        scorer = engine.Engine(small_model, opened, Options(window=window))
        ((_, *maps),) = scorer.maps(event)
    start = (999 - L // 2 + W // 2) // W * W if window == "anchored" else 999 - (L // 2 - 1)
    x = np.stack([dna.to_one_hot(letters[start : start + L]) for letters in (chrom, edited)])
    expected = predict.predict(small_model, np.where(x.any(-1, keepdims=True), x, fill))
    np.testing.assert_allclose(maps, expected, atol=1e-5)


def test_basenjis_shifts_bring_in_zeros(small_model, long_genome):
    event = records.Variant(0, 1, "chr1", 999, ".", CHR1[999], "N", "SNV", 999, 1000, "N")
    shifts = (0, 40, -40)
    with genome.Genome(long_genome) as opened:
        scorer = engine.Engine(small_model, opened, Options(window="basenji", shifts=shifts))
        ((_, ref, _),) = scorer.maps(event)
    start = 999 - (L // 2 - 1)
    x = dna.to_one_hot(CHR1[start : start + L])
    shifted = predict.predict(small_model, np.stack([dna.shift_one_hot(x, s) for s in shifts]))
    np.testing.assert_allclose(ref, shifted.mean(axis=0), atol=1e-5)


def test_alleles_without_letters_are_refused(small_model, long_genome, write_vcf):
    junction = line(2500, alt=f"{CHR1[2499]}[chr2:900[")
    path = write_vcf(junction, line(1800, alt="<DEL>", info="SVTYPE=DEL;END=1850"), header=HEADER)
    table = score(small_model, path, long_genome, window="basenji")
    assert table["reason"].str.contains("alleles given by their letters only").all()
    assert np.isnan(columns(table, "SCD")).all()


def test_basenji_window_agrees_with_akita_scd(parity, real_data, tmp_path):
    fasta = tmp_path / "chr11.fa"
    packed = real_data / "sequence" / "chr11_99928064_101238784.fa.gz"
    fasta.write_bytes(gzip.decompress(packed.read_bytes()))
    model = ab.load_model((parity / "tiny_v1.json", parity / "tiny_v1.h5"))
    table = score(model, parity / "tiny24.vcf", fasta, window="basenji")
    with h5py.File(parity / "tiny_v1_tiny24_scd.h5") as file:
        for name in ("SCD", "SSD"):
            np.testing.assert_allclose(columns(table, name), file[name][:], rtol=0.01, atol=1e-3)
