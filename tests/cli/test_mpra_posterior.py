"""What mpra_posterior shows while it works and says when it is done; what it refuses."""

import contextlib
import json

import pytest

from akita_bayes.cli import console, mpra_compare, mpra_fit, mpra_posterior, mpra_simulate

SPEC = {
    "kind": "thermodynamic",
    "name": "one",
    "sequence_length": 3,
    "wild_type": "ACG",
    "energies": {"a": {"site": [0, 3]}},
    "states": {"free": {}, "a": {"energies": ["a"], "activity": 1}},
    "measurement": {"kind": "bins", "hidden": 3},
}


@pytest.fixture
def paths(tmp_path):
    spec, data = tmp_path / "spec.json", tmp_path / "data"
    spec.write_text(json.dumps(SPEC))
    small = ["--sequences", "200", "--reads", "2000", "--bins", "2", "--mutation_rate", "0.4"]
    assert mpra_simulate.main([str(spec), "-o", str(data), *small]) == 0
    return [str(spec), str(data), "-o", str(tmp_path / "out")]


def test_the_bar_counts_every_draw_and_lines_are_not_broken(paths, capsys, monkeypatch):
    totals, steps = [], []

    @contextlib.contextmanager
    def progress(description, total):
        totals.append(total)
        yield lambda count, **fields: steps.append(count)

    monkeypatch.setattr(console, "progress", progress)
    options = ["--knots", "3", "--optima", "1", "--starts", "1", "--chains", "2", "--bootstrap"]
    options += ["0", "--burn_in", "60", "--most_draws", "80", "--effective", "1e9"]
    assert mpra_posterior.main([*paths, *options]) == 0
    # 50 draws for each half of the burn-in, and 100 after it: all are made in chunks of 50.
    assert totals == [sum(steps)] == [200]
    (told,) = (line for line in capsys.readouterr().out.splitlines() if "R-hat" in line)
    assert told.startswith("Not converged: ")
    assert told.endswith(" s.")  # though longer than a screen is wide


@pytest.mark.parametrize("size", ["-400", "0", "nan"])
def test_a_sample_of_no_size_is_refused(paths, tmp_path, capsys, size):
    with pytest.raises(SystemExit) as stopped:
        mpra_posterior.main([*paths, "--effective", size])
    assert stopped.value.code == 2
    assert f"--effective: {size!r} is not a number above 0" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", [mpra_posterior, mpra_compare, mpra_fit, mpra_simulate])
def test_a_network_is_no_mechanism(repository, tmp_path, capsys, command):
    params = str(repository / "models" / "json" / "akita_tiny.json")
    data = [] if command is mpra_simulate else [str(tmp_path)]
    assert command.main([params, *data, "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "akita_tiny.json: is a network, not a mechanism; akita_train.py takes it." in said
    assert not (tmp_path / "out").exists()
