r"""Variant scores against the truth: the simulator re-simulates every edited genome.

    akita_simulate.py --preset small -o runs/variants/data
    for seed in 0 1 2; do
        akita_train.py models/json/akita_tiny.json runs/variants/data \
            -o runs/variants/$seed --seed $seed
    done
    akita_calibrate.py runs/variants/0 runs/variants/data \
        --ensemble runs/variants/1,runs/variants/2 --draws 24
    python -m benchmarks.variants runs/variants/data runs/variants/0 runs/variants/1 runs/variants/2

Variants of known effect are drawn on the validation and on the test chromosome: CTCF sites deleted,
inverted or weakened by one substitution, stretches with sites deleted, inverted or duplicated, and
neutral edits. Both alleles' windows are simulated as they are predicted, and aligned by the same
code. Reported for every kind of the test chromosome: the correlation of predicted with true change
over compared pixels, that of predicted with true SCD, the AUROC of the SCD against neutral edits,
and how often 90 % intervals hold the true SCD, with their interval score (Gneiting & Raftery 2007):

    draws         quantiles of the scores of the draws
    recalibrated  the same, every draw of the change spread about its mean by the epistemic factors
                  that the runs were given for maps; absent for runs without
    fitted        conformal intervals, fitted to the variants of the validation chromosome
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

RESULT = Path(__file__).with_name("results") / "variants.json"


class Compared(NamedTuple):
    """Holds one variant. `truth` and `change` are [pixels, T], `true_scd` [T], the others [S, T].

    `recalibrated` is None without factors.
    """

    kind: str
    truth: NDArray
    change: NDArray
    true_scd: NDArray
    draws: NDArray
    recalibrated: NDArray | None


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and writes `results/variants.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, help="folder of akita_simulate.py")
    parser.add_argument("runs", nargs="+", type=Path, help="run directories, an ensemble")
    parser.add_argument("--draws", type=int, default=64)
    parser.add_argument("--variants", type=int, default=60, help="of each kind and chromosome")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    import akita_bayes as ab
    from akita_bayes.variants.scores import conformal
    from benchmarks import environment, run

    runs = [str(run) for run in options.runs]
    model = ab.load_model(runs if len(runs) > 1 else runs[0])
    fitting, tested = (
        compare(model, options.data, split, draws=options.draws, count=options.variants)
        for split in ("valid", "test")
    )
    fitted = conformal.fit(
        np.array([variant.true_scd for variant in fitting]),
        np.array([variant.draws.mean(axis=0) for variant in fitting]),
        np.array([_sd(variant.draws) for variant in fitting]),
    )
    rows = summarise(tested, fitted)
    print(as_table(rows))
    draws = len(tested[0].draws)
    about = {"runs": len(runs), "draws": draws, "fitted_to": len(fitting), "kinds": rows}
    run.write(options.result, {**environment.describe(), **about})


def compare(model: Any, data: Path, split: str, *, draws: int, count: int) -> list[Compared]:
    """Draws variants on the split's chromosomes, predicts and simulates them."""
    from akita_bayes.data.genome import Genome
    from akita_bayes.simulate import design_json
    from akita_bayes.variants import engine, known_effects
    from akita_bayes.variants import options as settings

    design = design_json.read(data)
    with Genome(data / "genome.fa") as genome:
        kinds, rows = known_effects.draw(genome, design, split, count=count)
        scorer = engine.Engine(model, genome, settings.Options(draws=draws))
        fitted = model.recalibrations.get(model.spec.head_names[0])
        factors = (
            None if fitted is None else fitted.factors(scorer.geometry.target_length).epistemic
        )
        compared = []
        for kind, row in zip(kinds, rows, strict=True):
            reason = scorer.windows.framed(row).variant.reason
            assert not reason, reason
            compared.append(_compare(scorer, genome, design, factors, kind, row))
    return compared


def _compare(
    scorer: Any, genome: Any, design: Any, factors: NDArray | None, kind: str, row: Any
) -> Compared:
    from akita_bayes.variants import known_effects

    changes = []
    for predicted, ref, alt in scorer.maps(row):
        aligned = predicted
        changes.append((alt - ref)[predicted.mask])
    ref, alt = known_effects.simulated(scorer.windows.pair(row), aligned, genome, design)
    truth, change = (alt - ref)[aligned.mask], np.mean(changes, axis=0)
    recalibrated = None
    if factors is not None:
        recalibrated = _scd(change + factors[aligned.mask] * (np.array(changes) - change))
    return Compared(kind, truth, change, _scd(truth), _scd(np.array(changes)), recalibrated)


def _scd(change: NDArray) -> NDArray:
    return np.sqrt(np.sum(np.square(change, dtype=np.float64), axis=-2))


def _sd(draws: NDArray) -> NDArray:
    return draws.std(axis=0, ddof=1) if len(draws) > 1 else np.zeros(draws.shape[1])


def summarise(compared: list[Compared], fitted: Any) -> dict[str, dict[str, float]]:
    """Returns the reported numbers of every kind, and of all together."""
    neutral = np.array([c.draws.mean() for c in compared if c.kind.startswith("neutral")])
    kinds = sorted({c.kind for c in compared})
    table = {}
    for kind in (*kinds, "all"):
        some = [c for c in compared if kind in (c.kind, "all")]
        scores = np.array([c.draws.mean() for c in some])
        true = np.array([c.true_scd for c in some])
        disruptive = np.array([c.draws.mean() for c in some if not c.kind.startswith("neutral")])
        table[kind] = {
            "variants": len(some),
            "true_scd": float(true.mean()),
            "predicted_scd": float(scores.mean()),
            "pixel_correlation": _mean_correlation(some),
            "scd_correlation": _correlation(scores, true.mean(axis=1)),
            "auroc_against_neutral": _auroc(disruptive, neutral),
        }
        for name, (low, high) in _intervals(some, fitted).items():
            inside = ((low <= true) & (true <= high)).mean(axis=1)
            missed = np.maximum(low - true, 0) + np.maximum(true - high, 0)
            table[kind] |= {
                f"coverage_90_{name}": float(inside.mean()),
                f"coverage_90_{name}_se": float(inside.std(ddof=1) / np.sqrt(len(inside))),
                f"interval_score_{name}": float((high - low + 2 / 0.1 * missed).mean()),
            }
    return table


def _intervals(some: list[Compared], fitted: Any) -> dict[str, tuple[NDArray, NDArray]]:
    """Lower and upper ends by name. [variants, T] each."""
    draws = np.array([c.draws for c in some])
    spread = np.array([_sd(c.draws) for c in some])
    intervals = {"draws": _quantiles(draws), "fitted": fitted.interval(draws.mean(axis=1), spread)}
    if some[0].recalibrated is not None:
        intervals["recalibrated"] = _quantiles(np.array([c.recalibrated for c in some]))
    return intervals


def _quantiles(draws: NDArray) -> tuple[NDArray, NDArray]:
    low, high = np.quantile(draws, (0.05, 0.95), axis=1)
    return low, high


def _mean_correlation(some: list[Compared]) -> float:
    correlations = [
        _correlation(c.change[:, target], c.truth[:, target])
        for c in some
        for target in range(c.truth.shape[1])
        if c.truth[:, target].std() > 1e-6
    ]
    return float(np.nanmean(correlations)) if correlations else float("nan")


def _correlation(a: NDArray, b: NDArray) -> float:
    if len(a) < 2 or np.std(a) == 0 or np.std(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _auroc(disruptive: NDArray, neutral: NDArray) -> float:
    if not len(disruptive) or not len(neutral):
        return float("nan")
    above = disruptive[:, None] > neutral
    return float(np.mean(above + 0.5 * (disruptive[:, None] == neutral)))


def as_table(rows: Mapping[str, Mapping[str, float | None]]) -> str:
    """Returns the numbers as `docs/variants.md` shows them."""
    columns = (
        *("kind", "variants", "r of predicted and true change of pixels"),
        *("AUROC against neutral edits", "true score inside the fitted 90 % interval"),
        *("inside 5 % to 95 % of the draws", "inside 5 % to 95 % of recalibrated draws"),
    )
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for kind, row in rows.items():
        cells = [kind.replace("_", " "), str(row["variants"])]
        cells += [_number(row[name]) for name in ("pixel_correlation", "auroc_against_neutral")]
        for name in ("fitted", "draws", "recalibrated"):
            share = _percent(row.get(f"coverage_90_{name}"))
            cells.append(share and f"{share} ± {_percent(row.get(f'coverage_90_{name}_se'))}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "" if value is None or np.isnan(value) else f"{value:.2f}"


def _percent(share: float | None) -> str:
    return "" if share is None or np.isnan(share) else f"{100 * share:.0f} %"


if __name__ == "__main__":
    main()
