"""The whole road: letters to coolers, coolers to records, records to a model, a model to its r."""

import numpy as np
import pytest

from akita_bayes import files
from akita_bayes.data.preparation import check, data_directory, data_options, training_windows
from akita_bayes.data.records import dataset, statistics, tfrecord
from akita_bayes.evaluate import accuracy
from akita_bayes.models import zoo
from akita_bayes.simulate import chromatin
from akita_bayes.simulate.simulation_folder import simulation
from akita_bayes.training import fit

BLOCK = {"name": "conv_block", "kernel_size": 11, "pool_size": 8}


def spec(design, cropping):
    return zoo.parse_spec(
        {
            "train": {"batch_size": 4, "learning_rate": 0.003, "optimizer": "adam", "loss": "mse"},
            "model": {
                "seq_length": design.seq_length,
                "diagonal_offset": 2,
                "augment_rc": True,
                "activation": "relu",
                "trunk": [{**BLOCK, "filters": 8} for _ in range(3)],
                "head_hic": [
                    {"name": "one_to_two", "operation": "mean"},
                    {"name": "concat_dist_2d"},
                    {"name": "conv_block_2d", "filters": 4, "kernel_size": 3},
                    {"name": "symmetrize_2d"},
                    {"name": "cropping_2d", "cropping": cropping},
                    {"name": "upper_tri", "diagonal_offset": 2},
                    {"name": "final", "units": len(design.cell_types), "activation": "linear"},
                ],
            },
        }
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory, small_design):
    return simulation.simulate(tmp_path_factory.mktemp("road") / "world", small_design, workers=1)


@pytest.fixture(scope="module")
def coolers_data(world, small_design):
    size = small_design.physics.bin_size
    options = data_options.DataOptions(
        world / "genome.fa",
        world / "targets.txt",
        chromatin.transform(small_design.seq_length // size, size, small_design.crop // size),
        windows=tuple(
            training_windows.read_windows(
                world / "sequences.bed", data_options.read_assembly(world / "genome.fa")
            )
        ),
    )
    data_directory.make(options, world.parent / "coolers_data")
    return world.parent / "coolers_data"


def records(folder, split):
    layout = statistics.read(folder)
    return {
        record.region: record
        for path in (folder / "tfrecords").glob(f"{split}-*")
        for record in tfrecord.read_records(path, layout)
    }


def test_coolers_make_the_records_that_were_simulated(world, coolers_data):
    assert [finding for finding in check.check(coolers_data) if not finding.passed] == []
    processed, simulated = records(coolers_data, "test"), records(world, "test")
    assert processed.keys() == simulated.keys()
    pairs = []
    for region, record in processed.items():
        twin = simulated[region]
        np.testing.assert_array_equal(record.sequence, twin.sequence)
        both = record.mask & twin.mask
        pairs.append((record.target[both], twin.target[both]))
    ours, theirs = (np.concatenate(values).astype(float) for values in zip(*pairs, strict=True))
    assert np.corrcoef(ours, theirs)[0, 1] > 0.95


def test_a_model_of_them_is_trained_and_judged(coolers_data, small_design, tmp_path):
    size = small_design.physics.bin_size
    run = fit.fit(
        spec(small_design, small_design.crop // size),
        coolers_data,
        out_dir=tmp_path / "run",
        epochs=1,
        devices="cpu",
        tensorboard=False,
    )
    written = files.read_json(coolers_data / "summary.json")["written"]
    report = accuracy.assess(run.model(), coolers_data, examples=1)
    where, by_window = report.windows
    bed = dataset.open_split(coolers_data, "test", batch_size=1).regions()
    assert where == [f"{chrom}:{start}-{end}" for chrom, start, end in bed]
    assert by_window.shape == (written["test"], len(small_design.cell_types))
    valid = accuracy.assess(run.model(), coolers_data, split="valid", examples=0)
    assert np.mean(valid.model.table()["mse"][:-1]) == pytest.approx(
        run.best["valid_mse"], rel=1e-3
    )
    assert len(report.strata) == len(report.by_distance)
    assert np.isfinite(report.model.table()["pearsonr"]).all()
