"""Writes scans of regions to files and reads them: HDF5, bedGraph and bigWig."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyBigWig

from akita_bayes import dna, errors, files, regions
from akita_bayes.files import hdf5_reader, hdf5_writer
from akita_bayes.variants.saturation import scan_names
from akita_bayes.variants.saturation.region_scan import Scan

_SD = "_sd"
_PART = "a scan", "remove it"


def write_h5(path: str | Path, scans: Sequence[Scan], attributes: dict[str, Any]) -> None:
    """Writes `sat.h5`: a group for every region and method, as `chr1:506-514/ism`.

    A group holds `seqs` (bool one-hot [L, 4]), `starts` [K], every score, [K, 4, T] or [K, T], and
    `<score>_sd`, with attributes `chr`, `start`, `end`, `strand`, `allele`, `method`, `width`, and
    `targets`, the numbers of the head's targets.

    Args:
        path: File name.
        scans: Scans that differ in region, allele or method.
        attributes: Attributes of the file.
    """
    with hdf5_writer.create(path) as file:
        for scan in scans:
            name = f"{scan_names.group_name(scan.region, scan.allele)}/{scan.method}"
            _put(file.create_group(name), scan)
        file.attrs.update(attributes)


def save(path: str | Path, scan: Scan, identity: str) -> None:
    """Writes one scan, so that a later run can continue after it.

    Args:
        path: File name.
        scan: The scan.
        identity: Everything that the scan depends on.
    """
    with hdf5_writer.create(path, track_order=True, sealed=True) as file:
        file.attrs["identity"] = identity
        _put(file, scan)


def load(path: str | Path, identity: str) -> Scan | None:
    """Reads what `save` wrote; None when it is missing, damaged or of other inputs."""
    try:
        with hdf5_reader.opened(path, *_PART) as file:
            return _read(file) if str(file.attrs["identity"]) == identity else None
    except (FileNotFoundError, errors.DataError):
        return None


def identity(path: str | Path) -> str | None:
    """Reads what a saved scan depends on; None when the file is damaged."""
    try:
        with hdf5_reader.opened(path, *_PART) as file:
            return str(file.attrs["identity"])
    except (FileNotFoundError, errors.DataError):
        return None


def _put(group: h5py.Group, scan: Scan) -> None:
    """Writes a scan into a group."""
    group["seqs"] = dna.to_one_hot(scan.letters).astype(bool)
    group["starts"] = scan.starts
    for name, values in scan.values.items():
        group[name] = values
    for name, values in scan.sd.items():
        group[f"{name}{_SD}"] = values
    group.attrs.update(
        {
            "chr": scan.region.chrom,
            "start": scan.region.start,
            "end": scan.region.end,
            "strand": "+",
            "allele": scan.allele,
            "method": scan.method,
            "width": scan.width,
            "targets": scan.targets,
        }
    )


def _read(group: h5py.Group) -> Scan:
    """Reads a scan from the group that `_put` filled."""
    attributes = group.attrs
    columns = {name: column[:] for name, column in group.items()}
    letters, starts = dna.from_one_hot(columns.pop("seqs")), columns.pop("starts")
    return Scan(
        regions.Region(str(attributes["chr"]), int(attributes["start"]), int(attributes["end"])),
        letters,
        str(attributes["method"]),
        tuple(int(target) for target in attributes["targets"]),
        starts,
        int(attributes["width"]),
        {name: values for name, values in columns.items() if not name.endswith(_SD)},
        {name.removesuffix(_SD): values for name, values in columns.items() if name.endswith(_SD)},
        str(attributes.get("allele", "")),
    )


def write_bedgraph(path: str | Path, scans: Sequence[Scan], name: str, column: int) -> None:
    """Writes one value per base of all regions, sorted; bases without a value are left out.

    Args:
        path: File name.
        scans: Scans of one method.
        name: Name of a score.
        column: Index in the last axis of the values; its target is `targets[column]` of a scan.
    """
    lines = [
        f"{chrom}\t{position}\t{position + 1}\t{value:.7g}\n"
        for chrom, positions, values in _sorted(scans, name, column)
        for position, value in zip(positions, values, strict=True)
    ]
    with files.atomic(path) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def write_bigwig(
    path: str | Path, scans: Sequence[Scan], name: str, column: int, sizes: dict[str, int]
) -> None:
    """Writes one value per base of all regions as a bigWig.

    Args:
        path: File name.
        scans: Scans of one method.
        name: Name of a score.
        column: Index in the last axis of the values.
        sizes: Bases of every chromosome.
    """
    order = {chrom: number for number, chrom in enumerate(sizes)}
    with files.atomic(path) as temporary:
        file = pyBigWig.open(str(temporary), "w")
        file.addHeader(list(sizes.items()))
        for chrom, positions, values in sorted(
            _sorted(scans, name, column), key=lambda track: order[track[0]]
        ):
            file.addEntries(chrom, positions.tolist(), values=values.tolist(), span=1)
        file.close()


def _sorted(
    scans: Sequence[Scan], name: str, column: int
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Returns chromosomes, positions and values, sorted; of overlapping scans the first counts."""
    by_chrom: dict[str, dict[int, float]] = {}
    for scan in scans:
        by_position = by_chrom.setdefault(scan.region.chrom, {})
        for offset, value in enumerate(scan.track(name)[:, column]):
            if np.isfinite(value):
                by_position.setdefault(scan.region.start + offset, float(value))
    return [
        (chrom, np.array(sorted(track)), np.array([track[position] for position in sorted(track)]))
        for chrom, track in sorted(by_chrom.items())
        if track
    ]
