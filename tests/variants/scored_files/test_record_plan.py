"""Plans of variant files: the same rows as from the file, and few bytes of it."""

import builtins
import gzip
import hashlib
import io

import numpy as np
import pysam
import pytest

from akita_bayes import errors, regions
from akita_bayes.data import genome
from akita_bayes.variants.alleles import records
from akita_bayes.variants.scored_files import record_plan, score_directory
from tests.variants.conftest import LONG
from tests.variants.long import HEADER, line
from tests.variants.scored_files.test_score_directory import LINES, run

CHR1 = LONG["chr1"]
EVENTS = [
    line(300, alt=f"{CHR1[299]}[chr1:420["),  # a deletion
    line(420, alt=f"]chr1:300]{CHR1[419]}"),
    line(2000, alt=f"{CHR1[1999]}]chr1:2400]"),  # an inversion
    line(2001, alt=f"[chr1:2401[{CHR1[2000]}"),
]


def planned(path, file, opened, region=None):
    content = record_plan.Content(
        record_plan.source(file), record_plan.source(opened.path), str(region)
    )
    return record_plan.make(path, file, opened, content, region)


@pytest.mark.parametrize("form", ["plain", "gzip", "bgzip", "bcf"])
@pytest.mark.parametrize("size", [1, 2, 5, 64])
def test_parts_have_the_rows_of_the_file(write_vcf, long_genome, tmp_path, form, size):
    file = write_vcf(*EVENTS, *LINES, header=HEADER)
    if form == "gzip":
        packed = tmp_path / "packed.vcf.gz"
        packed.write_bytes(gzip.compress(file.read_bytes()))
        file = packed
    elif form == "bgzip":
        file = tmp_path / "blocks.vcf.gz"
        pysam.tabix_compress(str(tmp_path / "toy.vcf"), str(file))
    elif form == "bcf":
        bcf = str(tmp_path / "toy.bcf")
        with (
            pysam.VariantFile(str(file)) as source,
            pysam.VariantFile(bcf, "wb", header=source.header) as out,
        ):
            for record in source:
                out.write(record)
        file = tmp_path / "toy.bcf"
    with genome.Genome(long_genome) as opened:
        expected = list(records.read(file, opened))
        plan = planned(tmp_path / "plan.h5", file, opened)
        assert plan.rows == len(expected)
        count = record_plan.parts(plan.rows, size)
        rows = [row for part in range(count) for row in plan.part(part, size, opened)]
    assert rows == expected
    assert {row.kind for row in rows} >= {"DEL", "INV", "SNV", "BND"}


def test_a_region_selects_rows_and_keeps_their_events(write_vcf, long_genome, tmp_path):
    file = write_vcf(*EVENTS, *LINES, header=HEADER)
    region = regions.parse("chr1:400-1500")
    with genome.Genome(long_genome) as opened:
        expected = list(records.read(file, opened, region=region))
        plan = planned(tmp_path / "plan.h5", file, opened, region)
        assert plan.part(0, 64, opened) == expected
        assert expected[0].kind == "DEL"
        assert expected[0].record == 1


class Counted:
    """Counts the bytes that are read from some files."""

    def __init__(self, monkeypatch, *paths):
        self.bytes, self.paths, self.open = 0, {str(path) for path in paths}, builtins.open
        monkeypatch.setattr(builtins, "open", self.opened)
        monkeypatch.setattr(io, "open", self.opened)

    def opened(self, path, mode="r", *arguments, **options):
        file = self.open(path, mode, *arguments, **options)
        if str(path) in self.paths:
            with self.open(path, "rb") as whole:
                self.bytes += len(whole.read())
        return file


def test_only_the_first_shard_reads_the_variants_and_hashes_the_genome(
    small_model, write_vcf, long_genome, tmp_path, monkeypatch
):
    monkeypatch.setattr(record_plan, "PART", 2)
    file = write_vcf(*LINES, header=HEADER)
    counted = Counted(monkeypatch, file)
    digested = []
    digest = hashlib.file_digest
    monkeypatch.setattr(
        hashlib, "file_digest", lambda f, name: digested.append(f.name) or digest(f, name)
    )
    read = []
    for number in range(3):
        before = counted.bytes
        summary = run(
            small_model, file, long_genome, tmp_path / "out", shard=score_directory.Shard(number, 4)
        )
        assert not summary.complete
        read.append((counted.bytes - before, digested.count(str(long_genome))))
    size = file.stat().st_size
    assert 0 < read[0][0] <= 4 * size  # the digest, the kind of the file, the records
    assert read[1:] == [(0, 1), (0, 1)]
    assert read[0][1] == 1


def test_a_copy_of_the_genome_is_read_and_another_one_refused(
    small_model, write_vcf, long_genome, tmp_path
):
    file = write_vcf(*LINES, header=HEADER)
    run(small_model, file, long_genome, tmp_path / "out", shard=score_directory.Shard(0, 3))
    plan = (tmp_path / "out" / record_plan.NAME).stat().st_mtime_ns
    copy = tmp_path / "copy.fa"
    copy.write_bytes(long_genome.read_bytes())
    run(small_model, file, copy, tmp_path / "out", shard=score_directory.Shard(1, 3))
    assert (tmp_path / "out" / record_plan.NAME).stat().st_mtime_ns == plan
    genome.write_fasta(copy, {**LONG, "chr3": "ACGT"})
    with pytest.raises(errors.RunError, match=r"other inputs \(genome\)"):
        run(small_model, file, copy, tmp_path / "out", shard=score_directory.Shard(2, 3))


def test_a_damaged_plan_is_made_again(small_model, write_vcf, long_genome, tmp_path):
    file = write_vcf(*LINES, header=HEADER)
    first = run(small_model, file, long_genome, tmp_path / "out")
    (tmp_path / "out" / record_plan.NAME).write_bytes(b"no HDF5")
    again = run(small_model, file, long_genome, tmp_path / "out")
    np.testing.assert_array_equal(first.results.values["SCD"], again.results.values["SCD"])
    assert record_plan.find(tmp_path / "out" / record_plan.NAME).rows == 9
