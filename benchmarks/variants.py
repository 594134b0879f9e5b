r"""Variant scores against the truth: the simulator re-simulates every edited genome.

    akita_simulate.py --preset small -o runs/variants/data
    for seed in 0 1 2; do
        akita_train.py models/json/akita_tiny.json runs/variants/data \
            -o runs/variants/$seed --seed $seed
    done
    akita_calibrate.py runs/variants/0 runs/variants/data \
        --ensemble runs/variants/1,runs/variants/2 --draws 24
    python -m benchmarks.variants runs/variants/data runs/variants/0 runs/variants/1 runs/variants/2

With --one_for_each, every run predicts one cell type, in the order of the data.

Variants of known effect are drawn on the validation and on the test chromosome
(`akita_bayes.simulate.effects`). Both alleles' windows are simulated as they are predicted, and
aligned by the same code. Reported for every kind of the test chromosome: the correlation of
predicted with true change over compared pixels; of scores (SCD) the AUROC against the kind of the
same type and size without a site, and the agreement of sizes (`benchmarks.effect_sizes`); and how
often 90 % intervals hold the true SCD, with their interval score (Gneiting & Raftery 2007):

    draws         quantiles of the scores of the draws
    recalibrated  the same, every draw of the change spread about its mean by the epistemic factors
                  that the runs were given for maps; absent for runs without
    fitted        conformal intervals, fitted to the variants of the validation chromosome
    constant      one interval for each kind, the quantiles of the true scores of these variants
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes.simulate import effects
from benchmarks import effect_sizes

RESULT = Path(__file__).with_name("results") / "variants.json"


class Compared(NamedTuple):
    """Holds one variant. `truth` and `change` are [pixels, T], `draws` and `recalibrated` [S, T].

    `true_scd` and `scanned`, the change of occupancy by a scan, are [T]; `recalibrated` is None
    without factors.
    """

    kind: str
    truth: NDArray
    change: NDArray
    true_scd: NDArray
    draws: NDArray
    recalibrated: NDArray | None
    scanned: NDArray


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and writes `results/variants.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, help="folder of akita_simulate.py")
    parser.add_argument("runs", nargs="+", type=Path, help="run directories, an ensemble")
    parser.add_argument(
        "--one_for_each", action="store_true", help="every run predicts one cell type"
    )
    parser.add_argument("--draws", type=int, default=64)
    parser.add_argument("--variants", type=int, default=60, help="of each kind and chromosome")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    import akita_bayes as ab
    from akita_bayes.variants.scores import conformal
    from benchmarks import environment, run

    runs = [str(run) for run in options.runs]
    if options.one_for_each:
        models = [ab.load_model(run) for run in runs]
    else:
        models = [ab.load_model(runs if len(runs) > 1 else runs[0])]
    fitting, tested = (
        compare(models, options.data, split, draws=options.draws, count=options.variants)
        for split in ("valid", "test")
    )
    fitted = conformal.fit(
        np.array([variant.true_scd for variant in fitting]),
        np.array([variant.draws.mean(axis=0) for variant in fitting]),
        np.array([_sd(variant.draws) for variant in fitting]),
    )
    rows = summarise(tested, fitted, constants_of(fitting))
    sizes = size_rows(tested)
    print(as_table(rows), size_table(sizes), json.dumps(sizes["cell types"]), sep="\n\n")
    draws = len(tested[0].draws)
    about = {
        "runs": len(runs),
        "one_for_each": options.one_for_each,
        "draws": draws,
        "fitted_to": len(fitting),
        "kinds": rows,
    }
    about["sizes"] = sizes
    run.write(options.result, {**environment.describe(), **about})


def compare(
    models: Sequence[Any], data: Path, split: str, *, draws: int, count: int
) -> list[Compared]:
    """Draws variants on the split's chromosomes, predicts and simulates them.

    Args:
        models: Models that predict the cell types one after another; one model predicts all.
        data: Folder of `akita_simulate.py`.
        split: Split whose chromosomes carry the variants.
        draws: Draws of every model.
        count: Variants of each kind.
    """
    from akita_bayes.data.genome import Genome
    from akita_bayes.regions import Region
    from akita_bayes.simulate import design_json
    from akita_bayes.variants import engine
    from akita_bayes.variants import options as settings
    from akita_bayes.variants.intervals import known_effects

    design = design_json.read(data)
    with Genome(data / "genome.fa") as genome:
        kinds, rows = known_effects.draw(genome, design, split, count=count)
        scorers = [engine.Engine(model, genome, settings.Options(draws=draws)) for model in models]
        fitted = [model.recalibrations.get(model.spec.head_names[0]) for model in models]
        factors = None
        if None not in fitted:
            pixels = scorers[0].geometry.target_length
            factors = np.concatenate([own.factors(pixels).epistemic for own in fitted], axis=-1)
        letters = {
            name: genome.fetch(Region(name, 0, genome.sizes[name]))
            for name in {row.chrom for row in rows}
        }
        compared = []
        for kind, row in zip(kinds, rows, strict=True):
            reason = scorers[0].windows.framed(row).variant.reason
            assert not reason, reason
            edit = effect_sizes.edit_of(row, letters[row.chrom])
            scanned = effect_sizes.changed_occupancy(edit, letters[row.chrom], design.physics)
            variant = _compare(scorers, genome, design, factors, row)
            compared.append(variant._replace(kind=kind, scanned=scanned))
    return compared


def _compare(
    scorers: Sequence[Any], genome: Any, design: Any, factors: NDArray | None, row: Any
) -> Compared:
    """Returns a variant without its kind and its scan."""
    from akita_bayes.variants.intervals import known_effects

    changes = []
    for draw in zip(*(scorer.maps(row) for scorer in scorers), strict=True):
        aligned = draw[0][0]
        changes.append(np.concatenate([(alt - ref)[aligned.mask] for _, ref, alt in draw], axis=-1))
    ref, alt = known_effects.simulated(scorers[0].windows.pair(row), aligned, genome, design)
    truth, change = (alt - ref)[aligned.mask], np.mean(changes, axis=0)
    recalibrated = None
    if factors is not None:
        recalibrated = _scd(change + factors[aligned.mask] * (np.array(changes) - change))
    true_scd, draws = _scd(truth), _scd(np.array(changes))
    return Compared("", truth, change, true_scd, draws, recalibrated, np.zeros_like(true_scd))


def _scd(change: NDArray) -> NDArray:
    return np.sqrt(np.sum(np.square(change, dtype=np.float64), axis=-2))


def _sd(draws: NDArray) -> NDArray:
    return draws.std(axis=0, ddof=1) if len(draws) > 1 else np.zeros(draws.shape[1])


def constants_of(fitting: list[Compared]) -> dict[str, tuple[float, float]]:
    """Returns the 5 % and 95 % quantiles of the true scores of every kind."""
    return {
        kind: tuple(np.quantile([c.true_scd for c in fitting if c.kind == kind], (0.05, 0.95)))
        for kind in {c.kind for c in fitting}
    }


def summarise(
    compared: list[Compared], fitted: Any, constants: Mapping[str, tuple[float, float]]
) -> dict[str, dict[str, float]]:
    """Returns the reported numbers of every kind, and of all together.

    Args:
        compared: Tested variants.
        fitted: Intervals that were fitted to other variants.
        constants: One interval for each kind, of the same other variants.
    """
    names = [c.kind for c in compared]
    matched = effect_sizes.against_negatives(names, np.array([c.draws.mean() for c in compared]))
    scanned = effect_sizes.against_negatives(names, np.array([c.scanned.mean() for c in compared]))
    kinds = sorted(set(names))
    table = {}
    for kind in (*kinds, "all"):
        some = [c for c in compared if kind in (c.kind, "all")]
        true = np.array([c.true_scd for c in some])
        table[kind] = {
            "variants": len(some),
            "true_scd": float(true.mean()),
            "predicted_scd": float(np.mean([c.draws.mean() for c in some])),
            "pixel_correlation": _mean_correlation(some),
            "auroc_matched": matched.get(kind, float("nan")),
            "auroc_scan": scanned.get(kind, float("nan")),
        }
        for name, (low, high) in _intervals(some, fitted, constants).items():
            inside = ((low <= true) & (true <= high)).mean(axis=1)
            missed = np.maximum(low - true, 0) + np.maximum(true - high, 0)
            table[kind] |= {
                f"coverage_90_{name}": float(inside.mean()),
                f"coverage_90_{name}_se": float(inside.std(ddof=1) / np.sqrt(len(inside))),
                f"interval_score_{name}": float((high - low + 2 / 0.1 * missed).mean()),
            }
    return table


def _intervals(
    some: list[Compared], fitted: Any, constants: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[NDArray, NDArray]]:
    """Lower and upper ends by name. [variants, T] each."""
    draws = np.array([c.draws for c in some])
    spread = np.array([_sd(c.draws) for c in some])
    intervals = {"draws": _quantiles(draws), "fitted": fitted.interval(draws.mean(axis=1), spread)}
    low, high = np.array([constants[c.kind] for c in some]).T[..., None]
    intervals["constant"] = (low, high)
    if some[0].recalibrated is not None:
        intervals["recalibrated"] = _quantiles(np.array([c.recalibrated for c in some]))
    return intervals


def _quantiles(draws: NDArray) -> tuple[NDArray, NDArray]:
    low, high = np.quantile(draws, (0.05, 0.95), axis=1)
    return low, high


def _mean_correlation(some: list[Compared]) -> float:
    correlations = [
        effect_sizes.correlation(c.change[:, target], c.truth[:, target])
        for c in some
        for target in range(c.truth.shape[1])
        if c.truth[:, target].std() > 1e-6
    ]
    return float(np.nanmean(correlations)) if correlations else float("nan")


def size_rows(compared: list[Compared]) -> dict[str, dict[str, float]]:
    """Returns the agreement of sizes for groups of kinds, and between cell types."""
    groups = {
        **{
            kind: (kind,) for kind in (*effects.NEGATIVES, *sorted(set(effects.NEGATIVES.values())))
        },
        "substitutions in sites": ("site_weakening", "site_substitution"),
        "edits of sites": tuple(kind for kind in effects.NEGATIVES if kind.startswith("site")),
    }
    sizes = {
        name: _sizes([c for c in compared if c.kind in kinds]) for name, kinds in groups.items()
    }
    rows = {
        name: {"variants": len(some.true), **effect_sizes.agreement(some)}
        for name, some in sizes.items()
        if len(some.true)
    }
    return {**rows, "cell types": effect_sizes.between_cell_types(sizes["edits of sites"])}


def _sizes(some: list[Compared]) -> effect_sizes.Sizes:
    columns = zip(*[(c.draws.mean(axis=0), c.true_scd, c.scanned) for c in some], strict=True)
    return effect_sizes.Sizes(*(np.array(column) for column in columns))


def size_table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Returns the agreement of sizes as `docs/variants.md` shows it."""
    columns = (
        *("edit", "variants", "r", "R2 of logarithms", "slope predicted / true"),
        *("slope true / predicted", "R2 of the scan"),
    )
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name, row in rows.items():
        if name != "cell types":
            keys = ("r", "log_r2", "log_slope", "log_calibration", "scan_log_r2")
            numbers = [_number(row[key]) for key in keys]
            cells = [name.replace("_", " "), str(row["variants"]), *numbers]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def as_table(rows: Mapping[str, Mapping[str, float | None]]) -> str:
    """Returns the numbers as `docs/variants.md` shows them."""
    columns = (
        *("kind", "variants", "r of predicted and true change of pixels"),
        *(
            "AUROC against the same edit without a site",
            "AUROC of the scan",
            "true score inside the fitted 90 % interval",
        ),
        *("inside 5 % to 95 % of the draws", "inside 5 % to 95 % of recalibrated draws"),
        *("interval score, fitted", "interval score, constant"),
    )
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for kind, row in rows.items():
        cells = [kind.replace("_", " "), str(row["variants"])]
        values = ("pixel_correlation", "auroc_matched", "auroc_scan")
        cells += [_number(row.get(name)) for name in values]
        for name in ("fitted", "draws", "recalibrated"):
            share = _percent(row.get(f"coverage_90_{name}"))
            cells.append(share and f"{share} ± {_percent(row.get(f'coverage_90_{name}_se'))}")
        cells += [_number(row.get(f"interval_score_{name}")) for name in ("fitted", "constant")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "" if value is None or np.isnan(value) else f"{value:.2f}"


def _percent(share: float | None) -> str:
    return "" if share is None or np.isnan(share) else f"{100 * share:.0f} %"


if __name__ == "__main__":
    main()
