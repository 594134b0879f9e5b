"""Predictions of files of sequences, for fits with several libraries and with bins."""

import numpy as np
import pandas as pd
import pytest

from akita_bayes import errors
from akita_bayes.regulation.assay import simulated_assay, simulated_assay_files
from akita_bayes.regulation.results import sequence_predictions

SEQUENCES = ["ACGTACGTAC", "ACCTACGTAC", "ACGTAGGTAC"]


@pytest.fixture(scope="module")
def two_libraries(two_sites, experiment, arbitrary_fit):
    mechanism = two_sites(libraries=["low", "high"], energies={"a": {"per_library": True}})
    return arbitrary_fit(mechanism, experiment(mechanism, sequences=200, reads=2000).table)


def test_each_sequence_is_predicted_in_its_library(two_libraries, tmp_path):
    table = pd.DataFrame({"seq": SEQUENCES, "library": ["high", "low", "high"]})
    table.to_csv(tmp_path / "new.csv", index=False)
    rows = sequence_predictions.predict(two_libraries, tmp_path / "new.csv").table
    assert list(rows["library"]) == ["high", "low", "high"]
    for library in ("low", "high"):
        expected = two_libraries.predict(SEQUENCES, library=library)
        of_library = (rows["library"] == library).to_numpy()
        np.testing.assert_allclose(rows["a"][of_library], expected.energies["a"][of_library])
        probabilities = rows.filter(regex=r"^p_\d+$").to_numpy()[of_library]
        np.testing.assert_allclose(probabilities, expected.measurement[of_library])
        mean_bin = probabilities @ np.arange(probabilities.shape[1])
        np.testing.assert_allclose(rows["expected"][of_library], mean_bin)


def test_a_library_may_be_chosen_for_all(two_libraries, tmp_path):
    (tmp_path / "new.txt").write_text("\n".join(SEQUENCES) + "\n")
    first = sequence_predictions.predict(two_libraries, tmp_path / "new.txt").table
    assert set(first["library"]) == {"low"}
    predicted = sequence_predictions.predict(
        two_libraries, tmp_path / "new.txt", library="high"
    ).table
    expected = two_libraries.predict(SEQUENCES, library="high").activity
    np.testing.assert_allclose(predicted["activity"], expected)
    assert not np.allclose(first["activity"], expected)
    with pytest.raises(errors.DataError, match='the fit has no "hihg"'):
        sequence_predictions.predict(two_libraries, tmp_path / "new.txt", library="hihg")


def test_a_directory_of_bins_is_predicted_and_compared(two_sites, arbitrary_fit, tmp_path):
    mechanism = two_sites()
    design = simulated_assay.Design(sequences=300, mutation_rate=0.3, reads=3000, bins=4, noise=0.4)
    assay = simulated_assay.simulate(mechanism, design)
    simulated_assay_files.write(assay, mechanism, design, tmp_path / "data")
    fit = arbitrary_fit(mechanism, assay.table)
    predictions = sequence_predictions.predict(fit, tmp_path / "data")
    assert len(predictions.table) == assay.table.rows
    (accuracy,) = predictions.accuracies
    assert accuracy.sequences == (fit.side == 2).sum()
    sequence_predictions.write(predictions, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"predictions.tsv", "accuracy.json", "predicted.png"}
    fewer = two_sites(measurement={"leave_out": ["0"]})
    reduced_fit = arbitrary_fit(fewer, assay.table.used_by(fewer))
    assert sequence_predictions.predict(reduced_fit, tmp_path / "data").table.filter(
        regex=r"^p_"
    ).shape == (assay.table.used_by(fewer).rows, 4)
