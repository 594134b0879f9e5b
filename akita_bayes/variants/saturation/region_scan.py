"""Finds the bases of a region on which a contact map depends, by edits or by gradients.

`ism` changes every base to every other; `deletion` and `shuffle` edit stretches along the region.
The engine that scores variants scores each edit, in one window around the region. The gradients are
those of the map's strength |B| = sqrt(sum B^2), whose change is the SSD:

    gradient      d|B| / dx at the sequence x, times x
    integrated    (x - x0) * mean over a in (0, 1) of d|B| / dx at x0 + a (x - x0)

x0 is the sequence with unknown bases in the region; integrated gradients sum to |B(x)| - |B(x0)|
(Sundararajan et al. 2017).
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna, errors, keywords, progress, regions, workers
from akita_bayes.data.genome import Genome
from akita_bayes.models import ensemble
from akita_bayes.models.protocol import Model
from akita_bayes.variants import engine
from akita_bayes.variants.alleles import records, window_pairs
from akita_bayes.variants.options import Options
from akita_bayes.variants.scores import named_scores, score_table

EDITS = ("ism", "deletion", "shuffle")
GRADIENTS = ("gradient", "integrated")
METHODS = (*EDITS, *GRADIENTS)

Values = dict[str, NDArray[np.float32]]
Effects = tuple[NDArray[np.intp], int, Values, Values]  # starts, width, values, sd of a Scan


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Holds the settings of a scan, beside the options of scores.

    Attributes:
        width: Bases of a deleted or shuffled stretch.
        step: Bases between the starts of stretches; None for half the width.
        repeats: Shuffles of every stretch, whose scores are averaged.
        steps: Points on the path of integrated gradients.
    """

    width: int = 20
    step: int | None = None
    repeats: int = 3
    steps: int = 16

    @property
    def spacing(self) -> int:
        """Returns the bases between the starts of stretches."""
        return self.step or max(self.width // 2, 1)


@dataclasses.dataclass(frozen=True)
class ScanSettings:
    """Holds what a scan depends on, beside the model, the region and the genome.

    Attributes:
        sweep: Settings of edits and gradients.
        options: Settings of the scores.
        batch_size: Windows computed at a time.
        cluster: Workers that scan regions.
        load_model: Loads the model in a worker; None without workers.
    """

    sweep: Sweep = Sweep()
    options: Options = dataclasses.field(default_factory=lambda: Options(scores=("SCD",)))
    batch_size: int | None = None
    cluster: workers.Cluster = workers.HERE
    load_model: Callable[[], Model] | None = None

    def replaced(self, changes: Mapping[str, Any]) -> "ScanSettings":
        """Returns these settings with some fields replaced, also those of the sweep and options.

        Raises:
            TypeError: A name is not a field of any of the three.
        """
        changes = dict(changes)
        if "scores" in changes:
            changes["scores"] = named_scores.listed(changes["scores"])
        names = {field.name for field in dataclasses.fields(self.sweep)} & changes.keys()
        sweep = keywords.replaced(self.sweep, {name: changes.pop(name) for name in names})
        batch_size = changes.pop("batch_size", self.batch_size)
        return ScanSettings(sweep, keywords.replaced(self.options, changes), batch_size)


class Scan(NamedTuple):
    """Holds the effect of every position of a region.

    Attributes:
        region: The region.
        letters: Its bases, upper case.
        method: One of METHODS.
        targets: Numbers of the head's targets, in the order of the values' last axis.
        starts: First base of every edit or position, from the region's start. [K].
        width: Bases of an edit; 1 for single bases.
        values: Score name, or "SSD" for gradients, -> [K, 4, T] for base changes and gradients, in
            the order A C G T (0 for the genome's base of a change), or [K, T] for stretches.
        sd: Standard deviations of `values` over draws; empty without draws.
        allele: Name of the change of the genome that the region is on; "" for none.
    """

    region: regions.Region
    letters: str
    method: str
    targets: tuple[int, ...]
    starts: NDArray[np.intp]
    width: int
    values: Values
    sd: Values
    allele: str = ""

    def track(self, name: str) -> NDArray[np.float32]:
        """Returns one value per base of the region, NaN where no edit covers it. [L, T].

        For base changes it is the mean over the three other bases, for gradients the value of the
        genome's base, for stretches the mean over those that cover the base.
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
    model: Model,
    region: regions.Region | str,
    *,
    fasta: str | Path,
    method: str = "ism",
    settings: ScanSettings | None = None,
    advance: progress.Advance = progress.ignore,
    **changes: Any,
) -> Scan:
    """Scans a region: scores edits of its bases, or computes gradients.

    Args:
        model: What `build` or `load_model` returns.
        region: A region or its text, as chr1:1,000-1,200.
        fasta: The genome.
        method: "ism", "deletion", "shuffle", "gradient" or "integrated".
        settings: What the scan depends on; None for defaults.
        advance: Called with the number of edits that were scored.
        **changes: Fields to replace: `batch_size` of `ScanSettings`; `width`, `step`, `repeats` and
            `steps` of `Sweep`; and those of `variants.options.Options`, such as `scores`, `draws`
            and `seed`. One score may be given by its name alone.

    Raises:
        VariantError: The method is unknown or the model does not allow it, or the region is wider
            than the map of a window.
        DataError: The region is not in the genome.
        TypeError: A keyword is not a field.
    """
    settings = (settings or ScanSettings()).replaced(changes)
    with Genome(fasta) as genome:
        if isinstance(region, str):
            region = regions.parse_in(region, genome.sizes)
        check(region, method, settings.sweep, genome)
        scanner = Scanner(model, genome, settings)
        scanner.check(region, method)
        return scanner.scan(region, method, advance=advance)


def check(region: regions.Region, method: str, sweep: Sweep, genome: Genome) -> None:
    """Refuses a scan that no model can do, before a model is loaded.

    Raises:
        VariantError: The method is unknown, or stretches do not fit into the region.
        DataError: The chromosome is unknown or the region leaves it.
    """
    if method not in METHODS:
        raise errors.VariantError(
            f'"{method}" is not a method.{errors.did_you_mean(method, METHODS)} '
            f"Known methods: {', '.join(METHODS)}."
        )
    slides = method in ("deletion", "shuffle")
    if slides and not (1 <= sweep.width <= region.width and sweep.spacing >= 1):
        raise errors.VariantError(
            f"windows of {sweep.width} bases, {sweep.spacing} apart, do not fit into {region}; "
            "give a smaller width, or a step of 1 or more."
        )
    genome.fetch(region)


class Scanner:
    """Scans regions with a model, a genome and options.

    Args:
        model: What `build` or `load_model` returns.
        genome: Reference.
        settings: What scans depend on.

    Raises:
        VariantError: An option does not suit the model.
    """

    def __init__(
        self,
        model: Model,
        genome: Genome,
        settings: ScanSettings,
    ) -> None:
        self._model, self._genome, self._settings = model, genome, settings
        self._sweep, self._options = settings.sweep, settings.options
        self._engine = engine.Engine(
            model, genome, settings.options, batch_size=settings.batch_size
        )
        self._geometry = self._engine.geometry

    def on(self, genome: Genome) -> "Scanner":
        """Returns this scanner with another genome."""
        if genome is self._genome:
            return self
        return Scanner(self._model, genome, self._settings)

    def check(self, region: regions.Region, method: str) -> None:
        """Refuses a scan that this model cannot do, before any work.

        Raises:
            VariantError: The region is wider than a window's map, or the model has no gradients.
        """
        covered = self._geometry.seq_length - 2 * self._geometry.crop_bp
        if region.width > covered:
            raise errors.VariantError(
                f"{region} is wider than the {covered:,} bases that a window's map shows; split it."
            )
        if method in GRADIENTS:
            from akita_bayes.variants.saturation import gradients

            gradients.check(self._model, self._options)

    def scan(
        self, region: regions.Region, method: str, *, advance: progress.Advance = progress.ignore
    ) -> Scan:
        """Scans a region.

        Args:
            region: A region that passed `region_scan.check` and `Scanner.check`.
            method: One of METHODS.
            advance: Called with the number of edits that were scored.
        """
        letters = self._genome.fetch(region).upper()
        start = window_pairs.snapped(
            (region.start + region.end) // 2 - self._geometry.seq_length // 2,
            self._geometry.bin_width,
        )
        scorer = self._engine.starting_at(start)
        if method in GRADIENTS:
            effects = self._gradients(region, start, method)
        elif method == "ism":
            effects = self._every_base(scorer, region, letters, advance)
        else:
            effects = self._stretches(scorer, region, letters, method, advance)
        targets = tuple(int(name) for name in self._engine.target_names)
        return Scan(region, letters, method, targets, *effects)

    def _gradients(self, region: regions.Region, start: int, method: str) -> Effects:
        from akita_bayes.variants.saturation import gradients

        members = self._engine.windows.members_of([region])
        values, sd = gradients.attributions(
            ensemble.Ensemble(tuple(self._model.members[number] for number in members)),
            self._genome,
            region,
            start,
            method=method,
            steps=self._sweep.steps,
            options=self._options,
        )
        if self._engine.draws > 1 and not sd:  # a single member was held out, and gives one draw
            sd = {"SSD": np.full_like(values, np.nan)}
        return np.arange(region.width), 1, {"SSD": values}, sd

    def _every_base(
        self,
        scorer: engine.Engine,
        region: regions.Region,
        letters: str,
        advance: progress.Advance,
    ) -> Effects:
        """Scores every change of every base; unknown bases have NaN."""
        rows, cells = [], []
        for position, letter in enumerate(letters):
            for number, base in enumerate(dna.ALPHABET):
                if letter in dna.ALPHABET and base != letter:
                    rows.append(_edit("SNV", region, position, 1, letter, base))
                    cells.append((position, number))
        scored = scorer.score(rows, advance=advance)
        indices = tuple(np.array(cells, int).reshape(-1, 2).T)  # also of a region without any
        unknown = np.array([letter not in dna.ALPHABET for letter in letters])

        def spread(column: NDArray[np.float32]) -> NDArray[np.float32]:
            values = np.zeros((len(letters), 4, column.shape[-1]), np.float32)
            values[indices] = column
            values[unknown] = np.nan
            return values

        return np.arange(len(letters)), 1, *_reshaped(scored, spread)

    def _stretches(
        self,
        scorer: engine.Engine,
        region: regions.Region,
        letters: str,
        method: str,
        advance: progress.Advance,
    ) -> Effects:
        """Scores deletions or shuffles of stretches along the region."""
        width, repeats = self._sweep.width, self._sweep.repeats
        starts = np.arange(0, region.width - width + 1, self._sweep.spacing)
        rows: list[records.Variant] = []
        for start in starts.tolist():
            stretch = letters[start : start + width]
            if method == "deletion":
                rows.append(_edit("DEL", region, start, width, stretch, ""))
            else:
                seed = [self._options.seed, region.start + start]
                rows.extend(
                    _edit("MNV", region, start, width, stretch, shuffled)
                    for shuffled in _shuffles(stretch, repeats, seed)
                )
        scored = scorer.score(rows, advance=advance)

        def averaged(column: NDArray[np.float32]) -> NDArray[np.float32]:
            # The repeats of a stretch are successive rows.
            return column.reshape(len(starts), -1, column.shape[-1]).mean(axis=1)

        return starts, width, *_reshaped(scored, averaged)


def _reshaped(
    scored: score_table.Scored, shape: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> tuple[Values, Values]:
    """Returns scores and their standard deviations, every column reshaped by `shape`."""
    values = {name: shape(column) for name, column in scored.values.items()}
    sd = {
        name: shape(column)
        for (name, statistic), column in scored.statistics.items()
        if statistic == "sd"
    }
    return values, sd


def _edit(
    kind: str, region: regions.Region, offset: int, width: int, letters: str, inserted: str
) -> records.Variant:
    """Returns the row of an edit that starts `offset` bases after the start of the region."""
    start = region.start + offset
    end = start + width
    return records.Variant(
        offset, 1, region.chrom, start, ".", letters, inserted, kind, start, end, inserted
    )


def _shuffles(letters: str, repeats: int, seed: list[int]) -> Iterator[str]:
    generator = np.random.default_rng(seed)
    for _ in range(repeats):
        yield "".join(generator.permutation(list(letters)))
