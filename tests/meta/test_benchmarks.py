"""Benchmarks measure what they say: plain baselines, failing cases, and their environment."""

import ast
import os
import subprocess
import sys

import numpy as np
import pytest

from akita_bayes import files
from akita_bayes.data import genome, noise_table
from akita_bayes.models import load
from akita_bayes.models.passes import inference
from akita_bayes.variants import engine
from akita_bayes.variants import options as scoring
from benchmarks import environment, intervals, plain_pass, run, variant_speed
from benchmarks import inference as inference_benchmark
from tests import tiny


def test_the_plain_loop_of_variant_speed_calls_the_layers_of_keras(
    small_model, tmp_path, monkeypatch
):
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 1000))
    genome.write_fasta(tmp_path / "genome.fa", {"chr1": letters})

    def refuse(*_):
        raise AssertionError("the plain loop runs the inference pass")

    monkeypatch.setattr(inference, "compiled", refuse)
    with genome.Genome(tmp_path / "genome.fa") as opened:
        scorer = engine.Engine(small_model, opened, scoring.Options(scores=("SCD",)))
        layers = plain_pass.compiled(small_model)
        maps = variant_speed._predicted(layers, opened, scorer, variant_speed._snv(letters, 500))
    assert [table.shape for table in maps] == [(tiny.PIXELS, tiny.TARGETS)] * 2
    assert np.abs(maps[0] - maps[1]).max() > 0


def test_a_failing_case_ends_the_benchmark_with_its_error():
    with pytest.raises(
        SystemExit,
        match=r"(?s)no_such_spec, plain: the process ended with status 1"
        r".+no_such_spec\.json",
    ):
        inference_benchmark.compare("no_such_spec", ("plain",), 1)


def test_an_environment_names_kernels_and_load():
    described = environment.describe()
    kernels = described["kernels"]
    assert kernels["onednn"] in ("on", "off")
    assert set(kernels["instructions"]) <= set(environment._cpuinfo("flags").split())
    assert len(described["machine"]["load"]) == 3


def test_the_state_of_onednn_is_that_of_the_process():
    """This process has one state, and a process with the other setting has the other state."""
    own_state = environment.kernels()["onednn"]
    value, state = {"on": ("0", "off"), "off": ("1", "on")}[own_state]
    program = "from benchmarks import environment; print(environment.kernels())"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=run.ROOT,
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": value},
        capture_output=True,
        text=True,
        check=True,
    )
    kernels = ast.literal_eval(done.stdout.splitlines()[-1])
    assert kernels["onednn"] == state
    assert kernels["settings"] == {"TF_ENABLE_ONEDNN_OPTS": value}


def test_the_benchmark_of_intervals_stores_all_that_it_prints(
    small_model, tmp_path, monkeypatch, capsys
):
    data = tiny.write_data(tmp_path / "data", train=1, valid=12, test=12)
    shape = (tiny.TARGETS, tiny.BINS - tiny.OFFSET)
    table = noise_table.NoiseTable(
        np.full(shape, 0.01), np.zeros(shape), np.ones(shape, int), tiny.OFFSET, "known"
    )
    noise_table.write(data, table)
    monkeypatch.setattr(load, "load_model", lambda _: small_model)
    result = tmp_path / "intervals.json"
    intervals.main(["RUN", str(data), "--draws", "2", "--result", str(result)])
    stored = files.read_json(result)
    assert (stored["run"], stored["data"]) == ("RUN", str(data))
    assert stored["machine"]["cpu"]
    assert list(stored["states"]) == list(intervals.STATES)
    printed = capsys.readouterr().out
    for name in ("crps", "spearman", f"crps{intervals.EXACT}", "measurement coverage"):
        for numbers in stored["states"].values():
            assert f"    {name}: {numbers[name]:.5f}\n" in printed
    fitted = stored["states"]["fitted"]
    assert len(fitted["measurement by decile"]) == 10 * tiny.TARGETS
    assert fitted["truth coverage"] is None
    assert fitted["aggregates"]["kinds"]
