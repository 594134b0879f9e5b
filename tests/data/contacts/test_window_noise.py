"""`akita_data.py` writes the noise of its targets, from parts of the counts and from replicates."""

import cooler
import numpy as np
import pandas as pd
import pytest

from akita_bayes import errors, workers
from akita_bayes.data import noise_table
from akita_bayes.data.contacts import cooler_files, window_noise
from akita_bayes.data.preparation import data_directory, recorded_sources, targets
from tests import coolers as world
from tests.coolers import BIN, SIZES, TRANSFORM

DEPTH = 900.0
DISTANCES = TRANSFORM.map_bins - TRANSFORM.diagonal_offset
SPREAD = 0.3
"""Standard deviation of the logarithm of contacts between replicates, beyond counting."""


def write(path, table):
    """A cooler whose bins all have the weight 0.1, so that only noise makes pixels differ."""
    bins = sum(-(-size // BIN) for size in SIZES.values())
    cooler_files.write_cooler(path, SIZES, BIN, table, weights=np.full(bins, 0.1))


def repeat(seed, spread=0.0):
    """Poisson counts of one experiment, whose contacts vary by `spread` around the decay."""
    table = world.pixels(SIZES, 0, DEPTH)
    random = np.random.default_rng(seed)
    expected = DEPTH / (1 + table["bin2_id"] - table["bin1_id"]) / 2
    factor = np.exp(spread * random.standard_normal(len(table)))
    return table.assign(count=random.poisson(expected * factor)).query("count > 0")


def total(tables):
    """The sum of several tables of counts."""
    keys = ["bin1_id", "bin2_id"]
    return pd.concat(tables).groupby(keys, as_index=False)["count"].sum()


@pytest.fixture
def folder(tmp_path):
    """A world whose target A has no replicate and B has two that differ."""
    world.world(tmp_path)
    alike, different = [repeat(1), repeat(2)], [repeat(3, SPREAD), repeat(4, SPREAD)]
    for name, table in (
        ("a.cool", total(alike)),
        ("b.cool", total(different)),
        ("b1.cool", different[0]),
        ("b2.cool", different[1]),
    ):
        write(tmp_path / name, table)
    text = "identifier\tfile\treplicates\nA\ta.cool\t\nB\tb.cool\tb1.cool, b2.cool\n"
    (tmp_path / "targets.txt").write_text(text)
    return tmp_path


def read(folder):
    shape = {"bins": TRANSFORM.map_bins, "diagonal_offset": TRANSFORM.diagonal_offset}
    return noise_table.read(folder, targets=2, **shape)


def test_the_noise_is_the_scatter_of_targets_that_hold_nothing_else(folder):
    world.make(folder)
    noise = read(folder / "out")
    records = world.records_of(folder / "out").values()
    targets_of_records = np.stack([record.target for record in records]).astype(float)
    masks = np.stack([record.mask for record in records])
    for target in range(2):
        scatter = targets_of_records[..., target][masks[..., target]].var()
        # Windows overlap and their mean is the expectation, which takes a share of the scatter.
        weights = noise.pixels[target] / noise.pixels[target].sum()
        assert noise.variance[target] @ weights == pytest.approx(scatter, rel=0.15)
    # The map of both replicates has half of the variance between them, and its
    # counting noise; the mean of a distance in a window takes a share of both.
    gap = np.average(noise.variance[1, :4] - noise.variance[0, :4])
    assert SPREAD**2 / 4 < gap < SPREAD**2 / 2
    assert noise.method == (
        "target 0: 4 random parts of the counts; "
        "target 1: 2 replicates and 4 random parts of the counts"
    )


@pytest.mark.slow
def test_the_noise_does_not_depend_on_the_processes(folder):
    world.make(folder)
    world.make(folder, "two", cluster=workers.Cluster(2))
    text = (folder / "out" / noise_table.FILE_NAME).read_bytes()
    assert (folder / "two" / noise_table.FILE_NAME).read_bytes() == text


def test_the_table_and_a_restart_know_the_replicates(folder):
    world.make(folder)
    expected = [(), (str(folder / "b1.cool"), str(folder / "b2.cool"))]
    written = targets.read(folder / "out" / targets.FILE_NAME)
    assert [target.replicates for target in written] == expected
    recorded = recorded_sources.read(folder / "out")
    assert recorded is not None
    assert [target.replicates for target in recorded.sources.targets] == expected
    world.make(folder, restart=True)
    (folder / "targets.txt").write_text("identifier\tfile\nA\ta.cool\nB\tb.cool\n")
    with pytest.raises(errors.RunError, match="other"):
        world.make(folder, restart=True)


def test_an_unfinished_block_of_an_older_version_has_no_noise(folder, monkeypatch):
    monkeypatch.setattr(window_noise, "WINDOWS", 0)
    world.make(folder)
    assert not (folder / "out" / noise_table.FILE_NAME).exists()
    assert not (folder / "out" / data_directory.WORK).exists()


def test_counts_that_are_not_whole_numbers_have_no_noise(folder, caplog):
    caplog.set_level("INFO")
    table = cooler.Cooler(str(folder / "a.cool")).pixels()[:]
    world.write_pixels(folder / "a.cool", table.assign(count=table["count"] / 3), dtype=float)
    world.make(folder)
    assert not (folder / "out" / noise_table.FILE_NAME).exists()
    assert "not whole numbers" in caplog.text


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        ("b1.cool", "expected two or more different files"),
        ("b1.cool,b1.cool", "expected two or more different files"),
        ("b1.cool,a.cool", "give the file that sums up the replicates"),
        ("b1.cool,missing.cool", "missing.cool"),
    ],
)
def test_wrong_replicates_are_one_sentence(folder, column, sentence):
    text = f"identifier\tfile\treplicates\nA\ta.cool\t\nB\tb.cool\t{column}\n"
    (folder / "targets.txt").write_text(text)
    with pytest.raises(errors.DataError, match=sentence):
        world.make(folder)
