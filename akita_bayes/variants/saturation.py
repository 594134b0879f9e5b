"""Which bases of a region a contact map depends on: every edit tried, or the gradient read.

`ism` changes every base to every other, `deletion` and `shuffle` slide a window; each is scored by
the engine that scores variants, in one window around the region. The gradients are those of the
map's strength |B| = sqrt(sum B^2), whose change is the SSD:

    gradient      d|B| / dx at the sequence x, times x
    integrated    (x - x0) * mean over a in (0, 1) of d|B| / dx at x0 + a (x - x0)

x0 is the sequence with the region unknown; integrated gradients sum to |B(x)| - |B(x0)|
(Sundararajan et al. 2017).
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna, errors, regions
from akita_bayes.data.genome import Genome
from akita_bayes.variants import engine, records, results, windows
from akita_bayes.variants import options as settings

EDITS = ("ism", "deletion", "shuffle")
GRADIENTS = ("gradient", "integrated")
METHODS = (*EDITS, *GRADIENTS)


class Scan(NamedTuple):
    """What every place of a region does.

    Attributes:
        region: The region.
        letters: Its bases, upper case.
        method: One of METHODS.
        starts: First base of every edit or position, from the region's start. [K].
        width: Bases of an edit; 1 for single bases.
        values: Score name, or "SSD" for gradients, -> [K, 4, T] of base changes in the order
            A C G T (0 for the base that is there) and of gradients, [K, T] of windows.
        sd: Standard deviation over draws of the same, without draws empty.
    """

    region: regions.Region
    letters: str
    method: str
    starts: NDArray[np.intp]
    width: int
    values: dict[str, NDArray[np.float32]]
    sd: dict[str, NDArray[np.float32]]

    def track(self, name: str) -> NDArray[np.float32]:
        """One value per base of the region, NaN where nothing covers it. [L, T].

        Of base changes the mean over the three others, of gradients the value of the base that is
        there, of windows the mean over those that cover the base.
        """
        values = self.values[name]
        if self.method == "ism":
            return values.sum(axis=1) / 3
        if self.method in GRADIENTS:
            return values.sum(axis=1)
        total = np.zeros((len(self.letters), values.shape[-1]))
        count = np.zeros((len(self.letters), 1))
        for start, value in zip(self.starts, values, strict=True):
            total[start : start + self.width] += value
            count[start : start + self.width] += 1
        return (total / np.where(count > 0, count, np.nan)).astype(np.float32)


def saturation(
    model: Any,
    region: regions.Region | str,
    *,
    fasta: str | Path,
    method: str = "ism",
    scores: Sequence[str] = ("SCD",),
    width: int = 20,
    step: int | None = None,
    repeats: int = 3,
    steps: int = 16,
    draws: int = 0,
    seed: int = 0,
    batch_size: int | None = None,
    advance: Callable[[int], None] | None = None,
    **options: Any,
) -> Scan:
    """Scans a region.

    Args:
        model: What `build` or `load_model` returns.
        region: A region or its text, as chr1:1,000-1,200.
        fasta: The genome.
        method: "ism", "deletion", "shuffle", "gradient" or "integrated".
        scores: Names of scores, for the first three.
        width: Bases of a deleted or shuffled window.
        step: Bases between windows; half the width by default.
        repeats: Shuffles of every window, whose scores are averaged.
        steps: Points on the path of integrated gradients.
        draws: Draws from the posterior.
        seed: Of draws and shuffles.
        batch_size: Windows computed at a time.
        advance: Called with the number of edits that were scored.
        **options: Further fields of `settings.Options`.

    Raises:
        VariantError: An unknown method, or a region that the window cannot hold.
    """
    region = regions.parse(region) if isinstance(region, str) else region
    step = step or max(width // 2, 1)
    check(region, method, width=width, step=step)
    chosen = settings.Options(scores=tuple(scores), draws=draws, seed=seed, **options)
    with Genome(fasta) as genome:
        letters = genome.fetch(region).upper()
        geometry = settings.geometry_of(model, chosen.head)
        settings.check_shifts(chosen.shifts, geometry)
        room = geometry.seq_length - 2 * geometry.crop_bp
        if region.width > room:
            raise errors.VariantError(
                f"{region} is wider than the {room:,} bases that a window's map shows; split it."
            )
        start = windows.snapped(
            (region.start + region.end) // 2 - geometry.seq_length // 2, geometry.bin_width
        )
        if method in GRADIENTS:
            from akita_bayes.variants import gradients

            values, sd = gradients.attributions(
                model, genome, region, start, method=method, steps=steps, options=chosen
            )
            places = np.arange(region.width)
            return Scan(region, letters, method, places, 1, {"SSD": values}, sd)
        scorer = engine.Engine(
            model, genome, dataclasses.replace(chosen, start=start), batch_size=batch_size
        )
        if method == "ism":
            return _every_base(scorer, region, letters, advance)
        return _windows(scorer, region, letters, method, width, step, repeats, seed, advance)


def check(region: regions.Region, method: str, *, width: int, step: int) -> None:
    """Refuses what no scan can do, before any work.

    Raises:
        VariantError: An unknown method, or windows that do not fit into the region.
    """
    if method not in METHODS:
        raise errors.VariantError(
            f'no method is called "{method}".{errors.did_you_mean(method, METHODS)} '
            f"Known: {', '.join(METHODS)}."
        )
    if method in ("deletion", "shuffle") and (not 1 <= width <= region.width or step < 1):
        raise errors.VariantError(
            f"windows of {width} bases, {step} apart, do not fit into {region}."
        )


def _every_base(
    scorer: engine.Engine,
    region: regions.Region,
    letters: str,
    advance: Callable[[int], None] | None,
) -> Scan:
    rows, cells = [], []
    for place, letter in enumerate(letters):
        for number, base in enumerate(dna.ALPHABET):
            if letter in dna.ALPHABET and base != letter:
                rows.append(_edit("SNV", region, place, 1, letter, base))
                cells.append((place, number))
    scored = scorer.score(rows, advance=advance)
    at = tuple(np.array(cells, int).reshape(-1, 2).T)
    unknown = np.array([letter not in dna.ALPHABET for letter in letters])

    def spread(column: NDArray[np.float32]) -> NDArray[np.float32]:
        values = np.zeros((len(letters), 4, column.shape[-1]), np.float32)
        values[at] = column
        values[unknown] = np.nan
        return values

    places = np.arange(len(letters))
    return Scan(region, letters, "ism", places, 1, *_spread(scored, spread))


def _windows(
    scorer: engine.Engine,
    region: regions.Region,
    letters: str,
    method: str,
    width: int,
    step: int,
    repeats: int,
    seed: int,
    advance: Callable[[int], None] | None,
) -> Scan:
    starts = np.arange(0, region.width - width + 1, step)
    rows: list[records.Variant] = []
    for start in starts:
        piece = letters[start : start + width]
        if method == "deletion":
            rows.append(_edit("DEL", region, int(start), width, piece, ""))
        else:
            rows.extend(
                _edit("MNV", region, int(start), width, piece, shuffled)
                for shuffled in _shuffles(piece, repeats, [seed, region.start + int(start)])
            )
    scored = scorer.score(rows, advance=advance)

    def averaged(column: NDArray[np.float32]) -> NDArray[np.float32]:
        return column.reshape(len(starts), -1, column.shape[-1]).mean(axis=1)

    return Scan(region, letters, method, starts, width, *_spread(scored, averaged))


def _spread(
    scored: results.Scored, shape: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
    values = {name: shape(column) for name, column in scored.values.items()}
    sd = {
        name: shape(column)
        for (name, statistic), column in scored.statistics.items()
        if statistic == "sd"
    }
    return values, sd


def _edit(
    kind: str, region: regions.Region, place: int, width: int, letters: str, put: str
) -> records.Variant:
    start = region.start + place
    return records.Variant(
        place, 1, region.chrom, start, ".", letters, put, kind, start, start + width, put
    )


def _shuffles(letters: str, repeats: int, seed: list[int]) -> Iterator[str]:
    generator = np.random.default_rng(seed)
    for _ in range(repeats):
        yield "".join(generator.permutation(list(letters)))
