"""Scores of many variants as columns, one row per allele, in shards that add up to the whole."""

from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import files
from akita_bayes.variants import records

STATISTICS = ("sd", "q05", "q95", "mcse", "p_null", "quantile")


class Scored(NamedTuple):
    """Rows in the order of the file.

    Attributes:
        variants: The alleles.
        flags: Remarks on each, joined by commas.
        pixels: Compared, lost and gained contacts of each. [rows, 3].
        window: Chromosome, start and end of the reference bases that the window spans; "" and -1
            for a row without one.
        values: Score name -> [rows, T], NaN where there is a reason.
        statistics: (score name, one of STATISTICS) -> [rows, T].
    """

    variants: list[records.Variant]
    flags: list[str]
    pixels: NDArray[np.int32]
    window: list[tuple[str, int, int]]
    values: dict[str, NDArray[np.float32]]
    statistics: dict[tuple[str, str], NDArray[np.float32]]

    @property
    def reasons(self) -> list[str]:
        """Why rows have no score; "" for those that have."""
        return [variant.reason for variant in self.variants]


def joined(parts: list[Scored]) -> Scored:
    """Rows of all parts, one after another."""
    first = parts[0]
    return Scored(
        [variant for part in parts for variant in part.variants],
        [flag for part in parts for flag in part.flags],
        np.concatenate([part.pixels for part in parts]),
        [window for part in parts for window in part.window],
        {key: np.concatenate([part.values[key] for part in parts]) for key in first.values},
        {key: np.concatenate([part.statistics[key] for part in parts]) for key in first.statistics},
    )


_TEXT = ("chrom", "name", "ref", "alt", "kind", "inserted", "reason", "detail")
_NUMBER = ("record", "allele", "position", "start", "end")


def save(path: str | Path, scored: Scored, identity: str) -> None:
    """Writes a shard atomically.

    Args:
        path: File name.
        scored: Rows.
        identity: Digest of everything that the scores depend on.
    """
    text = h5py.string_dtype()
    with files.atomic(path) as temporary, h5py.File(temporary, "w", track_order=True) as file:
        file.attrs["identity"] = identity
        for name in (*_TEXT, *_NUMBER):
            column = [getattr(variant, name) for variant in scored.variants]
            kind = text if name in _TEXT else "i8"
            file.create_dataset(f"variant/{name}", data=column, dtype=kind)
        remarks = [",".join(variant.flags) for variant in scored.variants]
        file.create_dataset("variant/flags", data=remarks, dtype=text)
        mates = ["" if v.mate is None else repr(tuple(v.mate)) for v in scored.variants]
        file.create_dataset("variant/mate", data=mates, dtype=text)
        file.create_dataset("flags", data=scored.flags, dtype=text)
        file["pixels"] = scored.pixels
        file.create_dataset("window/chrom", data=[w[0] for w in scored.window], dtype=text)
        file["window/span"] = np.array([w[1:] for w in scored.window], np.int64).reshape(-1, 2)
        for key, value in scored.values.items():
            file[f"values/{key}"] = value
        for (key, statistic), value in scored.statistics.items():
            file[f"statistics/{key}/{statistic}"] = value


def load(path: str | Path, identity: str) -> Scored | None:
    """Reads a shard; None when it is missing, damaged or of other inputs."""
    try:
        with h5py.File(path, "r") as file:
            if file.attrs["identity"] != identity:
                return None
            return _read(file)
    except (OSError, KeyError):
        return None


def _read(file: Any) -> Scored:
    present = [name for name in _TEXT if name in file["variant"]]  # older parts have no detail
    columns = {name: file[f"variant/{name}"].asstr()[:] for name in (*present, "flags", "mate")}
    columns |= {name: file[f"variant/{name}"][:] for name in _NUMBER}
    variants = []
    for i in range(len(columns["record"])):
        fields: dict[str, Any] = {name: str(columns[name][i]) for name in present}
        fields |= {name: int(columns[name][i]) for name in _NUMBER}
        fields["flags"] = tuple(flag for flag in columns["flags"][i].split(",") if flag)
        variants.append(records.Variant(**fields, mate=_mate(columns["mate"][i])))
    spans = file["window/span"][:]
    chroms = file["window/chrom"].asstr()[:]
    window = [(str(c), int(a), int(b)) for c, (a, b) in zip(chroms, spans, strict=True)]
    values = {key: column[:] for key, column in file["values"].items()}
    statistics = {
        (key, statistic): column[:]
        for key, group in file.get("statistics", {}).items()
        for statistic, column in group.items()
    }
    flags_ = [str(flag) for flag in file["flags"].asstr()[:]]
    return Scored(variants, flags_, file["pixels"][:], window, values, statistics)


def _mate(text: str) -> records.Breakend | None:
    if not text:
        return None
    chrom, position, right, after = text.strip("()").split(", ")
    return records.Breakend(chrom.strip("'"), int(position), right == "True", after == "True")


def table(scored: Scored, targets: list[str]) -> pd.DataFrame:
    """Rows as a table: what the variant is, then a column per score and target.

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
