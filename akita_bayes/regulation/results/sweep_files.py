"""Writes the expected interval widths of several experiments."""

from pathlib import Path

import pandas as pd

from akita_bayes import files
from akita_bayes.regulation.plots import mechanism_plots


def write(table: pd.DataFrame, out_dir: str | Path, *, unit: str) -> None:
    """Writes `design.tsv` and `design.png`, the files of `mpra_simulate.py --design`.

    Args:
        table: Experiments and interval widths, as `experiment_design.sweep` returns them.
        out_dir: Directory, which is created.
        unit: Unit of the widths.
    """
    out = Path(out_dir)
    with files.atomic(out / "design.tsv") as path:
        table.to_csv(path, sep="\t", index=False, float_format="%.6g")
    figure = mechanism_plots.design(table, unit=unit)
    mechanism_plots.write({"design": figure}, out)
