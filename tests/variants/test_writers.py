"""What scores become as files, whatever the variants are."""

import tracemalloc

import h5py
import numpy as np
import pytest

from akita_bayes.variants import records, results, writers

TARGETS = writers.Targets(["HFF", "GM"], ["fibroblasts", "lymphoblasts"])


def rows(*variants):
    """Scores 0, 1, ... of rows, the same for both targets."""
    count = len(variants)
    values = np.repeat(np.arange(count, dtype=np.float32)[:, None], 2, axis=1)
    pixels = np.zeros((count, 3), np.int32)
    window = [("chr1", 0, 9)] * count
    return results.Scored(list(variants), [""] * count, pixels, window, {"SCD": values}, {})


def variant(record, position=0, ref="A", alt="C", name="."):
    return records.Variant(record, 1, "chr1", position, name, ref, alt, "SNV")


def write_h5(path, scored):
    writers.write_h5(path, scored, TARGETS, {})


def write_table(path, scored):
    writers.write_table(path, scored, TARGETS)


def write_part(path, scored):
    results.save(path, scored, "identity")


@pytest.mark.parametrize("write", [write_h5, write_table, write_part])
@pytest.mark.parametrize("column", ["ref", "alt", "name"])
def test_one_long_allele_is_paid_for_once(tmp_path, write, column):
    long = "ACGT" * 100_000
    scored = rows(*(variant(0, **{column: long}), *(variant(i) for i in range(1, 200))))
    tracemalloc.start()
    write(tmp_path / "out", scored)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10 * len(long)
    assert (tmp_path / "out").stat().st_size < 2 * len(long)


def test_alleles_are_read_as_bytes(tmp_path):
    write_h5(tmp_path / "scd.h5", rows(variant(0, name="rs1"), variant(1, ref="ACGT", alt="<DEL>")))
    with h5py.File(tmp_path / "scd.h5") as file:
        assert [text.decode() for text in file["snp"]] == ["rs1", "."]
        assert [text.decode() for text in file["ref"]] == ["A", "ACGT"]
        assert file["alt"][:].tolist() == [b"C", b"<DEL>"]
