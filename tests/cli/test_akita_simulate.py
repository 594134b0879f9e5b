"""`akita_simulate.py`: its options reach the simulation, and what it says is what it made."""

import json
import re

import numpy as np
import pytest

from akita_bayes.cli import akita_simulate
from akita_bayes.data.records import statistics, tfrecord
from akita_bayes.simulate import design_json


def test_options_change_the_preset(tmp_path, capsys):
    out = tmp_path / "sim"
    options = "--preset tiny --genome_mb 0.15 --depth 900 --replicates 3 --stride 32768 --seed 4"
    status = akita_simulate.main([*options.split(), "--no_coolers", "-p", "1", "-o", str(out)])
    assert status == 0
    design = design_json.read(out)
    assert (design.genome_mb, design.depth, design.replicates) == (0.15, 900.0, 3)
    counts = statistics.read(out).seqs
    stdout = capsys.readouterr().out
    for split, count in counts.items():
        assert f"{count} {split}" in stdout
    replicate, best = (float(x) for x in re.findall(r"r (0\.\d+)", stdout))
    assert 0 < replicate < best < 1


def test_windows_longer_than_the_contacts_of_a_preset_lengthen_these(tmp_path):
    options = "--preset tiny --genome_mb 0.3 --seq_length 65536 --no_coolers -p 1"
    assert akita_simulate.main([*options.split(), "-o", str(tmp_path / "sim")]) == 0
    assert design_json.read(tmp_path / "sim").max_distance == 65536
    stats = statistics.read(tmp_path / "sim")
    assert (stats.seq_length, stats.bins) == (65536, 120)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--replicates 1", "at least 2 replicates"),
        ("--seq_length 5120", "nothing is left of a map that loses 2048 bp on each side"),
        ("--seq_length 1000", "not a whole number of 512-bp bins; choose a multiple"),
        ("--genome_mb 0.01", "fewer than four windows"),
        ("--replicate_r 0.2", "replicate_r 0.2 is out of range; choose 0.3 to 0.995."),
        ("--preset tiny --replicate_r 0.99", "r 0.8"),
        ("--design missing.json", "missing.json: no such file"),
        ("--depth 1e9", "coolers count to 2,147,483,647; simulate less than 1.1e+08."),
    ],
)
def test_bad_options_are_refused_in_one_line(tmp_path, capsys, options, says):
    status = akita_simulate.main([*options.split(), "-o", str(tmp_path / "sim")])
    stderr = capsys.readouterr().err
    assert status == 2
    assert says in stderr
    assert len(stderr.strip().splitlines()[-1]) > 10
    assert stderr.count("error:") == 1
    assert not (tmp_path / "sim").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("x")
    assert akita_simulate.main(["--preset", "tiny", "-o", str(tmp_path)]) == 2
    assert "choose another -o" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_realistic_design_reaches_the_correlation_that_is_asked_for(tmp_path, capsys):
    """Options and file change the preset; the summary and `simulation.json` say what came out."""
    (tmp_path / "design.json").write_text('{"genome_mb": 0.14, "variants": 2}')
    options = f"--preset realistic --design {tmp_path / 'design.json'} --replicate_r 0.8 -p 1"
    out = tmp_path / "sim"
    assert akita_simulate.main([*options.split(), "--no_coolers", "-o", str(out)]) == 0
    design = design_json.read(out)
    assert (design.genome_mb, design.variants) == (0.14, 2)
    assert design.measurement.replicate_r == 0.8
    replicate = float(re.findall(r"r (0\.\d+)", capsys.readouterr().out)[0])
    assert replicate == pytest.approx(0.8, abs=0.005)
    solved = json.loads((out / "simulation.json").read_text())["solved"]
    assert 0.1 < solved["replicate_bias"] < 0.4
    assert 0.01 < 1 - np.mean([mask_share(out, split) for split in ("valid", "test")]) < 0.3


def mask_share(folder, split):
    path = folder / "tfrecords" / f"{split}-0.tfr"
    records = tfrecord.read_records(path, statistics.read(folder))
    return np.mean([record.mask.mean() for record in records])
