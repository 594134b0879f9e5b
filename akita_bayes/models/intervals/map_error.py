"""Describes the error of a map, and intervals of a variance of which a share is that of draws."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from akita_bayes.numerics import map_features

Table = tuple[tuple[float, ...], ...]


class Shape(NamedTuple):
    """Holds factors on the standard deviation of the error, as a function of a feature of maps.

    Attributes:
        feature: Name of the feature, as `map_features` defines it.
        values: Values of the feature at which the factors are known, increasing. [T][K].
        factors: Factors at these values; linear between them, constant beyond. [T][K].
    """

    feature: str
    values: Table
    factors: Table


class Correlation(NamedTuple):
    """Holds the correlation of errors of two pixels, relative to their standard deviations.

    It depends on the genomic distances of both pixels, and on the lag between them: the root of the
    squared differences of their rows and of their columns, in bins.

    Attributes:
        edges: First distance of every class of pixels, in bins, and the end of the last. [C + 1].
        lags: Lags at which the correlation is known, increasing from 0; linear between. [K].
        values: Correlations by target and the classes of both pixels. [T][C][C][K].
    """

    edges: tuple[int, ...]
    lags: tuple[float, ...]
    values: tuple[tuple[Table, ...], ...]

    def classes(self, distances: NDArray[np.intp]) -> NDArray[np.intp]:
        """Returns the class of pixels of given distances. [n] -> [n]."""
        index = np.searchsorted(self.edges, distances, side="right") - 1
        return np.clip(index, 0, len(self.edges) - 2)

    def matrix(
        self, rows: NDArray[np.intp], columns: NDArray[np.intp], target: int
    ) -> NDArray[np.float64]:
        """Returns the correlation of the errors of all pairs of pixels. [n], [n] -> [n, n]."""
        lag = np.hypot(rows[:, None] - rows, columns[:, None] - columns)
        classes = self.classes(columns - rows)
        result = np.empty(lag.shape)
        for first in np.unique(classes):
            for second in np.unique(classes):
                pairs = np.ix_(classes == first, classes == second)
                curve = self.values[target][first][second]
                result[pairs] = np.interp(lag[pairs], self.lags, curve)
        return result


@dataclasses.dataclass(frozen=True)
class MapError:
    """Holds the error of a map, fitted to data of known noise.

    `evaluate.intervals.model_error` has the formulas. With e the standard deviation over S draws, y
    the mean, and h the product of all shapes,

        variance of the error = h^2 (epistemic^2 (1 + 1/S) e^2 + constant^2)
        variance of the noise = noise^2 exp(slope y)

    Tables are by target and stratum. A row of `noise` may also have one number for each distance.

    Attributes:
        epistemic: Factors on the standard deviation over draws. [T][D].
        constant: Standard deviation of the error that draws do not show. [T][D].
        noise: Standard deviation of the noise where the map is 0. [T][D] or [T][N - k].
        slope: Change of the logarithm of the noise variance per unit of the map. [T][D].
        shapes: Factors by features of the map.
        draws: Number of draws S that the error was fitted with.
        correlation: How errors of pixels agree; None in files of older versions.
    """

    epistemic: Table
    constant: Table
    noise: Table
    slope: Table
    shapes: tuple[Shape, ...]
    draws: int
    correlation: Correlation | None = None


_BY_STRATUM = ("epistemic", "constant", "slope")


def noise_shape(slope: NDArray[Any], mean: NDArray[Any]) -> NDArray[Any]:
    """Returns exp(slope y), the variance of the noise relative to that where the map is 0.

    It is limited to a factor of 150 either way, so that a strange map has no infinite noise.
    """
    return np.asarray(np.exp(np.clip(slope * mean, -5.0, 5.0)))


def draws_half_width(epistemic: NDArray[Any], draws: int, level: float) -> NDArray[np.float32]:
    """Returns half of the central interval that S draws state for the map; zero for one draw.

    A new draw lies within Student's t quantile times sqrt(1 + 1/S) of their mean. [...] -> [...].

    Args:
        epistemic: Standard deviation over draws. [...].
        draws: Number of draws S.
        level: Share of the interval, such as 0.9.
    """
    if draws < 2:
        return np.zeros(epistemic.shape, np.float32)
    quantile = scipy.stats.t.ppf((1 + level) / 2, draws - 1) * np.sqrt(1 + 1 / draws)
    return np.asarray(epistemic * quantile, np.float32)


def student_quantile(level: float, degrees: NDArray[Any]) -> NDArray[Any]:
    """Returns quantiles of Student's t at the upper end of a central interval. [...] -> [...].

    A table replaces the exact quantiles, which take seconds for a map; it is exact to 0.1 %.
    """
    table = np.geomspace(1, 1e4, 200)
    quantiles = scipy.stats.t.ppf((1 + level) / 2, table)
    return np.asarray(np.interp(np.log(degrees), np.log(table), quantiles))


def parsed(value: dict[str, Any], strata: int) -> MapError:
    """Reads the error of a map from the content of a file, of this version or an older one.

    Args:
        value: Content of the file.
        strata: Number of strata D.

    Raises:
        ValueError: A feature is not known, or a table has another size.
    """
    # Files of older versions have one shape, that of the predicted value.
    shapes = value.get("shapes") or [["value", value["values"], value["shape"]]]
    noise = [len(row) for row in value["noise"]]
    if len(set(noise)) > 1:
        raise ValueError(f"the rows of the noise have {noise} numbers")
    return MapError(
        **{name: read_table(value[name], strata) for name in _BY_STRATUM},
        noise=read_table(value["noise"], noise),
        shapes=tuple(_parsed_shape(*shape) for shape in shapes),
        draws=int(value["draws"]),
        correlation=_parsed_correlation(value.get("correlation")),
    )


def _parsed_correlation(value: list[Any] | None) -> Correlation | None:
    if value is None:
        return None
    edges, lags, values = value
    classes, knots = len(edges) - 1, len(lags)
    if classes < 1 or any(len(rows) != classes for rows in values):
        raise ValueError(f"the correlations do not have {classes} classes")
    tables = tuple(tuple(read_table(row, [knots] * classes) for row in rows) for rows in values)
    return Correlation(tuple(map(int, edges)), tuple(map(float, lags)), tables)


def _parsed_shape(feature: str, values: list[list[float]], factors: list[list[float]]) -> Shape:
    # Every target has its own number of knots: one where its shape is a constant.
    if feature not in map_features.NAMES:
        raise ValueError(f'"{feature}" is not a feature of maps')
    knots = [len(row) for row in values]
    return Shape(feature, read_table(values, knots), read_table(factors, knots))


def read_table(rows: list[list[float]], lengths: int | list[int]) -> Table:
    """Reads a table whose rows have one length, or each its own.

    Raises:
        ValueError: A row has another length.
    """
    table = tuple(tuple(float(value) for value in row) for row in rows)
    expected = [lengths] * len(table) if isinstance(lengths, int) else lengths
    if not table or [len(row) for row in table] != expected:
        raise ValueError(f"the rows of a table do not have {lengths} factors")
    return table
