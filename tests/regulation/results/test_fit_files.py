"""A fit on disk: the files of the command, and the fit that is read from them."""

import json
import shutil

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.cli import mpra_fit
from akita_bayes.regulation.assay import assay_references, simulated_assay, simulated_assay_files
from akita_bayes.regulation.fits import fitting, identify
from akita_bayes.regulation.results import fit_files
from tests.outputs import files_of

DESIGN = simulated_assay.Design(sequences=60, mutation_rate=0.3, reads=600, bins=4, noise=0.4)


@pytest.fixture
def simulated(two_sites, tmp_path):
    """A mechanism on disk and its simulated assay."""
    mechanism = two_sites()
    (tmp_path / "spec.json").write_text(mechanism.model_dump_json(by_alias=True))
    assay = simulated_assay.simulate(mechanism, DESIGN)
    simulated_assay_files.write(assay, mechanism, DESIGN, tmp_path / "data")
    return mechanism, assay.table


def test_a_notebook_writes_the_files_of_the_command(
    simulated, arbitrary_fit, tmp_path, monkeypatch
):
    mechanism, table = simulated
    fit = arbitrary_fit(mechanism, table)
    profile = identify.Profile(
        "ab", np.array([-1.0, 0.0, 1.0]), np.array([3.0, 0.0, 3.0]), -0.8, 0.8, "identified", 0.0
    )
    monkeypatch.setattr(fitting, "fit", lambda *_, **__: fit)
    monkeypatch.setattr(identify, "profile", lambda *_: profile)
    arguments = [tmp_path / "spec.json", tmp_path / "data", "-o", tmp_path / "command"]
    assert mpra_fit.main([*map(str, arguments), "--profile", "ab"]) == 0
    fit_files.write(
        fit,
        tmp_path / "notebook",
        references=assay_references.matrices(tmp_path / "data", {"a": 4, "b": 5}),
        truth=assay_references.constants(tmp_path / "data"),
        profiles=(profile,),
    )
    written = files_of(tmp_path / "notebook")
    assert set(written) == {
        *("summary.json", "params.json", "fit.npz", "theta.tsv", "identifiability.txt"),
        *("a_matrix.tsv", "b_matrix.tsv", "summary.png", "logos.png", "reference.png"),
    }
    assert written == files_of(tmp_path / "command")
    assert b"ab: its profile likelihood is closed on both sides" in written["identifiability.txt"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"measurement": {"kind": "skewed"}, "gauge": "empirical", "wild_type": None},
        {"libraries": ["low", "high"], "energies": {"a": {"per_library": True}}},
        {"measurement": {"kind": "spline_bins", "relative": True, "leave_out": ["0"]}},
    ],
    ids=["bins", "read-out", "libraries", "relative"],
)
def test_a_fit_that_is_read_is_the_fit_that_was_written(
    two_sites, experiment, arbitrary_fit, tmp_path, changes
):
    simulation = {name: value for name, value in changes.items() if name != "wild_type"}
    table = experiment(two_sites(**simulation), sequences=60, reads=600).table
    mechanism = two_sites(**changes)
    fit = arbitrary_fit(mechanism, table.leave_out(mechanism.measurement.leave_out))
    fit_files.write(fit, tmp_path)
    read = fit_files.read(tmp_path)
    assert read.parameters == fit.parameters
    assert {**read.energies, **read.wild_type} == {**fit.energies, **fit.wild_type}
    np.testing.assert_array_equal(read.term("b").matrix, fit.term("b").matrix)
    sequences = table.libraries[0].sequences[:5]
    before, after = fit.predict(sequences), read.predict(sequences)
    np.testing.assert_array_equal(after.activity, before.activity)
    np.testing.assert_array_equal(after.measurement, before.measurement)
    np.testing.assert_array_equal(after.energies["ab"], before.energies["ab"])


@pytest.fixture(scope="module")
def written_fit(two_sites, experiment, arbitrary_fit, tmp_path_factory):
    """The files of a fit, written once; not to be changed."""
    folder = tmp_path_factory.mktemp("fit")
    table = experiment(two_sites(), sequences=60, reads=600).table
    fit_files.write(arbitrary_fit(two_sites(), table), folder)
    return folder


@pytest.fixture
def fit_copy(written_fit, tmp_path):
    """A fresh copy of these files."""
    shutil.copytree(written_fit, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_what_is_not_a_fit_is_refused(fit_copy):
    spec = json.loads((fit_copy / "params.json").read_text())
    spec["energies"]["b"]["site"] = [6, 10]
    (fit_copy / "params.json").write_text(json.dumps(spec))
    with pytest.raises(errors.DataError, match=r"fit\.npz and params\.json belong to different"):
        fit_files.read(fit_copy)
    (fit_copy / "fit.npz").write_bytes(b"PK")
    with pytest.raises(errors.DataError, match=r"fit\.npz: damaged or not the arrays of a fit"):
        fit_files.read(fit_copy)
    (fit_copy / "fit.npz").unlink()
    with pytest.raises(errors.DataError, match=r"has no fit\.npz, .* fit again with mpra_fit\.py"):
        fit_files.read(fit_copy)


@pytest.mark.parametrize(
    ("name", "array", "problem"),
    [
        ("theta", np.zeros(3), r"theta has the shape \(3,\), expected \(\d+,\)"),
        ("covariance", np.eye(3), r"covariance has the shape \(3, 3\), expected"),
        (
            "frequencies",
            np.zeros((4, 4)),
            r"has the shape \(4, 4\), expected \(10, 4\)",
        ),
        ("frequencies", np.full((10, 4), np.nan), "frequencies has values that are not finite"),
        ("wild_type", np.array("ACGT"), "wild_type is not a sequence of 10 bases"),
        ("read_outs", np.zeros((1, 2)), "read_outs has 1 rows, expected 0"),
        ("theta", None, "theta"),
        ("fitted", np.zeros(3), "fitted is not a list of digests"),
    ],
)
def test_a_foreign_fit_is_refused_in_one_sentence(fit_copy, name, array, problem):
    with np.load(fit_copy / "fit.npz") as archive:
        arrays = {**archive, name: array}
    np.savez(fit_copy / "fit.npz", **{k: v for k, v in arrays.items() if v is not None})
    with pytest.raises(errors.DataError, match=problem) as refusal:
        fit_files.read(fit_copy)
    assert "fit.npz: damaged or not the arrays of a fit" in str(refusal.value)
    assert str(refusal.value).endswith("; fit again with mpra_fit.py.")
