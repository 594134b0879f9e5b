"""Scans of regions as files: HDF5, bedGraph and bigWig."""

import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyBigWig

from akita_bayes import dna, files, regions
from akita_bayes.variants.saturation.region_scan import Scan

_SD = "_sd"


def group_name(region: regions.Region, allele: str = "") -> str:
    """A region as `chr1:506-514`, counted as in a BED; URL quotes for what a name cannot hold.

    With a change of the genome its name follows, as `chr1:506-514@510A>T`.
    """
    place = f"{urllib.parse.quote(region.chrom, safe='')}:{region.start}-{region.end}"
    return f"{place}@{urllib.parse.quote(allele, safe='>*')}" if allele else place


def file_name(region: regions.Region, allele: str = "") -> str:
    """The same without signs that copying commands or shells take for something else."""
    return group_name(region, allele).translate({ord(sign): "_" for sign in ":>*"})


def write_h5(path: str | Path, scans: Sequence[Scan], attributes: dict[str, Any]) -> None:
    """Writes `sat.h5`: a group for every region and method, as `chr1:506-514/ism`.

    Each holds `seqs` (bool one-hot [L, 4]), `starts` [K], every score, [K, 4, T] or [K, T], and
    `<score>_sd`; attributes `chr`, `start`, `end`, `strand`, `allele`, `method`, `width`, and
    `targets`, the numbers of the head's targets.

    Args:
        path: File name.
        scans: Scans that differ in region, allele or method.
        attributes: Of the file.
    """
    with files.atomic(path) as temporary, h5py.File(temporary, "w") as file:
        for scan in scans:
            name = f"{group_name(scan.region, scan.allele)}/{scan.method}"
            _put(file.create_group(name), scan)
        file.attrs.update(attributes)


def save(path: str | Path, scan: Scan, identity: str) -> None:
    """Writes one scan, so that a run that was stopped can go on behind it.

    Args:
        path: File name.
        scan: The scan.
        identity: Everything that it depends on.
    """
    with files.atomic(path) as temporary, h5py.File(temporary, "w", track_order=True) as file:
        file.attrs["identity"] = identity
        _put(file, scan)


def load(path: str | Path, identity: str) -> Scan | None:
    """Reads what `save` wrote; None when it is missing, damaged or of other inputs."""
    try:
        with h5py.File(path, "r") as file:
            return _read(file) if file.attrs["identity"] == identity else None
    except (OSError, KeyError):
        return None


def identity(path: str | Path) -> str | None:
    """What a file that `save` wrote depends on; None when it is damaged."""
    try:
        with h5py.File(path, "r") as file:
            return str(file.attrs["identity"])
    except (OSError, KeyError):
        return None


def _put(group: h5py.Group, scan: Scan) -> None:
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
    about = group.attrs
    held = {name: column[:] for name, column in group.items()}
    letters, starts = dna.from_one_hot(held.pop("seqs")), held.pop("starts")
    return Scan(
        regions.Region(str(about["chr"]), int(about["start"]), int(about["end"])),
        letters,
        str(about["method"]),
        tuple(int(target) for target in about["targets"]),
        starts,
        int(about["width"]),
        {name: values for name, values in held.items() if not name.endswith(_SD)},
        {name.removesuffix(_SD): values for name, values in held.items() if name.endswith(_SD)},
        str(about.get("allele", "")),
    )


def write_bedgraph(path: str | Path, scans: Sequence[Scan], name: str, column: int) -> None:
    """Writes one value per base of all regions, sorted; bases without a value are left out.

    Args:
        path: File name.
        scans: Scans of one method.
        name: Score.
        column: Of the values' last axis; its target is `targets[column]` of a scan.
    """
    lines = [
        f"{chrom}\t{place}\t{place + 1}\t{value:.7g}\n"
        for chrom, places, values in _sorted(scans, name, column)
        for place, value in zip(places, values, strict=True)
    ]
    with files.atomic(path) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def write_bigwig(
    path: str | Path, scans: Sequence[Scan], name: str, column: int, sizes: dict[str, int]
) -> None:
    """Writes the same as a bigWig.

    Args:
        path: File name.
        scans: Scans of one method.
        name: Score.
        column: Of the values' last axis.
        sizes: Bases of every chromosome.
    """
    order = {chrom: number for number, chrom in enumerate(sizes)}
    with files.atomic(path) as temporary:
        file = pyBigWig.open(str(temporary), "w")
        file.addHeader(list(sizes.items()))
        for chrom, places, values in sorted(
            _sorted(scans, name, column), key=lambda track: order[track[0]]
        ):
            file.addEntries(chrom, places.tolist(), values=values.tolist(), span=1)
        file.close()


def _sorted(
    scans: Sequence[Scan], name: str, column: int
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Per chromosome, places and values; where regions overlap, the first in the list counts."""
    found: dict[str, dict[int, float]] = {}
    for scan in scans:
        held = found.setdefault(scan.region.chrom, {})
        for offset, value in enumerate(scan.track(name)[:, column]):
            if np.isfinite(value):
                held.setdefault(scan.region.start + offset, float(value))
    return [
        (chrom, np.array(sorted(held)), np.array([held[place] for place in sorted(held)]))
        for chrom, held in sorted(found.items())
        if held
    ]
