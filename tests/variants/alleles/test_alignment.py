"""Alignment against a model countable by eye: a bin is the sum of its bases' own numbers.

Every reference base has a number and every inserted base the number zero, so that a map in the
frame can be worked out from the loci alone.
"""

import numpy as np
import pytest

from akita_bayes import regions, triangle
from akita_bayes.specs.geometry import Geometry
from akita_bayes.variants.alleles import (
    alignment,
    bin_loci,
    derivative,
    inversions,
    records,
    window_pairs,
)

BIN = 8
GEOMETRY = Geometry(
    seq_length=16 * BIN, bin_width=BIN, bins=12, crop_bp=2 * BIN, diagonal_offset=2, pairwise=True
)
SIZES = {"chr1": 1000, "chr2": 1000}


def variant(kind, start, end, inserted="", mate=None):
    return records.Variant(
        0, 1, "chr1", start, ".", "N", "N", kind, start, end, inserted, mate
    )  # fmt: skip


def loci(window):
    """(chrom, base) of every base of the cropped window; None where there is none."""
    out = []
    for segment in window.segments:
        bases = range(segment.start, segment.start + segment.length)
        bases = bases if segment.strand == 1 else reversed(bases)
        out += [(segment.chrom, base) if segment.chrom else None for base in bases]
    return out[GEOMETRY.crop_bp : GEOMETRY.seq_length - GEOMETRY.crop_bp]


def number(locus):
    """A distinct smooth number per locus; chromosome 2 far from chromosome 1."""
    return np.nan if locus is None else locus[1] + (5000.0 if locus[0] == "chr2" else 0.0)


def bin_numbers(window):
    values = np.array([number(locus) for locus in loci(window)]).reshape(-1, BIN)
    finite = [row[np.isfinite(row)] for row in values]
    return np.array([np.median(row) if row.size else 0.0 for row in finite])


def predict(window):
    """A map that any locus pair can be recognised in: pixel (i, j) holds both bins' numbers."""
    values = bin_numbers(window)
    rows, columns = triangle.indices(GEOMETRY.bins, GEOMETRY.diagonal_offset)
    low = np.minimum(values[rows], values[columns])
    high = np.maximum(values[rows], values[columns])
    return np.stack([low, high], axis=-1)


def compare(event):
    pair = window_pairs.anchored(event, GEOMETRY, SIZES)
    aligned = alignment.align(pair, GEOMETRY)
    ref = aligned.reference([predict(window) for window in pair.reference])
    alt = aligned.alternative([predict(window) for window in pair.alternative])
    return pair, aligned, ref, alt


def as_map(vector):
    return triangle.to_matrix(np.asarray(vector)[:, None], diagonal_offset=2, fill=0)[..., 0]


def far_apart(bins):
    return np.abs(np.subtract.outer(range(bins), range(bins))) >= GEOMETRY.diagonal_offset


@pytest.mark.parametrize(
    "event",
    [
        variant("SNV", 500, 501, "C"),
        variant("DEL", 500, 501),
        variant("DEL", 500, 503),
        variant("DEL", 497, 500),
        variant("DEL", 480, 496),
        variant("DEL", 481, 500),
        variant("INS", 500, 500, "ACG"),
        variant("INS", 500, 500, "A" * 16),
        variant("INS", 500, 500, "A" * 19),
        variant("COMPLEX", 500, 520, "ACGTA"),
        variant("COMPLEX", 500, 505, "A" * 20),
        variant("DUP", 490, 506),
        variant("DUP", 490, 501),
        variant("INV", 490, 506),
        variant("INV", 487, 513),
        variant("INV", 500, 502),
        variant("DUP", 490, 501, "ACGTA"),
        variant("INV", 490, 506)._replace(inversion=inversions.Inversion(490, 506, "ACG", "T")),
        variant("INV", 490, 506)._replace(inversion=inversions.Inversion(493, 506)),
        variant("INV", 490, 506)._replace(inversion=inversions.Inversion(487, 502)),
        variant("INV", 480, 513)._replace(inversion=inversions.Inversion(478, 516)),
    ],
    ids=lambda e: f"{e.kind}{e.end - e.start}{e.inserted[:1]}{len(e.inserted)}",
)
def test_unmasked_pixels_show_the_same_loci(event):
    _, aligned, ref, alt = compare(event)
    assert aligned.mask.any()
    rows, columns = triangle.indices(12, 2)
    edges = np.zeros(12, bool)  # bins that hold an end of the event may be half one, half other
    for end in aligned.site:
        edges[max(end - 1, 0) : end + 1] = True
    pure = aligned.mask & ~edges[rows] & ~edges[columns]
    assert pure.sum() >= 8
    assert np.abs(ref - alt)[pure].max() <= BIN / 2


def test_snv_masks_nothing():
    pair, aligned, ref, alt = compare(variant("SNV", 500, 501, "C"))
    assert aligned.mask.all()
    assert (aligned.lost, aligned.gained) == (0, 0)
    assert len(pair.reference) == len(pair.alternative) == 1
    np.testing.assert_array_equal(ref, alt)
    assert aligned.site == (5, 6)


@pytest.mark.parametrize("size", [1, 3, 4])
def test_flanks_of_a_small_deletion_align_exactly(size):
    pair, aligned, ref, alt = compare(variant("DEL", 500, 500 + size))
    assert len(pair.alternative) == 2
    assert aligned.mask.all()
    rows, columns = triangle.indices(12, 2)
    first, last = aligned.site
    left = columns < first
    right = rows >= last
    assert left.any()
    assert right.any()
    np.testing.assert_array_equal(ref[left], alt[left])
    np.testing.assert_array_equal(ref[right], alt[right])
    across = (rows < first) & (columns >= last)
    np.testing.assert_allclose((alt - ref)[across], [[-size / 2, size / 2]] * across.sum())


def test_deleted_bins_are_masked_and_counted():
    _, aligned, ref, alt = compare(variant("DEL", 480, 512))  # whole bins of this window
    deleted = np.zeros(12, bool)
    deleted[aligned.site[0] : aligned.site[1]] = True
    assert deleted.sum() == 4
    mask = as_map(aligned.mask).astype(bool)
    assert not mask[deleted].any()
    expected = far_apart(12) & ~deleted & ~deleted[:, None]
    expected[3, 8] = expected[8, 3] = False  # neighbours in ALT: closer than its triangle shows
    np.testing.assert_array_equal(mask, expected)
    assert (aligned.lost, aligned.gained) == (np.sum(~aligned.mask), 0)
    np.testing.assert_array_equal(ref[aligned.mask], alt[aligned.mask])


def test_a_flank_is_read_from_the_window_that_keeps_its_place():
    """And what lies across, which moves as far in either window, from both."""
    _, aligned, _, _ = compare(variant("DEL", 480, 496))
    rows, columns = triangle.indices(12, 2)
    first, last = aligned.site
    for pixels, weight in (
        (columns < first, [1, 0]),
        (rows >= last, [0, 1]),
        ((rows < first - 2) & (columns >= last + 2), [0.5, 0.5]),
    ):
        expected = np.outer(weight, np.ones(pixels.sum()))
        np.testing.assert_array_equal(aligned.alternative.weight[:, pixels], expected)


def test_inserted_bins_are_masked_and_counted():
    _, aligned, ref, alt = compare(variant("INS", 496, 496, "A" * 32))
    mask = as_map(aligned.mask)
    first, last = aligned.site
    assert last - first == 4
    assert not mask[first:last].any()
    assert (aligned.lost, aligned.gained) == (0, np.sum(~aligned.mask))
    np.testing.assert_array_equal(ref[aligned.mask], alt[aligned.mask])


def test_duplicate_contacts_are_gained_and_own_copies_compared():
    """ALT is L X1 X2 R: L-X1, X1-X1, X2-X2, X2-R and L-R are compared; the rest is gained."""
    _, aligned, ref, alt = compare(variant("DUP", 480, 496))
    mask = as_map(aligned.mask).astype(bool)
    first, last = aligned.site
    copy1, copy2 = range(first, first + 2), range(first + 2, last)
    assert last - first == 4
    left, right = range(first), range(last, 12)
    expected = np.zeros((12, 12), bool)
    for a, b in ((left, left), (left, copy1), (copy2, right), (left, right), (right, right)):
        expected[np.ix_(a, b)] = expected[np.ix_(b, a)] = True
    expected &= far_apart(12)
    np.testing.assert_array_equal(mask, expected)
    np.testing.assert_array_equal(ref[aligned.mask], alt[aligned.mask])
    assert (aligned.lost, aligned.gained) == (0, np.sum(~aligned.mask))


def test_an_inversion_masks_its_arms_and_compares_its_inside_reversed():
    _, aligned, ref, alt = compare(variant("INV", 472, 520))
    first, last = aligned.site
    assert last - first == 6
    mask = as_map(aligned.mask).astype(bool)
    inside, outside = range(first, last), [*range(first), *range(last, 12)]
    assert not mask[np.ix_(inside, outside)].any()
    far = far_apart(12)
    assert mask[np.ix_(inside, inside)][far[:6, :6]].all()
    assert mask[np.ix_(outside, outside)][far[np.ix_(outside, outside)]].all()
    np.testing.assert_array_equal(ref[aligned.mask], alt[aligned.mask])
    assert aligned.lost == aligned.gained == np.sum(~aligned.mask)


MATES = {
    "t[p[": records.Breakend("chr2", 300, True, True),
    "t]p]": records.Breakend("chr2", 300, False, True),
    "]p]t": records.Breakend("chr2", 300, False, False),
    "[p[t": records.Breakend("chr2", 300, True, False),
}


@pytest.mark.parametrize("form", MATES)
def test_a_junction_compares_both_sides_and_masks_across(form):
    pair, aligned, ref, alt = compare(variant("BND", 500, 501, "", MATES[form]))
    assert aligned.mask.any()
    np.testing.assert_array_equal(ref[aligned.mask], alt[aligned.mask])
    half = 6
    mask = as_map(aligned.mask).astype(bool)
    far = far_apart(12)
    assert mask[:half, :half][far[:half, :half]].all()
    assert mask[half:, half:][far[:half, :half]].all()
    assert not mask[:half, half:].any()
    crossing = far[:half, half:].sum()
    assert aligned.gained == crossing
    assert aligned.lost == 2 * crossing
    chroms = {locus[0] for locus in loci(pair.alternative[0])}
    assert chroms == {"chr1", "chr2"}


def test_a_junction_within_a_chromosome_aligns_like_a_deletion():
    mate = records.Breakend("chr1", 517, True, True)  # bases 501..516 are gone
    _, aligned, ref, alt = compare(variant("BND", 500, 501, "", mate))
    assert aligned.mask.sum() >= 50
    assert aligned.gained == np.sum(~aligned.mask)
    np.testing.assert_array_equal(ref[aligned.mask], alt[aligned.mask])


def test_both_alleles_swapped_swap_the_maps():
    """A deletion on one genome is the insertion of the same bases on the other."""
    _, aligned, _, _ = compare(variant("DEL", 500, 511))
    _, back, _, _ = compare(variant("INS", 500, 500, "A" * 11))
    np.testing.assert_array_equal(aligned.mask, back.mask)
    np.testing.assert_array_equal(aligned.alternative.take, back.reference.take)
    np.testing.assert_array_equal(aligned.alternative.weight, back.reference.weight)
    assert (aligned.lost, aligned.gained) == (back.gained, back.lost)


@pytest.mark.parametrize("position", [0, 3, 996, 999])
def test_chromosome_ends_are_padded_and_masked(position):
    pair, aligned, ref, _ = compare(variant("SNV", position, position + 1, "C"))
    assert pair.padded()
    lacking = np.array([locus is None for locus in loci(pair.frame)])
    empty = lacking.reshape(-1, BIN).mean(1) > 0.5
    assert 0 < empty.sum() < 12
    expected = far_apart(12) & ~empty & ~empty[:, None]
    np.testing.assert_array_equal(as_map(aligned.mask), expected)
    assert np.isfinite(ref[aligned.mask]).all()


@pytest.mark.parametrize(
    "event",
    [variant("DEL", 20, 36), variant("DEL", 960, 976), variant("INS", 20, 20, "A" * 16)],
    ids=["left", "right", "insertion"],
)
def test_padding_of_either_allele_is_compared_with_nothing(event):
    pair, aligned, ref, alt = compare(event)
    assert pair.padded()
    assert aligned.mask.any()
    beside = np.array([locus is None for locus in loci(pair.frame)]).reshape(-1, BIN).all(1)
    assert beside.any()
    assert not as_map(aligned.mask)[beside].any()
    assert np.abs(ref - alt)[aligned.mask].max() <= BIN  # an end of the event lies within a bin


def test_gained_contacts_are_those_of_the_window_that_shows_most():
    pair, aligned, _, _ = compare(variant("COMPLEX", 476, 517, "A" * 16))
    rows, columns = triangle.indices(12, 2)
    shown = []
    for window in pair.alternative:
        new = np.array([locus is None for locus in loci(window)]).reshape(-1, BIN).mean(1) > 0.5
        shown.append(np.sum(new[rows] | new[columns]))
    assert shown[0] != shown[1]
    assert aligned.gained == max(shown)


@pytest.mark.parametrize("size", [1, 3, 4, 5])
def test_a_deletion_within_a_bin_loses_no_pixel_that_is_compared(size):
    """Though the middle of that bin, which stands for its locus, may be deleted."""
    for start in range(496, 512 - size):
        _, aligned, _, _ = compare(variant("DEL", start, start + size))
        assert aligned.lost == np.sum(~aligned.mask)
        _, aligned, _, _ = compare(variant("INS", start, start, "A" * size))
        assert aligned.gained == np.sum(~aligned.mask)
    _, aligned, _, _ = compare(variant("DEL", 498, 501))
    assert aligned.mask.all()
    assert (aligned.lost, aligned.gained) == (0, 0)


def any_variant(random):
    """A variant of any kind, also near or over the ends of its chromosome."""
    kind = random.choice(["SNV", "MNV", "DEL", "INS", "COMPLEX", "DUP", "INV", "inexact", "BND"])
    size = int(random.choice([1, 3, 8, 16, 29, 60]))
    start = int(random.choice([0, 5, 30, 500, 503, 900, 1000 - size]))
    if kind == "BND":
        mate = records.Breakend(
            str(random.choice(["chr1", "chr2"])),
            int(random.integers(1000)),
            *random.random(2) < 0.5,
        )
        return variant("BND", start, start + 1, "A" * int(random.choice([0, 0, 5, 20])), mate)
    put = {"SNV": 1, "MNV": size, "DEL": random.choice([0, 0, 4, 30]), "INS": size}.get(kind, 0)
    put = (
        random.integers(1, 70)
        if kind == "COMPLEX"
        else random.choice([0, 9])
        if kind == "DUP"
        else put
    )
    size = {"SNV": 1, "INS": 0}.get(kind, size)
    row = variant(kind, start, start + size, "A" * int(put))
    if kind != "inexact":
        return row
    first = max(start + int(random.integers(-3, 2)), 0)
    last = max(min(start + size + int(random.integers(-2, 4)), 1000), first + 1)
    turned = inversions.Inversion(first, last, "A" * int(random.choice([0, 5])))
    return row._replace(kind="INV", inversion=turned)


def bases_shown(window):
    """Pixels of a window that are not padding, base by base."""
    total = derivative.length(window.allele)
    positions = window.start + GEOMETRY.crop_bp + np.arange(GEOMETRY.bins * BIN)
    inside = ((positions >= 0) & (positions < total)).reshape(-1, BIN).sum(1) * 2 >= BIN
    rows, columns = triangle.indices(GEOMETRY.bins, GEOMETRY.diagonal_offset)
    return inside[rows] & inside[columns]


@pytest.mark.parametrize("seed", range(8))
def test_pixels_of_the_frame_are_compared_or_counted(seed):
    random = np.random.default_rng(seed)
    for _ in range(60):
        event = any_variant(random)
        pair = window_pairs.anchored(event, GEOMETRY, SIZES)
        aligned = alignment.align(pair, GEOMETRY)
        shown = bases_shown(pair.frame)
        compared = int(aligned.mask.sum())
        assert not aligned.mask[~shown].any(), event
        alike = len(pair.reference) == len(pair.alternative) == 1
        if pair.longer == "reference" or alike:
            assert compared + aligned.lost == shown.sum(), event
        if pair.longer == "alternative" or alike:
            assert compared + aligned.gained == shown.sum(), event
        # of the other allele, at most those that are read for no compared pixel
        for count, stitch, side in (
            (aligned.lost, aligned.reference, pair.reference),
            (aligned.gained, aligned.alternative, pair.alternative),
        ):
            free = 0
            for window, take, weight in zip(side, stitch.take, stitch.weight, strict=True):
                unread = bases_shown(window)
                unread[take[aligned.mask & (weight > 0)]] = False
                free += unread.sum()
            assert 0 <= count <= free, event
        turned = aligned.turn()
        assert (turned.lost, turned.gained) == (aligned.gained, aligned.lost)


def test_without_alignment_every_pixel_is_compared():
    aligned = alignment.align(window_pairs.centred(variant("DEL", 3, 9), GEOMETRY, SIZES), GEOMETRY)
    assert (aligned.mask.sum(), aligned.lost, aligned.gained) == (GEOMETRY.target_length, 0, 0)


@pytest.mark.parametrize("kind", ["DEL", "INV", "INS"])
def test_regions_weigh_bins_by_the_bases_that_they_cover(kind):
    event = variant(kind, 500, 500 if kind == "INS" else 520, "A" * 12 if kind == "INS" else "")
    pair, *_ = compare(event)
    weighted = [
        (regions.Region("chr1", 475, 507), 2.0),
        (regions.Region("chr1", 505, 510), 0.5),
        (regions.Region("chr1", 0, 100), 3.0),
        (regions.Region("chr2", 0, 1000), 5.0),
        (regions.Region("chr3", 0, 1000), 7.0),
    ]
    for window in (*pair.reference, *pair.alternative):
        expected = [
            sum(
                value
                for region, value in weighted
                if locus and locus[0] == region.chrom and region.start <= locus[1] < region.end
            )
            for locus in loci(window)
        ]
        expected = np.reshape(expected, (-1, BIN)).mean(1)
        assert expected.max() > 0
        np.testing.assert_allclose(bin_loci.coverage(window, GEOMETRY, weighted), expected)


def test_basenji_windows_shift_the_longer_allele():
    pair = window_pairs.centred(variant("DEL", 500, 506), GEOMETRY, SIZES)
    assert pair.reference[0].start - pair.alternative[0].start == 3
    pair = window_pairs.centred(variant("INS", 500, 500, "ACGTA"), GEOMETRY, SIZES)
    assert pair.alternative[0].start - pair.reference[0].start == 2
    snv = window_pairs.centred(variant("SNV", 500, 501, "C"), GEOMETRY, SIZES)
    letters = derivative.cut(snv.alternative[0].allele, 500, 501)
    assert snv.alternative[0].start == 500 - (64 - 1)
    assert letters[0].letters == "C"
    assert alignment.align(snv, GEOMETRY).mask.all()


def test_shared_windows_lie_on_a_grid():
    starts = {
        window_pairs.anchored(variant("SNV", p, p + 1, "C"), GEOMETRY, SIZES, share=32)
        .reference[0]
        .start
        for p in range(480, 496)
    }
    assert starts == {480 - 64}
    ahead = window_pairs.anchored(variant("INS", 500, 500, "ACG"), GEOMETRY, SIZES, share=32)
    assert ahead.reference[0].start % 32 == 0


@pytest.mark.parametrize(
    ("event", "share", "reason"),
    [
        (variant("DEL", 400, 400 + 86), 0, "larger than two thirds of the window"),
        (variant("DEL", 400, 400 + 85), 0, ""),
        (variant("SNV", 590, 591, "C"), 400, "cropped margin"),
        (variant("SNV", 555, 556, "C"), 0, ""),
    ],
)
def test_refuses_what_a_window_cannot_show(event, share, reason):
    pair = window_pairs.anchored(event, GEOMETRY, SIZES, share=share)
    refusal = window_pairs.refusal(event, pair, GEOMETRY)
    assert (reason in refusal) if reason else refusal == ""
