"""Converts draws and constants to physical units, kT and kcal/mol, for reports.

Energy matrices and tables of adjacent bases are centred at each position; a constant is the energy
of the wild type.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import dna
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.model import parameters as layout


def physical(
    parameters: layout.Parameters, theta: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Converts draws to physical units, by name. [..., D] -> [...] for every name.

    `crp[3,A]` is the contribution of an A at position 3 of a site. `crp[3,AC]` is the contribution
    of the pair of an A at position 3 and a C at position 4, beyond those of the single bases.
    `interaction` is a constant.
    """
    return {name: values for _, name, values in _named_draws(parameters, theta)}


def units(parameters: layout.Parameters) -> list[str]:
    """Returns the unit of each entry of `physical`, in the same order."""
    return [block.unit for block, _, _ in _named_draws(parameters, np.zeros((1, parameters.size)))]


def summarise(parameters: layout.Parameters, theta: NDArray[np.float64]) -> pd.DataFrame:
    """Summarises every physical parameter of draws [..., D]; columns as in `tabulate`."""
    return tabulate(parameters, physical(parameters, theta))


def tabulate(
    parameters: layout.Parameters, draws: Mapping[str, NDArray[np.float64]]
) -> pd.DataFrame:
    """Summarises draws in physical units by their mean, sd and 95 % interval.

    Args:
        parameters: Meaning of the parameters.
        draws: Draws by name, in the order of `physical`, of any shape.

    Returns:
        Columns name, unit, mean, sd, lower, upper, and those of `in_kcal`.
    """
    samples = np.stack([np.ravel(values) for values in draws.values()])
    lower, upper = np.quantile(samples, [0.025, 0.975], axis=1)
    table = pd.DataFrame(
        {
            "name": list(draws),
            "unit": units(parameters),
            "mean": samples.mean(1),
            "sd": samples.std(1),
            "lower": lower,
            "upper": upper,
        }
    )
    return in_kcal(table, parameters.mechanism)


def in_kcal(table: pd.DataFrame, mechanism: mechanism_spec.Mechanism) -> pd.DataFrame:
    """Adds mean_kcal, lower_kcal and upper_kcal, in kcal/mol, of rows whose unit is kT."""
    kcal = np.where(table["unit"] == "kT", mechanism.kcal_per_kt, np.nan)
    return table.assign(
        **{f"{column}_kcal": table[column] * kcal for column in ("mean", "lower", "upper")}
    )


def _named_draws(
    parameters: layout.Parameters, theta: NDArray[np.float64]
) -> Iterator[tuple[layout.Block, str, NDArray[np.float64]]]:
    """Yields the block, the name and the draws of every physical parameter."""
    for block in parameters.blocks:
        if block.owner == "measurement":
            continue
        part = theta[..., block.start : block.stop].reshape(*theta.shape[:-1], *block.shape)
        if block.part == "bases":
            matrix = part @ layout.CONTRASTS.T
            for position, base in np.ndindex(matrix.shape[-2:]):
                name = f"{block.owner}[{position},{dna.ALPHABET[base]}]"
                yield block, name, matrix[..., position, base]
        elif block.part == "pairs":
            pairs = layout.pair_tables(part)
            for position, first, second in np.ndindex(pairs.shape[-3:]):
                name = f"{block.owner}[{position},{dna.ALPHABET[first]}{dna.ALPHABET[second]}]"
                yield block, name, pairs[..., position, first, second]
        else:
            yield block, block.name, part
