"""Junctions against the letters of the allele that they make."""

import numpy as np
import pytest

from akita_bayes import dna
from akita_bayes.data import genome
from akita_bayes.variants.alleles import derivative, junctions, records

RANDOM = np.random.default_rng(7)
BASE = "".join(RANDOM.choice(list("ACGT"), 600))
UNIT = BASE[100:130]
REPEATED = BASE[:300] + UNIT + BASE[330:400] + dna.reverse_complement(UNIT) + BASE[430:]
"""UNIT at 100 and at 300, and its other strand at 400."""


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    path = tmp_path_factory.mktemp("repeated") / "r.fa"
    genome.write_fasta(path, {"chr1": REPEATED})
    with genome.Genome(path) as fasta:
        yield fasta


def row(position, mate, inserted=""):
    return records.Variant(
        0, 1, "chr1", position, ".", "N", "N", "BND", position, position + 1, inserted, mate
    )


def both_records(form, low, high, letters):
    """The breakends at the lower and at the higher base of one junction."""
    complement = dna.reverse_complement(letters)
    ends = {
        "DEL": ((True, True, letters), (False, False, letters)),
        "DUP": ((False, False, letters), (True, True, letters)),
        "LEFT": ((False, True, letters), (False, True, complement)),
        "RIGHT": ((True, False, complement), (True, False, letters)),
    }[form]
    return [
        row(position, records.Breakend("chr1", far, right, after), inserted)
        for position, far, (right, after, inserted) in zip(
            (low, high), (high, low), ends, strict=True
        )
    ]


def sequence(variant, opened):
    """The letters of the allele, and of its other strand."""
    letters = derivative.letters(derivative.edited(variant, opened.sizes), opened.padded)
    return {letters, dna.reverse_complement(letters)}


@pytest.mark.parametrize("letters", ["", "GATTC"])
@pytest.mark.parametrize("form", ["DEL", "DUP", "LEFT", "RIGHT"])
def test_both_records_tell_one_junction(opened, form, letters):
    low, high = both_records(form, 150, 350, letters)
    assert sequence(low, opened) == sequence(high, opened)
    expected = junctions.Junction("chr1", form, 150, 350, letters)
    assert junctions.of_row(low) == junctions.of_row(high) == expected
    assert [junctions.letters(r, letters) for r in (low, high)] == [low.inserted, high.inserted]


def test_a_junction_of_two_chromosomes_is_none():
    assert junctions.of_row(row(150, records.Breakend("chr2", 20, True, True))) is None


def test_a_base_joined_to_itself_is_repeated():
    junction = junctions.of_row(row(150, records.Breakend("chr1", 150, True, True)))
    assert junction == junctions.Junction("chr1", "DUP", 150, 150, "")


@pytest.mark.parametrize(
    ("form", "low", "high", "left", "right"),
    [
        # UNIT lies at 100 and 300: a deletion or copy of the 200 bases from one to the other
        ("DEL", 109, 310, 10, 20),
        ("DUP", 110, 309, 10, 20),
        # and its other strand at 400: an end of an inversion may lie 30 bases further right
        ("LEFT", 309, 419, 10, 20),
        ("RIGHT", 310, 420, 10, 20),
    ],
)
def test_a_junction_moves_as_far_as_the_letters_are_alike(opened, form, low, high, left, right):
    junction = junctions.Junction("chr1", form, low, high, "")
    back, ahead = junctions.room(junction, opened)
    # beyond the repeat letters may be alike by chance
    assert left <= back <= left + 4
    assert right <= ahead <= right + 4
    letters = sequence(both_records(form, low, high, "")[0], opened)
    for by in range(-back, ahead + 1):
        moved = junction.moved(by)
        (record, _) = both_records(form, moved.low, moved.high, "")
        assert sequence(record, opened) == letters
        assert junctions.canonical(moved, opened) == junction.moved(-back)
    for by in (-back - 1, ahead + 1):
        moved = junction.moved(by)
        (record, _) = both_records(form, moved.low, moved.high, "")
        assert sequence(record, opened) != letters
    assert junctions.room(junction._replace(letters="A"), opened) == (0, 0)


@pytest.mark.parametrize("form", ["DEL", "DUP", "LEFT", "RIGHT"])
def test_a_junction_stays_on_its_chromosome(opened, form):
    last = len(REPEATED) - 1
    back, ahead = junctions.room(junctions.Junction("chr1", form, 0, last, ""), opened)
    assert back == 0
    assert ahead <= 4
