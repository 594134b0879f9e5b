"""Writes scores to files: HDF5 with Basenji's names, a table, and the annotated variant file."""

import json
import logging
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pysam

from akita_bayes import errors, files
from akita_bayes.data.preparation import targets as target_tables
from akita_bayes.files import hdf5_writer
from akita_bayes.origins import provenance, training_regions
from akita_bayes.variants.alleles import symbolic_alleles, vcf
from akita_bayes.variants.scores import named_scores, score_table

PREFIX = "AKITA_"
HEADER = "akita_bayes_"
"""Begin of the header lines that tell where scores come from."""
_MEAN_OF_ENDS = (
    "mean of the ends over targets, which is not an interval of this level for the mean score"
)
_TBI_BASES = 2**29  # largest position in a .tbi index
_INDICES = (".tbi", ".csi")
_CONTIG = re.compile(rb"##contig=<(?:[^>]*,)?ID=([^,>]+)")
_VERSION = re.compile(rb"##fileformat=VCFv4\.[0-9]+")
_REF, _INFO = 3, 7  # columns, counted from 0

_log = logging.getLogger(__name__)


class Targets(NamedTuple):
    """Holds the identifier and the description of every scored target."""

    identifiers: list[str]
    labels: list[str]


def targets_of(labels: Iterable[target_tables.Label] | None) -> Targets | None:
    """Returns the names of targets from their labels; None without labels."""
    if labels is None:
        return None
    pairs = [(label.identifier, label.description) for label in labels]
    return Targets([identifier for identifier, _ in pairs], [label for _, label in pairs])


def write_h5(
    path: str | Path, scored: score_table.Scored, targets: Targets, attributes: dict[str, Any]
) -> None:
    """Writes `scd.h5`: Basenji's `snp`, `chr`, `pos`, `ref`, targets and scores, and more.

    Further datasets are `alt`, `end`, `type`, `flags`, `reason`, `record`, `allele`, `pixels`
    (compared, lost, gained), and `<score>_<statistic>`, where `score_table.STATISTICS` lists the
    statistics. Scores are float32 [rows, T], NaN where there is a reason. `pos` counts from 1, as
    in the variant file; `end` is the last replaced base. `snp`, `ref` and `alt` have variable
    length, unlike Basenji's: with a fixed length every row would be as long as the longest allele,
    which may have megabases. h5py reads both forms as bytes.

    Args:
        path: File name.
        scored: Rows.
        targets: Names of the T targets.
        attributes: Attributes of the file; values other than text and numbers become JSON.
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
    with hdf5_writer.create(path) as file:
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


def write_table(path: str | Path, scored: score_table.Scored, targets: Targets) -> None:
    """Writes `scores.tsv`: one row per allele, one column per score and target, NA for none."""
    table = score_table.table(scored, targets.identifiers)
    with files.atomic(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.7g", na_rep="NA")


def write_vcf(
    path: str | Path,
    source: str | Path,
    scored: score_table.Scored,
    attributes: dict[str, Any],
) -> None:
    """Writes the variant file again, in its order, with scores in INFO.

    Every field has one value per ALT, the mean over targets; AKITA_REASON says why a value is
    missing. Fields of an earlier scoring are removed, also from records that are not scored again.
    Other bytes of the source stay as they are; missing columns, column names and a missing first
    line are added. A file whose name ends in `.gz` is compressed by bgzip and, when records are
    sorted, indexed: as `.tbi`, or as `.csi` when positions are too large for `.tbi`.

    Args:
        path: File name, `.vcf` or `.vcf.gz`.
        source: The file that was scored.
        scored: Rows of all its records.
        attributes: Provenance for the header.

    Raises:
        VariantError: The source lacks records of the rows.
    """
    rows: dict[int, list[int]] = {}
    for row, variant in enumerate(scored.variants):
        rows.setdefault(variant.record, []).append(row)
    fields = _columns(scored, attributes.get("interval_levels", {}))
    texts = {"REASON": scored.reasons, "FLAGS": scored.flags}
    compress = str(path).endswith(".gz")
    spans: list[tuple[bytes, int, int]] = []
    chroms: dict[bytes, None] = {}
    widths: set[int] = set()
    with files.atomic(path) as temporary:
        plain = temporary.with_name(temporary.name + ".text")
        try:
            with vcf.opened(source) as reader, open(plain, "wb") as handle:
                for number, line in enumerate(reader):
                    info = _unannotated(line.columns[_INFO])
                    if number in rows:
                        info = _annotated(info, line, rows.pop(number), fields, texts)
                    columns = [*line.columns[:_INFO], info, *line.columns[_INFO + 1 :]]
                    handle.write(b"\t".join(columns) + b"\n")
                    widths.add(len(columns))
                    chroms[line.columns[0]] = None
                    if compress:
                        spans.append((line.columns[0], line.pos, _last_base(line)))
                if rows:
                    raise errors.VariantError(
                        f"{source}: has fewer records than were scored; score the file again."
                    )
            names = _names(reader.names, max(widths, default=0))
            head = _head(reader.meta, chroms, fields, attributes) + b"#" + b"\t".join(names)
            width = None if widths <= {len(names)} else len(names)
            _finish(plain, head + b"\n", temporary, width, compress=compress)
        finally:
            files.remove(plain)
    if compress:
        _index(str(path), spans)


def _columns(
    scored: score_table.Scored, levels: Mapping[str, float]
) -> dict[str, tuple[str, np.ndarray]]:
    """Returns the fields of INFO: key -> (description, value of every row)."""
    columns = {}
    for key, value in scored.values.items():
        formula = named_scores.describe(key)
        columns[f"{PREFIX}{key}"] = (f"{formula}, mean over targets", value.mean(axis=1))
        for statistic in score_table.STATISTICS:
            if (key, statistic) not in scored.statistics:
                continue
            description = score_table.describe(key, statistic, levels.get(key))
            overall = scored.overall.get((key, statistic))
            if overall is None:
                ends = statistic in score_table.FITTED
                description = f"{description}; {_MEAN_OF_ENDS if ends else 'mean over targets'}"
                overall = scored.statistics[key, statistic].mean(axis=1)
            else:
                description = f"{description}; of the mean over targets"
            columns[f"{PREFIX}{key}_{statistic.upper()}"] = (description, overall)
    return columns


def _last_base(line: vcf.Line) -> int:
    """Returns the last base, counted from 1, that a record may reach according to an index."""
    end, sizes = line.info.get("END", ""), line.info.get("SVLEN", "").split(",")
    longest = max(len(line.columns[_REF]) - 1, *map(symbolic_alleles.size_of, sizes))
    return max(line.pos + longest, vcf.whole_number(end) or 0)


def _names(names: list[bytes], width: int) -> list[bytes]:
    """Returns the names of all columns; samples that the header does not name are numbered."""
    columns = [*vcf.FIXED, *names]
    for number in range(len(columns), width):
        name = b"FORMAT" if number == len(vcf.FIXED) else b"sample%d" % (number - len(vcf.FIXED))
        columns.append(name)
    return columns


def _head(
    meta: list[bytes],
    chroms: Iterable[bytes],
    fields: dict[str, tuple[str, np.ndarray]],
    attributes: dict[str, Any],
) -> bytes:
    """Returns header lines that declare this scoring and omit earlier ones."""
    version = [line for line in meta if _VERSION.fullmatch(line)]
    omitted = (b"##fileformat=", f"##INFO=<ID={PREFIX}".encode(), f"##{HEADER}".encode())
    own_lines = [line for line in meta if not line.startswith(omitted)]
    contigs = {match[1] for line in own_lines if (match := _CONTIG.match(line))}
    own_lines += [b"##contig=<ID=%s>" % chrom for chrom in chroms if chrom not in contigs]
    declared = [
        f"##{HEADER}{name}={attributes[name]}"
        for name in ("version", "model_digest", "genome_digest", provenance.KEY)
        if name in attributes
    ]
    infos = [(name, "Float", text.replace('"', "'")) for name, (text, _) in fields.items()]
    infos.append((f"{PREFIX}REASON", "String", "Why an ALT has no score"))
    infos.append(
        (
            f"{PREFIX}FLAGS",
            "String",
            f"Remarks on the score; {training_regions.FLAG}: the model was trained on this place; "
            f"{training_regions.HELD_OUT_FLAG}: only members of the ensemble that were not",
        )
    )
    for name, kind, text in infos:
        declared.append(f'##INFO=<ID={name},Number=A,Type={kind},Description="{text}">')
    lines = [version[0] if version else b"##fileformat=VCFv4.2", *own_lines]
    return b"".join(line + b"\n" for line in (*lines, *(line.encode() for line in declared)))


def _unannotated(info: bytes) -> bytes:
    """Returns INFO without fields of an earlier scoring."""
    own_fields = [part for part in info.split(b";") if not part.startswith(PREFIX.encode())]
    return b";".join(own_fields) or vcf.MISSING


def _annotated(
    info: bytes,
    line: vcf.Line,
    rows: list[int],
    fields: dict[str, tuple[str, np.ndarray]],
    texts: dict[str, list[str]],
) -> bytes:
    """Returns INFO with the scores and texts of some rows after its own fields."""
    count = len(line.alts)
    if not count:
        return info
    if len(rows) != count:
        raise errors.VariantError(
            f"{line.chrom}:{line.pos}: has {count} ALTs, but {len(rows)} rows were scored."
        )
    parts = [] if info == vcf.MISSING else [info]
    for name, (_, values) in fields.items():
        numbers = [float(values[row]) for row in rows]
        if np.isfinite(numbers).any():
            cells = (f"{number:.7g}" if np.isfinite(number) else "." for number in numbers)
            parts.append(f"{name}={','.join(cells)}".encode())
    for name, column in texts.items():
        words = [_token(column[row]) for row in rows]
        if any(words):
            parts.append(f"{PREFIX}{name}={','.join(word or '.' for word in words)}".encode())
    return b";".join(parts) or vcf.MISSING


def _finish(plain: Path, head: bytes, path: Path, width: int | None, *, compress: bool) -> None:
    """Writes the header, which depends on all records, and then the records.

    Args:
        plain: The records.
        head: The header.
        path: The file to write.
        width: Number of columns to which shorter records are filled; None to fill none.
        compress: True to compress by bgzip.
    """
    uncompressed = plain.with_name(plain.name + ".whole") if compress else path
    try:
        with open(uncompressed, "wb") as handle, open(plain, "rb") as body:
            handle.write(head)
            if width is None:
                shutil.copyfileobj(body, handle)
            else:
                for line in body:
                    lacking = width - 1 - line.count(b"\t")
                    handle.write(line[:-1] + (b"\t" + vcf.MISSING) * lacking + b"\n")
        if compress:
            pysam.tabix_compress(str(uncompressed), str(path), force=True)
    finally:
        if compress:
            files.remove(uncompressed)


def _index(path: str, spans: list[tuple[bytes, int, int]]) -> None:
    """Removes the index of an earlier file, and indexes the records if they are sorted."""
    for suffix in _INDICES:
        files.remove(Path(path + suffix))
    if not _is_sorted((chrom, position) for chrom, position, _ in spans):
        return
    last = max((end for _, _, end in spans), default=0)
    verbosity = pysam.set_verbosity(0)
    try:
        pysam.tabix_index(path, preset="vcf", csi=last > _TBI_BASES)
    except OSError as error:
        _log.warning("%s: has no index, since htslib cannot make it (%s).", path, error)
        for suffix in _INDICES:
            files.remove(Path(path + suffix))
    finally:
        pysam.set_verbosity(verbosity)


def _token(text: str) -> str:
    """Returns text as an INFO value, without the characters that VCF reserves."""
    for character, plain in ((" ", "_"), (",", "&"), (";", "|"), ("=", ":")):
        text = text.replace(character, plain)
    return text


def _is_sorted(positions: Iterable[tuple[bytes, int]]) -> bool:
    """Returns True when each chromosome is one block of records, in the order of positions."""
    chroms: set[bytes] = set()
    last = (b"", -1)
    for chrom, position in positions:
        if chrom != last[0]:
            if chrom in chroms:
                return False
            chroms.add(chrom)
        elif position < last[1]:
            return False
        last = (chrom, position)
    return True
