"""What lies beside an assay: matrices of others, and the truth of a simulation."""

import json

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.regulation.assay import assay_files, assay_references


def test_references_beside_the_data(tmp_path):
    (tmp_path / "crp_tau_final.2.txt").write_text(
        "pos\tpar_A\tpar_C\tpar_G\tpar_T\n0\t0.0\t1.0\t2.0\t3.0\t\n1\t4\t5\t6\t7\t\n"
    )
    (tmp_path / "rnap_other.csv").write_text(",A,C,G,T\n0,1,2,3,4\n")
    matrices = assay_references.matrices(tmp_path, {"crp": 2, "rnap": 2})
    np.testing.assert_array_equal(matrices["crp"], [[0, 1, 2, 3], [4, 5, 6, 7]])
    assert "rnap" not in matrices  # it has one row, the site two bases


MATRIX = "pos\tA\tC\tG\tT\n0\t0\t1\t2\t3\n1\t4\t5\t6\t7\n"
BAD_MATRICES = [
    (MATRIX.replace("\t6\t7", "").encode(), "row 2 has no number for each of A, C, G and T"),
    (MATRIX.replace("6", "six").encode(), "row 2 has no number for each"),
    (MATRIX.replace("6", "nan").encode(), "row 2 has no number for each"),
    (b"pos A C G T\n0 1 1 1 1\n1 2 2 2 2\n", "the four bases are equal at every position"),
    (b"", "is empty"),
    (bytes([0xD2, 0x00, 0xFF]) * 9, "not a text"),
]


@pytest.mark.parametrize(("content", "message"), BAD_MATRICES)
def test_a_matrix_that_cannot_be_compared_with_is_named(tmp_path, content, message):
    (tmp_path / "a_2010.txt").write_bytes(content)
    with pytest.raises(errors.DataError, match=rf"a_2010\.txt: {message}"):
        assay_references.matrices(tmp_path, {"a": 2})


def test_matrices_lie_beside_one_table_too(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("seq,ct_a,ct_b\nACGT,1,2\n")
    (tmp_path / "a_2010.txt").write_text(MATRIX)
    assert assay_files.read(tmp_path).libraries[0].columns == ("a", "b")
    for data in (tmp_path, path):
        matrices = assay_references.matrices(data, {"a": 2})
        np.testing.assert_array_equal(matrices["a"], [[0, 1, 2, 3], [4, 5, 6, 7]])
    # Bins may be called by bases: what has sequences is no matrix.
    folder = tmp_path / "bases"
    folder.mkdir()
    counts = "seq,ct_A,ct_C,ct_G,ct_T\nACGT,1,2,3,4\nACGA,1,2,3,4\n"
    (folder / "a_reads.csv").write_text(counts)
    assert assay_files.read(folder).reads == 20
    assert assay_references.matrices(folder, {"a": 2}) == {}


def test_of_two_matrices_of_a_site_neither_wins_and_those_of_a_run_are_none(tmp_path):
    (tmp_path / "a_matrix.tsv").write_text(MATRIX)
    assert assay_references.matrices(tmp_path, {"a": 2}) == {}
    (tmp_path / "a_b_2010.txt").write_text(MATRIX)
    assert list(assay_references.matrices(tmp_path, {"a": 2, "a_b": 2})) == ["a_b"]
    (tmp_path / "a_b_2019.txt").write_text(MATRIX)
    with pytest.raises(errors.DataError, match=r"a_b_2019\.txt: a_b_2010\.txt is a matrix of a_b"):
        assay_references.matrices(tmp_path, {"a": 2, "a_b": 2})


BAD_TRUTH = [
    [],
    {"matrices": {"a": 3}},
    {"matrices": {"a": {"A": [1], "C": [1, 2], "G": [1], "T": [1]}}},
    {"matrices": {"a": {"A": [float("nan")], "C": [1], "G": [1], "T": [1]}}},
    {"constants": {"a": 3}},
    {"constants": {"a": {"": "x"}}},
    {"constants": []},
]


@pytest.mark.parametrize("truth", BAD_TRUTH, ids=str)
def test_a_truth_that_no_simulation_wrote_is_named(tmp_path, truth):
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    for look in (
        assay_references.constants,
        lambda data: assay_references.matrices(data, {"a": 1}),
    ):
        with pytest.raises(
            errors.DataError, match=r"truth\.json: is not the truth of a simulation"
        ):
            look(tmp_path)


def test_what_a_simulation_wrote_beside_its_data_is_its_reference(tmp_path):
    truth = {
        "matrices": {"a": {"A": [0, 4], "C": [1, 5], "G": [2, 6], "T": [3, 7]}},
        "constants": {"a": {"x": 1.0, "y": 2.0}, "ab": {"x": -3.0, "y": -3.0}, "b": {"": 0.5}},
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    matrices = assay_references.matrices(tmp_path, {"a": 2, "b": 3})
    np.testing.assert_array_equal(matrices["a"], [[0, 1, 2, 3], [4, 5, 6, 7]])
    assert "a" not in assay_references.matrices(tmp_path, {"a": 3})
    assert assay_references.constants(tmp_path) == {
        **{"a[x]": 1.0, "a[y]": 2.0, "b": 0.5},
        **{"ab": -3.0, "ab[x]": -3.0, "ab[y]": -3.0},
    }
    assert assay_references.constants(tmp_path / "table.csv") == {}
