"""A model and data sets small enough to train in a test: maps of 12 bins from 256 bases."""

import copy

import numpy as np

from akita_bayes import dna, regions, triangle
from akita_bayes.data.records import statistics, tfrecord

SEQ_LENGTH, POOL, CROP, OFFSET, TARGETS = 256, 16, 2, 2, 2
BINS = SEQ_LENGTH // POOL - 2 * CROP
PIXELS = triangle.length(BINS, OFFSET)

SPEC = {
    "train": {
        "batch_size": 4,
        "loss": "mse",
        "optimizer": "adam",
        "learning_rate": 0.01,
        "clip_norm": 2.0,
        "train_epochs_max": 3,
        "shuffle_buffer": 8,
    },
    "model": {
        "seq_length": SEQ_LENGTH,
        "diagonal_offset": OFFSET,
        "augment_rc": True,
        "augment_shift": 2,
        "activation": "relu",
        "norm_type": "batch",
        "bn_momentum": 0.9,
        "trunk": [
            {"name": "conv_block", "filters": 6, "kernel_size": 5, "pool_size": 16, "dropout": 0.1}
        ],
        "head_hic": [
            {"name": "one_to_two", "operation": "mean"},
            {"name": "concat_dist_2d"},
            {"name": "conv_block_2d", "filters": 4, "kernel_size": 3},
            {"name": "symmetrize_2d"},
            {"name": "cropping_2d", "cropping": CROP},
            {"name": "upper_tri", "diagonal_offset": OFFSET},
            {"name": "final", "units": TARGETS, "activation": "linear"},
        ],
    },
}


def spec_json(*, heads=("hic",), model=(), **train):
    """The spec as a dictionary; heads with a number of units other than TARGETS as (name, n)."""
    spec = copy.deepcopy(SPEC)
    spec["train"] |= train
    spec["model"] |= dict(model)
    blocks = spec["model"].pop("head_hic")
    for head in heads:
        name, units = (head, TARGETS) if isinstance(head, str) else head
        spec["model"][f"head_{name}"] = [*blocks[:-1], {**blocks[-1], "units": units}]
    return spec


def records(count, *, seed=0, targets=TARGETS, masked=0.1):
    """Windows whose map is the GC content of both bins and the distance between them."""
    random = np.random.default_rng(seed)
    rows, columns = triangle.indices(BINS, OFFSET)
    for index in range(count):
        gc = np.repeat(random.uniform(0.1, 0.9, SEQ_LENGTH // POOL), POOL)
        sequence = np.where(
            random.random(SEQ_LENGTH) < gc,
            random.choice([1, 2], SEQ_LENGTH),
            random.choice([0, 3], SEQ_LENGTH),
        ).astype(np.uint8)
        content = np.isin(sequence, (1, 2)).reshape(-1, POOL).mean(1)[CROP : CROP + BINS]
        signal = 2 * (content[rows] + content[columns]) - 0.2 * (columns - rows)
        noise = random.normal(0, 0.1, (PIXELS, targets))
        target = (signal[:, None] * np.arange(1, targets + 1) + noise).astype(np.float16)
        yield tfrecord.Record(
            sequence,
            target,
            random.random(target.shape) >= masked,
            regions.Region("chr1", index * SEQ_LENGTH, (index + 1) * SEQ_LENGTH),
        )


def write_data(folder, *, train=24, valid=6, test=7, seed=0, targets=TARGETS, per_file=6, factor=1):
    """A data directory with `records` in every split, whose maps are multiplied by a factor."""
    counts = {"train": train, "valid": valid, "test": test}
    statistics.write(
        folder,
        statistics.Statistics(
            seq_length=SEQ_LENGTH,
            target_length=PIXELS,
            num_targets=targets,
            pool_width=POOL,
            crop_bp=CROP * POOL,
            diagonal_offset=OFFSET,
            seq_1hot=True,
            seqs=counts,
        ),
    )
    for number, (split, count) in enumerate(counts.items()):
        written = [
            record._replace(target=record.target * np.float16(factor))
            for record in records(count, seed=10 * seed + number, targets=targets)
        ]
        for start in range(0, count, per_file):
            path = folder / "tfrecords" / f"{split}-{start // per_file}.tfr"
            tfrecord.write_records(path, written[start : start + per_file])
    lines = [f"{t}\tcell{t}\tcell{t}.cool\tcell type {t}" for t in range(targets)]
    (folder / "targets.txt").write_text(
        "\n".join(["\tidentifier\tfile\tdescription", *lines]) + "\n"
    )
    return folder


def one_hot(count, *, seed=0):
    """Sequences as a model takes them. [B, L, 4]."""
    return np.stack([dna.index_to_one_hot(r.sequence) for r in records(count, seed=seed)])
