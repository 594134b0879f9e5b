"""Directories of results to report, with hostile names, made once."""

import numpy as np
import pytest

from akita_bayes.data import genome
from akita_bayes.variants import score_directory, writers
from akita_bayes.variants.maps import saved_maps
from akita_bayes.variants.options import Options

LETTERS = "".join(np.random.default_rng(5).choice(list("ACGT"), 4096))
OTHER = {"A": "C", "C": "G", "G": "T", "T": "A"}
HOSTILE = (
    "</script><script>window.hacked=1</script>",
    "<img/src=x/onerror=window.hacked=1>",
    "\"'><svg/onload=window.hacked=1>&amp;",
)
"""Names of variants and targets that are markup, should a writer forget to escape one."""

TARGETS = writers.Targets([HOSTILE[1], "GM"], ["skin", HOSTILE[0]])


def line(pos, name, ref=None, alt=None, info="."):
    ref = ref or LETTERS[pos - 1]
    return f"chr1\t{pos}\t{name}\t{ref}\t{alt or OTHER[ref[0]]}\t.\t.\t{info}"


LINES = [
    line(1000, "rs1"),
    line(1200, HOSTILE[0]),
    line(1500, HOSTILE[1], ref=LETTERS[1499:1506], alt=LETTERS[1499]),
    line(1800, HOSTILE[2], alt="<DEL>", info="SVTYPE=DEL;END=1850"),
    line(2400, "no_letters", alt="<INS>", info="SVTYPE=INS"),
    line(2600, "long", alt=LETTERS[2599] + "ACGT" * 20),
    line(2700, "rs7"),
]


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    genome.write_fasta(folder / "genome.fa", {"chr1": LETTERS})
    header = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    (folder / "variants.vcf").write_text(header + "\n".join(LINES) + "\n")
    (folder / "genes.bed").write_text(
        f"chr1\t900\t1900\tABC\t0\t+\n1\t1700\t1800\t{HOSTILE[0]}\t0\t-\n"
    )
    return folder


@pytest.fixture(scope="session")
def scores(latent_model, inputs, tmp_path_factory):
    """A directory of `akita_scd.py` with draws and maps."""
    out = tmp_path_factory.mktemp("scores") / "scd"
    score_directory.score_file(
        latent_model,
        inputs / "variants.vcf",
        fasta=inputs / "genome.fa",
        out_dir=out,
        options=Options(scores=("SCD", "SSD"), draws=4, seed=3),
        targets=TARGETS,
        maps=saved_maps.EVERY,
    )
    return out
