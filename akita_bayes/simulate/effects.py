"""Draws variants whose effect on the map is known, because the edited genome is simulated too.

Kinds: a whole site deleted, inverted, or weakened by its worst single substitution; a stretch with
sites deleted, inverted or duplicated; and neutral substitutions and small inversions away from
sites. Structural variants start and end at bin borders, so that maps compare bin by bin.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pysam
from numpy.typing import NDArray

from akita_bayes import dna, triangle
from akita_bayes.regions import Region
from akita_bayes.simulate import chromatin, chromosomes, sites
from akita_bayes.simulate.designs import Design
from akita_bayes.simulate.physics import Physics

STRONG = 0.5
"""Share of the largest occupancy, in some cell type, from which a site is edited."""


class Effect(NamedTuple):
    """Describes an edit of a chromosome, which replaces letters start..end-1 by `alt`.

    Attributes:
        chrom: Name of the chromosome.
        start: First replaced base, counted from 0.
        end: One past the last replaced base.
        alt: Letters that replace them.
        kind: Kind of the variant, such as `site_deletion`.
    """

    chrom: str
    start: int
    end: int
    alt: str
    kind: str

    def apply(self, sequence: str) -> str:
        """Returns the letters of the edited chromosome."""
        return sequence[: self.start] + self.alt + sequence[self.end :]


def choose(
    chromosome: chromosomes.Chromosome, physics: Physics, *, margin: int, per_kind: int, seed: int
) -> list[Effect]:
    """Draws variants of every kind, at least `margin` bp from the chromosome's ends."""
    rng = np.random.default_rng(seed)
    all_sites = sites.find(chromosome.sequence, physics)
    # The sites of other proteins are not edited; neutral variants avoid them too.
    own = all_sites.take(np.flatnonzero(all_sites.staller == 0))
    start, end = own.start, own.start + physics.site.width
    inside = (start >= margin) & (end <= len(chromosome.sequence) - margin)
    threshold = STRONG * physics.most_occupancy
    strong = own.take(np.flatnonzero(inside & (own.occupancy.max(axis=1) >= threshold)))
    makers: dict[str, Callable[[], Effect]] = {
        "site_deletion": lambda: _at_site(chromosome, strong, physics, rng, lambda site: ""),
        "site_inversion": lambda: _at_site(
            chromosome, strong, physics, rng, dna.reverse_complement
        ),
        "site_weakening": lambda: _weaken(chromosome, strong, physics, rng),
        "stretch_deletion": lambda: _stretch(chromosome, strong, physics, rng, lambda stretch: ""),
        "stretch_inversion": lambda: _stretch(
            chromosome, strong, physics, rng, dna.reverse_complement
        ),
        "stretch_duplication": lambda: _stretch(
            chromosome, strong, physics, rng, lambda stretch: stretch * 2
        ),
        "neutral_substitution": lambda: _neutral(
            chromosome, all_sites, physics, margin, rng, 1, lambda base: _substitute(base, rng)
        ),
        "neutral_inversion": lambda: _neutral(
            chromosome, all_sites, physics, margin, rng, physics.site.width, dna.reverse_complement
        ),
    }
    return [
        make()._replace(kind=kind)
        for kind, make in makers.items()
        for _ in range(per_kind if len(strong.start) else 0)
    ]


def _at_site(
    chromosome: chromosomes.Chromosome,
    strong: sites.Sites,
    physics: Physics,
    rng: np.random.Generator,
    edit: Callable[[str], str],
) -> Effect:
    start = int(rng.choice(strong.start))
    end = start + physics.site.width
    return Effect(chromosome.name, start, end, edit(chromosome.sequence[start:end]), "")


def _weaken(
    chromosome: chromosomes.Chromosome,
    strong: sites.Sites,
    physics: Physics,
    rng: np.random.Generator,
) -> Effect:
    """Returns the single substitution of a site that lowers its score most."""
    number = int(rng.integers(len(strong.start)))
    start, forward = int(strong.start[number]), strong.strand[number] > 0
    letters = chromosome.sequence[start : start + physics.site.width]
    index = dna.to_index(letters if forward else dna.reverse_complement(letters))
    odds = physics.site.log_odds[:, :4]
    change = odds - odds[np.arange(len(index)), index][:, None]  # of the score. [W, 4]
    position, base = np.unravel_index(change.argmin(), change.shape)
    alt = dna.ALPHABET[base] if forward else dna.reverse_complement(dna.ALPHABET[base])
    # Position 0 of a reverse site is its last base on the chromosome.
    edited = start + int(position if forward else len(index) - 1 - position)
    return Effect(chromosome.name, edited, edited + 1, alt, "")


def _stretch(
    chromosome: chromosomes.Chromosome,
    strong: sites.Sites,
    physics: Physics,
    rng: np.random.Generator,
    edit: Callable[[str], str],
) -> Effect:
    """Returns an edit of two to five bins around a site."""
    size = physics.bin_size
    bins = int(rng.integers(2, 6))
    first = int(rng.choice(strong.start)) // size - int(rng.integers(bins))
    start, end = first * size, (first + bins) * size
    return Effect(chromosome.name, start, end, edit(chromosome.sequence[start:end]), "")


def _neutral(
    chromosome: chromosomes.Chromosome,
    all_sites: sites.Sites,
    physics: Physics,
    margin: int,
    rng: np.random.Generator,
    length: int,
    edit: Callable[[str], str],
) -> Effect:
    """Returns an edit of `length` bases, at least four widths of the motif from any site."""
    reach = 4 * physics.site.width
    while True:
        start = int(rng.integers(margin, len(chromosome.sequence) - margin))
        if np.abs(all_sites.start - start).min(initial=reach) >= reach:
            end = start + length
            return Effect(chromosome.name, start, end, edit(chromosome.sequence[start:end]), "")


def _substitute(base: str, rng: np.random.Generator) -> str:
    return str(rng.choice([letter for letter in dna.ALPHABET if letter != base]))


def true_change(effect: Effect, sequence: str, design: Design) -> NDArray[np.float64]:
    """Computes ALT minus REF truth of the window around the variant. [P, T].

    The window of REF is centred on the variant, on bin borders. The window of ALT begins at the
    same base of the edited chromosome. Bins are paired by their letters: bins behind a duplication
    are paired with bins behind the second copy. Deleted bins have no partner and hold NaN.
    """
    size, physics = design.physics.bin_size, design.physics
    bins, flank = design.seq_length // size, physics.flank
    first = (effect.start + effect.end) // 2 // size - bins // 2
    left, right = first * size - flank, (first + bins) * size + flank

    def maps(letters: str) -> NDArray[Any]:
        padded = ("N" * max(0, -left) + letters[max(0, left) : right]).ljust(right - left, "N")
        contacts = [
            chromatin.contacts_of(tracks, physics)
            for tracks in chromatin.all_tracks(padded, physics)
        ]
        return np.stack(
            [chromatin.observed_over_expected(c, design.measurement) for c in contacts], axis=-1
        )

    reference, alternative = maps(sequence), maps(effect.apply(sequence))
    partner = _partner_bins(effect, size, first, bins)
    change = alternative[np.ix_(partner, partner)] - reference
    change[partner < 0] = change[:, partner < 0] = np.nan
    inner = slice(design.crop // size, bins - design.crop // size)
    return triangle.to_vector(change[inner, inner], diagonal_offset=chromatin.DIAGONAL_OFFSET)


def _partner_bins(effect: Effect, size: int, first: int, bins: int) -> NDArray[np.intp]:
    """Returns the bin of ALT that holds the letters of each bin of REF, or -1. [N]."""
    # Of 6 bins, a deletion of bins 2 and 3 gives [0, 1, -1, -1, 2, 3]; a duplication of bins 2 and
    # 3 gives [0, 1, 2, 3, -1, -1], because bins 4 and 5 leave the window.
    gained = round((len(effect.alt) - (effect.end - effect.start)) / size)
    cut = (effect.end if gained > 0 else effect.start) // size - first
    partner = np.arange(bins)
    partner[cut:] += gained
    partner[max(cut, 0) : max(cut - gained, 0)] = -1
    return np.where(partner < bins, partner, -1)


def read(path: str | Path) -> Iterator[Effect]:
    """Yields the variants of the table as edits; symbolic ALT of the VCF become letters.

    Raises:
        DataError: The file is missing.
    """
    from akita_bayes.data import genome as genomes

    folder = Path(path)
    letters = {}
    with genomes.Genome(folder / "genome.fa") as reader:
        table = pd.read_csv(folder / "variants.tsv", sep="\t")
        with pysam.VariantFile(str(folder / "variants.vcf")) as records:
            alts = {record.id: (record.alts or ("",))[0] for record in records}
        for row in table.itertuples():
            chrom = str(row.chrom)
            if chrom not in letters:
                letters[chrom] = reader.fetch(Region(chrom, 0, reader.sizes[chrom]))
            stretch = letters[chrom][row.start : row.end]
            alt = {
                "<DEL>": "",
                "<INV>": dna.reverse_complement(stretch),
                "<DUP>": stretch * 2,
            }.get(alts[row.id], alts[row.id][1:] if row.type == "DEL" else alts[row.id])
            yield Effect(chrom, int(row.start), int(row.end), alt, str(row.kind))
