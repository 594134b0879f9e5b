"""Reads the split that comes with a published table: a column that names train and test rows."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors

_log = logging.getLogger(__name__)

COLUMNS = ("set", "split")
"""Names of the column, the first one first."""
TRAIN, VALIDATION, TEST = range(3)
PARTS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("valid", "validation", "val", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing"), TEST),
}
"""Names of parts of a split, and their numbers in `assay_table.sides`."""


def sides(frame: pd.DataFrame, where: str) -> NDArray[np.int64] | None:
    """Returns the side of each row: 0 train, 1 validation, 2 test. [N].

    None without such a column, or when no cell of it names a part: it then holds something else,
    and the log says so.

    Args:
        frame: Table of text; its index is the number of each row from 0.
        where: Source of the data, with which errors begin.

    Raises:
        DataError: Some cells name a part and another does not; the message names the row.
    """
    name = next((column for column in COLUMNS if column in frame), None)
    if name is None:
        return None
    numbers = frame[name].str.lower().map(PARTS)
    unknown = numbers.isna().to_numpy()
    if unknown.all():
        _log.warning("%s: column %s names no parts of a split, and is ignored.", where, name)
        return None
    if unknown.any():
        row = int(np.argmax(unknown))
        raise errors.DataError(
            f"{where}: row {frame.index[row] + 1}, column {name}: {frame[name].iloc[row]!r} is not "
            "a part of a split; write training, validation or test."
        )
    side: NDArray[np.int64] = numbers.to_numpy(np.int64)
    train, validation, test = np.bincount(side, minlength=3)
    _log.info(
        "%s: the split of column %s is used: %d training, %d validation and %d test rows.",
        *(where, name, train, validation, test),
    )
    return side


def of_groups(
    group: NDArray[np.intp], side: NDArray[np.int64], where: str, sequences: Sequence[str]
) -> NDArray[np.int64]:
    """Returns the side of each group of equal sequences. [N] -> [G].

    Args:
        group: [N] number of the sequence of each row, 0 to G - 1.
        side: [N] side of each row.
        where: Source of the data, with which errors begin.
        sequences: [G] letters of each sequence, for errors.

    Raises:
        DataError: A sequence is on two sides.
    """
    least, largest = np.full(len(sequences), TEST), np.full(len(sequences), TRAIN)
    np.minimum.at(least, group, side)
    np.maximum.at(largest, group, side)
    if (least != largest).any():
        raise errors.DataError(
            f"{where}: the sequence {sequences[int(np.argmax(least != largest))]} is in two parts "
            "of the split; keep all of its rows in one."
        )
    return least
