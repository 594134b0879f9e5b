"""What akita_yeast learned: do deletions of known elements change the map more than random ones?

    python -m benchmarks.yeast_deletions sacCer3.2bit SGD_features.tab TRANSCRIPTS -o runs/deletions

`SGD_features.tab` is the table of features of the Saccharomyces Genome Database. TRANSCRIPTS is the
folder `annotations/verified-transcripts-nonoverlapping-NETseq-quintiles-plusonenucdyad` of
github.com/winston-lab/genomefiles-cerevisiae: transcripts in five groups by their NET-seq signal.
Both files are for the genome of release R64, sacCer3.

Every element is deleted, and so are random stretches of the same length on the same chromosome:
some from anywhere, and some whose GC content differs by at most 3 points. The effect of a deletion
is the SCD score, the norm of the change of the map. Within each group of one element and its random
stretches, the label "element" is permuted; p is the share of permutations whose mean log score is
at least that of the elements (one-sided, with one added to both counts).
"""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.figure
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors, files, regions
from akita_bayes.data import assembly, genome
from benchmarks import environment, yeast_data

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "yeast_deletions.json"
FIGURE = ROOT / "docs" / "images" / "yeast_deletions.png"

RANDOM = 4
"""Random deletions of each kind for every element."""
GC_DIFFERENCE = 0.03
PROMOTER = 300
"""Bases upstream of a transcript that count as its promoter."""
SAMPLE = 150
"""Transcripts of each quintile, drawn at random."""
LONGEST = 4000
"""Longest deletion; longer transcripts are left out."""
EDGE = 40_000
"""Bases at the ends of chromosomes without deletions: half a window and a margin."""
PERMUTATIONS = 9999


class Element(NamedTuple):
    """Holds a stretch of the genome and its class."""

    kind: str
    region: regions.Region


def features(path: Path, reference: genome.Genome) -> list[Element]:
    """Reads tRNA genes, centromeres and origins of replication from the table of SGD.

    Raises:
        DataError: The table belongs to another release of the genome: fewer than 99 % of its
            verified reading frames begin with ATG.
    """
    kinds = {"tRNA_gene": "tRNA genes", "centromere": "centromeres", "ARS": "origins (ARS)"}
    table = pd.read_csv(
        path, sep="\t", header=None, usecols=[1, 2, 8, 9, 10, 11], dtype=str, quoting=3
    )
    table.columns = ["type", "qualifier", "chromosome", "start", "end", "strand"]
    elements, starts = [], []
    for row in table.dropna(subset=["chromosome", "start", "end"]).itertuples():
        if not (row.chromosome.isdecimal() and 1 <= int(row.chromosome) <= 16):
            continue
        first, last = sorted((int(row.start), int(row.end)))
        region = regions.Region(chromosome_name(int(row.chromosome)), first - 1, last)
        if row.type in kinds:
            elements.append(Element(kinds[row.type], region))
        elif row.type == "ORF" and row.qualifier == "Verified" and row.strand == "W":
            starts.append(reference.fetch(region._replace(end=region.start + 3)).upper())
    share = np.mean([letters == "ATG" for letters in starts]) if starts else 0.0
    if share < 0.99:
        raise errors.DataError(
            f"{path}: only {share:.0%} of the verified reading frames begin with ATG in this "
            "genome; take the table of the same release."
        )
    return elements


def transcripts(folder: Path, random: np.random.Generator) -> list[Element]:
    """Draws promoters and bodies of the most and the least transcribed fifth of transcripts."""
    elements = []
    for quintile, name in ((1, "most transcribed"), (5, "least transcribed")):
        (path,) = folder.glob(f"*plusone-nucdyad-NETseq-quintile-{quintile}.bed")
        table = pd.read_csv(path, sep="\t", header=None, usecols=[0, 1, 2, 5])
        table = table[(table[2] - table[1] <= LONGEST) & table[0].str.fullmatch(r"chr[IVX]+")]
        for row in table.iloc[random.permutation(len(table))[:SAMPLE]].itertuples(index=False):
            chrom, start, end, strand = row
            before = (start - PROMOTER, start) if strand == "+" else (end, end + PROMOTER)
            elements += [
                Element(f"promoters, {name}", regions.Region(chrom, *before)),
                Element(f"transcripts, {name}", regions.Region(chrom, start, end)),
            ]
    return elements


def chromosome_name(number: int) -> str:
    """Returns the name of a chromosome in sacCer3."""
    return f"chr{assembly.numeral(number)}"


class Stretches:
    """Draws random stretches of a genome that avoid all elements and the ends of chromosomes.

    Args:
        reference: The genome.
        elements: Elements that no stretch may overlap.
        seed: Seed of the draws.
    """

    def __init__(
        self, reference: genome.Genome, elements: Iterable[Element], seed: int = 0
    ) -> None:
        self._random = np.random.default_rng(seed)
        self._free: dict[str, NDArray[np.int64]] = {}
        self._gc: dict[str, NDArray[np.int64]] = {}
        for chrom in {element.region.chrom for element in elements}:
            letters = reference.fetch(regions.Region(chrom, 0, reference.sizes[chrom])).upper()
            gc = np.isin(np.frombuffer(letters.encode(), np.uint8), list(b"GC"))
            self._gc[chrom] = np.concatenate([[0], np.cumsum(gc)])
            occupied = np.zeros(len(letters), bool)
            occupied[:EDGE] = occupied[-EDGE:] = True
            for element in elements:
                if element.region.chrom == chrom:
                    occupied[element.region.start : element.region.end] = True
            self._free[chrom] = np.concatenate([[0], np.cumsum(occupied)])

    def usable(self, region: regions.Region) -> bool:
        """Returns True when a region lies at least EDGE bases from both ends."""
        size = len(self._gc[region.chrom]) - 1
        return region.start >= EDGE and region.end <= size - EDGE

    def gc(self, region: regions.Region) -> float:
        """Returns the share of G and C."""
        counts = self._gc[region.chrom]
        return float(counts[region.end] - counts[region.start]) / (region.end - region.start)

    def like(self, region: regions.Region, *, same_gc: bool) -> list[regions.Region]:
        """Returns RANDOM stretches of the same length on the same chromosome.

        Args:
            region: The element.
            same_gc: True for stretches whose GC content differs by at most GC_DIFFERENCE.

        Raises:
            DataError: The chromosome has no such stretch.
        """
        length = region.end - region.start
        cumulated = self._free[region.chrom]
        first = np.flatnonzero(cumulated[length:] == cumulated[:-length])
        if same_gc:
            counts = self._gc[region.chrom]
            gc = (counts[first + length] - counts[first]) / length
            first = first[np.abs(gc - self.gc(region)) <= GC_DIFFERENCE]
        if len(first) < RANDOM:
            raise errors.DataError(f"{region}: no {RANDOM} random stretches are like it.")
        starts = self._random.choice(first, RANDOM, replace=False)
        return [region._replace(start=int(s), end=int(s) + length) for s in starts]


def permuted(scores: NDArray[Any], *, seed: int = 0) -> dict[str, float]:
    """Compares each element's score with those of its random stretches.

    Args:
        scores: Scores; column 0 is the element. [n, 1 + RANDOM].
        seed: Seed of permutations and bootstrap.

    Returns:
        `ratio`, the ratio of geometric means of elements and stretches, its 95 % interval by a
        bootstrap over elements, and `p`.
    """
    random = np.random.default_rng(seed)
    logs = np.log(np.maximum(scores, 1e-12))
    rows = np.arange(len(logs))
    labels = random.integers(0, logs.shape[1], (PERMUTATIONS, len(logs)))
    total = logs.sum(axis=1)

    def contrast(column: NDArray[Any]) -> NDArray[Any]:
        """Returns the mean log score of the chosen column less that of the others."""
        return (column - (total - column) / (logs.shape[1] - 1)).mean(axis=-1)

    observed = contrast(logs[:, 0])
    exceeding = (contrast(logs[rows, labels]) >= observed - 1e-12).sum()
    ratios = logs[:, 0] - logs[:, 1:].mean(axis=1)
    means = ratios[random.integers(0, len(ratios), (2000, len(ratios)))].mean(axis=1)
    low, high = np.exp(np.quantile(means, (0.025, 0.975)))
    return {
        "ratio": float(np.exp(observed)),
        "ratio_low": float(low),
        "ratio_high": float(high),
        "p": float((exceeding + 1) / (PERMUTATIONS + 1)),
    }


def write_vcf(path: Path, deletions: Sequence[regions.Region], reference: genome.Genome) -> None:
    """Writes symbolic deletions, one record for each region in their order."""
    with files.atomic(path) as temporary, open(temporary, "w", encoding="ascii") as file:
        file.write("##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for number, region in enumerate(deletions):
            # POS is the base before the deletion, so that it equals the 0-based start.
            before = reference.fetch(region._replace(start=region.start - 1, end=region.start))
            info = f"SVTYPE=DEL;END={region.end}"
            fields = (region.chrom, region.start, number, before.upper(), "<DEL>", ".", ".", info)
            file.write("\t".join(map(str, fields)) + "\n")


def compare(elements: Sequence[Element], stretches: Stretches, out: Path, fasta: Path) -> Any:
    """Scores all deletions and compares every kind of element with its random stretches."""
    import akita_bayes as ab

    usable = [element for element in elements if stretches.usable(element.region)]
    groups: list[tuple[Element, list[regions.Region], list[regions.Region]]] = []
    left_out = 0
    for element in usable:
        try:
            groups.append(
                (
                    element,
                    stretches.like(element.region, same_gc=False),
                    stretches.like(element.region, same_gc=True),
                )
            )
        except errors.DataError:
            left_out += 1
    deletions = [
        region
        for element, anywhere, same_gc in groups
        for region in (element.region, *anywhere, *same_gc)
    ]
    with genome.Genome(fasta) as reference:
        write_vcf(out / "deletions.vcf", deletions, reference)
    table = ab.score_variants(
        ab.load_model("akita_yeast"), out / "deletions.vcf", fasta=fasta, scores="SCD", rc=True
    )
    scores = table["SCD:0"].to_numpy().reshape(len(groups), 1 + 2 * RANDOM)
    complete = np.isfinite(scores).all(axis=1)
    kinds = list(dict.fromkeys(element.kind for element, *_ in groups))
    tested = {chromosome_name(int(name.removeprefix("chr"))) for name in yeast_data.FOLDS[0]}
    rows = []
    for kind in kinds:
        for split in ("all", "test"):
            selected = complete & np.array(
                [
                    element.kind == kind and (split == "all" or element.region.chrom in tested)
                    for element, *_ in groups
                ]
            )
            if selected.sum() < 2:
                continue
            own = scores[selected]
            rows.append(
                {
                    "kind": kind,
                    "chromosomes": split,
                    "elements": int(selected.sum()),
                    "median": float(np.median(own[:, 0])),
                    "anywhere": permuted(own[:, : 1 + RANDOM]),
                    "same_gc": permuted(own[:, [0, *range(1 + RANDOM, 1 + 2 * RANDOM)]]),
                }
            )
    counts = {"elements": len(elements), "near_ends": len(elements) - len(usable)}
    counts |= {"without_match": left_out, "not_scored": int((~complete).sum())}
    return {"counts": counts, "random": RANDOM, "rows": rows}


def figure(rows: Sequence[Mapping[str, Any]]) -> matplotlib.figure.Figure:
    """Draws the ratio of each kind of element with its interval, for both kinds of stretches."""
    rows = [row for row in rows if row["chromosomes"] == "all"]
    result = matplotlib.figure.Figure(figsize=(7, 0.55 * len(rows) + 1.4), layout="constrained")
    axes = result.add_subplot()
    for shift, key, colour, label in (
        (-0.12, "anywhere", "#777777", "random stretches of the same length"),
        (0.12, "same_gc", "#0072B2", "... and of the same GC content"),
    ):
        ratio = np.array([row[key]["ratio"] for row in rows])
        low = np.array([row[key]["ratio_low"] for row in rows])
        high = np.array([row[key]["ratio_high"] for row in rows])
        axes.errorbar(
            ratio,
            np.arange(len(rows)) + shift,
            xerr=[ratio - low, high - ratio],
            fmt="o",
            color=colour,
            label=label,
        )
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    ticks = [0.5, 0.7, 1.0, 1.4, 2.0]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlim(ticks[0], ticks[-1])
    axes.set_yticks(np.arange(len(rows)), [f"{row['kind']} (n={row['elements']})" for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("effect of the deletion (SCD), relative to random deletions")
    result.legend(fontsize="small", loc="outside upper right", ncols=2)
    return result


def as_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns the Markdown table of docs/real.md."""
    lines = [
        "| deleted | n | beside random stretches | of the same GC content | test chromosomes: n | "
        "of the same GC content |",
        "|---|---|---|---|---|---|",
    ]
    tested = {row["kind"]: row for row in rows if row["chromosomes"] == "test"}
    for row in rows:
        if row["chromosomes"] == "all":
            own = tested[row["kind"]]
            cells = [row["kind"], row["elements"], _ratio(row["anywhere"]), _ratio(row["same_gc"])]
            cells += [own["elements"], _ratio(own["same_gc"])]
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _ratio(compared: Mapping[str, float]) -> str:
    ends = f"{compared['ratio_low']:.2f} to {compared['ratio_high']:.2f}"
    return f"{compared['ratio']:.2f} ({ends}), p {compared['p']:.2g}"


def main(argv: Sequence[str] | None = None) -> None:
    """Scores the deletions, and writes the result file and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("fasta", type=Path)
    parser.add_argument("features", type=Path)
    parser.add_argument("transcripts", type=Path)
    parser.add_argument("-o", "--out_dir", type=Path, default=Path("runs/deletions"))
    parser.add_argument("--result", type=Path, default=RESULT)
    parser.add_argument("--figure", type=Path, default=FIGURE)
    options = parser.parse_args(argv)
    options.out_dir.mkdir(parents=True, exist_ok=True)
    with genome.Genome(options.fasta) as reference:
        elements = features(options.features, reference)
        elements += transcripts(options.transcripts, np.random.default_rng(0))
        stretches = Stretches(reference, elements)
    result = compare(elements, stretches, options.out_dir, options.fasta)
    files.write_json(options.result, {**environment.describe(), **result})
    figure(result["rows"]).savefig(options.figure, dpi=110)
    print(f"wrote {options.result} and {options.figure}")


if __name__ == "__main__":
    main()
