"""Collects the report of a directory of `akita_predict.py`: its windows, maps and provenance."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, regions
from akita_bayes.data import predictions
from akita_bayes.files import damage, hdf5_reader
from akita_bayes.origins import provenance
from akita_bayes.report import contents, frame_tracks, provenance_facts, table_columns
from akita_bayes.variants import genes
from akita_bayes.variants.alleles import bin_loci

MARK = predictions.NAME

_KIND, _ADVICE = "predictions", "predict again with akita_predict.py"
_LOG_RATIO = "ln(observed / expected)"
_PREDICTED, _UNSURE, _NOISE = "predicted", "how unsure", "sd of a measurement"
_INTERVAL = contents.PixelInterval(_PREDICTED, _NOISE, "90 % of measurements, if normal")
_WITHOUT_DRAWS = (
    "The predictions have no draws, so the maps show no uncertainty; predict with --draws 8 for it."
)
_WITH_DRAWS = (
    '"how unsure" is the standard deviation of the map over draws of the model. "sd of a '
    'measurement" also contains the noise of measuring, so 1.645 of it on both sides of the '
    "prediction contain 90 % of new measurements, if they are normal and the model is calibrated "
    "(akita_calibrate.py)."
)
_WITHOUT_MAPS = "The model predicts tracks and no maps."
_DESCRIPTIONS = {
    "window": "bases that the map covers, counted from 0 and without the end",
    "region": "number of the region that was asked for, counted from 0",
    "novelty": "distance from the training windows: about 1 for a window like those",
    "mean sd": "mean over the map of the standard deviation over draws",
}


def collect(
    folder: Path,
    *,
    annotation: Sequence[genes.Gene] = (),
    tracks: frame_tracks.BigWigs | None = None,
    maps: int,
) -> contents.Report:
    """Reads a directory of predictions.

    Args:
        folder: Output directory of `akita_predict.py`.
        annotation: Genes to show under the maps.
        tracks: Open bigWig files.
        maps: Largest number of windows whose maps are shown.

    Raises:
        DataError: A file is missing or damaged, or holds no window.
    """
    path = folder / MARK
    with (
        hdf5_reader.opened(path, _KIND, _ADVICE) as file,
        damage.explained(path, _KIND, _ADVICE),
    ):
        windows = len(file["start"])
        heads = _heads(file)
        with_maps = {name: group for name, group in heads.items() if "row" in group}
        views = [
            view
            for name, group in with_maps.items()
            for number in range(min(maps, windows))
            for view in _views(file, name, group, number, annotation, tracks)
        ]
        table = table_columns.table("Windows", _columns(file, heads), source=MARK)
        attributes = {name: provenance_facts.plain(value) for name, value in file.attrs.items()}
        has_draws = any("epistemic_sd" in group for group in heads.values())
        summary = _summary(file, heads, attributes)
    if not windows:
        raise errors.DataError(f"{path}: has no windows; {_ADVICE}.")
    if not with_maps:
        note = _WITHOUT_MAPS
    else:
        note = _WITH_DRAWS if has_draws else _WITHOUT_DRAWS
    return contents.Report(
        title=f"Predictions of {folder.resolve().name}",
        summary=summary,
        tables=[table],
        maps=views,
        map_note=note,
        provenance=_provenance(attributes),
    )


def _heads(file: h5py.File) -> dict[str, h5py.Group]:
    """Returns the groups of the heads by name; the file itself, under "", for a single head."""
    if "preds" in file:
        return {"": file}
    return {name: group for name, group in file.items() if "preds" in group}


def _summary(
    file: h5py.File, heads: Mapping[str, h5py.Group], attributes: Mapping[str, Any]
) -> list[contents.Fact]:
    group = next(iter(heads.values()))
    facts = [
        contents.Fact("windows", f"{len(file['start']):,}"),
        contents.Fact(
            "targets", ", ".join(name for head in heads.values() for name in _targets(head))
        ),
        contents.Fact("bin width", f"{int(group.attrs['bin_width']):,} bp"),
        contents.Fact("draws", str(attributes.get("draws", 0))),
    ]
    if "novelty" in group and "novelty_threshold" in attributes:
        strange = int(np.sum(group["novelty"][:] > attributes["novelty_threshold"]))
        facts.append(contents.Fact("windows unlike the training", f"{strange:,}"))
    return facts


def _targets(group: h5py.Group) -> list[str]:
    if "targets" in group:
        return [str(name) for name in group["targets"].asstr()[:]]
    return [str(number) for number in range(group["preds"].shape[-1])]


def _region(file: h5py.File, group: h5py.Group, number: int) -> regions.Region:
    """Returns the bases that the output of a window covers."""
    return regions.Region(
        str(file["chrom"].asstr()[number]),
        int(group["bin_start"][number, 0]),
        int(group["bin_end"][number, -1]),
    )


def _columns(file: h5py.File, heads: Mapping[str, h5py.Group]) -> list[contents.Column]:
    """Returns the columns of the table of windows; those of a head come with its name."""
    group = next(iter(heads.values()))
    windows = range(len(file["start"]))
    titles = [str(_region(file, group, number)) for number in windows]
    columns = [
        contents.Column("window", titles, _DESCRIPTIONS["window"]),
        contents.Column("region", file["region"][:].tolist(), _DESCRIPTIONS["region"]),
    ]
    if "novelty" in group:
        distances = group["novelty"][:].tolist()
        columns.append(contents.Column("novelty", distances, _DESCRIPTIONS["novelty"]))
    for head in heads.values():
        if "epistemic_sd" not in head:
            continue
        means = np.array([head["epistemic_sd"][number].mean(0) for number in windows])
        columns += [
            contents.Column(f"mean sd:{name}", means[:, k].tolist(), _DESCRIPTIONS["mean sd"])
            for k, name in enumerate(_targets(head))
        ]
    return columns


def _views(
    file: h5py.File,
    head: str,
    group: h5py.Group,
    number: int,
    annotation: Sequence[genes.Gene],
    tracks: frame_tracks.BigWigs | None,
) -> list[contents.Map]:
    """Returns the maps of one window, one for each target."""
    region = _region(file, group, number)
    width, bins = int(group.attrs["bin_width"]), group["bin_start"].shape[1]
    stretches = [bin_loci.Stretch(0.0, float(bins), region, 1)]
    spans = genes.spans(annotation, stretches)
    signals = [] if tracks is None else tracks.signals(stretches, bins, width)
    layers = _values(group, number)
    return [
        contents.Map(
            title=str(region),
            target=f"{head}, {target}" if head else target,
            row=number,
            bins=bins,
            bin_width=width,
            diagonal_offset=int(group.attrs["diagonal_offset"]),
            stretches=stretches,
            site=None,
            layers=[
                contents.Layer(name, unit, palette, values[:, k])
                for (name, unit, palette), values in layers
            ],
            genes=spans,
            signals=signals,
            interval=_INTERVAL if len(layers) > 1 else None,
        )
        for k, target in enumerate(_targets(group))
    ]


def _values(
    group: h5py.Group, number: int
) -> list[tuple[tuple[str, str, contents.Palette], NDArray[np.float32]]]:
    """Returns name, unit and palette of every panel, with its pixels. [P, T]."""
    panels: list[tuple[tuple[str, str, contents.Palette], NDArray[np.float32]]] = [
        ((_PREDICTED, _LOG_RATIO, "map"), group["preds"][number])
    ]
    if "epistemic_sd" in group:
        epistemic, aleatoric = (group[f"{kind}_sd"][number] for kind in ("epistemic", "aleatoric"))
        panels += [
            ((_UNSURE, "sd of the map over draws", "spread"), epistemic),
            ((_NOISE, "sd of a new measurement", "spread"), np.hypot(epistemic, aleatoric)),
        ]
    return panels


def _provenance(attributes: Mapping[str, Any]) -> list[contents.Fact]:
    """Returns the options and the record of the file; paths are reduced to their last part."""
    options = {
        name: value.tolist() if hasattr(value, "tolist") else value
        for name, value in attributes.items()
        if name != provenance.KEY
    }
    options |= {name: Path(options[name]).name for name in ("fasta", "model") if name in options}
    facts = provenance_facts.flat(options)
    if record := attributes.get(provenance.KEY):
        facts += provenance_facts.flat(json.loads(record))
    return facts
