"""A toy genome small enough to edit by hand, and variant files on it."""

import numpy as np
import pytest

from akita_bayes.data import genome
from akita_bayes.models import build, zoo
from akita_bayes.models.incremental import predictor
from tests import tiny

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


def randomised(spec, seed=0):
    """A network whose weights and statistics are all away from their starting values."""
    model = build.build(zoo.parse_spec(spec))
    random = np.random.default_rng(seed)
    for variable in model.variables:
        if "seed" in variable.path:
            continue
        values = variable.numpy()
        if "moving_variance" in variable.path:
            values = random.uniform(0.5, 1.5, values.shape)
        elif "gamma" in variable.path:
            values = random.normal(0.6, 0.2, values.shape)
        elif values.ndim < 2:
            values = random.normal(0, 0.2, values.shape)
        else:
            values = random.normal(0, np.sqrt(2 / np.prod(values.shape[:-1])), values.shape)
        variable.assign(values)
    return model


@pytest.fixture(scope="session")
def randomise():
    return randomised


@pytest.fixture(scope="session")
def small_model():
    """12 bins of 16 bases: computed in batches."""
    return randomised(tiny.spec_json())


@pytest.fixture(scope="session")
def latent_model():
    """The same with a Gaussian latent before the pairs."""
    spec = tiny.spec_json(loss="elbo")
    latent = {"name": "normal_latent", "units": 5, "initial_scale": 0.5}
    spec["model"]["head_hic"].insert(0, latent)
    return randomised(spec, seed=4)


def strip_spec(**first):
    """128 bins of 8 bases, a dilated trunk and head: computed in tiles and strips."""
    return {
        "train": {"batch_size": 2},
        "model": {
            "seq_length": 1024,
            "diagonal_offset": 2,
            "augment_rc": True,
            "augment_shift": 2,
            "activation": "relu",
            "norm_type": "batch",
            "bn_momentum": 0.9,
            "trunk": [
                {"name": "conv_block", "filters": 8, "kernel_size": 7, "pool_size": 2},
                {
                    "name": "conv_tower",
                    "filters_init": 8,
                    "kernel_size": 5,
                    "pool_size": 2,
                    "repeat": 2,
                },
                {"name": "dilated_residual", "filters": 6, "rate_mult": 2.0, "repeat": 2},
                {"name": "conv_block", "filters": 6, "kernel_size": 3, **first},
            ],
            "head_hic": [
                {"name": "one_to_two", "operation": "mean"},
                {"name": "concat_dist_2d"},
                {"name": "conv_block_2d", "filters": 6, "kernel_size": 3},
                {"name": "symmetrize_2d"},
                {
                    "name": "dilated_residual_2d",
                    "filters": 4,
                    "kernel_size": 3,
                    "rate_mult": 2.0,
                    "repeat": 2,
                    "dropout": 0.1,
                },
                {"name": "cropping_2d", "cropping": 8},
                {"name": "upper_tri", "diagonal_offset": 2},
                {"name": "final", "units": 2, "activation": "linear"},
            ],
        },
    }


@pytest.fixture(name="strip_spec", scope="session")
def give_strip_spec():
    return strip_spec


@pytest.fixture(scope="session")
def strip_model():
    return randomised(strip_spec(), seed=5)


@pytest.fixture(scope="session")
def strip_latent_model():
    """A head whose first convolution sees negative numbers, so it is not separable."""
    spec = strip_spec()
    spec["train"]["loss"] = "elbo"
    latent = {"name": "normal_latent", "units": 5, "initial_scale": 0.5}
    spec["model"]["head_hic"].insert(0, latent)
    return randomised(spec, seed=6)


@pytest.fixture
def windows_predicted(monkeypatch):
    """Numbers of windows that were predicted together, one entry for each time."""
    seen = []
    original = predictor.Passes.__call__

    def counted(self, requests):
        seen.append(len(requests))
        return original(self, requests)

    monkeypatch.setattr(predictor.Passes, "__call__", counted)
    return seen
