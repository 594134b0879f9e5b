"""The summary of a data set: written and dropped windows, reasons, and values of targets."""

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
_SAMPLED = 256  # fewest measured pixels per record and target that enter the quantiles


class Summary(NamedTuple):
    """Holds the content of `summary.json`.

    Attributes:
        windows: Number of windows before any was dropped.
        written: Number of records of each split.
        dropped: Number of dropped windows, by reason.
        targets: For each identifier `masked`, the share of pixels that were not measured, and of
            the measured ones `least`, `largest` and `quantiles` (from 256 to 511 evenly spaced
            pixels of each record, or all of fewer).
    """

    windows: int
    written: dict[str, int]
    dropped: dict[str, int]
    targets: dict[str, dict[str, Any]]


class Tally:
    """Accumulates counts and values of records, target by target.

    Args:
        targets: Number of targets T.
    """

    def __init__(self, targets: int) -> None:
        self.pixels = 0
        self.measured = [0] * targets
        self.least = [np.inf] * targets
        self.largest = [-np.inf] * targets
        self.sample: list[list[float]] = [[] for _ in range(targets)]

    def add(self, target: NDArray[Any], mask: NDArray[np.bool_]) -> None:
        """Counts one record. [P, T], [P, T]."""
        self.pixels += len(target)
        for index in range(target.shape[1]):
            measured = target[mask[:, index], index].astype(np.float64)
            if not measured.size:
                continue
            self.measured[index] += measured.size
            self.least[index] = min(self.least[index], measured.min())
            self.largest[index] = max(self.largest[index], measured.max())
            # A step of size // 256 keeps 256 to 511 pixels: of 1,000 every third, 334.
            self.sample[index] += measured[:: max(1, measured.size // _SAMPLED)].tolist()

    def merge(self, tally: "Tally") -> None:
        """Adds another tally's records."""
        self.pixels += tally.pixels
        for index in range(len(self.measured)):
            self.measured[index] += tally.measured[index]
            self.least[index] = min(self.least[index], tally.least[index])
            self.largest[index] = max(self.largest[index], tally.largest[index])
            self.sample[index] += tally.sample[index]

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
        """Returns the entry of one target in `summary.json`."""
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
    windows: int,
    written: Mapping[str, int],
    dropped: Sequence[training_windows.Dropped],
    identifiers: Sequence[str],
    tally: Tally,
) -> Summary:
    """Returns the summary of a data set.

    Args:
        windows: Number of windows before any was dropped.
        written: Number of records of each split.
        dropped: Windows left out.
        identifiers: Identifiers of the targets, in the order of the tally.
        tally: Counts and values of all records.
    """
    return Summary(
        windows=windows,
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
        DataError: The file is missing, or its content is not a summary.
    """
    summary = files.read_json(out_dir / SUMMARY)
    if not isinstance(summary, dict) or set(summary) != set(Summary._fields):
        raise errors.DataError(
            f"{out_dir / SUMMARY}: is not a summary of a data directory; make the directory again."
        )
    return Summary(**summary)
