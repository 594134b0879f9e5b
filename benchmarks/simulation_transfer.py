"""Intervals of variant scores from a simulation that is not the world of the data.

    akita_simulate.py --preset small --no_coolers -o runs/truth/data
    akita_train.py akita_tiny runs/truth/data -o runs/truth/0
    python -m benchmarks.simulation_transfer runs/truth/data runs/truth/0 -o runs/transfer

The data play the measured maps, whose design a user does not know. Each scenario simulates another
genome by a design with one wrong assumption, or with none; intervals are fitted to its variants,
and tested on variants of the data's test chromosome, whose true effect is known here. Reported: the
share of true scores inside, by groups of kinds; the interval score beside a constant interval for
each kind; and what `akita_calibrate.py --simulation` says of the scenario.
"""

import argparse
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import files
from akita_bayes.evaluate.intervals import simulation_match
from akita_bayes.simulate import design_json
from akita_bayes.simulate.designs import Design
from akita_bayes.simulate.physics import Motif
from akita_bayes.simulate.simulation_folder import simulation
from benchmarks import environment, run

RESULT = run.RESULTS / "simulation_transfer.json"
GENOME_MB = 8.0
LEVEL = 0.9

Change = Callable[[Design], Design]


def physics(**changes: Any) -> Change:
    """Returns a change of the parameters of the contacts."""
    return lambda design: dataclasses.replace(
        design, physics=dataclasses.replace(design.physics, **changes)
    )


def landscape(**changes: Any) -> Change:
    """Returns a change of the features of the chromosomes."""
    return lambda design: dataclasses.replace(
        design, landscape=dataclasses.replace(design.landscape, **changes)
    )


def other_motif(bases: int) -> Change:
    """Returns a change of the motif by `bases` substitutions in its middle."""

    def change(design: Design) -> Design:
        site = design.physics.site
        letters = list(site.consensus)
        for number in range(bases):
            base = len(letters) // 2 - bases // 2 + number
            letters[base] = {"A": "C", "C": "A", "G": "T", "T": "G"}[letters[base]]
        motif = Motif("".join(letters), site.conservation)
        return dataclasses.replace(design, physics=dataclasses.replace(design.physics, site=motif))

    return change


SCENARIOS: dict[str, Change] = {
    "the design of the data": lambda design: design,
    "motif, 1 of 15 bases": other_motif(1),
    "motif, 3 of 15 bases": other_motif(3),
    "half of the processivity": physics(processivity=4096.0),
    "twice the processivity": physics(processivity=16384.0),
    "weaker stalling, 0.5": physics(stall=0.5),
    "midpoint 1 nat lower": physics(midpoint=11.0),
    "half of the sites": landscape(boundary=20480.0, lone_site=32768.0),
    "twice the sites": landscape(boundary=5120.0, lone_site=8192.0),
    "a quarter of the reads": lambda design: dataclasses.replace(design, depth=design.depth / 4),
    "no corepressors": landscape(regulated=0.0),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and writes `results/simulation_transfer.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, help="folder of akita_simulate.py, as measured data")
    parser.add_argument("run", type=Path, help="run directory trained on it")
    parser.add_argument("-o", "--out_dir", type=Path, required=True)
    parser.add_argument("--variants", type=int, default=30, help="of each kind and chromosome")
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0, help="of genomes and variants")
    parser.add_argument("--only", help="scenarios, comma-separated; the file keeps the others")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    import akita_bayes as ab
    from akita_bayes.variants import options as settings

    model = ab.load_model(options.run)
    scoring = settings.Options(scores=("SCD",), draws=options.draws)
    tested = scored(model, options.data, "test", options.variants, scoring, seed=1 + options.seed)
    design = design_json.read(options.data)
    names = options.only.split(",") if options.only else list(SCENARIOS)
    rows: dict[str, Any] = {}
    if options.result.is_file():
        rows = files.read_json(options.result)["scenarios"]
    seed = 100 * (1 + options.seed)
    for number, name in enumerate(SCENARIOS):
        if name not in names:
            continue
        folder = options.out_dir / str(number)
        if not (folder / "simulation.json").is_file():
            wrong = dataclasses.replace(SCENARIOS[name](design), genome_mb=GENOME_MB, variants=1)
            simulation.simulate(folder, wrong, seed=seed + number, with_coolers=False)
        rows[name] = scenario(model, options.data, folder, tested, options.variants, scoring)
        print(name, rows[name], flush=True)
        run.write(options.result, {**environment.describe(), "scenarios": rows})
    print(table(rows))


def scored(
    model: Any, data: Path, split: str, count: int, scoring: Any, *, seed: int = 0
) -> pd.DataFrame:
    """Returns variants of a split's chromosome with predicted and true scores, by target."""
    from akita_bayes.variants.intervals import known_effects

    effects = known_effects.compare(model, data, split, count=count, options=scoring, seed=seed)
    rows = known_effects.table(effects, [str(i) for i in range(effects.truth["SCD"].shape[1])])
    sd = effects.scored.statistics.get(("SCD", "sd"), np.zeros_like(effects.truth["SCD"]))
    return rows.assign(sd=sd.ravel()).dropna(subset=["score", "truth"])


def scenario(
    model: Any, data: Path, folder: Path, tested: pd.DataFrame, count: int, scoring: Any
) -> dict[str, Any]:
    """Fits intervals to the variants of a simulation and tests them on those of the data."""
    from akita_bayes.variants.scores import conformal

    match = simulation_match.compare(model, data, folder)
    fitted = scored(model, folder, "valid", count, scoring)
    columns = (fitted[name].to_numpy() for name in ("truth", "score", "sd"))
    widening = conformal.fit(*columns, level=LEVEL, variants=fitted["id"].to_numpy())
    low, high = widening.interval(tested["score"].to_numpy(), tested["sd"].to_numpy())
    truth = tested["truth"].to_numpy()
    groups = tested["kind"].str.split("_").str[0].to_numpy()
    inside = (low <= truth) & (truth <= high)
    constants = fitted.groupby("kind")["truth"].quantile([0.05, 0.95]).unstack()
    lowest, highest = constants.reindex(tested["kind"]).to_numpy().T
    by_kind = {
        kind: {
            "inside": float(inside[tested["kind"] == kind].mean()),
            "score": interval_score(low, high, truth, tested["kind"] == kind),
            "constant": interval_score(lowest, highest, truth, tested["kind"] == kind),
        }
        for kind in sorted(set(tested["kind"]))
    }
    return {
        "inside": float(inside.mean()),
        "by_group": {group: float(inside[groups == group].mean()) for group in sorted(set(groups))},
        "score": interval_score(low, high, truth),
        "constant": interval_score(lowest, highest, truth),
        "kinds": by_kind,
        "ratios": {name: np.round(values, 3).tolist() for name, values in match.ratios().items()},
        "r": {
            "data": np.round(match.data.r, 3).tolist(),
            "simulation": np.round(match.simulation.r, 3).tolist(),
        },
    }


def interval_score(
    low: NDArray[Any], high: NDArray[Any], truth: NDArray[Any], some: Any = slice(None)
) -> float:
    """Returns the mean width plus 20 times the mean distance of true values outside."""
    low, high, truth = low[some], high[some], truth[some]
    missed = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    return float((high - low + 2 / (1 - LEVEL) * missed).mean())


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the numbers as `docs/variants.md` shows them."""
    groups = sorted({group for row in rows.values() for group in row["by_group"]})
    columns = ["simulation differs by", "all", *groups, "score", "constant", "slope", "spread"]
    lines = [f"| {' | '.join([*columns, 'refused'])} |", "|---" * (len(columns) + 1) + "|"]
    for name, row in rows.items():
        ratios = [
            simulation_match.worst(np.array(row["ratios"][key]))[0] for key in ("slope", "spread")
        ]
        refused = any(
            not 1 / simulation_match.RATIO <= ratio <= simulation_match.RATIO for ratio in ratios
        )
        cells = [name, f"{row['inside']:.2f}"]
        cells += [f"{row['by_group'].get(group, float('nan')):.2f}" for group in groups]
        cells += [f"{row[key]:.1f}" for key in ("score", "constant")]
        cells += [f"{ratio:.2f}" for ratio in ratios]
        lines.append(f"| {' | '.join([*cells, 'yes' if refused else 'no'])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
