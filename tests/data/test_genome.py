import os

import pysam
import pytest

from akita_bayes import errors, regions
from akita_bayes.data import genome


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "genome.fa"
    genome.write_fasta(path, {"chr1": "ACGTN" * 40, "chr2": "acgtRYnn"}, width=60)
    return path


def test_letters_of_a_region(fasta):
    with genome.Genome(fasta) as opened:
        assert opened.sizes == {"chr1": 200, "chr2": 8}
        assert opened.fetch(regions.Region("chr1", 58, 63)) == ("ACGTN" * 40)[58:63]
        assert opened.index(regions.Region("chr2", 0, 8)).tolist() == [0, 1, 2, 3, 4, 4, 4, 4]


def test_padding(fasta):
    with genome.Genome(fasta) as opened:
        assert opened.padded("chr2", -3, 11) == "NNNacgtRYnnNNN"
        assert opened.padded("chr2", 2, 4) == "gt"
        assert opened.padded("chr2", -5, -1) == "NNNN"
        assert opened.padded("chr2", 20, 22) == "NN"
        with pytest.raises(errors.DataError, match="no chromosome 'chr3'"):
            opened.padded("chr3", 0, 2)


def test_bgzipped(fasta, tmp_path):
    pysam.tabix_compress(str(fasta), str(tmp_path / "genome.fa.gz"))
    with genome.Genome(tmp_path / "genome.fa.gz") as opened:
        assert opened.fetch(regions.Region("chr1", 0, 5)) == "ACGTN"


def test_refusals(fasta, tmp_path):
    with genome.Genome(fasta) as opened:
        with pytest.raises(errors.DataError, match=r"no chromosome 'chr11'\. Did you mean"):
            opened.fetch(regions.Region("chr11", 0, 1))
        with pytest.raises(errors.DataError, match="chr2:0-9 leaves chr2, which has 8 bases"):
            opened.fetch(regions.Region("chr2", 0, 9))
    with pytest.raises(errors.DataError, match="no such FASTA"):
        genome.Genome(tmp_path / "absent.fa")
    for name, content, reason in (
        ("empty.fa", b"", "is empty"),
        ("table.fa", b"chrom\tstart\n", "not a FASTA"),
        ("twice.fa", b">chr1\nACGT\n>chr1\nACGT\n", "two sequences are called"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(errors.DataError, match=reason):
            genome.Genome(tmp_path / name)


def test_a_region_of_a_circular_chromosome_continues_at_its_start(fasta):
    with genome.Genome(fasta, circular=["chr2"]) as opened:
        assert opened.fetch(regions.Region("chr2", 5, 11)) == "Ynnacg"
        assert opened.fetch(regions.Region("chr2", 3, 11)) == "tRYnnacg"
        with pytest.raises(errors.DataError, match="chr2:3-12 leaves chr2, which has 8 bases"):
            opened.fetch(regions.Region("chr2", 3, 12))
        with pytest.raises(errors.DataError, match="chr1:198-201 leaves chr1"):
            opened.fetch(regions.Region("chr1", 198, 201))
    with pytest.raises(errors.DataError, match="no chromosome 'chrC'"):
        genome.Genome(fasta, circular=["chrC"])


@pytest.mark.parametrize("suffix", ["fai", "gzi"])
def test_an_index_of_an_older_file_is_refused(fasta, tmp_path, suffix):
    path = tmp_path / "genome.fa.gz"
    pysam.tabix_compress(str(fasta), str(path))
    genome.Genome(path).close()
    index = tmp_path / f"genome.fa.gz.{suffix}"
    written = path.stat().st_mtime
    os.utime(index, (written - 0.5, written - 0.5))
    genome.Genome(path).close()
    os.utime(index, (written - 5, written - 5))
    with pytest.raises(
        errors.DataError, match=rf"\.{suffix}: is older .* delete the index and run"
    ):
        genome.Genome(path)
    index.unlink()
    with genome.Genome(path) as opened:
        assert opened.fetch(regions.Region("chr1", 0, 5)) == "ACGTN"


def test_real_human_sequence(real_data):
    with genome.Genome(real_data / "sequence" / "hg38_1m.fa.gz") as opened:
        assert list(opened.sizes) == ["chr1"]
        assert opened.fetch(regions.Region("chr1", 0, 4)) == "NNNN"


def test_a_region_is_checked_without_reading_letters(fasta):
    with genome.Genome(fasta) as opened:
        assert opened.check(regions.Region("chr2", 0, 8)) == 8
        for region in (("chr2", 0, 9), ("chr2", -1, 3), ("chr2", 5, 4)):
            with pytest.raises(errors.DataError, match="leaves chr2, which has 8 bases"):
                opened.check(regions.Region(*region))
        with pytest.raises(errors.DataError, match=r"no chromosome 'chr22'.*chr2"):
            opened.check(regions.Region("chr22", 0, 4))
