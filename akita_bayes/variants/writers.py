"""Scores as files: HDF5 under Basenji's names, a table, and the variant file annotated."""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pysam

from akita_bayes import errors, files
from akita_bayes.variants import results, vcf
from akita_bayes.variants import scores as named_scores

PREFIX = "AKITA_"
PROVENANCE = "akita_bayes_"
_TBI_BASES = 2**29  # that a chromosome may have in a .tbi index


class Targets(NamedTuple):
    """Identifier and description of every scored target."""

    identifiers: list[str]
    labels: list[str]


def write_h5(
    path: str | Path, scored: results.Scored, targets: Targets, attributes: dict[str, Any]
) -> None:
    """Writes `scd.h5`: Basenji's `snp`, `chr`, `pos`, `ref`, targets and scores, and more.

    Further datasets: `alt`, `end`, `type`, `flags`, `reason`, `record`, `allele`, `pixels`
    (compared, lost, gained), and `<score>_<statistic>`, which `results.STATISTICS` defines. Scores
    are float32 [rows, T], NaN where there is a reason. `pos` counts from 1, as in the variant file;
    `end` is the last base replaced. `snp`, `ref` and `alt` are of variable length, unlike
    Basenji's, since one row of a fixed length takes as much as the longest allele, which may be
    megabases; h5py reads both as bytes.

    Args:
        path: File name.
        scored: Rows.
        targets: Names of the T targets.
        attributes: Of the file; values that HDF5 has no type for are written as JSON.
    """
    variants = scored.variants
    long: dict[str, list[str]] = {
        "snp": [variant.name for variant in variants],
        "ref": [variant.ref for variant in variants],
        "alt": [variant.alt for variant in variants],
    }
    short: dict[str, list[str]] = {
        "chr": [variant.chrom for variant in variants],
        "type": [variant.kind for variant in variants],
        "flags": scored.flags,
        "reason": scored.reasons,
        "target_ids": targets.identifiers,
        "target_labels": targets.labels,
    }
    with files.atomic(path) as temporary, h5py.File(temporary, "w") as file:
        for name, column in long.items():
            file.create_dataset(name, data=column, dtype=h5py.string_dtype())
        for name, column in short.items():
            file[name] = np.array([value.encode() for value in column], dtype="S")
        file["pos"] = np.array([variant.position + 1 for variant in variants], np.uint32)
        file["end"] = np.array([variant.end for variant in variants], np.uint32)
        file["record"] = np.array([variant.record for variant in variants], np.uint32)
        file["allele"] = np.array([variant.allele for variant in variants], np.uint16)
        file["pixels"] = scored.pixels
        for key, value in scored.values.items():
            file[key] = value
        for (key, statistic), value in scored.statistics.items():
            file[f"{key}_{statistic}"] = value
        for name, value in attributes.items():
            plain = isinstance(value, str | int | float)
            file.attrs[name] = value if plain else json.dumps(value)


def write_table(path: str | Path, scored: results.Scored, targets: Targets) -> None:
    """Writes `scores.tsv`: one row per allele, one column per score and target, NA for none."""
    table = results.table(scored, targets.identifiers)
    with files.atomic(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.7g", na_rep="NA")


def write_vcf(
    path: str | Path,
    source: str | Path,
    scored: results.Scored,
    attributes: dict[str, Any],
) -> None:
    """Writes the variant file again, in its order, with scores in INFO.

    Every field has one value per ALT, the mean over targets; AKITA_REASON says why there is none.
    Fields of an earlier scoring are left out, also of records that are not scored again.
    A name ending in `.gz` is compressed by bgzip and, when records are sorted, indexed: as `.tbi`,
    or as `.csi` where they lie beyond what that can hold.

    Args:
        path: File name, `.vcf` or `.vcf.gz`.
        source: The file that was scored.
        scored: Rows of all its records.
        attributes: Provenance for the header.

    Raises:
        VariantError: The rows are not those of the source.
    """
    rows: dict[int, list[int]] = {}
    for row, variant in enumerate(scored.variants):
        rows.setdefault(variant.record, []).append(row)
    columns = _columns(scored, attributes.get("interval_levels", {}))
    places: list[tuple[str, int, int]] = []
    with files.atomic(path) as temporary:
        plain = temporary.with_name(temporary.name + ".text")
        try:
            with vcf.opened(source) as reader, open(plain, "w", encoding="utf-8") as handle:
                for number, record in enumerate(reader):
                    line = _unannotated(str(record).rstrip("\n"))
                    places.append((record.chrom, record.pos, record.stop))
                    if number in rows:
                        line = _annotated(
                            line, record.alts or (), scored, rows.pop(number), columns
                        )
                    handle.write(line + "\n")
                if rows:
                    raise errors.VariantError(f"{source}: has fewer records than were scored.")
                head = _head(str(reader.header), columns, attributes)
            _finish(plain, head, temporary, compress=str(path).endswith(".gz"))
        finally:
            files.remove(plain)
    if str(path).endswith(".gz"):
        _index(str(path), places)


def _columns(
    scored: results.Scored, levels: Mapping[str, float]
) -> dict[str, tuple[str, np.ndarray]]:
    """INFO key -> (description, value of every row)."""
    columns = {}
    for key, value in scored.values.items():
        formula = named_scores.describe(key)
        columns[f"{PREFIX}{key}"] = (f"{formula}, mean over targets", value.mean(axis=1))
        for statistic in results.STATISTICS:
            if (key, statistic) not in scored.statistics:
                continue
            about = results.describe(key, statistic, levels.get(key))
            overall = scored.overall.get((key, statistic))
            if overall is None:
                about = f"{about}; mean over targets"
                overall = scored.statistics[key, statistic].mean(axis=1)
            else:
                about = f"{about}; of the mean over targets"
            columns[f"{PREFIX}{key}_{statistic.upper()}"] = (about, overall)
    return columns


def _head(
    header: str, columns: dict[str, tuple[str, np.ndarray]], attributes: dict[str, Any]
) -> str:
    """A header that declares this scoring, and no earlier one."""
    *lines, names = header.splitlines()
    earlier = (f"##INFO=<ID={PREFIX}", f"##{PROVENANCE}")
    declared = [
        f"##{PROVENANCE}{name}={attributes[name]}"
        for name in ("version", "model_digest", "genome_digest")
        if name in attributes
    ]
    fields = [(name, "Float", about.replace('"', "'")) for name, (about, _) in columns.items()]
    fields.append((f"{PREFIX}REASON", "String", "Why an ALT has no score"))
    fields.append((f"{PREFIX}FLAGS", "String", "Remarks on the score"))
    for name, kind, about in fields:
        declared.append(f'##INFO=<ID={name},Number=A,Type={kind},Description="{about}">')
    kept = [line for line in lines if not line.startswith(earlier)]
    return "\n".join([*kept, *declared, names]) + "\n"


def _unannotated(line: str) -> str:
    """A record's line without fields of an earlier scoring."""
    fields = line.split("\t")
    kept = [field for field in fields[7].split(";") if not field.startswith(PREFIX)]
    fields[7] = ";".join(kept) or "."
    return "\t".join(fields)


def _annotated(
    line: str,
    alts: Sequence[str],
    scored: results.Scored,
    rows: list[int],
    columns: dict[str, tuple[str, np.ndarray]],
) -> str:
    """A record's line with scores behind its own INFO."""
    if not alts:
        return line
    fields = line.split("\t")
    if len(rows) != len(alts):
        raise errors.VariantError(
            f"{fields[0]}:{fields[1]}: {len(rows)} rows for {len(alts)} ALTs."
        )
    info = [] if fields[7] == "." else [fields[7]]
    for name, (_, values) in columns.items():
        numbers = [float(values[row]) for row in rows]
        if np.isfinite(numbers).any():
            cells = (f"{number:.7g}" if np.isfinite(number) else "." for number in numbers)
            info.append(f"{name}={','.join(cells)}")
    for name, texts in (("REASON", scored.reasons), ("FLAGS", scored.flags)):
        words = [_token(texts[row]) for row in rows]
        if any(words):
            info.append(f"{PREFIX}{name}={','.join(word or '.' for word in words)}")
    fields[7] = ";".join(info) or "."
    return "\t".join(fields)


def _finish(plain: Path, head: str, path: Path, *, compress: bool) -> None:
    """Header, which knows what it must declare only once all records are read, and records."""
    whole = plain.with_name(plain.name + ".whole") if compress else path
    try:
        with open(whole, "w", encoding="utf-8") as handle, open(plain, encoding="utf-8") as body:
            handle.write(head)
            shutil.copyfileobj(body, handle)
        if compress:
            pysam.tabix_compress(str(whole), str(path), force=True)
    finally:
        if compress:
            files.remove(whole)


def _index(path: str, places: list[tuple[str, int, int]]) -> None:
    """Indexes records that are sorted; an index of an earlier file is not left beside them."""
    for suffix in (".tbi", ".csi"):
        files.remove(Path(path + suffix))
    if _is_sorted((chrom, position) for chrom, position, _ in places):
        far = any(end > _TBI_BASES for _, _, end in places)
        pysam.tabix_index(path, preset="vcf", csi=far)


def _token(text: str) -> str:
    """Text as an INFO value: without the characters that VCF reserves."""
    for character, plain in ((" ", "_"), (",", "&"), (";", "|"), ("=", ":")):
        text = text.replace(character, plain)
    return text


def _is_sorted(places: Iterable[tuple[str, int]]) -> bool:
    """Whether chromosomes, by the file's own names, are in one piece and positions rise."""
    seen: set[str] = set()
    last = ("", -1)
    for chrom, position in places:
        if chrom != last[0]:
            if chrom in seen:
                return False
            seen.add(chrom)
        elif position < last[1]:
            return False
        last = (chrom, position)
    return True
