"""Reads references beside a reporter assay, for comparison: energy matrices and a known truth."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna, errors, files
from akita_bayes.regulation.assay import assay_table


def is_table(path: Path) -> bool:
    """Returns True for a file, gzipped or not, whose name is that of a table."""
    return path.name.removesuffix(".gz").endswith((".csv", ".tsv", ".txt"))


def matrices(data: str | Path, widths: Mapping[str, int]) -> dict[str, NDArray[np.float64]]:
    """Reads the energy matrices that lie beside the data, for comparison with a fit.

    A site's matrix is a table `<site>_*` (.txt, .tsv or .csv) whose columns end in A, C, G and T
    (or U), with one row per base, in kT or kcal/mol (the file does not say) up to a constant per
    position; or else the one in `truth.json`, in kT, where a simulation wrote it. The matrices that
    a fit wrote, `<site>_matrix.tsv`, are left out.

    Args:
        data: The data directory, or a file in it.
        widths: Bases of each site.

    Raises:
        DataError: A matrix cannot be read, or a site has two of them.
    """
    folder = _folder(data)
    references = {
        name: matrix
        for name, matrix in _truth(folder).matrices.items()
        if len(matrix) == widths.get(name) and _varies(matrix)
    }
    paths: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        sites = [name for name in widths if path.name.startswith(f"{name}_")]
        site = max(sites, key=len, default="")
        if not site or not is_table(path) or path.name == f"{site}_matrix.tsv":
            continue
        bases = base_columns(path)
        rows = list(filter(str.strip, files.lines(path, "matrix")))[1:] if bases else []
        if not bases or len(rows) != widths[site]:
            continue
        if site in paths:
            raise errors.DataError(
                f"{path}: {paths[site].name} is a matrix of {site} too; leave one beside the data."
            )
        paths[site], references[site] = path, _matrix(path, rows, bases)
    return references


def constants(data: str | Path) -> dict[str, float]:
    """Reads constants that a simulation wrote beside its data, as `name` and `name[library]`."""
    by_name: dict[str, float] = {}
    for name, values in _truth(_folder(data)).constants.items():
        by_name |= {f"{name}[{library}]" if library else name: v for library, v in values.items()}
        if len(set(values.values())) == 1:
            by_name[name] = next(iter(values.values()))
    return by_name


def _folder(data: str | Path) -> Path:
    return Path(data).parent if Path(data).is_file() else Path(data)


def _cells(line: str) -> list[str]:
    return re.split(r"[\s,]+", line.strip())


def base_columns(path: Path) -> dict[str, int]:
    """Returns the columns of A, C, G and T in a matrix; empty for any other table."""
    header = next(filter(str.strip, files.lines(path, "table")), None)
    if header is None:
        raise errors.DataError(f"{path}: is empty.")
    columns = _cells(header)
    bases = {dna.from_rna(column[-1:]): i for i, column in enumerate(columns)}
    sequence_columns = {column.lower() for column in columns} & {*assay_table.SEQUENCE}
    return bases if set(dna.ALPHABET) <= set(bases) and not sequence_columns else {}


def _matrix(path: Path, rows: Sequence[str], bases: Mapping[str, int]) -> NDArray[np.float64]:
    """Parses the rows of a matrix file. [W, 4]."""
    matrix = np.full((len(rows), 4), np.nan)
    for number, row in enumerate(rows):
        try:
            cells = _cells(row)
            matrix[number] = [float(cells[bases[base]]) for base in dna.ALPHABET]
        except (IndexError, ValueError):
            pass
        if not np.isfinite(matrix[number]).all():
            raise errors.DataError(
                f"{path}: row {number + 1} has no number for each of A, C, G and T; correct it, or "
                "move the file away from the data."
            )
    if not _varies(matrix):
        raise errors.DataError(
            f"{path}: the four bases are equal at every position, so nothing correlates with it; "
            "correct it, or move the file away from the data."
        )
    return matrix


def _varies(matrix: NDArray[np.float64]) -> bool:
    return bool(np.ptp(matrix, axis=1).any())


class _Truth(NamedTuple):
    """Holds the truth that `mpra_simulate.py` wrote beside its data; empty for a real assay."""

    matrices: dict[str, NDArray[np.float64]]
    constants: dict[str, dict[str, float]]


def _truth(folder: Path) -> _Truth:
    path = folder / "truth.json"
    raw: Any = files.read_json(path) if path.is_file() else {}
    try:
        matrices = {
            name: np.array([matrix[base] for base in dna.ALPHABET], float).T
            for name, matrix in raw.get("matrices", {}).items()
        }
        constants = {
            name: {library: float(value) for library, value in values.items()}
            for name, values in raw.get("constants", {}).items()
        }
        all_constants = [value for values in constants.values() for value in values.values()]
        if np.isfinite(all_constants).all() and all(
            matrix.ndim == 2 and np.isfinite(matrix).all() for matrix in matrices.values()
        ):
            return _Truth(matrices, constants)
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    raise errors.DataError(
        f"{path}: is not the truth of a simulation; expected matrices of A, C, G and T, and "
        "constants by library. Simulate again, or move the file away from the data."
    )
