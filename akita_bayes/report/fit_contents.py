"""Collects the report of a fit of `mpra_fit.py`: energies with intervals, parameters, matrices."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from akita_bayes.files import damage
from akita_bayes.report import contents, provenance_facts, table_columns

MARK = "theta.tsv"

_SUMMARY, _WORDS = "summary.json", "identifiability.txt"
_ADVICE = "fit again with mpra_fit.py"
_SUFFIX = "_matrix.tsv"
_PICTURES = {"logos": "Energy logos", "summary": "Summary", "reference": "References"}
_LONG = ("mechanism", "rate_law", "energies", "wild_type")


def collect(folder: Path) -> contents.Report:
    """Reads the directory of a fit.

    Raises:
        DataError: A file is missing or damaged.
    """
    summary = provenance_facts.read_object(folder / _SUMMARY, _ADVICE)
    theta = table_columns.read(folder / MARK, "a table of parameters", _ADVICE)
    notes = [f"Rate law: {summary['rate_law']}"] if "rate_law" in summary else []
    notes += _words(folder / _WORDS)
    with damage.explained(folder / _SUMMARY, "the summary of a fit", _ADVICE):
        estimates = _estimates(summary)
        facts = _facts(summary)
    columns = [table_columns.column(theta, str(name)) for name in theta]
    tables = [*_energies(estimates), table_columns.table("Parameters", columns, source=MARK)]
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        matrix = table_columns.read(path, "a matrix", _ADVICE)
        columns = [table_columns.column(matrix, str(name)) for name in matrix]
        name = path.name.removesuffix(_SUFFIX)
        tables.append(table_columns.table(f"Matrix of {name}", columns, source=path.name))
    return contents.Report(
        title=f"Fit of {summary.get('mechanism', folder.resolve().name)}",
        summary=facts,
        notes=notes,
        tables=tables,
        intervals=_intervals(estimates),
        pictures=contents.pictures(folder, _PICTURES),
        provenance=provenance_facts.flat(
            {name: value for name, value in summary.items() if name not in _LONG}
        ),
    )


def _words(path: Path) -> list[str]:
    """Returns the paragraphs about what the data identify."""
    if not path.is_file():
        return []
    with damage.explained(path, "a text", _ADVICE):
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _facts(summary: Mapping[str, Any]) -> list[contents.Fact]:
    facts = [
        contents.Fact("sequences", f"{summary['sequences']:,}"),
        contents.Fact("reads", f"{summary['reads']:,.0f}"),
    ]
    if bits := summary["held_out"].get("information_bits"):
        text = f"{bits['bits']:.3f} +- {bits['standard_error']:.3f} bits per read"
        facts.append(contents.Fact("held out", text))
    converged = summary["convergence"]["converged"]
    facts.append(contents.Fact("converged", "yes" if converged else "no"))
    return facts


def _estimates(summary: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Returns every energy by its label: terms of the wild type, then constants."""
    wild = [(f"{name} (wild type)", value) for name, value in summary["wild_type"].items()]
    return [*wild, *summary["energies"].items()]


def _energies(estimates: list[tuple[str, dict[str, Any]]]) -> list[contents.Table]:
    if not estimates:
        return []
    columns = [
        contents.Column("energy", [name for name, _ in estimates]),
        contents.Column("unit", [str(value["unit"]) for _, value in estimates]),
    ]
    for key, text in (
        ("mean", "estimate"),
        ("lower", "lower end of the 95 % interval"),
        ("upper", "upper end of the 95 % interval"),
    ):
        columns.append(contents.Column(key, [float(value[key]) for _, value in estimates], text))
    if any(value.get("kcal_per_mol") for _, value in estimates):
        for key in ("mean", "lower", "upper"):
            values = [(value.get("kcal_per_mol") or {}).get(key) for _, value in estimates]
            columns.append(contents.Column(f"{key} (kcal/mol)", values))
    note = (
        "Intervals hold for this read-out and these priors; mpra_compare.py --assumptions shows "
        "how far other assumptions move them."
    )
    return [contents.Table("Energies", columns, note, range(len(estimates)))]


def _intervals(estimates: list[tuple[str, dict[str, Any]]]) -> list[contents.Intervals]:
    """Returns a chart for each unit."""
    units = dict.fromkeys(str(value["unit"]) for _, value in estimates)
    return [
        contents.Intervals(
            f"Intervals in {unit}",
            unit,
            [
                contents.Interval(name, value["mean"], value["lower"], value["upper"])
                for name, value in estimates
                if str(value["unit"]) == unit
            ],
        )
        for unit in units
    ]
