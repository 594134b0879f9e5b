r"""Variant scores against the truth: the simulator re-simulates every edited genome.

    akita_simulate.py --preset small -o runs/variants/data
    for seed in 1 2 3; do
        akita_train.py models/json/akita_tiny.json runs/variants/data \
            -o runs/variants/$seed --seed $seed
    done
    python -m benchmarks.variants runs/variants/data runs/variants/1 runs/variants/2 runs/variants/3

Variants of known effect lie on the test chromosome: CTCF sites deleted, inverted or weakened by one
substitution, stretches with sites deleted, inverted or duplicated, and neutral edits. Both alleles'
windows are simulated as they are predicted, and aligned by the same code. Reported for every kind:
the correlation of predicted with true change over compared pixels, that of predicted with true SCD,
the AUROC of the SCD against neutral edits, and how often 90 % intervals hold the true SCD: the
quantiles of the draws, and conformal intervals, fitted to variants in the first half of the
chromosome. All is measured on those in the second half.

The committed result is of three runs of five epochs, of the spec as it was at the commit that the
result names: without weight averaging, so that the three members were the only draws. The spec has
since kept SWAG draws of every run, which the command above therefore draws too.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

RESULT = Path(__file__).with_name("results") / "variants.json"


class Compared(NamedTuple):
    """One variant. `truth` and `change` are [pixels, T], `true_scd` [T], `draws` [S, T]."""

    kind: str
    position: int
    truth: NDArray
    change: NDArray
    true_scd: NDArray
    draws: NDArray


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and writes `results/variants.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, help="folder of akita_simulate.py")
    parser.add_argument("runs", nargs="+", type=Path, help="run directories, an ensemble")
    parser.add_argument("--draws", type=int, default=64)
    parser.add_argument("--limit", type=int, help="variants of each kind")
    parser.add_argument("--intervals", type=Path, help="write the fitted intervals here")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    import akita_bayes as ab
    from akita_bayes.variants import conformal
    from benchmarks import environment, run

    runs = [str(run) for run in options.runs]
    model = ab.load_model(runs if len(runs) > 1 else runs[0])
    compared = compare(model, options.data, draws=options.draws, limit=options.limit)
    middle = np.median([each.position for each in compared])
    widening = _fitted([each for each in compared if each.position < middle])
    found = summarise([each for each in compared if each.position >= middle], widening)
    print(as_table(found))
    about = {**environment.describe(), "runs": len(runs), "draws": options.draws, "kinds": found}
    if options.intervals is not None:
        conformal.save(options.intervals, {"SCD": widening})
    run.write(options.result, about)


def compare(model: Any, data: Path, *, draws: int, limit: int | None = None) -> list[Compared]:
    """Predicts and simulates every variant of a simulated folder."""
    from akita_bayes.data.genome import Genome
    from akita_bayes.simulate import effects, parameters
    from akita_bayes.variants import engine, records
    from akita_bayes.variants import options as settings

    design = parameters.read(data)
    kinds = [effect.kind for effect in effects.read(data)]
    found: list[Compared] = []
    with Genome(data / "genome.fa") as genome:
        scorer = engine.Engine(model, genome, settings.Options(draws=draws))
        rows = list(records.read(data / "variants.vcf", genome))
        counts: dict[str, int] = {}
        for kind, row in zip(kinds, rows, strict=True):
            counts[kind] = counts.get(kind, 0) + 1
            if limit is None or counts[kind] <= limit:
                assert not scorer.refusal(row), scorer.refusal(row)
                found.append(_compare(scorer, genome, design, kind, row))
    return found


def _compare(scorer: Any, genome: Any, design: Any, kind: str, row: Any) -> Compared:
    changes = []
    for made, ref, alt in scorer.maps(row):
        aligned = made
        changes.append((alt - ref)[made.mask])
    pair = scorer.pair(row)
    ref, alt = (
        stitch([_simulated(window, genome, design) for window in side])
        for stitch, side in (
            (aligned.reference, pair.reference),
            (aligned.alternative, pair.alternative),
        )
    )
    truth = (alt - ref)[aligned.mask]
    drawn = np.sqrt(np.sum(np.square(changes, dtype=np.float64), axis=1))
    true_scd = np.sqrt(np.sum(truth**2, axis=0))
    return Compared(kind, row.start, truth, np.mean(changes, axis=0), true_scd, drawn)


def _simulated(window: Any, genome: Any, design: Any) -> NDArray:
    """The true map of a window, from its letters and the flank that they need. [P, T]."""
    from akita_bayes import triangle
    from akita_bayes.simulate import chromatin
    from akita_bayes.variants import alleles

    physics, crop = design.physics, design.crop // design.physics.bin_size
    segments = alleles.cut(
        window.allele, window.start - physics.flank, window.start + window.length + physics.flank
    )
    tracks = chromatin.all_tracks(alleles.letters(segments, genome.padded), physics)
    maps = np.stack(
        [chromatin.observed_over_expected(chromatin.contacts_of(t, physics)) for t in tracks],
        axis=-1,
    )
    kept = maps[crop : len(maps) - crop, crop : len(maps) - crop]
    return triangle.to_vector(kept, diagonal_offset=chromatin.DIAGONAL_OFFSET)


def _fitted(known: list[Compared]) -> Any:
    from akita_bayes.variants import conformal

    return conformal.fit(
        np.array([each.true_scd for each in known]),
        np.array([each.draws.mean(axis=0) for each in known]),
        np.array([_sd(each.draws) for each in known]),
    )


def _sd(draws: NDArray) -> NDArray:
    return draws.std(axis=0, ddof=1) if len(draws) > 1 else np.zeros(draws.shape[1])


def summarise(compared: list[Compared], widening: Any) -> dict[str, dict[str, float]]:
    """The reported numbers of every kind, and of all together."""
    neutral = np.array([c.draws.mean() for c in compared if c.kind.startswith("neutral")])
    kinds = list(dict.fromkeys(c.kind for c in compared))
    table = {}
    for kind in (*kinds, "all"):
        some = [c for c in compared if kind in (c.kind, "all")]
        scores = np.array([c.draws.mean() for c in some])
        true = np.array([c.true_scd.mean() for c in some])
        disruptive = np.array([c.draws.mean() for c in some if not c.kind.startswith("neutral")])
        table[kind] = {
            "variants": len(some),
            "true_scd": float(true.mean()),
            "predicted_scd": float(scores.mean()),
            "pixel_correlation": _mean_correlation(some),
            "scd_correlation": _correlation(scores, true),
            "auroc_against_neutral": _auroc(disruptive, neutral),
            "coverage_90_draws": _coverage(some, None),
            "coverage_90": _coverage(some, widening),
        }
    return table


def _mean_correlation(some: list[Compared]) -> float:
    each = [
        _correlation(c.change[:, target], c.truth[:, target])
        for c in some
        for target in range(c.truth.shape[1])
        if c.truth[:, target].std() > 1e-6
    ]
    return float(np.nanmean(each)) if each else float("nan")


def _correlation(a: NDArray, b: NDArray) -> float:
    if len(a) < 2 or np.std(a) == 0 or np.std(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _auroc(disruptive: NDArray, neutral: NDArray) -> float:
    if not len(disruptive) or not len(neutral):
        return float("nan")
    above = disruptive[:, None] > neutral
    return float(np.mean(above + 0.5 * (disruptive[:, None] == neutral)))


def _coverage(some: list[Compared], widening: Any) -> float:
    inside = []
    for c in some:
        if widening is None:
            low, high = np.quantile(c.draws, (0.05, 0.95), axis=0)
        else:
            low, high = widening.interval(c.draws.mean(axis=0), _sd(c.draws))
        inside.append((low <= c.true_scd) & (c.true_scd <= high))
    return float(np.mean(inside))


def as_table(found: dict[str, dict[str, float]]) -> str:
    """The numbers as Markdown."""
    columns = list(next(iter(found.values())))
    lines = ["| kind | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for kind, row in found.items():
        cells = (f"{value:.3g}" for value in row.values())
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
