"""A genome of three short chromosomes and coolers on it, for tests of the contact pipeline."""

from pathlib import Path

import cooler
import numpy as np
import pandas as pd

from akita_bayes import workers
from akita_bayes.data import assembly, genome
from akita_bayes.data.contacts import contact_file, cooler_files, coolers, counts_to_targets
from akita_bayes.data.preparation import data_directory, data_options, training_windows
from akita_bayes.data.records import statistics, tfrecord

BIN = 200
SIZES = {"chr1": 40_000, "chr2": 24_000, "chr3": 2_000}
TRANSFORM = counts_to_targets.Transform(3200, BIN, 400, as_obsexp=True)
LAYOUT = training_windows.Layout(
    seq_length=3200, snap=BIN, stride_train=0.25, stride_test=0.5, valid=0.2, test=0.2
)
CLI = ["-l", "3200", "-c", "400", "--as_obsexp", "--clip", "2"]
SHARES = ["-v", "0.2", "-t", "0.2"]


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
    cooler_files.write_cooler(
        path,
        sizes,
        BIN,
        pixels(sizes, seed, depth),
        weights=weights(sizes, seed, filtered),
    )
    return path


def write_pixels(path, table, *, sizes=SIZES, values=None, dtype=int, **options):
    """Writes a cooler of any table of pixels, as other programs may, in the order of its rows."""
    bins = cooler.binnify(pd.Series(sizes), BIN)
    bins["weight"] = weights(sizes, 1) if values is None else values
    checks = {"boundscheck": False, "triucheck": False, "dupcheck": False}
    cooler.create_cooler(
        str(path), bins, iter([table]), ordered=True, dtypes={"count": dtype}, **checks, **options
    )
    return path


def split_pixels(table, seed=0):
    """The same counts in several rows each, those of one bin in any order."""
    random = np.random.default_rng(seed)
    part = random.binomial(table["count"], 0.4)
    rows = pd.concat([table.assign(count=part), table.assign(count=table["count"] - part)])
    rows = rows.sample(frac=1, random_state=seed)
    return rows[rows["count"] > 0].sort_values("bin1_id", kind="stable")


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


def contacts(path, sizes=SIZES, *, circular=(), table=(), **fields):
    """Opens a cooler on a genome of these chromosomes."""
    genome_of = assembly.of(sizes, circular=circular, table=table)
    return coolers.Contacts(contact_file.Source(str(path), **fields), genome_of)


def options(folder, **fields):
    """Options of a data directory of a world; `windows` may be the path of a BED file."""
    if "windows" in fields:
        genome_of = data_options.read_assembly(folder / "genome.fa")
        fields["windows"] = tuple(training_windows.read_windows(fields["windows"], genome_of))
    defaults = {"transform": TRANSFORM, "layout": LAYOUT, "clip": 2.0, "seqs_per_tfr": 8}
    return data_options.DataOptions(
        folder / "genome.fa", folder / "targets.txt", **{**defaults, **fields}
    )


def make(folder, name="out", *, cluster=workers.HERE, restart=False, **fields):
    """Makes a data directory of a world; returns its summary."""
    return data_directory.make(
        options(folder, **fields), folder / name, cluster=cluster, restart=restart
    )


def records_of(folder):
    """Every record of a data directory, by split and region."""
    layout = statistics.read(folder)
    return {
        (split, record.region): record
        for split in layout.seqs
        for path in (folder / "tfrecords").glob(f"{split}-*")
        for record in tfrecord.read_records(path, layout)
    }


def command(folder, *options):
    """Arguments of `akita_data.py` that make `out` of a world."""
    paths = [str(folder / "genome.fa"), str(folder / "targets.txt"), "-o", str(folder / "out")]
    shares = [] if "--windows" in options else SHARES
    return [*paths, *CLI, *shares, *options]
