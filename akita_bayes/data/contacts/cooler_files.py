"""Opens coolers of any version, chooses one of their resolutions, and writes coolers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cooler
import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors, files
from akita_bayes.data.contacts import contact_file
from akita_bayes.files import hdf5_reader

_GROUPS = frozenset({"chroms", "bins", "pixels", "indexes"})
_WIDTH = "bin-size"


def widths(path: Path) -> dict[str, int | None]:
    """Returns the bin width of each cooler in a file; None where bins vary in width.

    A cooler is a group with tables of chromosomes, bins, pixels and indexes. cooler itself asks for
    an attribute that files of format 2 lack.

    Args:
        path: The file. Keys of the result are its groups, such as "/" or "/resolutions/5000".

    Raises:
        DataError: The file is missing, is not an HDF5 file, or is damaged.
    """
    if not path.is_file():
        raise errors.DataError(f"{path}: no such cooler.")
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise errors.DataError(f"{path}: cannot be read ({error.strerror}).") from None
    if not h5py.is_hdf5(path):
        raise errors.DataError(f"{path}: not a cooler; it is not an HDF5 file, or is damaged.")
    groups: dict[str, int | None] = {}

    def visit(name: str, node: Any) -> None:
        if isinstance(node, h5py.Group) and set(node) >= _GROUPS:
            width = node.attrs.get(_WIDTH)
            is_number = isinstance(width, int | np.integer)
            groups[f"/{name}"] = int(width) if is_number else None

    with contact_file.reading(str(path)), h5py.File(path, "r") as file:
        hdf5_reader.check_claims(file, path, path.stat().st_size)
        visit("", file)
        file.visititems(visit)
    return groups


def open_cooler(uri: str) -> cooler.Cooler:
    """Opens the cooler at `path` or `path::group`.

    Raises:
        DataError: The file is missing, is damaged, has no cooler there, has several and no group
            is named, or its bins vary in width.
    """
    path, _, group = uri.partition("::")
    groups = widths(Path(path))
    if not group and "/" not in groups and groups:
        raise errors.DataError(
            f"{path}: holds several resolutions; choose one with -w, or write the one to use, as "
            f"{path}::{next(iter(groups))}; it has {', '.join(groups)}."
        )
    name = f"/{group.strip('/')}"
    if name not in groups:
        available = f"it has {', '.join(groups)}" if groups else "it has none"
        raise errors.DataError(f"{path}: no cooler at {group or '/'}; {available}.")
    if groups[name] is None:
        raise errors.DataError(f"{uri}: its bins vary in width; expected one width.")
    with contact_file.reading(uri):
        return cooler.Cooler(uri)


def write_cooler(
    path: str | Path,
    sizes: Mapping[str, int],
    width: int,
    pixels: pd.DataFrame,
    *,
    weights: NDArray[np.float64] | None = None,
    **balance: float,
) -> None:
    """Writes a `.cool` atomically, balanced.

    Args:
        path: Path of the cooler.
        sizes: Chromosome lengths, in the order of bins.
        width: Bases per bin.
        pixels: Columns `bin1_id`, `bin2_id` (at least `bin1_id`) and `count`.
        weights: Balancing weights of every bin, NaN for filtered ones; by default
            `cooler.balance_cooler` computes them from contacts within chromosomes.
        **balance: Options of `cooler.balance_cooler`, as `mad_max` and `tol`.
    """
    bins = cooler.binnify(pd.Series(dict(sizes)), width)
    with files.atomic(path) as temporary:
        if weights is not None:
            bins["weight"] = weights
        cooler.create_cooler(
            str(temporary), bins, pixels.sort_values(["bin1_id", "bin2_id"]), ordered=True
        )
        if weights is None:
            cooler.balance_cooler(
                cooler.Cooler(str(temporary)), cis_only=True, store=True, **balance
            )
