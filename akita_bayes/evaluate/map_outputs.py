"""Writes predicted maps for other programs: coolers, insulation, boundaries, dots, a view."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import h5py

from akita_bayes import errors, regions
from akita_bayes.data import assembly as genome_names
from akita_bayes.data.map_files import higlass_view, map_coolers, map_tracks, map_units
from akita_bayes.data.preparation import targets
from akita_bayes.files import safe_names

_ATTRIBUTES = ("model", "params_sha256", "draws", "rc", "precision", "sample", "haplotype")


@dataclasses.dataclass(frozen=True)
class Coolers:
    """Describes the coolers of predicted maps, and the files beside them.

    Attributes:
        suffix: "cool", or "mcool" with coarser resolutions and a view for HiGlass.
        run: Run directory, or file in one, that records the names of targets; None for none.
        table: Table of targets with their names; None for those of the run, or numbers.
        scale: Unit of the pixels.
        assembly: Name of the genome in the metadata; None for that of its file.
        features: True to call insulation, boundaries and dots.
    """

    suffix: Literal["cool", "mcool"] = "cool"
    run: str | Path | None = None
    table: str | Path | None = None
    scale: map_units.Scale = map_units.LOG_RATIO
    assembly: str | None = None
    features: bool = False

    def names(self, head: str, count: int) -> list[str]:
        """Returns the names of a head's coolers.

        Raises:
            DataError: The table cannot be read, or has another number of targets.
        """
        labels = None
        if self.run is not None or self.table is not None:
            labels = targets.of_head(self.run or "", head, count, table=self.table)
        if labels is None:
            return [f"{head}_{target}" for target in range(count)]
        # A name may contain a slash, which would otherwise create a folder: "K562/rep1".
        return safe_names.file_names([label.identifier for label in labels])


def write(
    predictions: Path,
    out_dir: str | Path,
    outputs: Coolers,
    *,
    names: Mapping[str, Sequence[str]],
    groups: Mapping[str, str],
    fasta: str | Path,
    chrom_sizes: Mapping[str, int],
) -> dict[str, list[Path]]:
    """Writes the coolers of all heads, and what else `outputs` names.

    Args:
        predictions: Path of `predict.h5`.
        out_dir: Folder of the files.
        outputs: What to write.
        names: Head -> names of its targets.
        groups: Head -> its group in the file.
        fasta: The genome.
        chrom_sizes: Chromosome -> bases.

    Returns:
        Head -> paths of its coolers.

    Raises:
        DataError: A head has no maps, a window is not on the grid of bins, or the table of
            expected contacts does not fit.
    """
    assembly = outputs.assembly or genome_names.name_of(fasta)
    form = map_coolers.CoolerFormat(
        zoom=outputs.suffix == "mcool",
        scale=outputs.scale,
        assembly=assembly,
        metadata=_metadata(predictions),
    )
    coolers: dict[str, list[Path]] = {}
    views: list[higlass_view.MapTrack] = []
    for head, group in groups.items():
        coolers[head] = map_coolers.write_coolers(
            predictions,
            out_dir,
            chrom_sizes=chrom_sizes,
            names=names[head],
            head=group,
            form=form,
        )
        tracks = {}
        for target, name in enumerate(names[head] if outputs.features else ()):
            calls = map_tracks.call(predictions, chrom_sizes=chrom_sizes, target=target, head=group)
            tracks[name], *_ = map_tracks.write(calls, out_dir, name, chrom_sizes=chrom_sizes)
        unit = map_units.DESCRIPTIONS[outputs.scale.unit]
        for path in coolers[head]:
            name = path.name.removesuffix(f".{outputs.suffix}")
            is_map = name in names[head]
            views.append(
                higlass_view.MapTrack(
                    path,
                    f"{name}, {unit}",
                    tracks.get(name),
                    is_map and outputs.scale.unit == "log_oe",
                )
            )
    if form.zoom:
        higlass_view.write(
            out_dir,
            views,
            chrom_sizes=chrom_sizes,
            region=_first_window(predictions),
            assembly=assembly,
        )
    return coolers


def _metadata(predictions: Path) -> dict[str, Any]:
    """Returns what the attributes of `predict.h5` say about the model."""
    with h5py.File(predictions) as file:
        values = {name: file.attrs[name] for name in _ATTRIBUTES if name in file.attrs}
    return {
        name: value.item() if hasattr(value, "item") else value for name, value in values.items()
    }


def _first_window(predictions: Path) -> regions.Region:
    """Returns the first window of the file, inside its chromosome."""
    with h5py.File(predictions) as file:
        if not len(file["chrom"]):
            raise errors.DataError(f"{predictions}: has no windows; give at least one region.")
        return regions.Region(
            str(file["chrom"].asstr()[0]), max(0, int(file["start"][0])), int(file["end"][0])
        )
