"""Draws and constants as they are reported: in physical units, kT and kcal/mol.

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


def physical(parameters: layout.Parameters, theta: NDArray) -> dict[str, NDArray[np.float64]]:
    """Draws in physical units by name. [..., D] -> each [...].

    `crp[3,A]` is what an A at position 3 of a site contributes, `crp[3,AC]` what an A there and a C
    next to it contribute beyond their own, `interaction` a constant.
    """
    return {name: values for _, name, values in _reported(parameters, theta)}


def units(parameters: layout.Parameters) -> list[str]:
    """Of what `physical` gives, in its order."""
    return [block.unit for block, _, _ in _reported(parameters, np.zeros((1, parameters.size)))]


def summarise(parameters: layout.Parameters, theta: NDArray[np.float64]) -> pd.DataFrame:
    """Mean, sd and 95 % interval of every physical parameter of draws [..., D]; see `tabulate`."""
    return tabulate(parameters, physical(parameters, theta))


def tabulate(
    parameters: layout.Parameters, draws: Mapping[str, NDArray[np.float64]]
) -> pd.DataFrame:
    """The same of draws that are physical already, by name, each of any shape.

    Columns name, unit, mean, sd, lower, upper, and those of `in_kcal`.
    """
    values = np.stack([np.ravel(each) for each in draws.values()])
    lower, upper = np.quantile(values, [0.025, 0.975], axis=1)
    table = pd.DataFrame(
        {
            "name": list(draws),
            "unit": units(parameters),
            "mean": values.mean(1),
            "sd": values.std(1),
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


def _reported(
    parameters: layout.Parameters, theta: NDArray
) -> Iterator[tuple[layout.Block, str, NDArray[np.float64]]]:
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
