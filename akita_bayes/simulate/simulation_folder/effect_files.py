"""Writes variants of known effect: a VCF to score, and a table of the true effects."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pysam

from akita_bayes.simulate import chromosomes, effects
from akita_bayes.simulate.designs import Design

VARIANTS, TABLE = "variants.vcf", "variants.tsv"


def write(
    folder: str | Path,
    chromosomes: list[chromosomes.Chromosome],
    design: Design,
    *,
    seed: int,
) -> None:
    """Writes `variants.vcf` and `variants.tsv`, the table with the true effects.

    The table has one row per variant. `scd_{cell}` is the square root of the sum of squares of
    `true_change` over paired pixels.
    """
    folder = Path(folder)
    edits = []
    for chromosome in chromosomes:
        chromosome_effects = effects.choose(
            chromosome,
            design.physics,
            margin=design.seq_length,
            per_kind=design.variants,
            seed=seed,
        )
        edits += [(effect, chromosome.sequence) for effect in chromosome_effects]
    edits.sort(key=lambda edit: (edit[0].chrom, edit[0].start, edit[0].end, edit[0].kind))
    rows = []
    with pysam.VariantFile(str(folder / VARIANTS), "w", header=_header(chromosomes)) as out:
        for number, (effect, sequence) in enumerate(edits, 1):
            record = out.new_record(**_record(effect, sequence, f"v{number}"))
            out.write(record)
            row = {"id": record.id, "chrom": effect.chrom, "start": effect.start}
            row |= {"end": effect.end, "kind": effect.kind, "type": _type(effect)}
            row |= {"neutral": effect.kind.startswith("neutral")}
            scd = np.sqrt(np.nansum(effects.true_change(effect, sequence, design) ** 2, axis=0))
            row |= dict(zip([f"scd_{cell}" for cell in design.cell_types], scd, strict=True))
            rows.append(row)
    columns = ["id", "chrom", "start", "end", "kind", "type", "neutral"]
    columns += [f"scd_{cell}" for cell in design.cell_types]
    pd.DataFrame(rows, columns=columns).to_csv(
        folder / TABLE, sep="\t", index=False, float_format="%.6g"
    )


def _type(effect: effects.Effect) -> str:
    if _is_symbolic(effect):
        return {"deletion": "DEL", "inversion": "INV", "duplication": "DUP"}[
            effect.kind.rpartition("_")[2]
        ]
    length = effect.end - effect.start
    if len(effect.alt) == length:
        return "SNV" if length == 1 else "MNV"
    return "DEL"


def _is_symbolic(effect: effects.Effect) -> bool:
    """Returns True for an edit of whole bins, whose ALT is a symbol such as <DEL>."""
    return "stretch" in effect.kind


def _header(chromosomes: list[chromosomes.Chromosome]) -> pysam.VariantHeader:
    header = pysam.VariantHeader()
    for chromosome in chromosomes:
        header.contigs.add(chromosome.name, len(chromosome.sequence))
    # pysam adds END with the first record that needs it, which is too late behind other records.
    header.info.add("END", 1, "Integer", "Last base of the variant")
    header.info.add("SVTYPE", 1, "String", "Type of structural variant")
    header.info.add("SVLEN", 1, "Integer", "Difference in length between ALT and REF")
    header.info.add("KIND", 1, "String", "What the simulation knows about the variant")
    for name, words in (("DEL", "Deletion"), ("INV", "Inversion"), ("DUP", "Tandem duplication")):
        header.add_line(f'##ALT=<ID={name},Description="{words}">')
    return header


def _record(effect: effects.Effect, sequence: str, name: str) -> dict[str, Any]:
    """Returns the arguments of `new_record`; deletions start at the base before, as in VCF."""
    info: dict[str, str | int] = {"KIND": effect.kind}
    anchored = _is_symbolic(effect) or not effect.alt
    start = effect.start - anchored  # True counts as 1
    reference, alt = sequence[start : effect.end], sequence[start] * anchored + effect.alt
    if _is_symbolic(effect):
        kind = _type(effect)
        reference, alt = sequence[start], f"<{kind}>"
        length = effect.end - effect.start
        info |= {"SVTYPE": kind, "SVLEN": -length if kind == "DEL" else length}
        if kind == "INV":
            info["SVLEN"] = 0
    return {
        "contig": effect.chrom,
        "start": start,
        "stop": effect.end,
        "id": name,
        "alleles": (reference, alt),
        "info": info,
    }
