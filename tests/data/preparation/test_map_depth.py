"""A shallow map is recognised, and a bin width that suffices is named."""

import dataclasses
import logging

import numpy as np
import pytest

from akita_bayes.data.contacts import cooler_files, counts_to_targets
from akita_bayes.data.preparation import data_options, data_plan, map_depth, training_windows
from tests import coolers as world

SIZES = {"chr1": 40_000}


def plan_of(folder, depth, *, bins=64, offsets=2):
    """A map with checkerboard compartments of 20 bins, of a number of contacts per pixel."""
    world.world(folder)
    random = np.random.default_rng(5)
    table = world.pixels(SIZES, 1, depth=1e4)
    group = [table[name] // 20 % 2 for name in ("bin1_id", "bin2_id")]
    rate = depth * np.where(group[0] == group[1], 1.3, 0.7)
    rate = rate / (1 + table["bin2_id"] - table["bin1_id"]) ** 0.5
    table["count"] = random.poisson(rate)
    table = table[table["count"] > 0]
    sizes = {**SIZES, "chr2": 24_000, "chr3": 2000}
    values = world.weights(sizes, 1)
    cooler_files.write_cooler(folder / "a.cool", sizes, world.BIN, table, weights=values)
    (folder / "targets.txt").write_text("identifier\tfile\nA\ta.cool\n")
    transform = counts_to_targets.Transform(
        bins * world.BIN, world.BIN, 400, offsets, as_obsexp=True, kernel_sigma=1.0
    )
    layout = training_windows.Layout(
        seq_length=bins * world.BIN, snap=world.BIN, stride_train=0.25, valid=(), test=()
    )
    options = data_options.DataOptions(
        folder / "genome.fa", folder / "targets.txt", transform, layout
    )
    plan = data_plan.plan(options)
    usable = [window for window in plan.usable if window.region.chrom == "chr1"]
    return plan._replace(usable=usable)


def test_a_deep_map_suffices(tmp_path, caplog):
    plan = plan_of(tmp_path, 200.0)
    (depth,) = map_depth.measure(plan, 0)
    assert depth.suffices
    assert depth.bin_width == 200
    assert depth.correlation > 0.9
    with caplog.at_level("INFO"):
        map_depth.log_shallow(plan)
    assert "A: deep enough for bins of 200 bases" in caplog.text


def test_a_shallow_map_is_told_with_a_sufficient_width(tmp_path, caplog):
    plan = plan_of(tmp_path, 5.0)
    depths = map_depth.measure(plan, 0)
    assert not depths[0].suffices
    assert [depth.bin_width for depth in depths] == [200, 400, 600, 800][: len(depths)]
    assert depths[-1].suffices
    assert all(not depth.suffices for depth in depths[:-1])
    assert depths == map_depth.measure(plan, 0)
    with caplog.at_level(logging.WARNING):
        map_depth.log_shallow(plan)
    assert "A: too shallow for bins of 200 bases: the targets of two halves" in caplog.text
    assert f"give -w {depths[-1].bin_width} and a map of that resolution" in caplog.text
    # The width that is named is deep enough as a map of its own.
    wide = depths[-1].bin_width // 200
    counts = np.triu(np.random.default_rng(0).poisson(3, (64, 64)))
    joined = map_depth._widen_counts(counts, np.ones(64), wide)
    assert joined.sum() == counts[: 64 // wide * wide, : 64 // wide * wide].sum()


def test_a_map_of_noise_is_told_that_no_width_suffices(tmp_path, caplog):
    plan = plan_of(tmp_path, 0.01)
    with caplog.at_level(logging.WARNING):
        map_depth.log_shallow(plan)
    assert "no bin width up to 800 bases suffices" in caplog.text
    (first, *_) = map_depth.measure(plan, 0)
    assert first.empty > 0.9
    assert map_depth.measure(plan._replace(usable=[]), 0) == []


def test_weights_of_wider_bins():
    weights = np.array([0.5, 0.25, np.nan, 1.0, np.nan, np.nan, 0.5])
    wide = map_depth._widen_weights(weights, 2)
    # 1 / mean(2, 4); one of two filtered bins is not more than half.
    assert wide[0] == pytest.approx(1 / 3)
    assert np.isnan(wide[1:]).all()
    transform = counts_to_targets.Transform(3200, 200, 600, global_obsexp=True)
    wider = map_depth._widen_transform(transform, 2)
    assert (wider.seq_length, wider.pool_width, wider.crop) == (3200, 400, 400)
    assert wider.as_obsexp
    assert not wider.global_obsexp
    assert dataclasses.replace(wider, crop=0).map_bins == 8


@pytest.mark.parametrize(
    ("genome", "cooler", "width", "bins", "suffices", "deep_width"),
    [
        ("yeast/sacCer3.2bit", "../hic/scer_w303_g1_2kb_SRR8769554.cool", 2000, 64, False, 4000),
        ("yeast/sacCer3.2bit", "yeast/yeast.10kb.v3.cool", 10_000, 32, True, 10_000),
        ("ecoli/GCF_000005845.2.fna.gz", "ecoli/ecoli_SRX3451210_9897.cool", 9897, 64, True, 9897),
    ],
)
def test_real_maps(real_data, tmp_path, genome, cooler, width, bins, suffices, deep_width):
    (tmp_path / "targets.txt").write_text(f"identifier\tfile\nA\t{real_data / 'genome' / cooler}\n")
    transform = counts_to_targets.Transform(bins * width, width, as_obsexp=True, kernel_sigma=1.0)
    layout = training_windows.Layout(
        seq_length=bins * width, snap=width, stride_train=0.25, valid=(), test=()
    )
    options = data_options.DataOptions(
        real_data / "genome" / genome, tmp_path / "targets.txt", transform, layout
    )
    depths = map_depth.measure(data_plan.plan(options), 0, seed=1)
    assert depths[0].suffices is suffices
    assert depths[-1].suffices
    assert depths[-1].bin_width == deep_width
