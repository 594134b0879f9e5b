"""Scans regions into a directory, in parts that survive an interruption.

Every finished scan is stored as a file, named by its region and method. A later run with the same
model, genome and options reuses it, whichever other regions it scans.
"""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from akita_bayes import errors, progress, regions
from akita_bayes.data.genome import Genome
from akita_bayes.models.protocol import Model
from akita_bayes.variants import score_directory
from akita_bayes.variants.options import Options
from akita_bayes.variants.saturation import region_scan, scan_files
from akita_bayes.variants.saturation.scan_sites import Site


def scan_regions(
    model: Model,
    regions_or_sites: Sequence[regions.Region | Site],
    methods: Sequence[str],
    *,
    fasta: str | Path,
    out_dir: str | Path,
    sweep: region_scan.Sweep,
    options: Options,
    batch_size: int | None = None,
    advance: progress.Advance = progress.ignore,
) -> list[region_scan.Scan]:
    """Scans every region by every method, then writes `sat.h5` and tracks.

    Args:
        model: What `build` or `load_model` returns.
        regions_or_sites: Regions that passed `region_scan.check`, or sites on alleles; distinct.
        methods: Names from `region_scan.METHODS`; distinct.
        fasta: The genome.
        out_dir: Folder of the outputs; finished scans in it are reused, and are in the outputs.
        sweep: Settings of scans.
        options: Options of scores.
        batch_size: Windows computed at a time.
        advance: Called with 1 after every scan.

    Returns:
        The scans, region by region.

    Raises:
        VariantError: The model does not allow an option or method, a region is wider than its map,
            or `out_dir` holds other results. This is checked before any scan.
    """
    out_dir = Path(out_dir)
    sites = [item if isinstance(item, Site) else Site(item) for item in regions_or_sites]
    tasks = [(site, method) for site in sites for method in methods]
    scans = []
    with Genome(fasta) as genome:
        scanner = region_scan.Scanner(model, genome, sweep, options, batch_size=batch_size)
        for site, method in tasks:
            scanner.check(site.region, method)
        origin = provenance(model, fasta, sweep, options)
        _refuse_others(out_dir, origin)
        for site, method in tasks:
            stem = scan_files.file_name(site.region, site.allele)
            path = out_dir / score_directory.PARTS / f"{stem}_{method}.h5"
            identity = _identity(origin, site, method)
            scan = scan_files.load(path, identity)
            if scan is None:
                scan = scanner.on(site.genome(genome)).scan(site.region, method)
                scan = scan._replace(allele=site.allele)
                scan_files.save(path, scan, identity)
            scans.append(scan)
            advance(1)
        sizes = genome.sizes
    all_scans = [*scans, *_earlier_scans(out_dir, origin, tasks)]
    scan_files.write_h5(out_dir / "sat.h5", all_scans, origin)
    # A track shows bases of the genome, so scans of changed alleles are only in sat.h5.
    of_genome = [scan for scan in all_scans if not scan.allele]
    for method in dict.fromkeys(scan.method for scan in of_genome):
        of_method = [scan for scan in of_genome if scan.method == method]
        _write_tracks(out_dir / "tracks", of_method, sizes)
    return scans


def _identity(origin: dict[str, Any], site: Site, method: str) -> str:
    """Returns everything that a scan depends on, as JSON."""
    changed = [site.allele, site.segments] if site.allele else []
    return json.dumps([origin, site.region, method, *changed], sort_keys=True)


def _refuse_others(out_dir: Path, origin: dict[str, Any]) -> None:
    if (out_dir / score_directory.INPUTS).exists():
        raise errors.VariantError(f"{out_dir}: holds scores of variants; choose another directory.")
    for identity in _identities(out_dir).values():
        score_directory.refuse_others(out_dir, origin, json.loads(identity)[0])


def _earlier_scans(
    out_dir: Path, origin: dict[str, Any], tasks: Sequence[tuple[Site, str]]
) -> Iterator[region_scan.Scan]:
    """Yields scans of the same inputs that earlier runs have finished, except those of `tasks`."""
    of_tasks = {_identity(origin, site, method) for site, method in tasks}
    for path, identity in _identities(out_dir).items():
        if identity not in of_tasks and (scan := scan_files.load(path, identity)) is not None:
            yield scan


def _identities(out_dir: Path) -> dict[Path, str]:
    """Returns what each finished scan depends on, by its path; damaged files are left out."""
    identities = {
        path: scan_files.identity(path)
        for path in sorted((out_dir / score_directory.PARTS).glob("*.h5"))
    }
    return {path: identity for path, identity in identities.items() if identity is not None}


def provenance(
    model: Model, fasta: str | Path, sweep: region_scan.Sweep, options: Options
) -> dict[str, Any]:
    """Returns what scans depend on, for the attributes of outputs."""
    origin = score_directory.provenance(model, fasta, options)
    settings = {**dataclasses.asdict(sweep), "step": sweep.spacing}
    all_options = json.loads(origin["options"]) | settings
    return {**origin, "options": json.dumps(all_options, sort_keys=True)}


def _write_tracks(
    folder: Path, of_method: Sequence[region_scan.Scan], sizes: dict[str, int]
) -> None:
    first = of_method[0]
    for name in first.values:
        for column, target in enumerate(first.targets):
            stem = folder / f"{first.method}_{name}_t{target}"
            scan_files.write_bedgraph(f"{stem}.bedgraph", of_method, name, column)
            scan_files.write_bigwig(f"{stem}.bw", of_method, name, column, sizes)
