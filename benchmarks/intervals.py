"""Intervals of maps: where a fitted sd knows the error, beside constants.

    python -m benchmarks.intervals RUN DATA [--draws 8] [--figure docs/images/intervals.png]
        [--result FILE]

DATA needs a noise.tsv. The fit uses the validation split, and every number is of the test split.
The numbers "if the sd were exact" are those of residuals that are drawn with the fitted sd. They
are expected values and not limits: if the true sd varies more than the fitted one, its ranking of
errors can be better. `--result` stores all numbers as JSON.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
import scipy.stats
from numpy.typing import NDArray

from akita_bayes.data import noise_table
from akita_bayes.evaluate import strata as strata_
from akita_bayes.evaluate.intervals import (
    aggregate_coverage,
    calibrate,
    calibration,
    error_tails,
    model_error,
)
from akita_bayes.evaluate.intervals.spread_factors import Prediction
from benchmarks import environment, run

STATES = ("constant per stratum", "fitted")
EXACT = " if the sd were exact"
_GROUPS = 20


def main(argv: Sequence[str] | None = None) -> None:
    """Reads the command line, prints and stores the numbers, and draws the figure."""
    from akita_bayes.data.records import dataset
    from akita_bayes.evaluate import accuracy
    from akita_bayes.models import load, network_draws

    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("run")
    parser.add_argument("data", type=Path)
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--result", type=Path)
    options = parser.parse_args(argv)
    model = load.load_model(options.run)
    geometry = model.spec.geometry(None)
    assert geometry.diagonal_offset is not None
    noise = noise_table.read(
        options.data,
        targets=geometry.units or 1,
        bins=geometry.bins,
        diagonal_offset=geometry.diagonal_offset,
    )
    if noise is None:
        parser.error(f"{options.data}: has no {noise_table.FILE_NAME}")
    valid, test = (
        list(calibrate.predictions(model, options.data, split, draws=options.draws))
        for split in ("valid", "test")
    )
    truth = None
    if (options.data / accuracy.TRUTH / "test.npz").is_file():
        records = dataset.open_split(options.data, "test", batch_size=1).records
        truth = accuracy.read_truth(options.data, "test", records)
    draws = network_draws.useful_draws(model, options.draws, model.spec.head_names[0])
    results = judge(valid, test, truth, noise, draws=draws)
    for state, result in results.items():
        print(state)
        for name, value in result.items():
            if not isinstance(value, float):
                continue
            print(f"    {name}: {value:.5f}")
        for name in ("measurement by decile", "truth by decile"):
            print(f"    {name}: {np.min(result[name]):.3f} to {np.max(result[name]):.3f}")
        for kind, row in result["aggregates"]["kinds"].items():
            print(
                f"    {kind}: {row['coverage']:.3f}, independent {row['independent_coverage']:.3f}"
            )
    if options.result:
        about = {"run": str(options.run), "data": str(options.data), "draws": draws}
        run.write(options.result, {**environment.describe(), **about, "states": results})
    if options.figure:
        figure(results).savefig(options.figure, dpi=80)


def judge(
    valid: list[Prediction],
    test: list[Prediction],
    truth: NDArray[Any] | None,
    noise: noise_table.NoiseTable,
    *,
    draws: int,
) -> dict[str, dict[str, Any]]:
    """Returns the numbers of both states: one sd for each stratum, and the fitted sd.

    Args:
        valid: Uncalibrated windows that intervals are fitted to.
        test: Uncalibrated windows that they are judged on.
        truth: Noise-free targets of these, or None. [W, P, T].
        noise: Noise of the targets.
        draws: Number of draws.
    """
    bins = noise.variance.shape[1] + noise.diagonal_offset
    strata = strata_.log_spaced(bins, noise.diagonal_offset)
    borders = error_tails.value_borders(valid, strata)
    results: dict[str, dict[str, Any]] = {}
    constant: list[Prediction] = []
    for state in STATES:
        fitted = model_error.fit(
            valid, strata, noise.diagonal_offset, noise, draws=draws, constant=state == STATES[0]
        )
        assert fitted.map_error is not None
        assert fitted.map_error.correlation is not None
        maps = calibration.MapIntervals(strata, borders)
        aggregates = aggregate_coverage.AggregateCoverage(
            bins, noise.diagonal_offset, fitted.map_error.correlation
        )
        windows = []
        for number, raw in enumerate(test):
            noise_free = None if truth is None else truth[number].astype(np.float32)
            window, half_width = calibrate.apply(raw, fitted, draws=draws)
            maps.update(window, half_width, noise_free)
            aggregates.update(window, half_width, noise_free)
            windows.append(window)
        values = [
            group for of_target in maps.summary(noise_known=True)["values"] for group in of_target
        ]
        overall = maps.summary(noise_known=True)["overall"]
        constant = constant or windows
        results[state] = {
            **_scores(windows, constant, strata),
            "measurement coverage": overall["measurement_coverage"],
            "truth coverage": overall["truth_coverage"] or np.nan,
            "measurement by decile": [group["measurement_coverage"] for group in values],
            "truth by decile": [group["truth_coverage"] or np.nan for group in values],
            "aggregates": aggregates.summary(),
        }
    return results


def _scores(
    windows: list[Prediction], constant: list[Prediction], strata: strata_.Strata
) -> dict[str, Any]:
    """Returns CRPS and the mean Spearman of |error| and sd within strata.

    Both are also those of residuals that are drawn with the sd.

    Args:
        windows: Windows with the sd to judge.
        constant: The same windows with one sd for each stratum.
        strata: Strata of distance.
    """
    mask = np.stack([window.mask for window in windows])
    sd = np.stack([window.sd for window in windows]).astype(np.float64)
    residual = np.stack([window.target - window.mean for window in windows]).astype(np.float64)
    simulated = sd * np.random.default_rng(0).standard_normal(sd.shape)
    scores: dict[str, Any] = {}
    for name, errors in (("", residual), (EXACT, simulated)):
        scores[f"crps{name}"] = float(calibration.crps(errors / sd, sd)[mask].mean())
        correlations = []
        for target in range(mask.shape[-1]):
            for stratum in range(strata.count):
                pixels = mask[..., target] & (strata.index == stratum)
                x, y = sd[..., target][pixels], np.abs(errors[..., target][pixels])
                if np.ptp(x) > 1e-6 * x.max():
                    correlations.append(scipy.stats.spearmanr(x, y).statistic)
        scores[f"spearman{name}"] = float(np.mean(correlations)) if correlations else 0.0
    plain = np.stack([window.sd for window in constant]).astype(np.float64)
    scores[f"crps of constants{EXACT}"] = float(
        calibration.crps(simulated / plain, plain)[mask].mean()
    )
    order = np.argsort(sd[mask], kind="stable")
    groups = np.array_split(order, _GROUPS)
    scores["sd"] = [float(np.sqrt(np.mean(sd[mask][group] ** 2))) for group in groups]
    scores["error"] = [float(np.sqrt(np.mean(residual[mask][group] ** 2))) for group in groups]
    return scores


def figure(results: dict[str, dict[str, Any]]) -> matplotlib.figure.Figure:
    """Draws coverage by decile of the predicted value, and error against sd."""
    drawing = matplotlib.figure.Figure(figsize=(11, 3.6), layout="constrained")
    left, middle, right = drawing.subplots(1, 3)
    colours = dict(zip(STATES, ("0.6", "tab:blue"), strict=True))
    for axis, name in ((left, "truth"), (middle, "measurement")):
        axis.axhspan(0.88, 0.92, color="tab:green", alpha=0.15, linewidth=0)
        axis.axhline(0.9, color="tab:green", linewidth=0.8)
        for state, result in results.items():
            for target in np.reshape(result[f"{name} by decile"], (-1, error_tails.VALUE_GROUPS)):
                axis.plot(
                    np.arange(1, len(target) + 1), target, "o-", color=colours[state], markersize=3
                )
        axis.set(
            xlabel="decile of the predicted value",
            ylabel=f"{name} in its 90 % interval",
            ylim=(0.78, 1.0),
            xticks=range(1, error_tails.VALUE_GROUPS + 1),
        )
    limit = 0.0
    for state, result in results.items():
        right.plot(
            result["sd"], result["error"], "o", color=colours[state], markersize=4, label=state
        )
        limit = max(limit, *result["sd"], *result["error"])
    right.plot([0, 1.05 * limit], [0, 1.05 * limit], color="tab:green", linewidth=0.8)
    right.set(xlabel="stated sd of a measurement", ylabel="root mean squared error", xlim=(0, None))
    right.set_ylim(0, None)
    right.legend(frameon=False, loc="upper left")
    for axis in (left, middle, right):
        axis.spines[["top", "right"]].set_visible(False)
    return drawing


if __name__ == "__main__":
    main()
