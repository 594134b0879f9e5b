"""A FASTA compressed by plain gzip is read as the same FASTA without compression."""

import gzip
import threading

import numpy as np
import pytest

from akita_bayes import errors, regions
from akita_bayes.data import genome, gzip_fasta


@pytest.fixture
def pair(tmp_path):
    """A FASTA, plain and compressed by gzip."""
    random = np.random.default_rng(3)
    sequences = {f"chr{i}": "".join(random.choice(list("ACGTNacgt"), 500 + i)) for i in range(3)}
    genome.write_fasta(tmp_path / "genome.fa", sequences, width=70)
    packed = tmp_path / "genome.fa.gz"
    packed.write_bytes(gzip.compress((tmp_path / "genome.fa").read_bytes()))
    return tmp_path / "genome.fa", packed


def test_every_region_equals_the_plain_file(pair, caplog):
    random = np.random.default_rng(0)
    with caplog.at_level("INFO"), genome.Genome(pair[0]) as plain, genome.Genome(pair[1]) as packed:
        assert packed.sizes == plain.sizes
        for name, size in plain.sizes.items():
            for start, end in np.sort(random.integers(0, size + 1, (100, 2))).tolist():
                region = regions.Region(name, start, end)
                assert packed.fetch(region) == plain.fetch(region)
        assert packed.padded("chr0", -3, 2) == plain.padded("chr0", -3, 2)
    assert "is unpacked for this run; bgzip allows access by position" in caplog.text


def test_threads_share_one_unpacking(pair, monkeypatch):
    copies = []
    copy = gzip_fasta._copy
    monkeypatch.setattr(gzip_fasta, "_copy", lambda *a: copies.append(1) or copy(*a))
    threads = [threading.Thread(target=genome.Genome, args=(pair[1],)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(copies) == 1
    pair[1].write_bytes(gzip.compress(b">other\nAC GT\r\n\r\nAC\n"))
    with genome.Genome(pair[1]) as opened:
        assert opened.fetch(regions.Region("other", 0, 6)) == "ACGTAC"
    assert len(copies) == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"chrom\tstart\n", "not a FASTA file; its first line must start"),
        (b"", "the FASTA file is empty"),
        (b">a\nAC\n>a\nGT\n", "two sequences are called 'a'"),
    ],
)
def test_refusals(tmp_path, content, reason):
    (tmp_path / "genome.fa.gz").write_bytes(gzip.compress(content))
    with pytest.raises(errors.DataError, match=reason):
        genome.Genome(tmp_path / "genome.fa.gz")


def test_a_file_cut_short_is_refused(tmp_path):
    whole = gzip.compress(b">chr1\n" + b"ACGT\n" * 999)
    (tmp_path / "genome.fa.gz").write_bytes(whole[:-20])
    with pytest.raises(errors.DataError, match="damaged or was cut short"):
        genome.Genome(tmp_path / "genome.fa.gz")


def test_real_bacterium(real_data):
    with genome.Genome(real_data / "genome" / "ecoli" / "GCF_000005845.2.fna.gz") as opened:
        assert opened.sizes == {"NC_000913.3": 4_641_652}
        assert opened.fetch(regions.Region("NC_000913.3", 0, 10)) == "AGCTTTTCAT"
