"""mpra_simulate, mpra_compare and mpra_posterior, one after the other on one small experiment."""

import contextlib
import copy
import json

import numpy as np
import pandas as pd
import pytest

from akita_bayes.cli import console, mpra_compare, mpra_posterior, mpra_simulate
from akita_bayes.data import mpra_files

SPEC = {
    "kind": "thermodynamic",
    "name": "two_sites",
    "sequence_length": 8,
    "wild_type": "ACGTACGT",
    "energies": {"a": {"site": [0, 4]}, "b": {"site": [4, 8]}, "ab": {}},
    "states": {
        "free": {},
        "a": {"energies": ["a"]},
        "b": {"energies": ["b"], "activity": 1},
        "ab": {"energies": ["a", "b", "ab"], "activity": 1},
    },
    "measurement": {"kind": "bins", "hidden": 3},
    "truth": {"a": {"constant": 0.5}, "b": {"constant": 0.5}, "ab": {"constant": -2.5}},
}
LONE = copy.deepcopy(SPEC) | {
    "name": "one_site",
    "energies": {"a": {"site": [0, 4]}},
    "states": {"free": {}, "a": {"energies": ["a"], "activity": 1}},
    "truth": {},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mpra")
    for name, spec in (("two", SPEC), ("one", LONE)):
        (folder / f"{name}.json").write_text(json.dumps(spec))
    arguments = [str(folder / "two.json"), "-o", str(folder / "data"), "--sequences", "600"]
    arguments += ["--reads", "12000", "--bins", "3", "--noise", "0.4", "--mutation_rate", "0.3"]
    assert mpra_simulate.main(arguments) == 0
    return folder


def test_what_is_simulated_is_read_back(folder):
    (library,) = mpra_files.read(folder / "data").libraries
    assert library.observed.sum() == pytest.approx(12_000, rel=0.02)
    assert library.observed.shape[1] == 4  # three bins and the unsorted sample
    assert len(set(library.sequences)) == len(library.sequences)


def test_a_sweep_needs_design_and_then_reports_widths(folder, capsys):
    arguments = [str(folder / "two.json"), "-o", str(folder / "sweep"), "--reads", "3000,12000"]
    with pytest.raises(SystemExit):
        mpra_simulate.main(arguments)
    assert "swept with --design only" in capsys.readouterr().err
    arguments += ["--design", "--sequences", "300", "--bins", "3", "--mutation_rate", "0.3"]
    assert mpra_simulate.main(arguments) == 0
    table = pd.read_csv(folder / "sweep" / "design.tsv", sep="\t")
    assert list(table["reads"]) == [3000, 12000]
    assert table["ab"][1] < table["ab"][0]


def test_the_mechanism_that_made_the_data_is_ranked_first(folder):
    arguments = [str(folder / name) for name in ("one.json", "two.json", "data")]
    assert mpra_compare.main([*arguments, "-o", str(folder / "compared"), "--starts", "2"]) == 0
    table = pd.read_csv(folder / "compared" / "comparison.tsv", sep="\t")
    assert list(table["name"]) == ["two_sites", "one_site"]
    assert table["behind"][0] == 0
    assert table["behind_lower"][1] > 0


def test_a_posterior_is_summarised_in_two_units(folder, capsys, monkeypatch):
    totals, steps = [], []

    @contextlib.contextmanager
    def progress(description, total):
        totals.append(total)
        yield lambda count, **fields: steps.append(count)

    monkeypatch.setattr(console, "progress", progress)
    arguments = [str(folder / "two.json"), str(folder / "data"), "-o", str(folder / "posterior")]
    arguments += ["--knots", "5", "--optima", "1", "--starts", "2", "--chains", "2"]
    arguments += ["--burn_in", "60", "--most_draws", "80", "--effective", "1e9"]
    assert mpra_posterior.main([*arguments, "--bootstrap", "0"]) == 0
    # Halves of the burn-in of 50 each, and 100 draws, none of which is one too many to count.
    assert totals == [sum(steps)] == [200]
    (told,) = (line for line in capsys.readouterr().out.splitlines() if "R-hat" in line)
    assert told.startswith("Not converged: ")
    assert told.endswith(" s.")  # though longer than a screen is wide
    table = pd.read_csv(folder / "posterior" / "posterior.tsv", sep="\t").set_index("name")
    assert (table["lower"] < table["upper"]).all()
    np.testing.assert_allclose(
        table.loc["ab", "mean_kcal"], 0.61633 * table.loc["ab", "mean"], rtol=1e-4
    )
    draws = np.load(folder / "posterior" / "draws.npz")
    assert np.isfinite(draws["log_density"]).all()
    assert draws["theta"].shape[-1] == len(draws["names"])
    summary = json.loads((folder / "posterior" / "posterior.json").read_text())
    assert summary["bootstrap"] is None
    (mode,) = summary["convergence"]["modes"]
    assert (mode["fits"], mode["chains"]) == (1, 2)
    assert mode["log_evidence"] < mode["log_density"]


@pytest.mark.parametrize("size", ["-400", "0", "nan"])
def test_a_sample_of_no_size_is_refused(folder, capsys, size):
    arguments = [str(folder / "two.json"), str(folder / "data"), "-o", str(folder / "none")]
    with pytest.raises(SystemExit) as stopped:
        mpra_posterior.main([*arguments, "--effective", size])
    assert stopped.value.code == 2
    assert f"--effective: {size!r} is not a number above 0" in capsys.readouterr().err
    assert not (folder / "none").exists()


@pytest.mark.parametrize("command", [mpra_posterior, mpra_compare, mpra_simulate])
def test_a_network_is_no_mechanism(repository, tmp_path, capsys, command):
    params = str(repository / "models" / "json" / "akita_tiny.json")
    data = [] if command is mpra_simulate else [str(tmp_path)]
    assert command.main([params, *data, "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "akita_tiny.json: is a network, not a mechanism; akita_train.py takes it." in said
    assert not (tmp_path / "out").exists()
