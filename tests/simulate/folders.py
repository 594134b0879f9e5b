"""What tests read from folders of a simulation."""

import numpy as np

from akita_bayes import regions
from akita_bayes.data.records import statistics, tfrecord
from akita_bayes.simulate import chromatin


def records(folder, split):
    """The records of a split that has one file."""
    return list(
        tfrecord.read_records(folder / "tfrecords" / f"{split}-0.tfr", statistics.read(folder))
    )


def check_truth(folder, genome, design, count=None):
    """Compares the stored truth of test windows with that of their letters and flanks, cropped."""
    stored = np.load(folder / "truth" / "test.npz")["truth"]
    flank, crop = design.physics.flank, design.crop // design.physics.bin_size
    for number, record in enumerate(records(folder, "test")[:count]):
        chrom, start, end = record.region
        letters = genome.fetch(regions.Region(chrom, start - flank, end + flank))
        for cell, name in enumerate(design.cell_types):
            truth = chromatin.truth(letters, design.physics, name, flank=flank)
            cropped = truth[crop:-crop, crop:-crop]
            expected = cropped[np.triu_indices(len(cropped), 2)]
            np.testing.assert_allclose(stored[number, :, cell], expected, atol=2e-3)
