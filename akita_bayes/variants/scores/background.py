"""What scores look like by chance: random variants of the same type, size and GC content.

A stratum of variants is their type, the powers of two nearest to the bases they take and put, and
a tenth of GC content of the bases around. Scores of N random variants of each stratum are kept
beside the model, so that they are computed once per model, genome and way of scoring.

The p-value of a score is the share of random variants that are at least as extreme, the variant
itself among them (Davison & Hinkley 1997, eq. 4.11; North et al. 2002):

    p = (r + 1) / (N + 1),    r = the number of null scores at least as extreme,

so that P(p <= a) is at most a for a variant that is itself a random one of its stratum, whatever N
is, and p is at least 1 / (N + 1). Extreme is large where 0 means equal maps. Signed scores are
extreme by their distance from the median of the N null scores and the score together: with the
score left out of the median, p would be too small for few variants (P(p <= 0.5) is 0.58 for N = 9).
Scores are means over draws. The quantile is 1 - r / N.
"""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, files
from akita_bayes.data.genome import Genome
from akita_bayes.variants.alleles import records
from akita_bayes.variants.scores import score_table

log = logging.getLogger(__name__)

FLANK = 500  # bases on each side that count for GC content
GC_CLASSES = 10
TRIES = 2_000  # random places looked at for every variant wanted
ELSEWHERE = frozenset({"ROI"})  # scores of chosen places, which random variants rarely reach


class Stratum(NamedTuple):
    """Variants that are compared with one another.

    Attributes:
        kind: Of a `records.Variant`.
        taken: Power of two nearest to the replaced bases; 0 for none.
        put: Likewise of the bases in their place.
        gc: Tenth of GC content around, 0 to 9.
    """

    kind: str
    taken: int
    put: int
    gc: int

    def __str__(self) -> str:
        return f"{self.kind}-{self.taken}-{self.put}-gc{self.gc}"


Null = dict[str, NDArray[np.float32]]


class Rarity(NamedTuple):
    """How unusual a score is among null scores; NaN without null scores.

    Attributes:
        p_value: (r + 1) / (N + 1), where r of N null scores are at least as extreme.
        quantile: 1 - r / N.
    """

    p_value: NDArray[np.float32]
    quantile: NDArray[np.float32]


def rarity(score: NDArray, null: NDArray, *, signed: bool) -> Rarity:
    """Compares a score with null scores, per target. [T] each.

    Args:
        score: [T].
        null: [N, T].
        signed: False where large scores are extreme; True where those far from the median are.
    """
    score, null = np.asarray(score, np.float64), np.asarray(null, np.float64)
    count = len(null)
    if not count:
        nothing = np.full(score.shape, np.nan, np.float32)
        return Rarity(nothing, nothing)
    if signed:
        centre = np.median(np.concatenate([null, score[None]]), axis=0)
        score, null = np.abs(score - centre), np.abs(null - centre)
    r = np.where(np.isnan(score), np.nan, (null >= score).sum(axis=0))
    return Rarity(((r + 1) / (count + 1)).astype(np.float32), (1 - r / count).astype(np.float32))


class Background(NamedTuple):
    """Null scores by stratum and score name. [N, T] each."""

    scores: dict[Stratum, Null]
    genome: Genome

    def null(self, variant: records.Variant, score: str) -> NDArray[np.float32] | None:
        """Null scores of a variant's stratum; None when there are none."""
        return self.scores.get(stratum(variant, self.genome), {}).get(score)


def stratum(variant: records.Variant, genome: Genome) -> Stratum:
    """The stratum of a variant that can be scored."""
    if variant.kind == "BND":
        taken, put = 0, _power(len(variant.inserted))
    else:
        taken, put = _power(variant.end - variant.start), _power(len(variant.inserted))
    around = genome.padded(variant.chrom, variant.start - FLANK, variant.end + FLANK)
    return Stratum(variant.kind, taken, put, _gc_class(around))


def _power(bases: int) -> int:
    return 0 if bases == 0 else 2 ** round(np.log2(bases))


def _gc_class(letters: str) -> int:
    upper = letters.upper()
    strong, weak = (sum(upper.count(base) for base in pair) for pair in ("GC", "AT"))
    return min(int(GC_CLASSES * strong / max(strong + weak, 1)), GC_CLASSES - 1)


def sample(wanted: Stratum, genome: Genome, count: int, *, seed: int = 0) -> list[records.Variant]:
    """Random variants of a stratum; fewer when the genome has no such places.

    Args:
        wanted: The stratum.
        genome: Where to place them; never on or beside an unknown base.
        count: How many.
        seed: Of the places and letters.
    """
    generator = np.random.default_rng([seed, *str(wanted).encode()])
    chroms = list(genome.sizes)
    sizes = np.array([genome.sizes[chrom] for chrom in chroms], float)
    found: list[records.Variant] = []
    for _ in range(TRIES * count):
        if len(found) == count:
            break
        chrom = chroms[generator.choice(len(chroms), p=sizes / sizes.sum())]
        room = genome.sizes[chrom] - wanted.taken - 2 * FLANK
        if room <= 0:
            continue
        start = FLANK + int(generator.integers(room))
        around = genome.padded(chrom, start - FLANK, start + wanted.taken + FLANK)
        if "N" in around.upper() or _gc_class(around) != wanted.gc:
            continue
        found.append(_made(wanted, genome, chrom, start, len(found), generator))
    return found


def _made(
    wanted: Stratum,
    genome: Genome,
    chrom: str,
    start: int,
    number: int,
    generator: np.random.Generator,
) -> records.Variant:
    end = start + wanted.taken
    reference = genome.padded(chrom, start, max(end, start + 1)).upper()
    inserted = "".join(generator.choice(list("ACGT"), wanted.put))
    if wanted.kind in ("SNV", "MNV"):
        others = [[base for base in "ACGT" if base != letter] for letter in reference]
        inserted = "".join(generator.choice(other) for other in others)
    mate = None
    if wanted.kind == "BND":
        mate = _random_mate(genome, generator)
        end = start + 1
    return records.Variant(
        number, 1, chrom, start, ".", reference, ".", wanted.kind, start, end, inserted, mate
    )


def _random_mate(genome: Genome, generator: np.random.Generator) -> records.Breakend:
    chroms = list(genome.sizes)
    sizes = np.array([genome.sizes[chrom] for chrom in chroms], float)
    chrom = chroms[generator.choice(len(chroms), p=sizes / sizes.sum())]
    position = int(generator.integers(genome.sizes[chrom]))
    return records.Breakend(chrom, position, *map(bool, generator.integers(2, size=2)))


class _Held(NamedTuple):
    """What a file keeps of a stratum.

    Attributes:
        attempted: Random variants asked for; fewer may have been found, or have a score.
        null: Their finite scores by name. [N, T] each.
    """

    attempted: int
    null: Null


def build(
    variants: Iterable[records.Variant],
    genome: Genome,
    score: Callable[[list[records.Variant]], score_table.Scored],
    *,
    count: int,
    path: str | Path,
    identity: str,
    seed: int = 0,
) -> Background:
    """Null scores for every stratum among some variants, read from or added to a file.

    Several processes may share the file: each stratum is read again before it is sampled, and
    added to what is there by then. Two that write at once lose a stratum at most, which the next
    run samples again.

    Args:
        variants: What is going to be scored.
        genome: The reference.
        score: Scores random variants as the others are scored.
        count: N, random variants per stratum.
        path: File beside the model that keeps null scores.
        identity: Digest of model, genome and way of scoring.
        seed: Of the random variants.

    Raises:
        VariantError: `count` is too small to say anything.
        DataError: The file holds no background.
    """
    if count < 2:
        raise errors.VariantError(f"a background needs 2 or more random variants; got {count}.")
    wanted = sorted({stratum(row, genome) for row in variants if not row.reason})
    found = _enough(path, identity, count)
    for each in (each for each in wanted if each not in found):
        held = _enough(path, identity, count).get(each)
        if held is None:
            drawn = score(sample(each, genome, count, seed=seed))
            held = _Held(
                count, {name: _finite(name, column) for name, column in drawn.values.items()}
            )
            _add(path, identity, each, held)
        found[each] = held
    used = {each: found[each] for each in wanted}
    _tell(used)
    return Background({each: held.null for each, held in used.items()}, genome)


def _enough(path: str | Path, identity: str, count: int) -> dict[Stratum, _Held]:
    """The strata in the file for which as many random variants were attempted."""
    kept = _load(path).get(identity, {})
    return {each: held for each, held in kept.items() if held.attempted >= count}


def _finite(name: str, column: NDArray[np.float32]) -> NDArray[np.float32]:
    return column[:0] if name in ELSEWHERE else column[np.isfinite(column).all(axis=1)]


def _tell(found: dict[Stratum, _Held]) -> None:
    """Says which scores have fewer variants to be compared with than were wanted, or none."""
    for name in sorted(ELSEWHERE & {name for held in found.values() for name in held.null}):
        log.warning(
            "background: %s has none, since random variants rarely reach its regions; its p_value "
            "and quantile stay empty.",
            name,
        )
    for each, (attempted, null) in found.items():
        have = {name: len(column) for name, column in null.items() if name not in ELSEWHERE}
        short = [f"{count} have {name}" for name, count in have.items() if count < attempted]
        if short:
            log.warning(
                "background: of %d random variants of %s, %s.", attempted, each, ", ".join(short)
            )


def _load(path: str | Path) -> dict[str, dict[Stratum, _Held]]:
    """What a file keeps, by identity; nothing when there is none."""
    if not Path(path).is_file():
        return {}
    try:
        with h5py.File(path, "r") as file:
            return {
                identity: dict(_read(group) for group in strata.values())
                for identity, strata in file.items()
            }
    except (OSError, KeyError, AttributeError):
        raise errors.DataError(
            f"{path}: is damaged or holds no background; remove it and run again."
        ) from None


def _read(group: h5py.Group) -> tuple[Stratum, _Held]:
    about = group.attrs
    key = Stratum(str(about["kind"]), *(int(about[name]) for name in Stratum._fields[1:]))
    null = {name: column[:] for name, column in group.items()}
    return key, _Held(int(about["attempted"]), null)


def _add(path: str | Path, identity: str, wanted: Stratum, held: _Held) -> None:
    """Adds a stratum to what the file holds by now."""
    kept = _load(path)
    kept.setdefault(identity, {})[wanted] = held
    with files.atomic(path) as temporary, h5py.File(temporary, "w") as file:
        for run, strata in kept.items():
            for each, (attempted, null) in strata.items():
                group = file.create_group(f"{run}/{each}")
                group.attrs.update({**each._asdict(), "attempted": attempted})
                for name, column in null.items():
                    group[name] = column
