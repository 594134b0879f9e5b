"""Scans regions into a directory, in parts that survive an interruption.

Every finished scan is stored as a file, named by its region and method. A later run with the same
model, genome and options reuses it, whichever other regions it scans.
"""

import contextlib
import dataclasses
import functools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from akita_bayes import errors, progress, regions, workers
from akita_bayes.data.genome import Genome
from akita_bayes.files import output_directory
from akita_bayes.models.protocol import Model
from akita_bayes.origins import provenance as common
from akita_bayes.origins import training_regions
from akita_bayes.variants import score_inputs
from akita_bayes.variants.options import Options
from akita_bayes.variants.saturation import region_scan, scan_files, scan_names, scan_sites
from akita_bayes.variants.saturation.scan_sites import Site

Draw = Callable[[Sequence[region_scan.Scan]], None]


def scan_regions(
    model: Model,
    regions_or_sites: Sequence[regions.Region | Site] | scan_sites.Selection,
    methods: Sequence[str],
    *,
    fasta: str | Path,
    out_dir: str | Path,
    settings: region_scan.ScanSettings | None = None,
    draw: Draw | None = None,
    open_bar: progress.OpenBar = progress.no_bar,
) -> list[region_scan.Scan]:
    """Scans every region by every method, then writes `sat.h5` and tracks.

    Writes `sites.tsv` too for a selection of variants. The function of this name in
    `plots.reports.saturation_report` also draws the scans.

    Args:
        model: What `build` or `load_model` returns.
        regions_or_sites: Regions that passed `region_scan.check`, or sites on alleles; distinct. Or
            what `scan_sites.select` returns for a file.
        methods: Names from `region_scan.METHODS`; distinct.
        fasta: The genome.
        out_dir: Folder of the outputs; finished scans in it are reused, and are in the outputs.
        settings: What scans depend on; None for defaults.
        draw: Receives the scans of these regions when all are finished.
        open_bar: Opens a progress bar; called with a description and the number of scans.

    Returns:
        The scans, region by region.

    Raises:
        VariantError: The model does not allow an option or method, or a region is wider than its
            map. This is checked before any scan.
        RunError: `out_dir` holds other results, or another process writes to it.
    """
    out_dir, settings = Path(out_dir), settings or region_scan.ScanSettings()
    rows: Sequence[scan_sites.Row] = ()
    if isinstance(regions_or_sites, scan_sites.Selection):
        rows, regions_or_sites = regions_or_sites.rows, regions_or_sites.sites
    sites = [item if isinstance(item, Site) else Site(item) for item in regions_or_sites]
    tasks = [(site, method) for site in sites for method in methods]
    with Genome(fasta) as genome:
        head = model.spec.head(settings.options.head).name
        training_regions.check_genome(model, [head], genome.sizes, fasta)
        scanner = region_scan.Scanner(model, genome, settings)
        for site, method in tasks:
            scanner.check(site.region, method)
        origin = provenance(model, fasta, settings.sweep, settings.options)
        with output_directory.claim(
            out_dir, kind="scan", identity=score_inputs.identity(origin)
        ) as claim:
            folder = claim.path / output_directory.PARTS
            with open_bar("Scanning", len(tasks)) as advance:
                state = _ScanState(scanner, genome, folder, origin)
                scans = _scans(state, tasks, fasta, settings, advance)
            all_scans = [*scans, *_earlier_scans(folder, origin, tasks)]
            text = score_inputs.origin_text(model, fasta, settings.options)
            scan_files.write_h5(out_dir / "sat.h5", all_scans, {**origin, common.KEY: text})
            # A track shows bases of the genome, so scans of changed alleles are only in sat.h5.
            of_genome = [scan for scan in all_scans if not scan.allele]
            for method in dict.fromkeys(scan.method for scan in of_genome):
                of_method = [scan for scan in of_genome if scan.method == method]
                _write_tracks(out_dir / "tracks", of_method, genome.sizes)
            if rows:
                scan_sites.write_table(out_dir / scan_sites.TABLE, rows)
            if draw is not None:
                draw(scans)
    return scans


class _ScanState(NamedTuple):
    """Holds what a worker needs to scan: the model's scanner, the genome, and where parts lie."""

    scanner: region_scan.Scanner
    genome: Genome
    folder: Path
    origin: dict[str, Any]


@contextlib.contextmanager
def _opened(
    fasta: str | Path, settings: region_scan.ScanSettings, folder: Path, origin: dict[str, Any]
) -> Iterator[_ScanState]:
    """Loads the model and yields the state of a worker."""
    if settings.load_model is None:
        raise errors.RunError("load_model: workers load the model themselves; give its loader.")
    model = settings.load_model()
    with Genome(fasta) as genome:
        yield _ScanState(region_scan.Scanner(model, genome, settings), genome, folder, origin)


def _scan(state: _ScanState, task: tuple[Site, str]) -> None:
    """Scans a site and writes its part, unless another worker has written it."""
    site, method = task
    path, identity = _part_path(state.folder, site, method), _identity(state.origin, site, method)
    if path.exists() and scan_files.identity(path) == identity:
        return
    scan = state.scanner.on(site.genome(state.genome)).scan(site.region, method)
    scan_files.save(path, scan._replace(allele=site.allele), identity)


def _scans(
    state: _ScanState,
    tasks: Sequence[tuple[Site, str]],
    fasta: str | Path,
    settings: region_scan.ScanSettings,
    advance: progress.Advance,
) -> list[region_scan.Scan]:
    """Scans what is not finished, and reads all scans."""

    def load(site: Site, method: str) -> region_scan.Scan | None:
        path = _part_path(state.folder, site, method)
        return scan_files.load(path, _identity(state.origin, site, method))

    finished = {task: scan for task in tasks if (scan := load(*task)) is not None}
    pending = [task for task in tasks if task not in finished]
    advance(len(finished))
    setup: workers.Setup = functools.partial(_opened, fasta, settings, state.folder, state.origin)
    if settings.cluster.is_here:
        setup = functools.partial(contextlib.nullcontext, state)
    for task in pending:  # a damaged part is scanned again
        _part_path(state.folder, *task).unlink(missing_ok=True)
    for _ in workers.map_parts(_scan, pending, settings.cluster, setup=setup):
        advance(1)
    scans = [finished.get(task) or load(*task) for task in tasks]
    return [scan for scan in scans if scan is not None]


def _part_path(folder: Path, site: Site, method: str) -> Path:
    return folder / f"{scan_names.file_name(site.region, site.allele)}_{method}.h5"


def _identity(origin: dict[str, Any], site: Site, method: str) -> str:
    """Returns everything that a scan depends on, as JSON."""
    changed = [site.allele, site.segments] if site.allele else []
    return json.dumps([origin, site.region, method, *changed], sort_keys=True)


def _earlier_scans(
    folder: Path, origin: dict[str, Any], tasks: Sequence[tuple[Site, str]]
) -> Iterator[region_scan.Scan]:
    """Yields scans of the same inputs that earlier runs have finished, except those of `tasks`."""
    of_tasks = {_part_path(folder, site, method) for site, method in tasks}
    for path in sorted(set(folder.glob("*.h5")) - of_tasks):
        identity = scan_files.identity(path)
        if identity is not None and _origin(identity) == origin:
            scan = scan_files.load(path, identity)
            if scan is not None:
                yield scan


def _origin(identity: str) -> Any:
    """Returns the inputs that the identity of a scan names; None when it is damaged."""
    try:
        return json.loads(identity)[0]
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def provenance(
    model: Model, fasta: str | Path, sweep: region_scan.Sweep, options: Options
) -> dict[str, Any]:
    """Returns what scans depend on, for the attributes of outputs."""
    origin = score_inputs.provenance(model, fasta, options)
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
