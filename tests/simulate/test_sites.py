"""Sites from letters: scores, strands, corepressors, decoys."""

import dataclasses

import numpy as np
import pytest

from akita_bayes import dna, errors
from akita_bayes.simulate import physics, sites

WEIGHTS = physics.Physics()
FLANK = "GATCT" * 12


def _strongest(sequence: str) -> tuple[int, int, np.ndarray]:
    located = sites.find(sequence, WEIGHTS)
    best = located.score.argmax()
    return located.start[best], located.strand[best], located.occupancy[best]


def test_score_is_the_sum_of_log_odds():
    motif = physics.Motif("AC", (0.7, 0.4))
    scores = sites.scan(dna.to_index("ACNG"), motif)
    expected = [
        np.log(0.7 / 0.25) + np.log(0.4 / 0.25),
        np.log(0.1 / 0.25) + np.log(0.2 / 0.25),
        np.log(0.1 / 0.25) + np.log(0.2 / 0.25),
    ]
    np.testing.assert_allclose(scores, expected)


def test_consensus_is_bound_on_its_strand():
    consensus = WEIGHTS.site.consensus
    assert _strongest(FLANK + consensus + FLANK)[:2] == (60, 1)
    assert _strongest(FLANK + dna.reverse_complement(consensus) + FLANK)[:2] == (60, -1)
    assert _strongest(FLANK + consensus + FLANK)[2].min() > 0.99


def test_one_base_lowers_the_occupancy_by_its_log_odds():
    consensus = WEIGHTS.site.consensus
    for position in range(len(consensus)):
        edited = consensus[:position] + "A" + consensus[position + 1 :]
        located = sites.find(FLANK + edited + FLANK, WEIGHTS)
        odds = WEIGHTS.site.log_odds
        score = odds[np.arange(len(consensus)), dna.to_index(edited)].sum()
        np.testing.assert_allclose(located.score[located.start == 60], score)
        expected = 1 / (1 + np.exp(WEIGHTS.midpoint - score))
        np.testing.assert_allclose(located.occupancy[located.start == 60], expected)


@pytest.mark.parametrize("gap", range(9))
def test_a_corepressor_empties_the_site_at_its_spacing_in_its_cell_types(gap):
    for factor in WEIGHTS.corepressors:
        sequence = FLANK + WEIGHTS.site.consensus + "T" * gap + factor.motif.consensus + FLANK
        silenced = np.isin(WEIGHTS.cell_types, factor.cell_types)
        occupancy = _strongest(sequence)[2]
        assert (occupancy[~silenced] > 0.99).all()
        within = factor.gap[0] <= gap <= factor.gap[1]
        assert (occupancy[silenced] < 0.97).all() == within
        # the other strand reads the same
        turned = _strongest(dna.reverse_complement(sequence))[2]
        np.testing.assert_array_equal(turned, occupancy)


def test_what_only_looks_like_a_site_is_empty():
    consensus = WEIGHTS.site.consensus
    split = consensus[:7] + "ATAT" + consensus[7:]
    unknown = consensus[:5] + "NNNN" + consensus[9:]
    for decoy in (split, consensus[::-1], unknown):
        assert sites.find(FLANK + decoy + FLANK, WEIGHTS).occupancy.max(initial=0) < 0.1


def test_a_site_cut_by_the_end_is_none():
    assert len(sites.find(WEIGHTS.site.consensus[:-1], WEIGHTS).start) == 0
    # a site whose corepressor lies beyond the end is a site
    assert len(sites.find(WEIGHTS.site.consensus, WEIGHTS).start) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"site": physics.Motif("ACGT", (0.9,) * 4)}, "odd number"),
        ({"stall": 1.0}, "probability below 1"),
        ({"tether": 0.0}, "tether must be positive"),
        ({"cell_types": ("alpha",)}, "not among the cell types"),
    ],
)
def test_impossible_physics_is_refused(change, says):
    with pytest.raises(errors.DataError, match=says):
        dataclasses.replace(WEIGHTS, **change)


@pytest.mark.parametrize(
    ("consensus", "conservation"), [("AC", (0.9,)), ("AN", (0.9, 0.9)), ("AC", (0.9, 1.0))]
)
def test_an_impossible_motif_is_refused(consensus, conservation):
    with pytest.raises(errors.DataError, match="Motif"):
        physics.Motif(consensus, conservation)
