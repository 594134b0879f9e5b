"""Regions by methods into a directory: in parts that survive an interruption, then all outputs.

Every scan is kept as a file when it is finished, by its region and method; one of the same model,
genome and options is not made again, whatever else a run scans.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from akita_bayes import errors, regions
from akita_bayes.data.genome import Genome
from akita_bayes.variants import score_directory
from akita_bayes.variants.options import Options
from akita_bayes.variants.saturation import region_scan, scan_files
from akita_bayes.variants.saturation.scan_sites import Site


def scan_regions(
    model: Any,
    places: Sequence[regions.Region | Site],
    methods: Sequence[str],
    *,
    fasta: str | Path,
    out_dir: str | Path,
    sweep: region_scan.Sweep,
    options: Options,
    batch_size: int | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> list[region_scan.Scan]:
    """Scans every region by every method and, when all are there, writes `sat.h5` and tracks.

    Args:
        model: What `build` or `load_model` returns.
        places: Regions that `region_scan.check` lets through, or sites on alleles, each once.
        methods: Of `region_scan.METHODS`, each once.
        fasta: The genome.
        out_dir: Folder of the outputs; finished scans in it are used, and written again.
        sweep: How regions are gone through.
        options: What to score and how.
        batch_size: Windows computed at a time.
        advance: Called with 1 after every scan.

    Returns:
        The scans, region by region.

    Raises:
        VariantError: The model does not allow an option or method, or its window cannot hold a
            region, or `out_dir` holds other results; nothing has been scanned then.
    """
    out_dir = Path(out_dir)
    sites = [place if isinstance(place, Site) else Site(place) for place in places]
    wanted = [(site, method) for site in sites for method in methods]
    found = []
    with Genome(fasta) as genome:
        scanner = region_scan.Scanner(model, genome, sweep, options, batch_size=batch_size)
        for site, method in wanted:
            scanner.check(site.region, method)
        about = provenance(model, fasta, sweep, options)
        _refuse_others(out_dir, about)
        for site, method in wanted:
            stem = scan_files.file_name(site.region, site.allele)
            path = out_dir / score_directory.PARTS / f"{stem}_{method}.h5"
            identity = _identity(about, site, method)
            scan = scan_files.load(path, identity)
            if scan is None:
                scan = scanner.on(site.genome(genome)).scan(site.region, method)
                scan = scan._replace(allele=site.allele)
                scan_files.save(path, scan, identity)
            found.append(scan)
            advance(1)
        sizes = genome.sizes
    held = [*found, *_further(out_dir, about, wanted)]
    scan_files.write_h5(out_dir / "sat.h5", held, about)
    # A track is of the genome's bases, so scans of changed alleles are in sat.h5 alone.
    of_genome = [scan for scan in held if not scan.allele]
    for method in dict.fromkeys(scan.method for scan in of_genome):
        of_method = [scan for scan in of_genome if scan.method == method]
        _write_tracks(out_dir / "tracks", of_method, sizes)
    return found


def _identity(about: dict[str, Any], site: Site, method: str) -> str:
    changed = [site.allele, site.segments] if site.allele else []
    return json.dumps([about, site.region, method, *changed], sort_keys=True)


def _refuse_others(out_dir: Path, about: dict[str, Any]) -> None:
    if (out_dir / score_directory.INPUTS).exists():
        raise errors.VariantError(f"{out_dir}: holds scores of variants; choose another directory.")
    for identity in _identities(out_dir).values():
        score_directory.refuse_others(out_dir, about, json.loads(identity)[0])


def _further(
    out_dir: Path, about: dict[str, Any], wanted: Sequence[tuple[Site, str]]
) -> Iterator[region_scan.Scan]:
    """Scans of the same inputs that earlier runs have finished, beside those that are wanted."""
    known = {_identity(about, *each) for each in wanted}
    for path, identity in _identities(out_dir).items():
        if identity not in known and (scan := scan_files.load(path, identity)) is not None:
            yield scan


def _identities(out_dir: Path) -> dict[Path, str]:
    """Finished scans by what they depend on; a damaged file is none."""
    found = {
        path: scan_files.identity(path)
        for path in sorted((out_dir / score_directory.PARTS).glob("*.h5"))
    }
    return {path: identity for path, identity in found.items() if identity is not None}


def provenance(
    model: Any, fasta: str | Path, sweep: region_scan.Sweep, options: Options
) -> dict[str, Any]:
    """What scans depend on, for the attributes of outputs."""
    about = score_directory.provenance(model, fasta, options)
    swept = {**dataclasses.asdict(sweep), "step": sweep.spacing}
    return {**about, "options": json.dumps(json.loads(about["options"]) | swept, sort_keys=True)}


def _write_tracks(
    folder: Path, of_method: Sequence[region_scan.Scan], sizes: dict[str, int]
) -> None:
    first = of_method[0]
    for name in first.values:
        for column, target in enumerate(first.targets):
            stem = folder / f"{first.method}_{name}_t{target}"
            scan_files.write_bedgraph(f"{stem}.bedgraph", of_method, name, column)
            scan_files.write_bigwig(f"{stem}.bw", of_method, name, column, sizes)
