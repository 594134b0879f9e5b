"""Saves the maps of the strongest variants of a directory of scores."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from akita_bayes import errors, progress
from akita_bayes.variants import engine, figure_data, variant_maps, writers
from akita_bayes.variants.maps import saved_maps
from akita_bayes.variants.scores import score_table

_log = logging.getLogger(__name__)


def save(
    scorer: engine.Engine,
    results: score_table.Scored,
    out_dir: Path,
    count: int,
    targets: writers.Targets,
    about: dict[str, Any],
    *,
    open_bar: progress.OpenBar,
) -> None:
    """Writes `maps.h5` for the strongest variants, unless it holds the same already.

    Args:
        scorer: Engine that scored the rows.
        results: All rows.
        out_dir: Folder of the outputs.
        count: Number of variants, or `saved_maps.EVERY`.
        targets: Names of the scored targets.
        about: Attributes of the file, with the digest of the inputs of the scores.
        open_bar: Opens a progress bar.
    """
    rows = figure_data.strongest(results, count)
    path = out_dir / saved_maps.FILE
    if _holds(path, rows, about["inputs_digest"]):
        _log.info("%s: holds the maps of these variants already.", path)
        return
    assert scorer.geometry.diagonal_offset is not None
    frame = saved_maps.Frame(
        scorer.geometry.bins,
        scorer.geometry.bin_width,
        scorer.geometry.diagonal_offset,
        targets.identifiers,
        scorer.draws > 1,
    )
    with open_bar("Saving maps", len(rows)) as advance:

        def maps() -> Iterator[saved_maps.SavedMap]:
            for row in rows:
                variant = results.variants[row]
                yield variant_maps.saved(scorer, variant, row, figure_data.title(variant))
                advance(1)

        saved_maps.write(path, maps(), frame, count=len(rows), attributes=about)


def _holds(path: Path, rows: Sequence[int], digest: str) -> bool:
    """Returns True for a file with the maps of these rows, from the same inputs."""
    try:
        with saved_maps.opened(path) as maps:
            return maps.rows == list(rows) and maps.attributes.get("inputs_digest") == digest
    except errors.DataError:
        return False
