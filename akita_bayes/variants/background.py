"""What scores look like by chance: random variants of the same type, size and GC content.

A stratum of variants is their type, the powers of two nearest to the bases they take and put, and
a tenth of GC content of the bases around. Scores of N random variants of each stratum are kept
beside the model, so that they are computed once per model, genome and way of scoring.
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
from akita_bayes.variants import records, results

log = logging.getLogger(__name__)

FLANK = 500  # bases on each side that count for GC content
GC_CLASSES = 10
TRIES = 2_000  # random places looked at for every variant wanted


class Stratum(NamedTuple):
    """Variants that are compared with one another.

    Attributes:
        kind: One of `records.KINDS`.
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
    if len(found) < count:
        log.warning("background: only %d of %d places for %s.", len(found), count, wanted)
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


def build(
    variants: Iterable[records.Variant],
    genome: Genome,
    score: Callable[[list[records.Variant]], results.Scored],
    *,
    count: int,
    path: str | Path,
    identity: str,
    seed: int = 0,
) -> Background:
    """Null scores for every stratum among some variants, read from or added to a file.

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
    held = _load(path, identity)
    wanted = {stratum(variant, genome) for variant in variants if not variant.reason}
    for each in sorted(wanted):
        have = min((len(column) for column in held.get(each, {}).values()), default=0)
        if have < count:
            scored = score(sample(each, genome, count, seed=seed))
            held[each] = {name: _finite(column) for name, column in scored.values.items()}
            _save(path, identity, held)
    return Background({each: held[each] for each in wanted}, genome)


def _finite(column: NDArray[np.float32]) -> NDArray[np.float32]:
    return column[np.isfinite(column).all(axis=1)]


def _load(path: str | Path, identity: str) -> dict[Stratum, Null]:
    held: dict[Stratum, Null] = {}
    if not Path(path).is_file():
        return held
    try:
        with h5py.File(path, "r") as file:
            for group in file.get(identity, {}).values():
                key = Stratum(*(group.attrs[field] for field in Stratum._fields))
                key = Stratum(str(key.kind), int(key.taken), int(key.put), int(key.gc))
                held[key] = {name: column[:] for name, column in group.items()}
    except (OSError, KeyError, AttributeError):
        raise errors.DataError(
            f"{path}: is damaged or holds no background; remove it and run again."
        ) from None
    return held


def _save(path: str | Path, identity: str, held: dict[Stratum, Null]) -> None:
    others: dict[str, dict[str, tuple[dict, Null]]] = {}
    if Path(path).is_file():
        with h5py.File(path, "r") as file:
            for key, runs in file.items():
                if key != identity:
                    others[key] = {
                        name: (dict(group.attrs), {n: c[:] for n, c in group.items()})
                        for name, group in runs.items()
                    }
    mine = {
        str(key): (dict(zip(Stratum._fields, key, strict=True)), null) for key, null in held.items()
    }
    with files.atomic(path) as temporary, h5py.File(temporary, "w") as file:
        for run, groups in {**others, identity: mine}.items():
            for name, (attributes, null) in groups.items():
                group = file.create_group(f"{run}/{name}")
                group.attrs.update(attributes)
                for score, column in null.items():
                    group[score] = column
