"""Variants on the two long chromosomes, and their scores."""

import akita_bayes as ab
from akita_bayes import dna, triangle
from akita_bayes.models import predict
from akita_bayes.variants.scores import named_scores
from tests import tiny
from tests.variants.conftest import LONG

L, W, CROP, BINS, K = tiny.SEQ_LENGTH, tiny.POOL, tiny.CROP, tiny.BINS, tiny.OFFSET

NAMES = tuple(name for name in named_scores.BY_NAME if name not in ("ROI", "INS16", "INS8"))
"""Scores that a map of 12 bins has."""
CHR1, CHR2 = LONG["chr1"], LONG["chr2"]
HEADER = """##fileformat=VCFv4.2
##contig=<ID=chr1,length=4096>
##contig=<ID=chr2,length=3072>
##INFO=<ID=END,Number=1,Type=Integer,Description="End">
##INFO=<ID=SVTYPE,Number=1,Type=String,Description="Type">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
"""


def substitute(base):
    return {"A": "C", "C": "G", "G": "T", "T": "A"}[base]


def line(pos, alt=None, ref=None, info="", chrom="chr1"):
    """A record at `pos`, counted from 1, whose REF is the genome's."""
    letters = LONG[chrom]
    ref = ref or letters[pos - 1]
    return f"{chrom} {pos} {ref} {alt or substitute(letters[pos - 1])} {info}".strip()


def score(model, path, fasta, **options):
    return ab.score_variants(model, path, fasta=fasta, **options)


def columns(table, name):
    return table[[c for c in table.columns if c.startswith(f"{name}:")]].to_numpy()


def naive_maps(model, letters, start):
    """The map of a window cut out of a chromosome's letters, by the plain network."""
    left, right = max(-start, 0), max(start + L - len(letters), 0)
    window = "N" * left + letters[max(start, 0) : start + L] + "N" * right
    maps = predict.predict(model, dna.to_one_hot(window)[None])[0]
    return triangle.to_matrix(maps, diagonal_offset=K, fill=0)
