"""Collects the report of a directory of `akita_scd.py`: its table, its maps, its provenance."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from akita_bayes import errors
from akita_bayes.files import hdf5_reader
from akita_bayes.report import contents, frame_tracks, provenance_facts, table_columns
from akita_bayes.variants import genes
from akita_bayes.variants.maps import saved_maps
from akita_bayes.variants.scores import named_scores, score_table

TABLE = "scores.tsv"
LOG_RATIO = "ln(observed / expected)"

_ADVICE = "score the variants again with akita_scd.py"
_PLAIN = ("chrom", "pos", "id", "ref", "alt", "type", "flags", "reason")
_DESCRIPTIONS = {
    "record": "number of the record in the variant file, counted from 0",
    "pos": "position, counted from 1, as in the variant file",
    "start": "first replaced base, counted from 0",
    "end": "one past the last replaced base, counted from 0",
    "reason": "why the row has no score",
    "window": "reference bases of the window",
    "pixels_compared": "contacts that both alleles have",
    "pixels_lost": "contacts that only REF has",
    "pixels_gained": "contacts that only ALT has",
}
_INTERVAL = contents.PixelInterval("ALT - REF", "sd", "90 % of draws, if normal")
_SHOWN = ("ci_low", "ci_high", "p_value")
_SHOWN_DRAWS = ("draw_q05", "draw_q95", "p_value")


def collect(
    folder: Path,
    *,
    annotation: Sequence[genes.Gene] = (),
    tracks: frame_tracks.BigWigs | None = None,
    maps: int,
) -> contents.Report:
    """Reads a directory of scores.

    Args:
        folder: Output directory of `akita_scd.py`.
        annotation: Genes to show under the maps.
        tracks: Open bigWig files.
        maps: Largest number of variants whose maps are shown.

    Raises:
        DataError: A file is missing or damaged.
    """
    attributes = _attributes(folder / "scd.h5")
    frame = table_columns.read(
        folder / TABLE, "a table of scores", _ADVICE, numeric=lambda name: _split(name) is not None
    )
    missing = [name for name in ("chrom", "pos", "ref", "alt") if name not in frame]
    if missing:
        raise errors.DataError(
            f"{folder / TABLE}: has no column {missing[0]}, so it is not a table of scores; "
            f"{_ADVICE}."
        )
    columns, strength = _columns(frame, attributes)
    table = table_columns.table("Variants", columns, strength, source=TABLE)
    has_maps = (folder / saved_maps.FILE).is_file()
    views = _maps(folder, annotation, tracks, maps) if has_maps else []
    scored = int(np.isfinite(strength).sum()) if strength is not None else 0
    return contents.Report(
        title=f"Variants of {folder.resolve().name}",
        summary=[
            contents.Fact("alleles", f"{len(frame):,}"),
            contents.Fact("with scores", f"{scored:,}"),
            contents.Fact("scores", ", ".join(_scores(frame)) or "none"),
            contents.Fact("targets", ", ".join(_targets(frame))),
        ],
        notes=_notes(frame, attributes),
        tables=[table],
        maps=views,
        map_note=_map_note(folder, views, has_maps),
        provenance=provenance_facts.of_scores(folder, attributes),
    )


def _attributes(path: Path) -> dict[str, Any]:
    """Returns the attributes of `scd.h5`, with JSON texts read."""
    if not path.is_file():
        raise errors.DataError(f"{path}: no such file, so the scores are not complete; {_ADVICE}.")
    with hdf5_reader.opened(path, "a file of scores", _ADVICE) as file:
        attributes = {name: provenance_facts.plain(value) for name, value in file.attrs.items()}
        for name in ("options", "interval_levels"):
            if isinstance(attributes.get(name), str):
                attributes[name] = json.loads(attributes[name])
    return attributes


def _split(name: str) -> tuple[str, str, str] | None:
    """Returns score, statistic and target of a column such as `SCD_sd:HFF`; None for others."""
    match = re.fullmatch(r"([A-Z]+\d*)(?:_([a-z]\w*))?:(.*)", name, re.DOTALL)
    return (match[1], match[2] or "", match[3]) if match else None


def _columns(frame: pd.DataFrame, attributes: dict[str, Any]) -> tuple[list[contents.Column], Any]:
    """Returns the columns of the table, and the strength of every row by its first score."""
    levels = provenance_facts.member(attributes, "interval_levels")
    present = {parts[1] for name in frame if (parts := _split(str(name)))}
    shown = _SHOWN if "ci_low" in present else _SHOWN_DRAWS
    columns, strengths = [], []
    first = next(iter(_scores(frame)), None)
    for name in map(str, frame):
        parts = _split(name)
        if parts is None:
            description = _DESCRIPTIONS.get(name, "")
            visible = name in _PLAIN and (
                name not in ("flags", "reason") or bool((frame[name] != "").any())
            )
            columns.append(table_columns.column(frame, name, description, shown=visible))
            continue
        score, statistic, target = parts
        text = _described(score, statistic, levels.get(score))
        text = f"{text}; target {target}"
        visible = statistic in ("", *shown)
        columns.append(table_columns.column(frame, name, text, shown=visible))
        if score == first and not statistic:
            strengths.append(frame[name].to_numpy(float))
    if not strengths:
        return columns, None
    return columns, np.max(np.abs(strengths), axis=0)


def _described(score: str, statistic: str, level: float | None) -> str:
    try:
        if statistic:
            return score_table.describe(score, statistic, level)
        return named_scores.describe(score)
    except (errors.VariantError, KeyError):  # of another version
        return score


def _scores(frame: pd.DataFrame) -> dict[str, None]:
    return {parts[0]: None for name in frame if (parts := _split(str(name))) and not parts[1]}


def _targets(frame: pd.DataFrame) -> dict[str, None]:
    return {parts[2]: None for name in frame if (parts := _split(str(name)))}


def _notes(frame: pd.DataFrame, attributes: dict[str, Any]) -> list[str]:
    statistics = {parts[1] for name in frame if (parts := _split(str(name)))}
    notes = []
    if levels := provenance_facts.member(attributes, "interval_levels"):
        stated = ", ".join(f"{name} {100 * level:g} %" for name, level in levels.items())
        notes.append(
            f"Columns ci_low and ci_high are the ends of intervals for the true score ({stated}), "
            "valid for variants like those that they were fitted to."
        )
    if "draw_q05" in statistics:
        notes.append(
            "Columns draw_q05 and draw_q95 are quantiles of the model's posterior draws. They "
            "show the spread of the model, and are not an interval for the true effect."
        )
    if "p_value" in statistics:
        notes.append(
            "p_value compares a score with those of random variants of the same type, size and "
            "GC content; it is not corrected for the number of variants."
        )
    return notes


def _maps(
    folder: Path,
    annotation: Sequence[genes.Gene],
    tracks: frame_tracks.BigWigs | None,
    count: int,
) -> list[contents.Map]:
    views = []
    with saved_maps.opened(folder) as maps:
        frame = maps.frame
        for number in range(min(count, len(maps))):
            saved = maps.read(number)
            spans = genes.spans(annotation, saved.stretches)
            signals = (
                []
                if tracks is None
                else tracks.signals(saved.stretches, frame.bins, frame.bin_width)
            )
            for k, target in enumerate(frame.targets):
                views.append(
                    contents.Map(
                        title=saved.title,
                        target=target,
                        row=saved.row,
                        bins=frame.bins,
                        bin_width=frame.bin_width,
                        diagonal_offset=frame.diagonal_offset,
                        stretches=saved.stretches,
                        site=saved.site,
                        layers=_layers(saved, k),
                        interval=None if saved.sd is None else _INTERVAL,
                        genes=spans,
                        signals=signals,
                    )
                )
    return views


def _layers(saved: saved_maps.SavedMap, target: int) -> list[contents.Layer]:
    layers = [
        contents.Layer("REF", LOG_RATIO, "map", saved.reference[:, target]),
        contents.Layer("ALT", LOG_RATIO, "map", saved.alternative[:, target]),
        contents.Layer(
            "ALT - REF", f"difference of {LOG_RATIO}", "difference", saved.difference[:, target]
        ),
    ]
    if saved.sd is not None:
        unit = "how unsure: sd of the difference over draws"
        layers.append(contents.Layer("sd", unit, "spread", saved.sd[:, target]))
    return layers


def _map_note(folder: Path, views: Sequence[contents.Map], has_maps: bool) -> str:
    if not has_maps:
        return (
            f"{folder.resolve().name} holds no maps. To see the maps of REF and ALT here, run the "
            "same akita_scd.py command again with --save_maps (the 10 strongest variants) or "
            "--save_maps all, and then akita_report.py; finished scores are used again."
        )
    variants = len({view.row for view in views})
    strongest = "strongest" if variants == 1 else f"{variants} strongest"
    note = f"The {strongest} of the saved variants, REF and ALT in one frame."
    if views and len(views[0].layers) == 4:
        note += (
            " The sd is the spread of the difference over posterior draws, and is not an interval "
            "for the true difference."
        )
    else:
        note += " The scores have no draws, so the maps have no sd; score with --draws for one."
    return note
