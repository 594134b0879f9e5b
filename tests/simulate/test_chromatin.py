"""Maps from letters: the figures of a contact map, its symmetries, and how far it looks."""

import time

import numpy as np
import pytest

from akita_bayes import dna, errors
from akita_bayes.simulate import chromatin, chromosomes

BINS, LEFT, RIGHT = 64, 16, 44
CELL = "alpha"


def _truth(bench, **sites):
    return chromatin.truth(bench.sequence(BINS, **sites), bench.physics, CELL)


def test_a_convergent_pair_makes_a_dot_and_a_divergent_one_none(bench):
    convergent = _truth(bench, plus=(LEFT,), minus=(RIGHT,))
    divergent = _truth(bench, minus=(LEFT,), plus=(RIGHT,))
    around = slice(LEFT - 7, LEFT + 8), slice(RIGHT - 7, RIGHT + 8)
    assert convergent[LEFT, RIGHT] == convergent[around].max()
    assert convergent[LEFT, RIGHT] > convergent[around].mean() + 1
    assert divergent[LEFT, RIGHT] < divergent[around].mean() + 0.1


def test_a_pair_is_more_than_its_two_stripes(bench):
    both = _truth(bench, plus=(LEFT,), minus=(RIGHT,))[LEFT, RIGHT]
    assert both > _truth(bench, plus=(LEFT,))[LEFT, RIGHT]
    assert both > _truth(bench, minus=(RIGHT,))[LEFT, RIGHT]


def test_a_site_makes_a_stripe_towards_the_side_it_faces(bench):
    middle = BINS // 2
    right, left = slice(middle + 12, middle + 28), slice(middle - 27, middle - 11)
    forward = _truth(bench, plus=(middle,))
    reverse = _truth(bench, minus=(middle,))
    assert forward[middle, right].mean() > forward[middle, left].mean() + 0.5
    assert reverse[middle, left].mean() > reverse[middle, right].mean() + 0.5
    beside = forward[[middle - 8, middle + 8], right.start : right.stop].mean()
    assert forward[middle, right].mean() > beside + 0.3


def test_deleting_a_site_removes_its_stripe(bench):
    middle = BINS // 2
    sequence = bench.sequence(BINS, plus=(middle,))
    start = middle * bench.bin_size + bench.bin_size // 2
    deleted = sequence[:start] + sequence[start + bench.physics.site.width :]
    deleted = chromatin.truth(deleted + "A" * bench.physics.site.width, bench.physics, CELL)
    without = chromatin.truth(bench.background(BINS), bench.physics, CELL)
    right = slice(middle + 12, middle + 28)
    # a shift of 15 of 512 bases moves the compartments a little, and nothing else
    np.testing.assert_allclose(deleted, without, atol=0.1)
    assert _truth(bench, plus=(middle,))[middle, right].mean() > deleted[middle, right].max() + 0.3


def test_a_boundary_insulates(bench):
    insulated = _truth(bench, plus=(33,), minus=(31,))
    free = chromatin.truth(bench.background(BINS), bench.physics, CELL)
    across = (slice(12, 24), slice(40, 52))
    assert insulated[across].mean() < free[across].mean() - 0.5


def test_compartments_avoid_each_other(bench):
    rng = np.random.default_rng(0)
    blocks = [
        "".join(rng.choice(list("CGAT"), 16 * bench.bin_size, p=[gc / 2] * 2 + [0.5 - gc / 2] * 2))
        for gc in (0.38, 0.52, 0.52, 0.38)
    ]
    truth = chromatin.truth("".join(blocks), bench.physics, CELL)
    assert truth[20:28, 36:44].mean() > truth[4:12, 20:28].mean() + 0.3
    assert truth[20:28, 36:44].mean() > truth[36:44, 52:60].mean() + 0.3


def test_cell_types_differ_where_a_corepressor_binds(bench):
    factor = bench.physics.corepressors[0]
    (silenced,) = factor.cell_types
    (expressing,) = set(bench.physics.cell_types) - {silenced}
    plain = bench.sequence(BINS, plus=(LEFT,), minus=(RIGHT,))
    end = LEFT * bench.bin_size + bench.bin_size // 2 + bench.physics.site.width
    edited = bench.write(plain, end + factor.gap[0], factor.motif.consensus)
    maps = {
        cell: [chromatin.truth(s, bench.physics, cell) for s in (plain, edited)]
        for cell in bench.physics.cell_types
    }
    np.testing.assert_allclose(maps[expressing][0], maps[expressing][1], atol=0.02)
    np.testing.assert_allclose(maps[silenced][0], maps[expressing][0], atol=1e-12)
    assert maps[silenced][1][LEFT, RIGHT] < maps[silenced][0][LEFT, RIGHT] - 0.5


@pytest.fixture(scope="module")
def chromosome(bench):
    return chromosomes.chromosome(
        "chr1", 1 << 18, bench.physics, chromosomes.Landscape(), seed=5
    ).sequence


def test_reverse_complement_turns_the_map(bench, chromosome):
    sequence = chromosome[: BINS * bench.bin_size]
    for cell in bench.physics.cell_types:
        truth = chromatin.truth(sequence, bench.physics, cell)
        turned = chromatin.truth(dna.reverse_complement(sequence), bench.physics, cell)
        np.testing.assert_allclose(turned[::-1, ::-1], truth, atol=1e-9)
        assert truth.std() > 0.1


def test_a_window_with_its_flanks_is_its_part_of_the_chromosome(bench, chromosome):
    flank, size = bench.physics.flank, bench.bin_size
    whole = chromatin.contacts(chromosome, bench.physics, CELL)
    for first in (flank // size, 150):
        start, end = first * size, (first + BINS) * size
        window = chromatin.contacts(
            chromosome[start - flank : end + flank], bench.physics, CELL, flank=flank
        )
        part = whole[first : first + BINS, first : first + BINS]
        np.testing.assert_allclose(window, part, rtol=1e-10)
        # more flank than needed changes nothing; none at all changes the edges alone
        if first * size >= 2 * flank:
            more = chromosome[start - 2 * flank : end + 2 * flank]
            np.testing.assert_allclose(
                chromatin.contacts(more, bench.physics, CELL, flank=2 * flank), part, rtol=1e-10
            )
        alone = chromatin.contacts(chromosome[start:end], bench.physics, CELL)
        inner = slice(flank // size, BINS - flank // size)
        np.testing.assert_allclose(alone[inner, inner], part[inner, inner], rtol=1e-10)


def test_unknown_letters_hold_no_site(bench):
    sequence = bench.sequence(BINS, plus=(LEFT,), minus=(RIGHT,))
    start = LEFT * bench.bin_size
    hidden = bench.write(sequence, start, "N" * bench.bin_size)
    assert chromatin.tracks(hidden, bench.physics, CELL).left_stall[LEFT] == 0
    assert np.isfinite(chromatin.truth("N" * BINS * 512, bench.physics, CELL)).all()


def test_map_is_symmetric_positive_and_clipped(bench, chromosome):
    sequence = chromosome[: BINS * bench.bin_size]
    contacts = chromatin.contacts(sequence, bench.physics, CELL)
    np.testing.assert_allclose(contacts, contacts.T, rtol=1e-12)
    assert (contacts > 0).all()
    truth = chromatin.truth(sequence, bench.physics, CELL)
    assert np.abs(truth).max() <= chromatin.CLIP


def test_bins_have_nearly_equal_totals(bench, chromosome):
    """So that balancing a simulated map leaves it as it is."""
    contacts = chromatin.contacts(chromosome, bench.physics, CELL)
    distance = np.abs(np.subtract.outer(np.arange(len(contacts)), np.arange(len(contacts))))
    total = np.where((distance >= 2) & (distance < 64), contacts, 0).sum(1)[64:-64]
    assert total.std() / total.mean() < 0.06


@pytest.mark.parametrize(
    ("length", "cell", "flank", "says"),
    [
        (BINS * 512 + 1, CELL, 0, "not a whole number"),
        (BINS * 512, CELL, 100, "not a whole number"),
        (1024, CELL, 512, "not a whole number"),
        (BINS * 512, "alfa", 0, 'Did you mean "alpha"'),
    ],
)
def test_bad_windows_are_refused(bench, length, cell, flank, says):
    with pytest.raises(errors.DataError, match=says):
        chromatin.truth("A" * length, bench.physics, cell, flank=flank)


def test_a_window_takes_milliseconds(bench, chromosome):
    sequence = chromosome[: BINS * bench.bin_size]
    chromatin.truth(sequence, bench.physics, CELL)
    start = time.perf_counter()
    for _ in range(5):
        chromatin.truth(sequence, bench.physics, CELL)
    assert (time.perf_counter() - start) / 5 < 0.2
