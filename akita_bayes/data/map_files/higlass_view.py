"""Writes a view configuration of HiGlass for predicted maps, and the sizes of chromosomes for it.

The view shows the maps beside one another, with the insulation above each where it was called.
HiGlass finds a file by the identifier under which a server holds it; here this is the name of the
file, as `higlass-manage ingest --uid NAME FILE` sets it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from akita_bayes import files, regions

FILE, SIZES = "higlass.json", "chrom.sizes"
SERVER = "http://localhost:8989/api/v1"
"""Address of a server that `higlass-manage start` starts."""

_WIDTH, _HEIGHT = 12, 6  # of the grid of HiGlass, for one row of views
_TRACK = 60  # pixels of a track beside a map
_DIVERGING = ["#2166ac", "#f7f7f7", "#b2182b"]
_SEQUENTIAL = ["#ffffff", "#fdd49e", "#d7301f", "#7f0000"]


class MapTrack(NamedTuple):
    """Describes one map.

    Attributes:
        path: The .mcool.
        title: Text above the map.
        insulation: The bigWig of its insulation; None for none.
        is_signed: True for values around 0, such as ln(observed / expected).
    """

    path: Path
    title: str
    insulation: Path | None
    is_signed: bool


def write(
    out_dir: str | Path,
    maps: Sequence[MapTrack],
    *,
    chrom_sizes: Mapping[str, int],
    region: regions.Region,
    assembly: str,
) -> Path:
    """Writes higlass.json and chrom.sizes; returns the path of the first.

    Args:
        out_dir: Folder of the files.
        maps: Maps to show.
        chrom_sizes: Chromosome -> bases.
        region: Region that the view shows first.
        assembly: Name of the genome.
    """
    out_dir = Path(out_dir)
    with files.atomic(out_dir / SIZES) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.writelines(f"{chrom}\t{size}\n" for chrom, size in chrom_sizes.items())
    files.write_json(out_dir / FILE, configuration(maps, chrom_sizes, region, assembly))
    return out_dir / FILE


def configuration(
    maps: Sequence[MapTrack],
    chrom_sizes: Mapping[str, int],
    region: regions.Region,
    assembly: str,
) -> dict[str, Any]:
    """Returns the view configuration, with coordinates counted over all chromosomes."""
    first = 0
    for chrom, size in chrom_sizes.items():
        if chrom == region.chrom:
            break
        first += size
    domain = [first + region.start, first + region.end]
    columns = min(len(maps), 3)
    width = _WIDTH // max(columns, 1)
    views = []
    for number, track in enumerate(maps):
        views.append(
            {
                "uid": f"view{number}",
                "initialXDomain": domain,
                "initialYDomain": domain,
                "layout": {
                    "x": number % columns * width,
                    "y": number // columns * _HEIGHT,
                    "w": width,
                    "h": _HEIGHT,
                },
                "tracks": _tracks(track, number, assembly),
            }
        )
    locks = {
        name: {
            "locksByViewUid": {view["uid"]: "all" for view in views},
            "locksDict": {
                "all": {
                    "uid": "all",
                    # A lock ties each view to a centre and a scale: x, y, bases per pixel.
                    **{view["uid"]: [sum(domain) / 2, sum(domain) / 2, 1] for view in views},
                }
            },
        }
        for name in ("locationLocks", "zoomLocks")
    }
    return {
        "editable": True,
        "zoomFixed": False,
        "trackSourceServers": [SERVER],
        "exportViewUrl": f"{SERVER}/viewconfs",
        "views": views,
        **locks,
    }


def _tracks(track: MapTrack, number: int, assembly: str) -> dict[str, list[dict[str, Any]]]:
    """Returns the tracks of one view by their place."""
    labels = {
        "uid": f"view{number}_chromosomes",
        "type": "horizontal-chromosome-labels",
        "server": SERVER,
        "tilesetUid": SIZES,
        "height": 30,
        "options": {"name": assembly},
    }
    heatmap = {
        "uid": f"view{number}_map",
        "type": "heatmap",
        "server": SERVER,
        "tilesetUid": track.path.name,
        "options": {
            "name": track.title,
            "labelPosition": "topLeft",
            "colorRange": _DIVERGING if track.is_signed else _SEQUENTIAL,
            "heatmapValueScaling": "linear",
            "colorbarPosition": "topRight",
            "dataTransform": "default",
            "zeroValueColor": None,
        },
    }
    above: list[dict[str, Any]] = [labels]
    if track.insulation is not None:
        above.append(
            {
                "uid": f"view{number}_insulation",
                "type": "horizontal-line",
                "server": SERVER,
                "tilesetUid": track.insulation.name,
                "height": _TRACK,
                "options": {
                    "name": "insulation, log2",
                    "labelPosition": "topLeft",
                    "valueScaling": "linear",
                    "axisPositionHorizontal": "right",
                    "lineStrokeColor": "#0072B2",
                },
            }
        )
    centre = {
        "uid": f"view{number}_centre",
        "type": "combined",
        "contents": [heatmap],
    }
    return {"top": above, "left": [], "center": [centre], "right": [], "bottom": []}
