"""Writes the posterior of a mechanism into a directory: tables, draws and figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from akita_bayes import files
from akita_bayes.regulation.fits import summary_data
from akita_bayes.regulation.plots import mechanism_plots, summary_page
from akita_bayes.regulation.posterior import physical_units, sampling


def write(
    posterior: sampling.MechanismPosterior,
    out_dir: str | Path,
    *,
    truth: Mapping[str, float] | None = None,
) -> None:
    """Writes the files of `mpra_posterior.py` into a directory.

    Args:
        posterior: Posterior of a mechanism.
        out_dir: Directory, which is created.
        truth: True constants by name, for the figures of simulated data.
    """
    out = Path(out_dir)
    files.write_json(out / "posterior.json", posterior.summary())
    with files.atomic(out / "posterior.tsv") as path:
        posterior.table.to_csv(path, sep="\t", index=False, float_format="%.6g")
    with files.atomic(out / "draws.npz") as path:
        np.savez_compressed(path, **_arrays(posterior))
    _draw(posterior, out, truth)


def _arrays(posterior: sampling.MechanismPosterior) -> dict[str, Any]:
    arrays: dict[str, Any] = {
        "energies": np.stack(list(posterior.energies.values()), axis=-1).astype(np.float32),
        "names": np.array(list(posterior.energies)),
        "units": posterior.table["unit"].to_numpy(str),
    }
    for number, component in enumerate(posterior.components, start=1):
        parameters = component.draws.parameters
        arrays[f"chains_{number}"] = parameters.natural(component.draws.theta).astype(np.float32)
        arrays[f"names_{number}"] = np.array(parameters.names)
        arrays[f"units_{number}"] = np.array(parameters.units)
        arrays[f"log_density_{number}"] = component.draws.log_density
    return arrays


def _draw(
    posterior: sampling.MechanismPosterior, out: Path, truth: Mapping[str, float] | None
) -> None:
    energies = posterior.table.set_index("name")
    # Names of single bases have a comma, as crp[3,A], and names of constants do not.
    constants = [name for name in energies.index if "," not in name]
    values = [
        physical_units.physical(component.draws.parameters, component.draws.theta)
        for component in posterior.components
    ]
    chains = {
        name: [chain for constants_of in values for chain in constants_of[name]]
        for name in constants
    }
    weights = [
        component.share.mean for component in posterior.components for _ in component.draws.theta
    ]
    units = energies["unit"].to_dict()
    traces = mechanism_plots.chains(chains, weights=weights, units=units, truth=truth)
    page = summary_data.page(posterior.fit)
    intervals = mechanism_plots.intervals(posterior.tables, constants, truth=truth, unit=page.unit)
    page = page._replace(intervals=energies.loc[constants].reset_index())
    figures = {
        "chains": traces,
        "intervals": intervals,
        "summary": summary_page.summary(page, truth=truth),
    }
    mechanism_plots.write(figures, out)
