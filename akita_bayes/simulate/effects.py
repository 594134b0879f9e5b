"""Variants whose effect on the map is known, because the edited genome is simulated too.

Kinds: a whole site deleted, inverted, or weakened by its worst single substitution; a stretch with
sites deleted, inverted or duplicated; and, without effect, substitutions and small inversions away
from sites. Structural variants start and end at bin borders, so that their maps compare bin by bin.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

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
"""Occupancy, in some cell type, of sites worth editing."""


class Effect(NamedTuple):
    """An edit of a chromosome: letters start..end-1 are replaced by `alt`.

    Attributes:
        chrom: Chromosome.
        start: First base replaced, counted from 0.
        end: One past the last.
        alt: What replaces them.
        kind: What it does, such as `site_deletion`.
    """

    chrom: str
    start: int
    end: int
    alt: str
    kind: str

    def apply(self, sequence: str) -> str:
        """The edited chromosome."""
        return sequence[: self.start] + self.alt + sequence[self.end :]


def choose(
    chromosome: chromosomes.Chromosome, physics: Physics, *, margin: int, per_kind: int, seed: int
) -> list[Effect]:
    """Draws variants of every kind, at least `margin` bp from the chromosome's ends."""
    rng = np.random.default_rng(seed)
    found = sites.find(chromosome.sequence, physics)
    width = physics.site.width
    inside = (found.start >= margin) & (found.start + width <= len(chromosome.sequence) - margin)
    strong = found.take(np.flatnonzero(inside & (found.occupancy.max(axis=1) >= STRONG)))
    makers: dict[str, Callable[[], Effect]] = {
        "site_deletion": lambda: _at_site(chromosome, strong, physics, rng, lambda site: ""),
        "site_inversion": lambda: _at_site(
            chromosome, strong, physics, rng, dna.reverse_complement
        ),
        "site_weakening": lambda: _weaken(chromosome, strong, physics, rng),
        "stretch_deletion": lambda: _stretch(chromosome, strong, physics, rng, lambda dna_: ""),
        "stretch_inversion": lambda: _stretch(
            chromosome, strong, physics, rng, dna.reverse_complement
        ),
        "stretch_duplication": lambda: _stretch(
            chromosome, strong, physics, rng, lambda stretch: stretch * 2
        ),
        "neutral_substitution": lambda: _neutral(
            chromosome, found, physics, margin, rng, 1, lambda base: _other(base, rng)
        ),
        "neutral_inversion": lambda: _neutral(
            chromosome, found, physics, margin, rng, physics.site.width, dna.reverse_complement
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
    """The single substitution of a site that lowers its score most."""
    number = int(rng.integers(len(strong.start)))
    start, forward = int(strong.start[number]), strong.strand[number] > 0
    letters = chromosome.sequence[start : start + physics.site.width]
    index = dna.to_index(letters if forward else dna.reverse_complement(letters))
    odds = physics.site.log_odds[:, :4]
    loss = odds - odds[np.arange(len(index)), index][:, None]
    position, base = np.unravel_index(loss.argmin(), loss.shape)
    alt = dna.ALPHABET[base] if forward else dna.reverse_complement(dna.ALPHABET[base])
    at = start + int(position if forward else len(index) - 1 - position)
    return Effect(chromosome.name, at, at + 1, alt, "")


def _stretch(
    chromosome: chromosomes.Chromosome,
    strong: sites.Sites,
    physics: Physics,
    rng: np.random.Generator,
    edit: Callable[[str], str],
) -> Effect:
    """Two to five bins around a site."""
    size = physics.bin_size
    bins = int(rng.integers(2, 6))
    first = int(rng.choice(strong.start)) // size - int(rng.integers(bins))
    start, end = first * size, (first + bins) * size
    return Effect(chromosome.name, start, end, edit(chromosome.sequence[start:end]), "")


def _neutral(
    chromosome: chromosomes.Chromosome,
    found: sites.Sites,
    physics: Physics,
    margin: int,
    rng: np.random.Generator,
    length: int,
    edit: Callable[[str], str],
) -> Effect:
    """An edit of `length` bases, four motifs' widths or more from any site."""
    reach = 4 * physics.site.width
    while True:
        at = int(rng.integers(margin, len(chromosome.sequence) - margin))
        if np.abs(found.start - at).min(initial=reach) >= reach:
            return Effect(
                chromosome.name, at, at + length, edit(chromosome.sequence[at : at + length]), ""
            )


def _other(base: str, rng: np.random.Generator) -> str:
    return str(rng.choice([other for other in dna.ALPHABET if other != base]))


def true_change(effect: Effect, sequence: str, design: Design) -> NDArray[np.float64]:
    """ALT minus REF truth of the window around the variant, NaN where a bin has no twin. [P, T].

    The window of REF is centred on the variant, on bin borders; that of ALT begins at the same base
    of the edited chromosome. Bins are paired by the letters that they hold: whole bins deleted have
    no twin, and what follows a duplication is found behind the second copy.
    """
    size, physics = design.physics.bin_size, design.physics
    bins, flank = design.seq_length // size, physics.flank
    first = (effect.start + effect.end) // 2 // size - bins // 2
    left, right = first * size - flank, (first + bins) * size + flank

    def maps(letters: str) -> NDArray:
        padded = ("N" * max(0, -left) + letters[max(0, left) : right]).ljust(right - left, "N")
        found = chromatin.all_tracks(padded, physics)
        return np.stack(
            [chromatin.observed_over_expected(chromatin.contacts_of(t, physics)) for t in found],
            axis=-1,
        )

    reference, alternative = maps(sequence), maps(effect.apply(sequence))
    twin = _twins(effect, size, first, bins)
    change = alternative[np.ix_(twin, twin)] - reference
    change[twin < 0] = change[:, twin < 0] = np.nan
    kept = slice(design.crop // size, bins - design.crop // size)
    return triangle.to_vector(change[kept, kept], diagonal_offset=chromatin.DIAGONAL_OFFSET)


def _twins(effect: Effect, size: int, first: int, bins: int) -> NDArray[np.intp]:
    """The bin of ALT that holds the letters of each bin of REF, or -1. [N]."""
    gained = round((len(effect.alt) - (effect.end - effect.start)) / size)
    cut = (effect.end if gained > 0 else effect.start) // size - first
    twin = np.arange(bins)
    twin[cut:] += gained
    twin[max(cut, 0) : max(cut - gained, 0)] = -1
    return np.where(twin < bins, twin, -1)


def read(path: str | Path) -> Iterator[Effect]:
    """Reads the table's variants back as edits, for which the VCF's ALT is spelled out.

    Raises:
        DataError: The file is missing.
    """
    from akita_bayes.data import genome as genomes

    folder = Path(path)
    letters = {}
    with genomes.Genome(folder / "chromosomes.fa") as reader:
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
