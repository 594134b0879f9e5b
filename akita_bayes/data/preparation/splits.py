"""Assigns contigs of the genome to training and held-out splits.

Long chromosomes are broken into contigs, and each contig is assigned to a split. Where contigs of
two splits lie closer than one window, the split with more bases is trimmed. Windows of different
splits therefore lie at least one window's length apart.
"""

import heapq
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from akita_bayes import errors, regions
from akita_bayes.data import interval_sets

_LARGEST_SHARE = 0.2

Contigs = dict[str, interval_sets.Intervals]


def break_large(contigs: list[regions.Region], largest: int, smallest: int) -> list[regions.Region]:
    """Halves contigs until none is longer than `largest`; drops those shorter than `smallest`.

    Raises:
        DataError: `largest` is shorter than `smallest`, one window.
    """
    if largest < smallest:
        raise errors.DataError(
            f"--break {largest} is shorter than one window of {smallest}; give at least that."
        )
    # heapq pops the smallest entry, so negative widths pop the longest contig first.
    heap = [(-region.width, region) for region in contigs if region.width >= smallest]
    heapq.heapify(heap)
    while heap and -heap[0][0] > largest and -heap[0][0] >= 2 * smallest:
        _, (chrom, start, end) = heapq.heappop(heap)
        middle = start + (end - start) // 2
        for half in (regions.Region(chrom, start, middle), regions.Region(chrom, middle, end)):
            heapq.heappush(heap, (-half.width, half))
    return sorted(region for _, region in heap)


def by_share(
    contigs: list[regions.Region], shares: Mapping[str, float], *, window: int, seed: int
) -> dict[str, list[regions.Region]]:
    """Deals contigs to splits at random, longest first, so that bases come close to the shares.

    A split is drawn with a probability proportional to the bases that it still lacks. A held-out
    split does not receive a contig longer than a fifth of the bases that it lacks. In a small
    genome, held-out splits therefore get too few bases: a split with less than half of its share
    then takes the longest contigs that fit, or the end of the longest contig of all.

    Args:
        contigs: Stretches to deal.
        shares: Share of all bases for each split; the first takes contigs that fit no other split.
        window: Length of a window; parts that are cut off are at least two windows long.
        seed: Seed of the random draws.
    """
    random = np.random.default_rng(seed)
    first, *held_out = shares
    total = sum(region.width for region in contigs)
    lacking = {split: share * total for split, share in shares.items()}
    contigs_of: dict[str, list[regions.Region]] = {split: [] for split in shares}
    for region in sorted(contigs, key=lambda region: (-region.width, region)):
        eligible = [first] + [
            split for split in held_out if region.width <= _LARGEST_SHARE * lacking[split]
        ]
        lacks = np.array([max(lacking[split], 0.0) for split in eligible])
        probabilities = lacks / lacks.sum() if lacks.sum() > 0 else None
        split = (
            eligible[0] if probabilities is None else str(random.choice(eligible, p=probabilities))
        )
        contigs_of[split].append(region)
        lacking[split] -= region.width
    for split in held_out:
        _fill(contigs_of[first], contigs_of[split], shares[split] * total, window)
    return contigs_of


def _fill(
    source: list[regions.Region], held_out: list[regions.Region], expected: float, window: int
) -> None:
    """Moves contigs from `source` to a held-out split with less than half of its expected bases."""
    lacking = expected - sum(region.width for region in held_out)
    while lacking > expected / 2 and source:
        fitting = [region for region in source if region.width <= lacking]
        longest = max(source, key=lambda region: region.width)
        if fitting:
            contig = max(fitting, key=lambda region: region.width)
            source.remove(contig)
        elif held_out:
            return
        else:
            cut = longest.end - max(round(lacking), 2 * window)
            if cut - longest.start < 2 * window:
                return
            source[source.index(longest)] = longest._replace(end=cut)
            contig = longest._replace(start=cut)
        held_out.append(contig)
        lacking -= contig.width


def by_chromosome(
    contigs: list[regions.Region],
    held_out: Mapping[str, Sequence[str]],
    *,
    genome: Collection[str] = (),
) -> dict[str, list[regions.Region]]:
    """Assigns whole chromosomes to held-out splits, and all others to `train`.

    Args:
        contigs: Stretches of at least one window.
        held_out: Chromosomes of each held-out split.
        genome: Names of all chromosomes; errors then separate unknown from too short ones.

    Raises:
        DataError: A chromosome is in two splits, or has no contig.
    """
    split_of: dict[str, str] = {}
    used_chroms = {region.chrom for region in contigs}
    for split, chroms in held_out.items():
        for chrom in chroms:
            if chrom in split_of:
                raise errors.DataError(
                    f"chromosome {chrom} is in {split_of[chrom]} and {split}; name it once."
                )
            if chrom in genome and chrom not in used_chroms:
                raise errors.DataError(
                    f"chromosome {chrom} of split {split} has no stretch as long as one window, "
                    "within --limit and without --gaps; name another chromosome."
                )
            if chrom not in used_chroms:
                raise errors.DataError(
                    f"chromosome {chrom} of split {split} is not in the genome."
                    + errors.did_you_mean(chrom, genome or used_chroms)
                )
            split_of[chrom] = split
    contigs_of: dict[str, list[regions.Region]] = {split: [] for split in ("train", *held_out)}
    for region in contigs:
        contigs_of[split_of.get(region.chrom, "train")].append(region)
    return contigs_of


def by_fold(
    contigs: list[regions.Region], folds: int, *, seed: int
) -> dict[str, list[regions.Region]]:
    """Deals contigs, longest first, to the fold with the fewest bases; ties at random.

    Raises:
        DataError: There are fewer contigs than folds.
    """
    if folds < 2:
        raise errors.DataError(f"--folds {folds}: at least 2 folds are needed.")
    if len(contigs) < folds:
        raise errors.DataError(
            f"{len(contigs)} contigs cannot make {folds} folds; break them smaller with --break."
        )
    names = [f"fold{index}" for index in np.random.default_rng(seed).permutation(folds)]
    contigs_of: dict[str, list[regions.Region]] = {f"fold{index}": [] for index in range(folds)}
    bases = dict.fromkeys(names, 0)
    for region in sorted(contigs, key=lambda region: (-region.width, region)):
        fewest = min(names, key=lambda name: bases[name])
        contigs_of[fewest].append(region)
        bases[fewest] += region.width
    return contigs_of


def separate(
    contigs_of: Mapping[str, list[regions.Region]],
    margin: int,
    *,
    periods: Mapping[str, int] | None = None,
) -> Contigs:
    """Rejoins contigs within each split and keeps `margin` bases between splits.

    Between two splits, the one with more bases is trimmed.

    Args:
        contigs_of: Contigs of each split.
        margin: Bases between contigs of different splits.
        periods: Bases around each circular chromosome; its contigs may end behind the origin.
    """
    periods = periods or {}
    joined = {split: interval_sets.Intervals(members) for split, members in contigs_of.items()}
    order = sorted(contigs_of, key=lambda split: (sum(r.width for r in contigs_of[split]), split))
    for index, split in enumerate(order):
        widened = interval_sets.Intervals(
            regions.Region(chrom, max(0, start - margin + shift), end + margin + shift)
            for chrom, start, end in joined[split].members()
            # The same bases once around the circle in both directions.
            for shift in (-periods.get(chrom, 0), 0, periods.get(chrom, 0))
            if end + margin + shift > 0
        )
        for larger in order[index + 1 :]:
            joined[larger] = joined[larger].minus(widened)
    return joined
