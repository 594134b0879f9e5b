"""Draws variants whose effect on the map is known, because the edited genome is simulated too.

Kinds: a whole site deleted, inverted, or weakened by its worst single substitution; a random
substitution in a site, or near one; a stretch with sites deleted, inverted or duplicated. Each has
a negative of its type and size without a site (`NEGATIVES`), and decoys are inverted: letters that
look like a site and that nothing binds. Neutral edits change no site and no length. A deletion
without a site ("free") moves the sites beside it, so its effect is not zero. Structural variants
start and end at bin borders, so that maps compare bin by bin.
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

NEAR = 4
"""Widths of the motif around a site that count as near; neutral edits keep this distance."""

DECOY_NATS = 4.0
"""A decoy scores at most this much less than the weakest counted site."""

NEGATIVES = {
    "site_deletion": "free_deletion",
    "site_inversion": "neutral_inversion",
    "site_weakening": "neutral_substitution",
    "site_substitution": "neutral_substitution",
    "near_substitution": "neutral_substitution",
    "stretch_deletion": "free_stretch_deletion",
    "stretch_inversion": "free_stretch_inversion",
    "stretch_duplication": "free_stretch_duplication",
}
"""Kind of variant -> kind of the same type and size without a site."""

DECOY = "decoy_inversion"
LONGEST_STRETCH = 5  # bins


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
    """Draws variants of every kind, at least `margin` bp from the chromosome's ends.

    A chromosome without a strong site has none; one without decoys, or without a stretch that has
    no site, lacks these kinds.
    """
    draw = _Draw(chromosome, physics, margin, np.random.default_rng(seed))
    if not len(draw.strong.start):
        return []
    turned = dna.reverse_complement
    makers: dict[str, Callable[[], Effect]] = {
        "site_deletion": lambda: draw.site(lambda letters: ""),
        "site_inversion": lambda: draw.site(turned),
        "site_weakening": draw.weakening,
        "stretch_deletion": lambda: draw.stretch(lambda letters: ""),
        "stretch_inversion": lambda: draw.stretch(turned),
        "stretch_duplication": lambda: draw.stretch(lambda letters: letters * 2),
        "neutral_substitution": lambda: draw.away(1, draw.substitute),
        "neutral_inversion": lambda: draw.away(physics.site.width, turned),
        "site_substitution": draw.substitution_in_site,
        "near_substitution": draw.substitution_near_site,
        "free_deletion": lambda: draw.away(physics.site.width, lambda letters: ""),
    }
    if len(draw.free_bins):
        makers |= {
            "free_stretch_deletion": lambda: draw.free_stretch(lambda letters: ""),
            "free_stretch_inversion": lambda: draw.free_stretch(turned),
            "free_stretch_duplication": lambda: draw.free_stretch(lambda letters: letters * 2),
        }
    if len(draw.decoys):
        makers[DECOY] = lambda: draw.decoy(turned)
    return [make()._replace(kind=kind) for kind, make in makers.items() for _ in range(per_kind)]


class _Draw:
    """Draws edits of one chromosome.

    Attributes:
        strong: Sites to edit.
        free_bins: First bins of stretches of `LONGEST_STRETCH` bins without a site.
        decoys: First bases of letters that look like a site and that nothing binds.
    """

    def __init__(
        self,
        chromosome: chromosomes.Chromosome,
        physics: Physics,
        margin: int,
        rng: np.random.Generator,
    ) -> None:
        self._name, self._letters = chromosome.name, chromosome.sequence
        self._physics, self._rng = physics, rng
        self._first, self._last = margin, len(chromosome.sequence) - margin
        self._sites = sites.find(chromosome.sequence, physics)
        # The sites of other proteins are not edited; neutral variants avoid them too.
        own = self._sites.take(np.flatnonzero(self._sites.staller == 0))
        inside = (own.start >= self._first) & (own.start + physics.site.width <= self._last)
        threshold = STRONG * physics.most_occupancy
        self.strong = own.take(np.flatnonzero(inside & (own.occupancy.max(axis=1) >= threshold)))
        self.free_bins = self._free_bins()
        self.decoys = self._decoys()

    def site(self, edit: Callable[[str], str]) -> Effect:
        """Edits a whole site."""
        return self._edit(int(self._rng.choice(self.strong.start)), self._physics.site.width, edit)

    def weakening(self) -> Effect:
        """Makes the single substitution of a site that lowers its score most."""
        site = self._physics.site
        number = int(self._rng.integers(len(self.strong.start)))
        start, forward = int(self.strong.start[number]), self.strong.strand[number] > 0
        letters = self._letters[start : start + site.width]
        index = dna.to_index(letters if forward else dna.reverse_complement(letters))
        odds = site.log_odds[:, :4]
        change = odds - odds[np.arange(len(index)), index][:, None]  # of the score. [W, 4]
        position, base = np.unravel_index(change.argmin(), change.shape)
        alt = dna.ALPHABET[base] if forward else dna.reverse_complement(dna.ALPHABET[base])
        # Position 0 of a reverse site is its last base on the chromosome.
        edited = start + int(position if forward else len(index) - 1 - position)
        return self._edit(edited, 1, lambda letter: alt)

    def substitution_in_site(self) -> Effect:
        """Substitutes a random base of a site."""
        start = int(self._rng.choice(self.strong.start))
        offset = int(self._rng.integers(self._physics.site.width))
        return self._edit(start + offset, 1, self.substitute)

    def substitution_near_site(self) -> Effect:
        """Substitutes a base beside a site that belongs to no site."""
        width = self._physics.site.width
        while True:
            start = int(self._rng.choice(self.strong.start))
            base = start + int(self._rng.integers(-NEAR * width, (NEAR + 1) * width))
            ends = self._sites.start + self._sites.width(self._physics)
            if not ((self._sites.start <= base) & (base < ends)).any():
                return self._edit(base, 1, self.substitute)

    def stretch(self, edit: Callable[[str], str]) -> Effect:
        """Edits two to five bins around a site."""
        size = self._physics.bin_size
        bins = int(self._rng.integers(2, LONGEST_STRETCH + 1))
        first = int(self._rng.choice(self.strong.start)) // size - int(self._rng.integers(bins))
        return self._edit(first * size, bins * size, edit)

    def free_stretch(self, edit: Callable[[str], str]) -> Effect:
        """Edits two to five bins that have no site."""
        size = self._physics.bin_size
        bins = int(self._rng.integers(2, LONGEST_STRETCH + 1))
        return self._edit(int(self._rng.choice(self.free_bins)) * size, bins * size, edit)

    def away(self, length: int, edit: Callable[[str], str]) -> Effect:
        """Edits `length` bases that are not near a site."""
        while True:
            start = int(self._rng.integers(self._first, self._last))
            if self._is_away(start):
                return self._edit(start, length, edit)

    def decoy(self, edit: Callable[[str], str]) -> Effect:
        """Edits letters that look like a site."""
        return self._edit(int(self._rng.choice(self.decoys)), self._physics.site.width, edit)

    def substitute(self, base: str) -> str:
        """Returns another base."""
        return str(self._rng.choice([letter for letter in dna.ALPHABET if letter != base]))

    def _edit(self, start: int, length: int, edit: Callable[[str], str]) -> Effect:
        end = start + length
        return Effect(self._name, start, end, edit(self._letters[start:end]), "")

    def _is_away(self, start: Any) -> bool:
        reach = NEAR * self._physics.site.width
        return bool(np.abs(self._sites.start - start).min(initial=reach) >= reach)

    def _free_bins(self) -> NDArray[np.int64]:
        size = self._physics.bin_size
        occupied = np.zeros(len(self._letters) // size + 1, int)
        last = self._sites.start + self._sites.width(self._physics) - 1
        occupied[self._sites.start // size] = occupied[last // size] = 1
        # Sites within LONGEST_STRETCH bins from each bin on.
        counts = np.convolve(occupied, np.ones(LONGEST_STRETCH, int))[LONGEST_STRETCH - 1 :]
        first = -(-self._first // size)
        bins = np.flatnonzero(counts == 0)
        return bins[(bins >= first) & ((bins + LONGEST_STRETCH) * size <= self._last)]

    def _decoys(self) -> NDArray[np.int64]:
        least = sites.least_score(self._physics, 0)
        index = dna.to_index(self._letters)
        turned = dna.reverse_complement_index(index)
        score = np.maximum(
            sites.scan(index, self._physics.site), sites.scan(turned, self._physics.site)[::-1]
        )
        starts = np.flatnonzero((score < least) & (score >= least - DECOY_NATS))
        inside = (starts >= self._first) & (starts < self._last - self._physics.site.width)
        starts = starts[inside]
        return starts[[self._is_away(start) for start in starts]]


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
