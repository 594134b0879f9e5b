"""mpra_simulate, mpra_posterior and mpra_compare: what they write, and what they refuse."""

import contextlib
import json
import types

import numpy as np
import pandas as pd
import pytest

from akita_bayes.cli import console, mpra_compare, mpra_fit, mpra_posterior, mpra_simulate
from akita_bayes.regulation.assay import assay_files

SPEC = {
    "kind": "thermodynamic",
    "name": "toy",
    "sequence_length": 6,
    "wild_type": "ACGTAC",
    "energies": {"a": {"site": [0, 3]}, "b": {"site": [3, 6]}, "ab": {"prior": {"sd": 2.0}}},
    "states": {
        "free": {},
        "a": {"energies": ["a"]},
        "b": {"energies": ["b"], "activity": 1},
        "ab": {"energies": ["a", "b", "ab"], "activity": 1},
    },
    "measurement": {"kind": "bins", "hidden": 4},
    "truth": {"a": {"constant": 0.0}, "b": {"constant": 0.5}, "ab": {"constant": -2.5}},
}
ADDITIVE = {
    **{key: SPEC[key] for key in ("kind", "sequence_length", "wild_type")},
    "name": "additive",
    "energies": {"all": {"site": [0, 6]}},
    "states": {"off": {}, "on": {"energies": ["all"], "activity": 1}},
    "measurement": {"kind": "bins", "hidden": 4},
}
SMALL = ["--sequences", "600", "--mutation_rate", "0.4", "--bins", "3", "--noise", "0.4"]


@pytest.fixture
def specs(tmp_path):
    paths = []
    for spec in (SPEC, ADDITIVE):
        path = tmp_path / f"{spec['name']}.json"
        path.write_text(json.dumps(spec))
        paths.append(str(path))
    return paths


@pytest.fixture
def assay(tmp_path, specs):
    assert mpra_simulate.main([specs[0], "-o", str(tmp_path / "assay"), *SMALL]) == 0
    return tmp_path / "assay"


def test_an_assay_has_the_reads_that_were_ordered_and_its_truth_beside_it(assay):
    table = assay_files.read(assay)
    assert table.libraries[0].columns == ("0", "1", "2", "3")
    np.testing.assert_array_equal(table.libraries[0].observed.sum(0), 25_000)
    truth = json.loads((assay / "truth.json").read_text())
    assert truth["constants"]["ab"] == {"": -2.5}
    assert len(truth["gates"][""]) == 2
    assert truth["design"]["mutation_rate"] == 0.4


@pytest.mark.slow
def test_a_sweep_reports_a_width_per_design_and_energy(tmp_path, specs):
    out = tmp_path / "design"
    arguments = [specs[0], "-o", str(out), "--design", *SMALL, "--reads", "3000,12000"]
    assert mpra_simulate.main(arguments) == 0
    table = pd.read_csv(out / "design.tsv", sep="\t")
    assert list(table["reads"]) == [3000, 12000]
    assert {"a", "b", "ab", "a.matrix", "b.matrix", "bits"} <= set(table)
    assert (table.loc[1, ["a.matrix", "b.matrix"]] < table.loc[0, ["a.matrix", "b.matrix"]]).all()
    assert (out / "design.png").stat().st_size > 10_000


@pytest.mark.parametrize("kind", ["gaussian", "poisson", "bins"])
def test_options_that_play_no_part_are_named(tmp_path, kind, capsys):
    spec = {**SPEC, "measurement": {"kind": kind}}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    arguments = [str(tmp_path / "spec.json"), "-o", str(tmp_path / "out"), *SMALL, "--sorted_only"]
    assert mpra_simulate.main([*arguments, "--reads", "3000"]) == 0
    idle = {
        "gaussian": ["bins", "sorted_only", "reads"],
        "poisson": ["bins", "sorted_only", "noise"],
    }
    assert capsys.readouterr().err.splitlines() == [
        f'--{name}: has no effect on a measurement of kind "{kind}".' for name in idle.get(kind, [])
    ]


@pytest.mark.slow
def test_posterior_writes_every_method_in_both_units(tmp_path, specs, assay, capsys, monkeypatch):
    totals, steps = [], []

    @contextlib.contextmanager
    def progress(description):
        def advance(count, *, total=None, note=""):
            steps.append(count)
            totals.extend([] if total is None else [total])

        yield advance

    monkeypatch.setattr(console, "progress", progress)
    out = tmp_path / "posterior"
    arguments = [specs[0], str(assay), "-o", str(out), "--optima", "1", "--starts", "1"]
    arguments += ["--knots", "4", "--chains", "2", "--burn_in", "60", "--most_draws", "40"]
    assert mpra_posterior.main([*arguments, "--bootstrap", "8", "--effective", "1e9"]) == 0
    # Halves of the burn-in of 50 each, and 50 draws, none of which is one too many to count.
    assert totals == [sum(steps)] == [150]  # of one mode
    written = json.loads((out / "posterior.json").read_text())
    assert set(written["energies"]) == {"NUTS", "Laplace", "bootstrap"}
    assert written["bootstrap"] == {"refits": 8, "share_converged": 1.0}
    row = written["energies"]["NUTS"]["ab"]
    assert row["lower"] < row["mean"] < row["upper"]
    np.testing.assert_allclose(row["mean_kcal"], row["mean"] * 0.616331, rtol=1e-5)
    assert written["convergence"]["draws_per_chain"] == [50]
    table = pd.read_csv(out / "posterior.tsv", sep="\t")
    assert len(table) == 2 * 12 + 3
    draws = np.load(out / "draws.npz")
    assert draws["energies"].shape == (100, len(draws["names"])) == (100, len(table))
    assert draws["chains_1"].shape == (2, 50, len(draws["names_1"]))
    assert np.isfinite(draws["log_density_1"]).all()
    (mode,) = written["modes"]
    assert (mode["fits"], mode["share"], written["left_out"]) == (1, 1.0, [])
    assert set(written["read_outs"]) == {"odds", "log odds"}
    np.testing.assert_allclose(max(written["read_outs"].values()), mode["laplace_log_evidence"])
    # On so small an assay Laplace's evidence and that of the draws are near each other.
    assert abs(mode["log_evidence"] - mode["laplace_log_evidence"]) < 10
    assert 0 < mode["log_evidence_error"] < 5
    stdout = capsys.readouterr().out
    assert "kcal/mol" in stdout
    more = written["read_outs"]["log odds"] - written["read_outs"]["odds"]
    assert more > 0  # the gates of the simulation lie on the logarithm
    sentence = f"smooth curves of the odds was not sampled: {more:.1f} nats less evidence"
    assert sentence in stdout
    (convergence_line,) = (line for line in stdout.splitlines() if "R-hat" in line)
    assert convergence_line.startswith("Not converged: largest R-hat")
    assert convergence_line.endswith(" s.")  # though longer than a screen is wide
    assert "of the centre and of both ends of the interval), over 27 energies" in stdout
    assert "Mode 1, found by 1 of the fits: log evidence" in stdout  # one mode has no share
    assert "100% of the bootstrap's refits converged" in stdout
    for name in ("summary.png", "chains.png", "intervals.png"):
        assert (out / name).stat().st_size > 10_000


def test_comparison_ranks_what_it_was_given(tmp_path, specs, assay, capsys):
    out = tmp_path / "compared"
    assert mpra_compare.main([*specs, str(assay), "-o", str(out), "--starts", "1"]) == 0
    table = pd.read_csv(out / "comparison.tsv", sep="\t")
    assert list(table["name"]) == ["toy", "additive"]
    assert table["behind"][0] == 0 < table["behind_lower"][1]
    constants = pd.read_csv(out / "constants.tsv", sep="\t")
    assert list(constants["mechanism"]) == ["toy"] * 3 + ["additive"]
    ranges = pd.read_csv(out / "ranges.tsv", sep="\t")  # of the one that is not rejected
    assert ranges["lower"].tolist() == constants["lower"][:3].tolist()
    stdout = capsys.readouterr().out
    assert "toy: best" in stdout
    assert "evidence" not in stdout  # hidden units have none
    assert " fits that the data do not reject" not in stdout


def test_a_name_in_brackets_is_said_as_it_is(capsys):
    """Rich would take [wt] of `ab[wt]` for markup."""
    row = {"mean": 1.0, "lower": 0.5, "upper": 1.5, "unit": "kT", "mean_kcal": None}
    convergence = {"converged": True, "largest_r_hat": 1.0, "least_effective_sample_size": 500.0}
    summary = {
        "energies": {"NUTS": {"ab[wt]": row}},
        "convergence": {**convergence, "energies": 1, "divergent": 0.0, "seconds": 1.0},
        "modes": [],
        "left_out": [],
        "bootstrap": None,
    }
    mpra_posterior._print_summary(
        types.SimpleNamespace(summary=lambda: summary, components=[], read_outs={}, labels=[])
    )
    assert capsys.readouterr().out.startswith("NUTS: ab[wt] 1.00 (0.50 to 1.50) kT.")


def test_what_neither_held_out_sequences_nor_evidence_reject_is_said_in_a_line(capsys):
    ranked = pd.DataFrame(
        {
            "name": ["one", "two", "hidden"],
            "behind": [0.0, 1.25, 2.0],
            "behind_lower": [0.0, -1.0, 1.0],
            "behind_upper": [0.0, 3.5, 3.0],
            "log_evidence": [-105.5, -100.0, np.nan],
        }
    )
    ranges = pd.DataFrame(
        {"name": ["ab"], "unit": "kT", "lower": -3.0, "upper": 1.0, "widest": 0.5, "mechanisms": 2}
    )
    mpra_compare._print_summary(ranked, ranges)
    assert capsys.readouterr().out.splitlines() == [
        "one: best, log evidence -5.5 nats from the best.",
        "two: 1.2 nats behind (-1.0 to 3.5), log evidence 0.0 nats from the best.",
        "hidden: 2.0 nats behind (1.0 to 3.0).",
        "ab: -3.00 to 1.00 kT over the 2 fits that the data do not reject, each with an "
        "interval of at most 0.50.",
    ]
    mpra_compare._print_summary(
        ranked, ranges.assign(mechanisms=1)
    )  # its own interval, and no range
    assert "ab:" not in capsys.readouterr().out


def test_bad_input_is_one_line_and_status_2(tmp_path, specs, assay, capsys):
    out = str(tmp_path / "out")
    assert mpra_simulate.main([specs[0], "-o", out, "--mutation_rate", "0.9"]) == 2
    assert "error: mutation rate: 0.9 is out of range" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        mpra_compare.main([specs[0], specs[0], str(tmp_path / "none"), "-o", out])
    assert stopped.value.code == 2
    assert "no such file" in capsys.readouterr().err
    assert mpra_posterior.main([specs[0], str(assay), "-o", out, "--burn_in", "0"]) == 2
    assert "burn_in: 0 is too few" in capsys.readouterr().err
    for option in ("noise", "background"):
        assert mpra_simulate.main([specs[0], "-o", out, f"--{option}", "inf"]) == 2
        assert f"error: {option}: inf is out of range" in capsys.readouterr().err
    (assay / "truth.json").write_text('{"constants": {"a": 3}}')
    for command in (mpra_posterior, mpra_compare, mpra_fit):
        assert command.main([specs[0], str(assay), "-o", out]) == 2
        assert "truth.json: is not the truth of a simulation" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    with pytest.raises(SystemExit):
        mpra_simulate.main([specs[0], "-o", out, "--reads", "1,2"])
    assert "several values need --design" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        mpra_simulate.main([specs[0], "-o", out, "--bins", "many"])
    assert "not numbers" in capsys.readouterr().err


@pytest.mark.parametrize("command", [mpra_simulate, mpra_posterior, mpra_compare])
def test_seeds_are_whole_numbers(tmp_path, specs, assay, capsys, command):
    data = [] if command is mpra_simulate else [str(assay)]
    with pytest.raises(SystemExit) as stopped:
        command.main([specs[0], *data, "-o", str(tmp_path / "out"), "--seed", "-1"])
    assert stopped.value.code == 2
    assert "'-1' is not a whole number of at least 0" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["-400", "0", "nan"])
def test_a_sample_of_no_size_is_refused(tmp_path, specs, assay, capsys, size):
    out = tmp_path / "none"
    with pytest.raises(SystemExit) as stopped:
        mpra_posterior.main([specs[0], str(assay), "-o", str(out), "--effective", size])
    assert stopped.value.code == 2
    assert f"--effective: {size!r} is not a number above 0" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("command", [mpra_posterior, mpra_compare, mpra_fit, mpra_simulate])
def test_a_network_is_no_mechanism(repository, tmp_path, capsys, command):
    params = str(repository / "models" / "json" / "akita_tiny.json")
    data = [] if command is mpra_simulate else [str(tmp_path)]
    assert command.main([params, *data, "-o", str(tmp_path / "out")]) == 2
    stderr = capsys.readouterr().err
    assert "akita_tiny.json: is a network, not a mechanism; akita_train.py takes it." in stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../zz", "reads"])
def test_no_name_of_a_spec_writes_beside_the_run_or_over_a_column(tmp_path, capsys, name):
    text = json.dumps(SPEC).replace('"ab"', json.dumps(name))
    (tmp_path / "named.json").write_text(text)
    out = tmp_path / "runs" / "deep"
    arguments = [str(tmp_path / "named.json"), "-o", str(out), "--design", *SMALL]
    assert mpra_simulate.main(arguments) == 2
    assert name in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_directory_of_something_else_is_kept(tmp_path, specs, assay, capsys):
    data = tmp_path / "data"
    data.mkdir()
    (data / "genome.fa").write_text(">chr1\nACGT\n")
    assert mpra_simulate.main([specs[0], "-o", str(data), *SMALL]) == 2
    assert (
        "not empty, and does not hold a simulated assay; choose another -o."
        in capsys.readouterr().err
    )
    assert [path.name for path in data.iterdir()] == ["genome.fa"]
    assert mpra_simulate.main([specs[0], "-o", str(assay), *SMALL, "--seed", "1"]) == 0


@pytest.mark.parametrize("option", [("--bins", "2.5"), ("--reads", "1e3,inf"), ("--reads", "nan")])
def test_bins_and_reads_are_whole_numbers(tmp_path, specs, capsys, option):
    with pytest.raises(SystemExit) as stopped:
        mpra_simulate.main([specs[0], "-o", str(tmp_path / "out"), "--design", *option])
    assert stopped.value.code == 2
    assert f"{option[1]!r} is not whole numbers" in capsys.readouterr().err
