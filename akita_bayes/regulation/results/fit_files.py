"""Writes a fit into a run directory, with its figures, and reads it again to predict sequences.

`params.json` holds the mechanism, and `fit.npz` what its prediction needs besides: theta, its
covariance, the wild type, the bins or the unit of each library, the frequencies of the bases, and
digests of the sequences that were fitted. All other files are reports.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import dna, errors, files
from akita_bayes.files import damage, npz_reader
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.fits import fitted_mechanism, fitting, identify, summary_data
from akita_bayes.regulation.model import parameters as layout
from akita_bayes.regulation.plots import mechanism_plots, summary_page

PARAMS, ARRAYS = "params.json", "fit.npz"


def write(
    fit: fitting.Fit,
    out_dir: str | Path,
    *,
    references: Mapping[str, NDArray[np.float64]] | None = None,
    truth: Mapping[str, float] | None = None,
    profiles: Sequence[identify.Profile] = (),
) -> None:
    """Writes the files of `mpra_fit.py` into a directory.

    Args:
        fit: A fit.
        out_dir: Directory, which is created.
        references: Energy matrix [W, 4] of a site by name, for comparison
            (`assay_references.matrices`).
        truth: True constants by name, for the figures of simulated data.
        profiles: Profile likelihoods, for `identifiability.txt`.
    """
    out = Path(out_dir)
    references = dict(references or {})
    files.write_json(out / "summary.json", fitting.summary(fit, references))
    files.write_json(out / PARAMS, fit.mechanism.model_dump(mode="json", by_alias=True))
    with files.atomic(out / "identifiability.txt") as path:
        path.write_text(identify.in_words(fit, tuple(profiles)) + "\n", encoding="utf-8")
    for name, term in fit.mechanism.terms.items():
        matrix = fit.term(name).matrix
        if matrix is not None:
            rows = pd.DataFrame(matrix, columns=list(dna.ALPHABET))
            rows.insert(0, "pos", np.arange(term.width))
            with files.atomic(out / f"{name}_matrix.tsv") as path:
                rows.to_csv(path, sep="\t", index=False, float_format="%.5f")
    with files.atomic(out / "theta.tsv") as path:
        _theta(fit).to_csv(path, sep="\t", index=False, float_format="%.9g")
    with files.atomic(out / ARRAYS) as path:
        np.savez_compressed(path, **_arrays(fit))
    _draw(fit, out, references, truth)


def _theta(fit: fitting.Fit) -> pd.DataFrame:
    """Returns every parameter with its unit and standard deviation, in the unit of the data."""
    return pd.DataFrame(
        {
            "name": fit.parameters.names,
            "unit": fit.parameters.units,
            "value": fit.parameters.natural(fit.theta),
            "sd": fit.parameters.natural_factor * np.sqrt(np.diag(fit.covariance)),
        }
    )


def _arrays(fit: fitting.Fit) -> dict[str, Any]:
    parameters = fit.parameters
    libraries, bins = zip(*parameters.columns, strict=True)
    return {
        "theta": fit.theta,
        "covariance": fit.covariance,
        "frequencies": fit.frequencies,
        "fitted": fit.fitted_digests,
        "names": np.array(parameters.names),
        "wild_type": np.array(parameters.wild_type),
        "libraries": np.array(libraries),
        "bins": np.array(bins),
        "read_outs": np.array(parameters.read_outs).reshape(-1, 2),
    }


def _draw(
    fit: fitting.Fit,
    out: Path,
    references: Mapping[str, NDArray[np.float64]],
    truth: Mapping[str, float] | None,
) -> None:
    page = summary_data.page(fit)
    figures = {"summary": summary_page.summary(page, truth=truth)}
    if page.matrices:
        figures["logos"] = mechanism_plots.logos(
            page.matrices, page.starts, label=page.matrix_label
        )
    if references:
        # A simulation writes its truth in kT; the unit of other matrices is unknown.
        kcal = None if truth else fit.mechanism.kcal_per_kt
        figures["reference"] = mechanism_plots.against_reference(
            page.matrices, references, page.starts, kcal_per_kt=kcal
        )
    mechanism_plots.write(figures, out)


def read(run_dir: str | Path) -> fitted_mechanism.FittedMechanism:
    """Reads a fit that `write` or `mpra_fit.py` wrote, to predict new sequences.

    Returns:
        The fitted mechanism, with the same energies, intervals and predictions as the fit.

    Raises:
        DataError: The directory has no fit, or its files are damaged or belong to different fits.
        SpecError: The mechanism in `params.json` is not valid.
    """
    folder = Path(run_dir)
    for name in (PARAMS, ARRAYS):
        if not (folder / name).is_file():
            raise errors.DataError(
                f"{folder}: has no {name}, so it is not a complete fit; fit again with mpra_fit.py."
            )
    mechanism = mechanism_spec.load(folder / PARAMS)
    kind, advice = "the arrays of a fit", "fit again with mpra_fit.py"
    arrays = npz_reader.read(folder / ARRAYS, kind, advice)
    with damage.explained(folder / ARRAYS, kind, advice):
        parameters = layout.Parameters(
            mechanism,
            str(arrays["wild_type"]),
            tuple(zip(arrays["libraries"].tolist(), arrays["bins"].tolist(), strict=True)),
            tuple((origin, unit) for origin, unit in arrays["read_outs"].tolist()),
        )
        if tuple(arrays["names"].tolist()) != parameters.names:
            raise errors.DataError(
                f"{folder}: {ARRAYS} and {PARAMS} belong to different fits; fit again with "
                "mpra_fit.py."
            )
        _check_arrays(parameters, arrays)
    theta, covariance, frequencies = (
        arrays[name].astype(float) for name in ("theta", "covariance", "frequencies")
    )
    return fitted_mechanism.FittedMechanism(
        parameters, theta, covariance, frequencies, arrays["fitted"]
    )


def _check_arrays(parameters: layout.Parameters, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raises a ValueError for an array of a fit whose shape or content cannot be of it."""
    mechanism = parameters.mechanism
    size, length = parameters.size, mechanism.sequence_length
    shapes = {"theta": (size,), "covariance": (size, size), "frequencies": (length, 4)}
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has the shape {arrays[name].shape}, expected {shape}")
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} has values that are not finite")
    if arrays["fitted"].ndim != 1 or arrays["fitted"].dtype != np.uint64:
        raise ValueError("fitted is not a list of digests")
    wild_type = parameters.wild_type
    if len(wild_type) != length or (dna.to_index(wild_type) == dna.UNKNOWN).any():
        raise ValueError(f"wild_type is not a sequence of {length} bases")
    continuous = mechanism.measurement.is_continuous
    expected = len(parameters.columns) if continuous else 0
    if len(parameters.read_outs) != expected:
        raise ValueError(f"read_outs has {len(parameters.read_outs)} rows, expected {expected}")
