"""Writes mechanisms that were compared on one assay: their ranks, constants and ranges."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from akita_bayes import files
from akita_bayes.regulation.compare import ranking
from akita_bayes.regulation.plots import comparison_plots, mechanism_plots
from akita_bayes.regulation.posterior import assumptions


class Comparison(NamedTuple):
    """Holds the tables of a comparison.

    Attributes:
        ranked: Mechanisms, the best one first, as `ranking.compare` returns them.
        constants: Constants of every mechanism (`ranking.constants`).
        supported: Names of the mechanisms that the data do not reject.
        ranges: Range of every constant over these mechanisms (`assumptions.ranges`).
    """

    ranked: pd.DataFrame
    constants: pd.DataFrame
    supported: list[str]
    ranges: pd.DataFrame


def collect(ranked: pd.DataFrame, judged: Sequence[ranking.Judged]) -> Comparison:
    """Collects the tables of a comparison from the results of `ranking.compare`."""
    constants = ranking.constants(judged)
    supported = assumptions.supported(ranked)
    return Comparison(ranked, constants, supported, assumptions.ranges(constants, supported))


def write(
    comparison: Comparison, out_dir: str | Path, *, truth: Mapping[str, float] | None = None
) -> None:
    """Writes the files of `mpra_compare.py` into a directory.

    Args:
        comparison: Tables of the comparison.
        out_dir: Directory, which is created.
        truth: True constants by name, for the figures of simulated data.
    """
    out = Path(out_dir)
    tables = {
        "comparison": comparison.ranked,
        "constants": comparison.constants,
        "ranges": comparison.ranges,
    }
    for name, rows in tables.items():
        with files.atomic(out / f"{name}.tsv") as path:
            rows.to_csv(path, sep="\t", index=False, float_format="%.9g")
    figures = {"comparison": comparison_plots.comparison(comparison.ranked)}
    if len(comparison.ranges):
        figures["ranges"] = comparison_plots.assumptions(
            comparison.constants, comparison.ranges, comparison.supported, truth=truth
        )
    mechanism_plots.write(figures, out)
