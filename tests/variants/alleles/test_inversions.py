"""Pairs of inversion ends, against counting by hand and all pairs compared with all."""

import functools

import numpy as np
import pytest

from akita_bayes import dna
from akita_bayes.data import genome
from akita_bayes.variants.alleles import inversions, junctions
from akita_bayes.variants.alleles.inversions import Fitted, Inversion
from akita_bayes.variants.alleles.junctions import Junction

BASE = "".join(np.random.default_rng(3).choice(list("ACGT"), 3000))
UNIT = BASE[1000:1040]
MIRRORED = BASE[:2000] + dna.reverse_complement(UNIT) + BASE[2040:]
"""UNIT at 1000 and its other strand at 2000."""


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    path = tmp_path_factory.mktemp("mirrored") / "m.fa"
    genome.write_fasta(path, {"chr1": MIRRORED})
    with genome.Genome(path) as fasta:
        yield fasta


def room_in(opened):
    return functools.partial(junctions.room, genome=opened)


def left(a, b, letters=""):
    return Junction("chr1", "LEFT", a, b, letters)


def right(c, d, letters=""):
    return Junction("chr1", "RIGHT", c, d, letters)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (left(299, 799), right(300, 800), Fitted(300, 800)),
        (left(299, 799, "GA"), right(300, 800), Fitted(300, 800, Inversion(300, 800, "GA", ""))),
        (left(299, 799), right(300, 800, "T"), Fitted(300, 800, Inversion(300, 800, "", "T"))),
        (left(299, 799), right(310, 800), Fitted(300, 800, Inversion(310, 800))),
        (left(299, 799), right(300, 861), Fitted(300, 861, Inversion(300, 800))),
        (left(299, 799), right(292, 861), Fitted(300, 861, Inversion(292, 800))),
        (left(299, 799), right(800, 900), None),
        (left(299, 799), right(100, 290), None),
        # 40 bases and their other strand: where each end lies in them makes no difference
        (left(999, 2039), right(1000, 2040), Fitted(1000, 2040)),
        (left(1019, 2019), right(1000, 2040), Fitted(1020, 2020)),
        (left(999, 2039), right(1030, 2010), Fitted(1000, 2040)),
        (left(1005, 2033), right(1030, 2010), Fitted(1006, 2034)),
        (left(1019, 2018), right(1000, 2040), Fitted(1020, 2040, Inversion(1000, 2019))),
        (left(1019, 2019, "A"), right(1000, 2040), Fitted(1020, 2020, Inversion(1020, 2020, "A"))),
    ],
)
def test_two_ends_make_an_inversion(opened, first, second, expected):
    assert inversions.fitted(first, second, room_in(opened)) == expected


def test_ends_of_two_chromosomes_make_none(opened):
    assert (
        inversions.fitted(left(9, 20)._replace(chrom="chr2"), right(10, 21), room_in(opened))
        is None
    )


@pytest.mark.parametrize(
    ("ends", "pairs", "ambiguous"),
    [
        ([left(299, 799), right(300, 800)], [(0, 1)], set()),
        ([right(300, 800), left(299, 799)], [(1, 0)], set()),
        ([left(299, 799), right(305, 812)], [(0, 1)], set()),
        ([left(299, 799), left(299, 799, "A")], [], set()),
        # a quarter of the turned bases may be lost or doubled at either end
        ([left(299, 799), right(400, 800)], [(0, 1)], set()),
        ([left(299, 799), right(401, 800)], [], set()),
        ([left(299, 799), right(300, 925)], [(0, 1)], set()),
        ([left(299, 799), right(300, 926)], [], set()),
        # and at most 1,000 bases
        ([left(1_999, 9_999), right(3_000, 10_000)], [(0, 1)], set()),
        ([left(1_999, 9_999), right(3_001, 10_000)], [], set()),
        # of several the exact one; of several inexact ones none
        ([left(299, 799), right(305, 812), right(300, 800)], [(0, 2)], set()),
        ([left(299, 799), right(305, 812), right(302, 800)], [], {0, 1, 2}),
        ([left(299, 799), left(296, 799), right(305, 812)], [], {0, 1, 2}),
        ([left(299, 799), right(300, 800), right(300, 800, "A")], [], {0, 1, 2}),
        # one that fits no other does not matter
        ([left(299, 799), right(305, 812), right(2000, 2500)], [(0, 1)], set()),
        ([left(299, 799), right(300, 800)._replace(chrom="chr2")], [], set()),
        ([left(299, 799), Junction("chr1", "DEL", 300, 800, "")], [], set()),
    ],
)
def test_ends_are_paired_by_their_bases(opened, ends, pairs, ambiguous):
    assert inversions.paired(ends, room_in(opened)) == (pairs, ambiguous)


def test_pairs_are_those_that_comparing_all_with_all_finds(opened):
    """Ends drawn so densely that many are ambiguous."""
    random = np.random.default_rng(1)
    positions = random.integers(0, 400, (60, 2)) * 25 + [0, 12_000]
    ends = [(left, right)[i % 2](int(low), int(high)) for i, (low, high) in enumerate(positions)]
    near = {
        (i, j)
        for i, first in enumerate(ends)
        for j, second in enumerate(ends)
        if (first.form, second.form) == ("LEFT", "RIGHT")
        and abs(second.low - first.low - 1) <= 1000
        and abs(second.high - first.high - 1) <= 1000
        and max(abs(second.low - first.low - 1), abs(second.high - first.high - 1))
        <= (first.high + 1 - second.low) / 4
    }
    degree = {i: sum(i in pair for pair in near) for i in range(len(ends))}
    expected = [(i, j) for i, j in sorted(near) if degree[i] == degree[j] == 1]
    pairs, ambiguous = inversions.paired(ends, room_in(opened))
    assert len(expected) >= 3
    assert sorted(pairs) == expected
    assert ambiguous == {i for i in degree if degree[i]} - {i for pair in expected for i in pair}
    assert len(ambiguous) >= 10
