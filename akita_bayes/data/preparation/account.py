"""The account of a data set: what was written, what was left out and why, and its values."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, files
from akita_bayes.data.preparation import training_windows

SUMMARY = "summary.json"
DROPPED = "dropped.tsv"
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_SAMPLED = 256  # measured pixels of a target of a record, at least, that quantiles are taken from


class Summary(NamedTuple):
    """What `summary.json` says.

    Attributes:
        windows: Windows given or laid.
        written: Records of each split.
        dropped: Windows left out, by reason.
        targets: For each identifier `masked`, the share of pixels that were not measured, and of
            the measured ones `least`, `largest` and `quantiles` (from 256 to 511 evenly spaced
            pixels of each record, or all of fewer).
    """

    windows: int
    written: dict[str, int]
    dropped: dict[str, int]
    targets: dict[str, dict[str, Any]]


class Tally:
    """Counts and values of records, target by target.

    Args:
        targets: Number of targets T.
    """

    def __init__(self, targets: int) -> None:
        self.pixels = 0
        self.measured = [0] * targets
        self.least = [np.inf] * targets
        self.largest = [-np.inf] * targets
        self.sample: list[list[float]] = [[] for _ in range(targets)]

    def add(self, target: NDArray, mask: NDArray[np.bool_]) -> None:
        """Counts one record. [P, T], [P, T]."""
        self.pixels += len(target)
        for index in range(target.shape[1]):
            measured = target[mask[:, index], index].astype(np.float64)
            if not measured.size:
                continue
            self.measured[index] += measured.size
            self.least[index] = min(self.least[index], measured.min())
            self.largest[index] = max(self.largest[index], measured.max())
            self.sample[index] += measured[:: max(1, measured.size // _SAMPLED)].tolist()

    def merge(self, other: "Tally") -> None:
        """Adds another tally's records."""
        self.pixels += other.pixels
        for index in range(len(self.measured)):
            self.measured[index] += other.measured[index]
            self.least[index] = min(self.least[index], other.least[index])
            self.largest[index] = max(self.largest[index], other.largest[index])
            self.sample[index] += other.sample[index]

    def save(self, path: Path) -> None:
        """Writes the tally as an `.npz`, atomically."""
        with files.atomic(path) as temporary:
            np.savez(
                temporary,
                pixels=self.pixels,
                measured=self.measured,
                least=self.least,
                largest=self.largest,
                sample=np.concatenate([*self.sample, []]),
                sizes=[len(sample) for sample in self.sample],
            )

    @classmethod
    def load(cls, path: Path) -> "Tally":
        """Reads what `save` wrote."""
        with np.load(path) as saved:
            tally = cls(len(saved["measured"]))
            tally.pixels = int(saved["pixels"])
            tally.measured = saved["measured"].tolist()
            tally.least = saved["least"].tolist()
            tally.largest = saved["largest"].tolist()
            edges = np.cumsum(saved["sizes"])[:-1]
            tally.sample = [part.tolist() for part in np.split(saved["sample"], edges)]
        return tally

    def of(self, index: int) -> dict[str, Any]:
        """The account of one target."""
        if not self.measured[index]:
            return {"masked": 1.0}
        quantiles = np.quantile(self.sample[index], QUANTILES)
        return {
            "masked": round(1 - self.measured[index] / self.pixels, 6),
            "least": self.least[index],
            "largest": self.largest[index],
            "quantiles": {
                f"{share:g}": round(float(value), 6)
                for share, value in zip(QUANTILES, quantiles, strict=True)
            },
        }


def summarise(
    *,
    given: int,
    written: Mapping[str, int],
    dropped: Sequence[training_windows.Dropped],
    identifiers: Sequence[str],
    tally: Tally,
) -> Summary:
    """Puts the account together.

    Args:
        given: Windows given or laid.
        written: Records of each split.
        dropped: Windows left out.
        identifiers: Of the targets.
        tally: Of all records.
    """
    return Summary(
        windows=given,
        written=dict(written),
        dropped=dict(Counter(entry.reason for entry in dropped).most_common()),
        targets={name: tally.of(index) for index, name in enumerate(identifiers)},
    )


def write(out_dir: Path, summary: Summary, dropped: Sequence[training_windows.Dropped]) -> None:
    """Writes `summary.json` and `dropped.tsv`."""
    files.write_json(out_dir / SUMMARY, summary._asdict())
    with files.atomic(out_dir / DROPPED) as temporary:
        lines = ["chrom\tstart\tend\tsplit\treason\tdetail\n"]
        lines += [
            f"{region.chrom}\t{region.start}\t{region.end}\t{split}\t{reason}\t{detail}\n"
            for (region, split), reason, detail in sorted(dropped)
        ]
        temporary.write_text("".join(lines), encoding="utf-8")


def read(out_dir: Path) -> Summary:
    """Reads `summary.json`.

    Raises:
        DataError: It is missing, or is not what `write` wrote.
    """
    found = files.read_json(out_dir / SUMMARY)
    if not isinstance(found, dict) or set(found) != set(Summary._fields):
        raise errors.DataError(f"{out_dir / SUMMARY}: no summary; make the directory again.")
    return Summary(**found)
