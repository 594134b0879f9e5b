"""Scores random variants of the same type, size and GC content, as the null of other scores.

A stratum is a type of variants, the powers of two nearest to the numbers of bases that they replace
and insert, and a tenth of GC content of the bases around them. A file beside the model stores the
scores of N random variants of each stratum, so that they are computed once per model, genome and
way of scoring.

The p-value of a score is the share of random variants that are at least as extreme, the variant
itself among them (Davison & Hinkley 1997, eq. 4.11; North et al. 2002):

    p = (r + 1) / (N + 1),    r = the number of null scores at least as extreme,

so that P(p <= a) is at most a for a variant that is itself a random one of its stratum, for any N,
and p is at least 1 / (N + 1). Where 0 means equal maps, large scores are extreme. Signed scores are
extreme when they are far from the median of the N null scores and the score together: without the
score in the median, p would be too small for few variants (P(p <= 0.5) is 0.58 for N = 9). Scores
are means over draws. The quantile is 1 - r / N.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.data.genome import Genome
from akita_bayes.files import directory_lock, hdf5_reader, hdf5_writer
from akita_bayes.variants.alleles import records
from akita_bayes.variants.scores import score_table

_log = logging.getLogger(__name__)

FLANK = 500  # bases on each side that count for GC content
GC_CLASSES = 10
TRIES = 2_000  # random positions that are tried for every requested variant
ELSEWHERE = frozenset({"ROI"})  # scores of selected regions, which random variants rarely reach
_SIZES = ("taken", "put", "gc")  # HDF5 attributes of the last three fields of a stratum


class Stratum(NamedTuple):
    """Describes variants that are compared with one another.

    Attributes:
        kind: Type, as `records.Variant.kind`.
        replaced: Power of two nearest to the number of replaced bases; 0 for none.
        inserted: Power of two nearest to the number of bases in their place; 0 for none.
        gc: Tenth of GC content of the bases around, 0 to 9.
    """

    kind: str
    replaced: int
    inserted: int
    gc: int

    def __str__(self) -> str:
        return f"{self.kind}-{self.replaced}-{self.inserted}-gc{self.gc}"


Null = dict[str, NDArray[np.float32]]


class Rarity(NamedTuple):
    """Describes how unusual a score is among null scores; NaN without null scores.

    Attributes:
        p_value: (r + 1) / (N + 1), where r of N null scores are at least as extreme.
        quantile: 1 - r / N.
    """

    p_value: NDArray[np.float32]
    quantile: NDArray[np.float32]


def rarity(score: NDArray[Any], null: NDArray[Any], *, signed: bool) -> Rarity:
    """Compares a score with null scores, per target. [T] each.

    Args:
        score: Score of the variant. [T].
        null: Null scores. [N, T].
        signed: False where large scores are extreme; True where scores far from the median are.
    """
    score, null = np.asarray(score, np.float64), np.asarray(null, np.float64)
    count = len(null)
    if not count:
        missing = np.full(score.shape, np.nan, np.float32)
        return Rarity(missing, missing)
    if signed:
        # Signed scores become distances from the common median; then large ones are extreme.
        centre = np.median(np.concatenate([null, score[None]]), axis=0)
        score, null = np.abs(score - centre), np.abs(null - centre)
    r = np.where(np.isnan(score), np.nan, (null >= score).sum(axis=0))
    return Rarity(((r + 1) / (count + 1)).astype(np.float32), (1 - r / count).astype(np.float32))


class Background(NamedTuple):
    """Holds null scores by stratum and score name. [N, T] each."""

    scores: dict[Stratum, Null]
    genome: Genome

    def null(self, variant: records.Variant, score: str) -> NDArray[np.float32] | None:
        """Returns the null scores of a variant's stratum; None when there are none."""
        return self.scores.get(stratum(variant, self.genome), {}).get(score)


def stratum(variant: records.Variant, genome: Genome) -> Stratum:
    """Returns the stratum of a variant that can be scored."""
    # The end of a breakend is one past its REF, but a junction replaces no base.
    bases = 0 if variant.kind == "BND" else variant.end - variant.start
    context = genome.padded(variant.chrom, variant.start - FLANK, variant.end + FLANK)
    return Stratum(
        variant.kind,
        _nearest_power(bases),
        _nearest_power(len(variant.inserted)),
        _gc_class(context),
    )


def _nearest_power(bases: int) -> int:
    """Returns the power of two nearest to a number of bases, on a log scale; 0 for 0."""
    return 0 if bases == 0 else 2 ** round(np.log2(bases))


def _gc_class(letters: str) -> int:
    """Returns the tenth of GC content among the known bases, 0 to 9."""
    upper = letters.upper()
    strong, weak = (sum(upper.count(base) for base in pair) for pair in ("GC", "AT"))
    return min(int(GC_CLASSES * strong / max(strong + weak, 1)), GC_CLASSES - 1)


def sample(target: Stratum, genome: Genome, count: int, *, seed: int = 0) -> list[records.Variant]:
    """Draws random variants of a stratum; fewer where the genome has too few such positions.

    Args:
        target: The stratum.
        genome: Genome of the variants, which are never on or beside an unknown base.
        count: Number of variants.
        seed: Seed of the positions and letters.
    """
    generator = np.random.default_rng([seed, *str(target).encode()])
    chroms = list(genome.sizes)
    sizes = np.array([genome.sizes[chrom] for chrom in chroms], float)
    variants: list[records.Variant] = []
    for _ in range(TRIES * count):
        if len(variants) == count:
            break
        chrom = chroms[generator.choice(len(chroms), p=sizes / sizes.sum())]
        positions = genome.sizes[chrom] - target.replaced - 2 * FLANK
        if positions <= 0:
            continue
        start = FLANK + int(generator.integers(positions))
        context = genome.padded(chrom, start - FLANK, start + target.replaced + FLANK)
        if "N" in context.upper() or _gc_class(context) != target.gc:
            continue
        variants.append(_random_variant(target, genome, chrom, start, len(variants), generator))
    return variants


def _random_variant(
    target: Stratum,
    genome: Genome,
    chrom: str,
    start: int,
    number: int,
    generator: np.random.Generator,
) -> records.Variant:
    """Returns a variant of the stratum at `start`, with random letters."""
    end = start + target.replaced
    reference = genome.padded(chrom, start, max(end, start + 1)).upper()
    inserted = "".join(generator.choice(list("ACGT"), target.inserted))
    if target.kind in ("SNV", "MNV"):
        alternatives = [[base for base in "ACGT" if base != letter] for letter in reference]
        inserted = "".join(generator.choice(bases) for bases in alternatives)
    mate = None
    if target.kind == "BND":
        mate = _random_mate(genome, generator)
        end = start + 1
    return records.Variant(
        number, 1, chrom, start, ".", reference, ".", target.kind, start, end, inserted, mate
    )


def _random_mate(genome: Genome, generator: np.random.Generator) -> records.Breakend:
    chroms = list(genome.sizes)
    sizes = np.array([genome.sizes[chrom] for chrom in chroms], float)
    chrom = chroms[generator.choice(len(chroms), p=sizes / sizes.sum())]
    position = int(generator.integers(genome.sizes[chrom]))
    return records.Breakend(chrom, position, *map(bool, generator.integers(2, size=2)))


class StoredNull(NamedTuple):
    """Holds what a file stores of a stratum.

    Attributes:
        attempted: Number of random variants that were requested; fewer may exist or have a score.
        null: Finite scores of the variants by name. [N, T] each.
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
    earlier: Background | None = None,
) -> Background:
    """Returns null scores for every stratum of the variants, read from a file or added to it.

    Several processes may share the file: a process reads it again before it samples a stratum, and
    adds the stratum to what the file holds by then. When two processes write at once, one stratum
    may be lost, and the next run samples it again.

    Args:
        variants: Variants that will be scored.
        genome: The reference.
        score: Function that scores random variants in the same way.
        count: N, random variants per stratum.
        path: File beside the model that stores null scores.
        identity: Digest of model, genome and way of scoring.
        seed: Seed of the random variants.
        earlier: Null scores of other variants, which are in the result too.

    Raises:
        VariantError: `count` is below 2.
        DataError: The file is not a background.
    """
    if count < 2:
        raise errors.VariantError(f"a background needs 2 or more random variants; got {count}.")
    before = {} if earlier is None else earlier.scores
    needed = [key for key in strata(variants, genome) if key not in before]
    if not needed:
        return Background(dict(before), genome)
    nulls = _large_enough(path, identity, count)
    for missing in (key for key in needed if key not in nulls):
        # Another process may have added this stratum since the file was read.
        null = _large_enough(path, identity, count).get(missing)
        if null is None:
            null = null_scores(missing, genome, score, count=count, seed=seed)
            add(path, identity, missing, null)
        nulls[missing] = null
    used = {key: nulls[key] for key in needed}
    _warn_of_gaps(used, before=before)
    return Background({**before, **{key: stored.null for key, stored in used.items()}}, genome)


def strata(variants: Iterable[records.Variant], genome: Genome) -> list[Stratum]:
    """Returns the strata of the variants that can be scored, in the order of their names."""
    return sorted({stratum(row, genome) for row in variants if not row.reason})


def missing(
    path: str | Path, identity: str, count: int, needed: Iterable[Stratum]
) -> list[Stratum]:
    """Returns the strata of which a file stores fewer random variants than `count`."""
    stored = _large_enough(path, identity, count)
    return sorted(key for key in set(needed) if key not in stored)


def null_scores(
    target: Stratum,
    genome: Genome,
    score: Callable[[list[records.Variant]], score_table.Scored],
    *,
    count: int,
    seed: int,
) -> StoredNull:
    """Scores random variants of a stratum; the arguments are those of `build`."""
    scored = score(sample(target, genome, count, seed=seed))
    return StoredNull(
        count, {name: _finite(name, column) for name, column in scored.values.items()}
    )


def _large_enough(path: str | Path, identity: str, count: int) -> dict[Stratum, StoredNull]:
    """Returns the stored strata for which `count` or more random variants were attempted."""
    strata = _load(path).get(identity, {})
    return {key: stored for key, stored in strata.items() if stored.attempted >= count}


def _finite(name: str, column: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the rows with a score for every target; none of a score in ELSEWHERE. [N, T]."""
    return column[:0] if name in ELSEWHERE else column[np.isfinite(column).all(axis=1)]


def _warn_of_gaps(strata: dict[Stratum, StoredNull], *, before: Mapping[Stratum, Null]) -> None:
    """Warns of scores that have fewer null scores than were requested, or none.

    Args:
        strata: New strata.
        before: Strata of which it has warned.
    """
    names = {name for stored in strata.values() for name in stored.null}
    for name in sorted(ELSEWHERE & names if not before else ()):
        _log.warning(
            "background: %s has none, since random variants rarely reach its regions; its p_value "
            "and quantile stay empty.",
            name,
        )
    for key, (attempted, null) in strata.items():
        counts = {name: len(column) for name, column in null.items() if name not in ELSEWHERE}
        gaps = [f"{count} have {name}" for name, count in counts.items() if count < attempted]
        if gaps:
            _log.warning(
                "background: of %d random variants of %s, %s.", attempted, key, ", ".join(gaps)
            )


def _load(path: str | Path) -> dict[str, dict[Stratum, StoredNull]]:
    """Returns the strata of a file by identity; none when the file is missing."""
    if not Path(path).is_file():
        return {}
    with hdf5_reader.opened(path, "a background", "remove it and run again") as file:
        return {
            identity: dict(_read(group) for group in strata.values())
            for identity, strata in file.items()
        }


def _read(group: h5py.Group) -> tuple[Stratum, StoredNull]:
    attributes = group.attrs
    key = Stratum(str(attributes["kind"]), *(int(attributes[name]) for name in _SIZES))
    null = {name: column[:] for name, column in group.items()}
    return key, StoredNull(int(attributes["attempted"]), null)


def add(path: str | Path, identity: str, key: Stratum, stored: StoredNull) -> None:
    """Adds a stratum to what the file holds now, and writes the file again."""
    with directory_lock.alone(Path(path).parent):
        backgrounds = _load(path)
        backgrounds.setdefault(identity, {})[key] = stored
        _write(path, backgrounds)


def _write(path: str | Path, backgrounds: dict[str, dict[Stratum, StoredNull]]) -> None:
    """Writes the strata of a file, by identity."""
    with hdf5_writer.create(path, sealed=True) as file:
        for run, strata in backgrounds.items():
            for key, (attempted, null) in strata.items():
                group = file.create_group(f"{run}/{key}")
                sizes = dict(zip(_SIZES, key[1:], strict=True))
                group.attrs.update({"kind": key.kind, **sizes, "attempted": attempted})
                for name, column in null.items():
                    group[name] = column
