"""Stores scores of many variants as columns, one row per allele, in parts that can be joined."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.files import hdf5_reader, hdf5_writer
from akita_bayes.variants.alleles import inversions, records
from akita_bayes.variants.scores import named_scores

OF_DRAWS = {
    "sd": "standard deviation of {score} over posterior draws",
    "mcse": "Monte-Carlo standard error of {score}, sd / sqrt(draws)",
    "draw_q05": "5 % quantile of {score} over posterior draws, which is not the end of an interval "
    "for the true effect",
    "draw_q95": "95 % quantile of {score} over posterior draws, which is not the end of an "
    "interval for the true effect",
    "draw_exceeds_noise": "share of pairs in which a draw of {score} exceeds the {score} between "
    "two draws of the reference, which is not a probability of the effect",
}
FITTED = {
    "ci_low": "lower end of an interval that holds the true {score} of {level:g} % of variants "
    "like those of known effect that it was fitted to",
    "ci_high": "upper end of an interval that holds the true {score} of {level:g} % of variants "
    "like those of known effect that it was fitted to",
}
COMPARED = {
    "p_value": "p-value of {score}, small for an unusual effect: (r + 1) / (N + 1), where r of N "
    "random variants of the same type, size and GC content have a score that is {extreme}",
    "quantile": "1 - r / N, with r and N of the p-value of {score}",
}
STATISTICS = {**OF_DRAWS, **FITTED, **COMPARED}
"""Names of the columns beside a score, and the sentence that defines each."""

_EXTREME = {False: "as large or larger", True: "as far or farther from their common median"}


def describe(score: str, statistic: str, level: float | None = None) -> str:
    """Returns the sentence that defines a statistic of a score.

    Args:
        score: Name of the score.
        statistic: One of STATISTICS.
        level: Share of true scores that the intervals hold, for the statistics of FITTED.
    """
    (definition,) = named_scores.resolve([score])
    percent = 100 * (level or 0)
    return STATISTICS[statistic].format(
        score=score, level=round(percent, 6), extreme=_EXTREME[definition.signed]
    )


class Scored(NamedTuple):
    """Holds the scores of rows, in the order of the file.

    Attributes:
        variants: The alleles.
        flags: Remarks on each allele, joined by commas.
        pixels: Numbers of compared, lost and gained contacts of each allele. [rows, 3].
        window: Chromosome, start and end of the reference bases that the window spans; "" and -1
            for a row without a window.
        values: Score name -> [rows, T], NaN where there is a reason.
        statistics: (score name, one of STATISTICS) -> [rows, T].
        overall: (score name, one of COMPARED) -> [rows], computed from the mean over targets,
            since a mean of p-values is not a p-value.
    """

    variants: list[records.Variant]
    flags: list[str]
    pixels: NDArray[np.int32]
    window: list[tuple[str, int, int]]
    values: dict[str, NDArray[np.float32]]
    statistics: dict[tuple[str, str], NDArray[np.float32]]
    overall: Mapping[tuple[str, str], NDArray[np.float32]] = MappingProxyType({})

    @property
    def reasons(self) -> list[str]:
        """Returns the reasons why rows have no score; "" for rows with a score."""
        return [variant.reason for variant in self.variants]


def joined(parts: list[Scored]) -> Scored:
    """Returns the rows of all parts, one part after another."""
    first = parts[0]
    return Scored(
        [variant for part in parts for variant in part.variants],
        [flag for part in parts for flag in part.flags],
        np.concatenate([part.pixels for part in parts]),
        [window for part in parts for window in part.window],
        {key: np.concatenate([part.values[key] for part in parts]) for key in first.values},
        {key: np.concatenate([part.statistics[key] for part in parts]) for key in first.statistics},
        {key: np.concatenate([part.overall[key] for part in parts]) for key in first.overall},
    )


_TEXT = ("chrom", "name", "ref", "alt", "kind", "inserted", "reason", "detail")
_NUMBER = ("record", "allele", "position", "start", "end")


def save(path: str | Path, scored: Scored, identity: str) -> None:
    """Writes a part atomically.

    Args:
        path: File name.
        scored: Rows of the part.
        identity: Digest of everything that the scores depend on.
    """
    text = h5py.string_dtype()
    with hdf5_writer.create(path, track_order=True, sealed=True) as file:
        file.attrs["identity"] = identity
        for name in (*_TEXT, *_NUMBER):
            column = [getattr(variant, name) for variant in scored.variants]
            kind = text if name in _TEXT else "i8"
            file.create_dataset(f"variant/{name}", data=column, dtype=kind)
        own_flags = [",".join(variant.flags) for variant in scored.variants]
        file.create_dataset("variant/flags", data=own_flags, dtype=text)
        mates = ["" if v.mate is None else repr(tuple(v.mate)) for v in scored.variants]
        file.create_dataset("variant/mate", data=mates, dtype=text)
        inverted = [json.dumps(v.inversion) if v.inversion else "" for v in scored.variants]
        file.create_dataset("variant/inversion", data=inverted, dtype=text)
        file.create_dataset("flags", data=scored.flags, dtype=text)
        file["pixels"] = scored.pixels
        file.create_dataset("window/chrom", data=[w[0] for w in scored.window], dtype=text)
        file["window/span"] = np.array([w[1:] for w in scored.window], np.int64).reshape(-1, 2)
        for key, value in scored.values.items():
            file[f"values/{key}"] = value
        for group in ("statistics", "overall"):
            for (key, statistic), value in getattr(scored, group).items():
                file[f"{group}/{key}/{statistic}"] = value


def load(path: str | Path, identity: str) -> Scored | None:
    """Reads a part; None when it is missing, damaged, or of other inputs or statistics."""
    try:
        with hdf5_reader.opened(path, "a part of scores", "remove it") as file:
            return _read(file) if str(file.attrs["identity"]) == identity else None
    except (FileNotFoundError, errors.DataError):
        return None


def _read(file: Any) -> Scored:
    """Reads the rows of a part, also of one that an older version wrote."""
    present = [name for name in _TEXT if name in file["variant"]]  # older parts have no detail
    columns = {name: file[f"variant/{name}"].asstr()[:] for name in (*present, "flags", "mate")}
    columns |= {name: file[f"variant/{name}"][:] for name in _NUMBER}
    # Older parts have no inversions either.
    inverted = file["variant/inversion"].asstr()[:] if "variant/inversion" in file else None
    variants = []
    for i in range(len(columns["record"])):
        fields: dict[str, Any] = {name: str(columns[name][i]) for name in present}
        fields |= {name: int(columns[name][i]) for name in _NUMBER}
        fields["flags"] = tuple(flag for flag in columns["flags"][i].split(",") if flag)
        if inverted is not None and inverted[i]:
            fields["inversion"] = inversions.Inversion(*json.loads(inverted[i]))
        variants.append(records.Variant(**fields, mate=_mate(columns["mate"][i])))
    spans = file["window/span"][:]
    chroms = file["window/chrom"].asstr()[:]
    window = [(str(c), int(a), int(b)) for c, (a, b) in zip(chroms, spans, strict=True)]
    values = {key: column[:] for key, column in file["values"].items()}
    statistics, overall = (_statistics(file, group) for group in ("statistics", "overall"))
    remarks = [str(flag) for flag in file["flags"].asstr()[:]]
    scored = Scored(variants, remarks, file["pixels"][:], window, values, statistics, overall)
    lengths = [len(column) for group in scored[4:] for column in group.values()]
    if {len(remarks), len(scored.pixels), len(window), *lengths} != {len(variants)}:
        raise ValueError("its columns have different numbers of rows")
    return scored


def _statistics(file: Any, group: str) -> dict[tuple[str, str], NDArray[np.float32]]:
    columns = {
        (key, statistic): column[:]
        for key, columns in file.get(group, {}).items()
        for statistic, column in columns.items()
    }
    if unknown := {statistic for _, statistic in columns} - set(STATISTICS):
        raise KeyError(f"statistics of another version: {', '.join(sorted(unknown))}")
    return columns


def _mate(text: str) -> records.Breakend | None:
    """Reads a mate that was written as `('chr1', 20, True, False)`; None for ""."""
    if not text:
        return None
    chrom, position, right, after = text.strip("()").split(", ")
    return records.Breakend(chrom.strip("'"), int(position), right == "True", after == "True")


def table(scored: Scored, targets: list[str]) -> pd.DataFrame:
    """Returns rows as a table: columns of the variant, then one per score and target.

    Args:
        scored: Rows.
        targets: Names of the targets.
    """
    variants = scored.variants
    columns: dict[str, Any] = {
        "record": [v.record for v in variants],
        "allele": [v.allele for v in variants],
        "chrom": [v.chrom for v in variants],
        "pos": [v.position + 1 for v in variants],
        "id": [v.name for v in variants],
        "ref": [v.ref for v in variants],
        "alt": [v.alt for v in variants],
        "type": [v.kind for v in variants],
        "start": [v.start for v in variants],
        "end": [v.end for v in variants],
        "flags": scored.flags,
        "reason": scored.reasons,
        "detail": [v.detail for v in variants],
        "window": [f"{c}:{a}-{b}" if c else "" for c, a, b in scored.window],
        "pixels_compared": scored.pixels[:, 0],
        "pixels_lost": scored.pixels[:, 1],
        "pixels_gained": scored.pixels[:, 2],
    }
    for key, value in scored.values.items():
        for target, name in enumerate(targets):
            columns[f"{key}:{name}"] = value[:, target]
            for statistic in STATISTICS:
                if (key, statistic) in scored.statistics:
                    column = scored.statistics[key, statistic][:, target]
                    columns[f"{key}_{statistic}:{name}"] = column
    return pd.DataFrame(columns)
