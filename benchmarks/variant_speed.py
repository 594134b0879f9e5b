"""Variant scoring against the plain loop of two forward passes per variant, full-size Akita v1.

    python -m benchmarks.variant_speed

Both run in one process on the same windows, and their maps must agree to 1e-4 of a map's sd.
The plain loop calls the layers of Keras, without the inference pass of `ab.predict`.
Scattered SNVs lie in windows of their own along a chromosome; saturation changes bases of one
place. Weights are random, normalisation included: `built` are those of a new network, whose
residual branches start as nothing; `randomised` have every branch open, so that an edit reaches as
far as the graph lets it. Seconds of wall clock and of processor, the latter for machines that are
busy with other things.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import plain_pass, random_weights

ROOT = Path(__file__).resolve().parents[1]
RESULT = Path(__file__).with_name("results") / "variant_speed.json"
Layers = Callable[[np.ndarray], np.ndarray]
SPACING = 50_000  # bases between scattered SNVs, about one per gene


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and writes `results/variant_speed.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--spec", default=ROOT / "models" / "json" / "akita_v1.json")
    parser.add_argument("--scattered", type=int, default=12)
    parser.add_argument("--saturated", type=int, default=100)
    parser.add_argument("--plain", type=int, default=4, help="variants of the plain loop")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    from benchmarks import environment, run

    measurements = {kind: _compare(options, kind) for kind in ("built", "randomised")}
    about = {**environment.describe(), "cores_used": options.cores, "measurements": measurements}
    run.write(options.result, about)


def _compare(options: argparse.Namespace, kind: str) -> dict[str, Any]:
    import akita_bayes as ab
    from akita_bayes.data.genome import Genome, write_fasta

    model = ab.build(ab.load_spec(options.spec))
    if kind == "randomised":
        random_weights.assign(model)
    length = model.spec.model.seq_length
    random = np.random.default_rng(0)
    size = length + options.scattered * SPACING
    letters = "".join(random.choice(list("ACGT"), size))
    with tempfile.TemporaryDirectory() as folder:
        fasta = Path(folder) / "genome.fa"
        write_fasta(fasta, {"chr1": letters})
        with Genome(fasta) as genome:
            scattered = [
                _snv(letters, length // 2 + SPACING * k + int(random.integers(SPACING)))
                for k in range(options.scattered)
            ]
            position = size // 2
            saturated = [
                row
                for k in range(options.saturated // 3 + 1)
                for row in _changes(letters, position + k)
            ][: options.saturated]
            measured = {}
            for name, rows, start in (
                ("scattered", scattered, None),
                ("saturated", saturated, (position - length // 2) // 2048 * 2048),
            ):
                measured[name] = _measure(model, genome, rows, start, options)
                print(kind, name, json.dumps(measured[name]), flush=True)
    return measured


def _measure(
    model: Any, genome: Any, rows: list[Any], start: int | None, settings: argparse.Namespace
) -> dict[str, Any]:
    from akita_bayes.models.passes import head_rectangles
    from akita_bayes.variants import engine
    from akita_bayes.variants import options as scoring

    options = scoring.Options(scores=("SCD",), start=start)
    scorer = engine.Engine(model, genome, options)
    some = rows[: settings.plain]
    for _ in range(head_rectangles.PATIENCE + 1):  # compiles: the last time the graph of an edit
        scorer.score(rows[:1])
    layers = plain_pass.compiled(model)
    _plain(layers, genome, scorer, some[:1])
    mine, plain = [], []
    for _ in range(settings.turns):
        _forget(scorer)
        spent, scored = _timed(lambda: scorer.score(rows))
        mine.append({unit: seconds / len(rows) for unit, seconds in spent.items()})
        spent, expected = _timed(lambda: _plain(layers, genome, scorer, some))
        plain.append({unit: seconds / len(some) for unit, seconds in spent.items()})
    values = scored.values["SCD"][: len(some)]
    score_difference = float(np.max(np.abs(values - expected) / expected))
    map_difference = max(_map_difference(layers, genome, scorer, row) for row in some)
    assert map_difference < 1e-4, map_difference
    ratios = {
        unit: [slow[unit] / fast[unit] for slow, fast in zip(plain, mine, strict=True)]
        for unit in plain[0]
    }
    return {
        "variants": len(rows),
        "plain_variants": len(some),
        "turns": settings.turns,
        "plain_seconds_per_variant": _medians(plain),
        "engine_seconds_per_variant": _medians(mine),
        "times_faster": {unit: float(np.median(values)) for unit, values in ratios.items()},
        "times_faster_least": {unit: min(values) for unit, values in ratios.items()},
        "times_faster_most": {unit: max(values) for unit, values in ratios.items()},
        "largest_map_difference_in_sd": map_difference,
        "largest_relative_score_difference": score_difference,
    }


def _medians(turns: list[dict[str, float]]) -> dict[str, float]:
    return {unit: float(np.median([turn[unit] for turn in turns])) for unit in turns[0]}


def _forget(scorer: Any) -> None:
    """Empties the memory of tiles, so that the warm-up gives nothing away."""
    for member in scorer._predict._predict_windows._members:
        member._tower._kept.clear()


def _predicted(layers: Layers, genome: Any, scorer: Any, row: Any) -> list[np.ndarray]:
    """REF and ALT map of a variant, encoded and predicted one after the other. [P, T] each."""
    from akita_bayes import dna
    from akita_bayes.variants.alleles import derivative

    pair = scorer.windows.pair(row)
    letters = (
        derivative.letters(window.segments, genome.padded)
        for window in (pair.reference[0], pair.alternative[0])
    )
    return [layers(dna.to_one_hot(window)[None])[0] for window in letters]


def _plain(layers: Layers, genome: Any, scorer: Any, rows: list[Any]) -> np.ndarray:
    """The plain loop. [rows, T]."""
    from akita_bayes import triangle
    from akita_bayes.variants.scores import pixels

    offset, scores = scorer.geometry.diagonal_offset, []
    for row in rows:
        maps = _predicted(layers, genome, scorer, row)
        ref, alt = (triangle.to_matrix(pixels, diagonal_offset=offset, fill=0) for pixels in maps)
        mask = np.abs(np.subtract.outer(np.arange(len(ref)), np.arange(len(ref)))) >= offset
        scores.append(pixels.scd(ref, alt, mask))
    return np.array(scores)


def _map_difference(layers: Layers, genome: Any, scorer: Any, row: Any) -> float:
    ((_, *maps),) = scorer.maps(row)
    pairs = zip(maps, _predicted(layers, genome, scorer, row), strict=True)
    return max(float(np.abs(mine - plain).max() / plain.std()) for mine, plain in pairs)


def _timed(run: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    wall, processor = time.perf_counter(), time.process_time()
    result = run()
    spent = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
    return spent, result


def _snv(letters: str, position: int) -> Any:
    return _changes(letters, position)[0]


def _changes(letters: str, position: int) -> list[Any]:
    from akita_bayes.variants.alleles import records

    base = letters[position]
    return [
        records.Variant(
            0,
            1,
            "chr1",
            position,
            ".",
            base,
            base_in_alt,
            "SNV",
            position,
            position + 1,
            base_in_alt,
        )
        for base_in_alt in "ACGT"
        if base_in_alt != base
    ]


if __name__ == "__main__":
    main()
