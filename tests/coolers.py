"""A genome of three short chromosomes and coolers on it, for tests of the contact pipeline."""

from pathlib import Path

import numpy as np
import pandas as pd

from akita_bayes.data import coolers, genome

BIN = 200
SIZES = {"chr1": 40_000, "chr2": 24_000, "chr3": 2_000}
CLI = ["-l", "3200", "-c", "400", "--as_obsexp", "--clip", "2", "-v", "0.2", "-t", "0.2"]


def pixels(sizes, seed, depth=60.0):
    """Poisson counts that decay with distance, within chromosomes."""
    random = np.random.default_rng(seed)
    tables, first = [], 0
    for size in sizes.values():
        bins = -(-size // BIN)
        rows, columns = np.triu_indices(bins)
        counts = random.poisson(depth / (1 + columns - rows))
        tables.append(
            pd.DataFrame({"bin1_id": rows + first, "bin2_id": columns + first, "count": counts})
        )
        first += bins
    table = pd.concat(tables)
    return table[table["count"] > 0]


def weights(sizes, seed, filtered=0.05):
    """Weights near 0.1, NaN for some bins."""
    random = np.random.default_rng(seed)
    bins = sum(-(-size // BIN) for size in sizes.values())
    values = random.uniform(0.08, 0.12, bins)
    values[random.random(bins) < filtered] = np.nan
    return values


def write(path, *, sizes=SIZES, seed=0, depth=60.0, filtered=0.05):
    """Writes one cooler."""
    coolers.write_cooler(
        path,
        sizes,
        BIN,
        pixels(sizes, seed, depth),
        weights=weights(sizes, seed, filtered),
    )
    return path


def world(folder: Path) -> Path:
    """Writes genome.fa, a.cool, b.cool and targets.txt; returns the folder."""
    random = np.random.default_rng(1)
    letters = np.array(list("ACGT"))
    sequences = {name: "".join(random.choice(letters, size)) for name, size in SIZES.items()}
    genome.write_fasta(folder / "genome.fa", sequences)
    write(folder / "a.cool", seed=1)
    write(folder / "b.cool", seed=2)
    table = "index\tidentifier\tfile\tclip\tdescription\n0\tA\ta.cool\t2\tfirst\n1\tB\tb.cool\t\t\n"
    (folder / "targets.txt").write_text(table)
    return folder
