import json

import numpy as np
import pandas as pd
import pytest

from akita_bayes.cli import mpra_fit
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import simulated_assay as simulator

SPEC = {
    "kind": "thermodynamic",
    "name": "two_sites",
    "sequence_length": 10,
    "wild_type": "ACGTACGTAC",
    "energies": {"a": {"site": [0, 4]}, "b": {"site": [5, 10]}, "ab": {}},
    "states": {
        "free": {},
        "a": {"energies": ["a"]},
        "b": {"energies": ["b"], "activity": 1},
        "ab": {"energies": ["a", "b", "ab"], "activity": 1},
    },
    "measurement": {"kind": "bins", "hidden": 4},
    "truth": {"a": {"constant": 0.5}, "b": {"constant": 0.5}, "ab": {"constant": -2.5}},
}


@pytest.fixture(scope="module")
def assay(tmp_path_factory):
    """A spec, a table and a reference matrix on disk, and what they were made from."""
    folder = tmp_path_factory.mktemp("assay")
    mechanism = mechanism_spec.parse(SPEC)
    design = simulator.Design(sequences=2000, mutation_rate=0.3, reads=40_000, bins=4, noise=0.4)
    simulated = simulator.simulate(mechanism, design)
    (library,) = simulated.table.libraries
    (folder / "data").mkdir()
    table = pd.DataFrame(library.observed.astype(int), columns=[f"ct_{b}" for b in library.columns])
    table.insert(0, "seq", library.sequences)
    table.to_csv(folder / "data" / "counts.csv", index=False)
    reference = pd.DataFrame(simulated.truth.matrices["a"], columns=list("ACGT"))
    (folder / "spec.json").write_text(json.dumps(SPEC))
    return folder, simulated, reference


def test_a_run_directory_from_spec_and_table(assay, tmp_path, capsys):
    folder, simulated, _ = assay
    out = tmp_path / "run"
    arguments = [folder / "spec.json", folder / "data", "-o", out, "--starts", "2"]
    assert mpra_fit.main([*map(str, arguments), "--profile", "ab"]) == 0
    summary = json.loads((out / "summary.json").read_text())
    ab = summary["energies"]["ab"]
    assert ab["lower"] < simulated.truth.constants["ab"][""] < ab["upper"]
    assert ab["kcal_per_mol"]["mean"] == pytest.approx(0.61633 * ab["mean"], rel=1e-4)
    assert summary["convergence"]["converged"]
    assert summary["correlation"] == {}
    assert summary["held_out"]["information_bits"]["bits"] > 0.2
    matrix = pd.read_csv(out / "a_matrix.tsv", sep="\t")[list("ACGT")].to_numpy()
    assert np.corrcoef(matrix.ravel(), simulated.truth.matrices["a"].ravel())[0, 1] > 0.95
    theta = pd.read_csv(out / "theta.tsv", sep="\t").set_index("name")
    assert theta.loc["ab", "value"] == pytest.approx(ab["mean"])
    assert theta.loc["ab", "unit"] == "kT"
    assert mechanism_spec.load(out / "params.json") == mechanism_spec.parse(SPEC)
    stdout = capsys.readouterr().out
    assert (
        "ab: its profile likelihood is closed on both sides"
        in (out / "identifiability.txt").read_text()
    )
    assert "kcal/mol" in stdout
    assert "bits per read" in stdout
    assert "mpra_compare.py --assumptions shows how far" in stdout


def test_names_to_profile_are_checked_before_the_fit(assay, tmp_path, capsys, monkeypatch):
    folder, _, _ = assay
    monkeypatch.setattr("akita_bayes.regulation.fits.fitting.fit", None)  # a call is a TypeError
    arguments = [folder / "spec.json", folder / "data", "-o", tmp_path / "run", "--profile", "a,bb"]
    assert mpra_fit.main([*map(str, arguments)]) == 2
    assert 'unknown parameter "bb"' in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_names_in_brackets_keep_their_commas():
    assert mpra_fit._names("ab,a.bases[0,2],b[x-1], b[y]") == (
        "ab",
        "a.bases[0,2]",
        "b[x-1]",
        "b[y]",
    )


@pytest.mark.slow
def test_an_entry_of_a_matrix_is_profiled_and_its_name_hinted_at(assay, tmp_path, capsys):
    folder, _, _ = assay
    asked = ["-o", str(tmp_path / "run"), "--starts", "1", "--profile"]
    asked = [str(folder / "spec.json"), str(folder / "data"), *asked]
    assert mpra_fit.main([*asked, "a.bases"]) == 2
    assert "There are a.bases[0,0], a.bases[0,1]," in capsys.readouterr().err
    assert mpra_fit.main([*asked, "a.bases[0,0]"]) == 0
    assert "a.bases[0,0]: its profile likelihood is closed" in capsys.readouterr().out


def test_a_constant_of_each_library_is_hinted_at(assay, tmp_path, capsys):
    _, simulated, _ = assay
    changed = {
        **SPEC,
        "libraries": ["x-1", "y"],
        "energies": {**SPEC["energies"], "a": {"site": [0, 4], "per_library": True}},
    }
    (tmp_path / "spec.json").write_text(json.dumps(changed))
    (library,) = simulated.table.libraries
    table = pd.DataFrame(library.observed.astype(int), columns=[f"ct_{b}" for b in library.columns])
    table.insert(0, "seq", library.sequences)
    table.insert(0, "library", np.where(np.arange(len(table)) % 2, "y", "x-1"))
    table.to_csv(tmp_path / "counts.csv", index=False)
    asked = [tmp_path / "spec.json", tmp_path / "counts.csv", "-o", tmp_path / "run"]
    assert mpra_fit.main([*map(str, asked), "--profile", "a"]) == 2
    assert 'unknown parameter "a". There are a[x-1], a[y].' in capsys.readouterr().err


@pytest.mark.slow
def test_a_fit_that_has_not_converged_says_what_not_to_believe(assay, tmp_path, capsys):
    folder, _, _ = assay
    arguments = [folder / "spec.json", folder / "data", "-o", tmp_path / "run"]
    more = ["--method", "adam", "--epochs", "2", "--starts", "1"]
    assert mpra_fit.main([*map(str, arguments), *more]) == 0
    stdout = capsys.readouterr().out
    words = (tmp_path / "run" / "identifiability.txt").read_text()
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    doubt = summary["convergence"]["doubt"]
    assert doubt.endswith("do not trust the intervals, and call nothing identified.")
    assert doubt in stdout
    assert words.startswith(doubt)
    assert "identified;" not in stdout + words


REFUSED = [
    ({"ct_0": [1, 2], "ct_1": [0, 0], "seq": ["ACGTACGTAC", "CCGTACGTAC"]}, "zero counts"),
    ({"ct_0": [1, 2], "seq": ["ACGTACGTAC", "CCGTACGTAC"]}, "one bin only"),
    ({"ct_0": [1, 2], "ct_1": [1, 1], "seq": ["ACGTACGTAC", "CCGTACGTA"]}, "unequal length"),
    ({"ct_0": [1, 2], "ct_1": [1, 1], "seq": ["ACGTACGTAC", "CCGTACGTAR"]}, 'the letter "R"'),
    ({"ct_0": [1, 2], "ct_1": [1, 1], "seq": ["ACGTAC", "CCGTAC"]}, "have 6 bases, but"),
]


@pytest.mark.parametrize(("columns", "message"), REFUSED, ids=[row[1] for row in REFUSED])
def test_bad_tables_are_refused_in_one_line(assay, tmp_path, capsys, columns, message):
    folder, _, _ = assay
    pd.DataFrame(columns).to_csv(tmp_path / "t.csv", index=False)
    arguments = [folder / "spec.json", tmp_path / "t.csv", "-o", tmp_path / "run"]
    sizes = len(columns["seq"])
    if message == "have 6 bases, but":
        repeated = {key: value * 8 for key, value in columns.items()}
        rng = np.random.default_rng(0)
        repeated["seq"] = ["".join(rng.choice(list("ACGT"), 6)) for _ in range(8 * sizes)]
        pd.DataFrame(repeated).to_csv(tmp_path / "t.csv", index=False)
    assert mpra_fit.main(list(map(str, arguments))) == 2
    stderr = capsys.readouterr().err.strip()
    assert stderr.startswith("error: ")
    assert "\n" not in stderr
    assert message in stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "energies",
            {**SPEC["energies"], "b": {"site": [5, 12]}},
            "energies.b.site: bases 5 to 12",
        ),
        (
            "states",
            {**SPEC["states"], "c": {"energies": ["a"]}},
            "states.c: cannot be distinguished",
        ),
    ],
)
def test_bad_specs_are_refused_in_one_line(assay, tmp_path, capsys, key, value, message):
    folder, _, _ = assay
    (tmp_path / "bad.json").write_text(json.dumps({**SPEC, key: value}))
    arguments = [tmp_path / "bad.json", folder / "data", "-o", tmp_path / "run"]
    assert mpra_fit.main(list(map(str, arguments))) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_the_lac_promoter_reaches_the_published_matrices(real_data, repository, tmp_path):
    spec = repository / "models" / "json" / "lac_thermodynamic.json"
    assert mpra_fit.main([str(spec), str(real_data / "lac"), "-o", str(tmp_path / "run")]) == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["correlation"]["crp"] > 0.99
    assert summary["correlation"]["rnap"] > 0.997
    assert summary["convergence"]["converged"]
    interaction = summary["energies"]["interaction"]["kcal_per_mol"]
    assert interaction["upper"] < 0
    # Published values: -3.3 +- 0.4 (2010), -2.9 (2019), -1.7 (MAVE-NN).
    assert -4.0 < interaction["mean"] < -1.5
    assert summary["held_out"]["information_bits"]["bits"] > 0.65
