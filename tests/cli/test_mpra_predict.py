"""A fit predicts files of sequences from the command line."""

import json

import numpy as np
import pandas as pd
import pytest

from akita_bayes.cli import mpra_predict
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import simulated_assay as simulator
from akita_bayes.regulation.fits import fitting
from akita_bayes.regulation.results import fit_files
from tests.mechanism_json import TWO_SITES, changed

SPEC = changed(
    TWO_SITES,
    wild_type="ACGTACGT",
    measurement={"kind": "gaussian", "log_base": "e"},
    truth={"a": {"constant": 0.5}, "b": {"constant": 0.5}, "ab": {"constant": -2.5}},
)


@pytest.fixture(scope="module")
def assay(tmp_path_factory):
    """A fit on disk, the table that it was fitted to, and a second one from the same truth."""
    folder = tmp_path_factory.mktemp("assay")
    mechanism = mechanism_spec.parse(SPEC)
    design = simulator.Design(sequences=1500, mutation_rate=0.4, noise=0.3)
    simulated = simulator.simulate(mechanism, design)
    fit_files.write(fitting.fit(mechanism, simulated.table, starts=2), folder / "fit")
    (library,) = simulated.table.libraries
    table = pd.DataFrame({"seq": library.sequences, "value": library.observed[:, 0]})
    table.to_csv(folder / "table.csv", index=False)
    return folder, table


def run(*arguments):
    return mpra_predict.main([*map(str, arguments)])


def test_a_table_is_predicted_and_compared_with_its_measurements(assay, tmp_path, capsys):
    folder, table = assay
    assert run(folder / "fit", folder / "table.csv", "-o", tmp_path / "out") == 0
    rows = pd.read_csv(tmp_path / "out" / "predictions.tsv", sep="\t")
    assert list(rows) == ["name", "sequence", "a", "b", "ab", "activity", "expected", "mean", "sd"]
    assert list(rows["sequence"]) == list(table["seq"])
    assert np.corrcoef(rows["expected"], table["value"])[0, 1] > 0.9
    (accuracy,) = json.loads((tmp_path / "out" / "accuracy.json").read_text())
    summary = json.loads((folder / "fit" / "summary.json").read_text())
    # The split of the fit is found again, by the sequences that it used.
    assert accuracy["held_out_sequences"] == summary["held_out"]["sequences"]
    assert accuracy["fitted_sequences"] + accuracy["held_out_sequences"] == len(table)
    assert accuracy["r"] > 0.9
    assert accuracy["r2"] > 0.8
    bits, held_out = accuracy["predictive_bits"], summary["held_out"]["information_bits"]
    error = np.hypot(bits["standard_error"], held_out["standard_error"])
    assert abs(bits["bits"] - held_out["bits"]) < 4 * error
    # I_var of these sequences is that of the fit, which held out the same ones.
    assert accuracy["variational_bits"]["bits"] == pytest.approx(held_out["bits"], abs=1e-6)
    assert (tmp_path / "out" / "predicted.png").read_bytes().startswith(b"\x89PNG")
    stdout = capsys.readouterr().out
    assert f"Predicted {len(table):,} sequences." in stdout
    assert "sequences that the fit did not use: r 0.9" in stdout


def test_new_sequences_are_predicted_as_the_library_does(assay, tmp_path):
    folder, _ = assay
    (tmp_path / "new.fa").write_text(">wt\nACGUACGU\n>unknown\nACGNACGU\n>mutant\nACCUACGU\n")
    assert run(folder / "fit", tmp_path / "new.fa", "-o", tmp_path / "out") == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"predictions.tsv", "provenance.json"}
    rows = pd.read_csv(tmp_path / "out" / "predictions.tsv", sep="\t")
    assert list(rows["name"]) == ["wt", "mutant"]
    expected = fit_files.read(folder / "fit").predict(["ACGTACGT", "ACCTACGT"])
    np.testing.assert_allclose(rows["activity"], expected.activity, rtol=1e-5)
    np.testing.assert_allclose(rows["a"], expected.energies["a"], rtol=1e-5)
    np.testing.assert_allclose(rows[["mean", "sd"]], expected.measurement, rtol=1e-5)


def test_measurements_of_fitted_sequences_are_not_compared(assay, tmp_path, caplog):
    folder, table = assay
    fit = fit_files.read(folder / "fit")
    from akita_bayes.regulation.assay import assay_table

    used = fit.was_fitted(assay_table.to_index(list(table["seq"]), where="table"))
    table[used].to_csv(tmp_path / "fitted.csv", index=False)
    assert run(folder / "fit", tmp_path / "fitted.csv", "-o", tmp_path / "out") == 0
    assert not (tmp_path / "out" / "accuracy.json").exists()
    assert "were used by the fit; none are left to judge it" in caplog.text


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (">a\nACGT\n", "new.fa: sequence a has 4 bases, and the fitted mechanism has 8; give"),
        (">a\nACGTACGR\n", 'new.fa: row 1 has the letter "R" at base 7'),
        ("", "new.fa: has no sequences."),
    ],
)
def test_bad_sequences_are_one_sentence(assay, tmp_path, capsys, content, problem):
    folder, _ = assay
    (tmp_path / "new.fa").write_text(content)
    assert run(folder / "fit", tmp_path / "new.fa", "-o", tmp_path / "out") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert problem in line
    assert not list((tmp_path / "out").glob("*.tsv"))


def test_bad_fits_and_libraries_are_one_sentence(assay, tmp_path, capsys):
    folder, _ = assay
    (tmp_path / "new.fa").write_text(">a\nACGTACGT\n")
    assert run(tmp_path, tmp_path / "new.fa", "-o", tmp_path / "out") == 2
    assert "has no params.json, so it is not a complete fit" in capsys.readouterr().err
    arguments = [folder / "fit", tmp_path / "new.fa", "-o", tmp_path / "out", "--library", "two"]
    assert run(*arguments) == 2
    assert 'library: the fit has no "two"' in capsys.readouterr().err
    assert run(folder / "fit", tmp_path / "new.fa", "-o", folder / "fit") == 2
    assert "holds a fit" in capsys.readouterr().err
