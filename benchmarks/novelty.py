"""The novelty of windows of akita_yeast: does it tell strange sequences from those of yeast?

    python -m benchmarks.novelty DATA [--save] [--windows 256]

DATA holds `genome/yeast/sacCer3.2bit` and `genome/ecoli/GCF_000005845.2.fna.gz`. The statistics are
of training chromosomes, and every AUROC compares windows of the test chromosomes, which had no part
in them, with windows made strange. Beside it stand two scores that need no network: the distance of
the GC content from its mean, and the same Mahalanobis distance of 3-mer frequencies. `--save`
writes the statistics beside the shipped model.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from akita_bayes import dna
from akita_bayes.data import genome as genomes
from akita_bayes.models import fingerprint, load, recalibration, shipped
from akita_bayes.models.intervals import novelty
from benchmarks import environment, run, yeast_data

RESULT = Path(__file__).with_name("results") / "novelty.json"
ECOLI = Path("genome") / "ecoli" / "GCF_000005845.2.fna.gz"
ROMAN = (
    *("I", "II", "III", "IV", "V", "VI", "VII", "VIII"),
    *("IX", "X", "XI", "XII", "XIII", "XIV", "XV", "XVI"),
)
SHIFT = 0.1
"""Rise of the GC content of shifted windows."""
KMER = 3


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and writes `results/novelty.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--windows", type=int, default=256, help="training windows")
    parser.add_argument("--tested", type=int, default=66, help="windows of every other kind")
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    model = load.load_model("akita_yeast")
    length = model.spec.model.seq_length
    held_out = {*yeast_data.VALID, *yeast_data.FOLDS[0]}
    rng = np.random.default_rng(0)
    with genomes.Genome(options.data / yeast_data.GENOME) as genome:
        groups = {
            "train": [name for name in yeast_data.NAMES if name not in held_out],
            "valid": list(yeast_data.VALID),
            "test": list(yeast_data.FOLDS[0]),
        }
        x = {
            split: windows(
                genome,
                [f"chr{ROMAN[int(name.removeprefix('chr')) - 1]}" for name in names],
                length,
                options.windows if split == "train" else options.tested,
            )
            for split, names in groups.items()
        }
    with genomes.Genome(options.data / ECOLI) as genome:
        x["foreign: E. coli"] = windows(genome, list(genome.sizes), length, options.tested)
    x["dinucleotides shuffled"] = np.stack([shuffled(row, rng) for row in x["test"]])
    x["bases shuffled"] = np.stack([rng.permutation(row) for row in x["test"]])
    x[f"GC + {SHIFT:g}"] = np.stack([shifted(row, rng) for row in x["test"]])
    scores: dict[str, dict[str, NDArray[Any]]] = {}
    of_trunk = {kind: _in_batches(model, rows) for kind, rows in x.items()}
    of_kmers = {kind: np.stack([kmers(row) for row in rows]) for kind, rows in x.items()}
    statistics = novelty.fit(of_trunk["train"], of_trunk["valid"])
    by_kmers = novelty.fit(of_kmers["train"], of_kmers["valid"])
    usual_gc = np.mean([gc(row) for row in x["train"]])
    for kind, rows in x.items():
        scores[kind] = {
            "trunk": statistics.distance(of_trunk[kind]),
            "3-mers": by_kmers.distance(of_kmers[kind]),
            "GC": np.abs(np.array([gc(row) for row in rows]) - usual_gc),
        }
    table = {
        kind: {
            name: {
                "auroc": auroc(scores["test"][name], values),
                "median": float(np.median(values)),
            }
            for name, values in of_kind.items()
        }
        for kind, of_kind in scores.items()
        if kind not in ("train", "valid")
    }
    above = float((scores["test"]["trunk"] > statistics.threshold).mean())
    for kind, row in table.items():
        print(kind, json.dumps(row))
    print(f"threshold {statistics.threshold:.3f}; of the test windows {above:.3f} lie above it")
    if options.save:
        folder = shipped.model_path("akita_yeast")
        weights = fingerprint.fingerprint(folder / recalibration.WEIGHTS)
        print(novelty.save(folder, statistics, weights))
    measured = {
        "windows": {kind: len(rows) for kind, rows in x.items()},
        "threshold": statistics.threshold,
        "test_above_threshold": above,
        "kinds": table,
    }
    run.write(options.result, {**environment.describe(), "measurements": measured})


def windows(
    genome: genomes.Genome, chromosomes: Sequence[str], length: int, number: int
) -> NDArray[np.uint8]:
    """Returns evenly spaced windows of chromosomes, as bases 0..4. [number, length]."""
    starts = [
        (chromosome, start)
        for chromosome in chromosomes
        for start in range(0, genome.sizes[chromosome] - length, length // 16)
    ]
    indices = np.linspace(0, len(starts) - 1, number).astype(int)
    return np.stack(
        [
            dna.to_index(genome.padded(starts[i][0], starts[i][1], starts[i][1] + length))
            for i in indices
        ]
    )


def _in_batches(model: Any, rows: NDArray[np.uint8], size: int = 16) -> NDArray[np.float64]:
    parts = [novelty.features(model, rows[i : i + size]) for i in range(0, len(rows), size)]
    return np.concatenate(parts)


def gc(row: NDArray[np.uint8]) -> float:
    """Returns the share of G and C."""
    return float(np.isin(row, (1, 2)).mean())


def kmers(row: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Returns frequencies of 3-mers, both strands together. [32]."""
    codes = sum(
        row[i : len(row) - KMER + 1 + i].astype(int) * 4 ** (KMER - 1 - i) for i in range(3)
    )
    without_unknown = np.lib.stride_tricks.sliding_window_view(row, KMER).max(1) < dna.UNKNOWN
    counts = np.bincount(codes[without_unknown], minlength=4**KMER).astype(float)
    digits = np.stack(np.unravel_index(np.arange(4**KMER), (4,) * KMER))
    reverse = np.ravel_multi_index(tuple(3 - digits[::-1]), (4,) * KMER)
    both = (counts + counts[reverse]) / counts.sum()
    return both[np.arange(4**KMER) <= reverse]


def shifted(row: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Replaces A by G and T by C at random places, until the GC content is `SHIFT` higher."""
    at = np.flatnonzero(np.isin(row, (0, 3)))
    changed = rng.choice(at, min(len(at), round(SHIFT * len(row))), replace=False)
    result = row.copy()
    result[changed] = np.where(row[changed] == 0, 2, 1)
    return result


def shuffled(row: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Shuffles a sequence and keeps every dinucleotide (Altschul and Erickson 1985).

    A random walk over all edges of the graph of dinucleotides: each base's edges are shuffled, and
    the last ones are drawn until they lead from every base to the last one.
    """
    last = int(row[-1])
    after = {int(base): row[1:][row[:-1] == base] for base in np.unique(row[:-1])}
    final: dict[int, int] = {}
    while not all(_leads(final, base, last) for base in after):
        final = {base: int(rng.choice(after[base])) for base in after if base != last}
    orders = {}
    for base, targets in after.items():
        targets = rng.permutation(targets)
        if base != last:
            position = int(np.flatnonzero(targets == final[base])[0])
            targets[[position, -1]] = targets[[-1, position]]
        orders[base] = iter(targets.tolist())
    result = [int(row[0])]
    for _ in range(len(row) - 1):
        result.append(next(orders[result[-1]]))
    return np.array(result, np.uint8)


def _leads(edges: dict[int, int], base: int, last: int) -> bool:
    visited = set()
    while base != last:
        if base in visited or base not in edges:
            return False
        visited.add(base)
        base = edges[base]
    return True


def auroc(usual: NDArray[Any], strange: NDArray[Any]) -> float:
    """Returns the chance that a strange window has the larger score."""
    statistic = scipy.stats.mannwhitneyu(strange, usual).statistic
    return float(statistic / (len(usual) * len(strange)))


if __name__ == "__main__":
    main()
