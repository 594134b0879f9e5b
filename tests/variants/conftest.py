"""A toy genome small enough to edit by hand, and variant files on it."""

import numpy as np
import pytest

from akita_bayes.data import genome
from akita_bayes.models.incremental import predictor

CHR1 = "ACGTTGCAACCGGTATGACTCAGGCTTAACGTGCATCGAT"  # 40 bases
CHR2 = "TTTTGGGGCCCCAAAATTGGCCAATGCATGCA"  # 32 bases
HEADER = """##fileformat=VCFv4.2
##contig=<ID=chr1,length=40>
##contig=<ID=chr2,length=32>
##INFO=<ID=END,Number=1,Type=Integer,Description="End">
##INFO=<ID=SVLEN,Number=A,Type=Integer,Description="Length">
##INFO=<ID=SVTYPE,Number=1,Type=String,Description="Type">
##INFO=<ID=SVINSSEQ,Number=1,Type=String,Description="Inserted letters">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
"""


@pytest.fixture(scope="session")
def toy_genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("toy") / "toy.fa"
    genome.write_fasta(path, {"chr1": CHR1, "chr2": CHR2.lower()})
    with genome.Genome(path) as toy:
        yield toy


@pytest.fixture
def write_vcf(tmp_path):
    """Writes lines `chrom pos ref alt [info]` as a VCF; returns its path."""

    def write(*lines, name="toy.vcf", header=HEADER):
        rows = []
        for line in lines:
            chrom, pos, ref, alt, *info = line.split()
            rows.append("\t".join([chrom, pos, ".", ref, alt, ".", ".", info[0] if info else "."]))
        path = tmp_path / name
        path.write_text(header + "".join(row + "\n" for row in rows))
        return path

    return write


RANDOM = np.random.default_rng(11)
LONG = {
    "chr1": "".join(RANDOM.choice(list("ACGT"), 4096)),
    "chr2": "".join(RANDOM.choice(list("ACGT"), 3072)),
}


@pytest.fixture(scope="session")
def long_genome(tmp_path_factory):
    """Two random chromosomes, longer than a tiny model's window."""
    path = tmp_path_factory.mktemp("long") / "long.fa"
    genome.write_fasta(path, LONG)
    return path


@pytest.fixture
def windows_predicted(monkeypatch):
    """Numbers of windows that were predicted together, one entry for each time."""
    counts = []
    original = predictor.WindowPredictor.__call__

    def counted(self, requests, members=None):
        counts.append(len(requests))
        return original(self, requests, members)

    monkeypatch.setattr(predictor.WindowPredictor, "__call__", counted)
    return counts
