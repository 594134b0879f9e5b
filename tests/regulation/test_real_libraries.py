"""Public libraries with the specs of docs/libraries.md, on sequences that no fit used."""

import numpy as np
import pandas as pd
import pytest

from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.models import shipped
from akita_bayes.regulation.assay import assay_files, assay_table
from akita_bayes.regulation.fits import fitting, prediction_accuracy


def mechanism(name):
    return mechanism_spec.load(shipped.spec_path(name))


@pytest.fixture(scope="module")
def splice_sites(real_data):
    return assay_files.read(real_data / "regulation" / "mavenn_mpsa" / "mpsa_data.csv.gz")


def promoter(real_data, folder, name):
    """The table of a promoter of Lagator et al. 2022, as the page makes it."""
    source = real_data / "regulation" / "lagator2022" / f"{name}_constitutive.csv.gz"
    table = pd.read_csv(source).rename(columns={"Mean": "value"})
    table[["sequence", "value"]].to_csv(folder / f"{name}.csv", index=False)
    return assay_files.read(folder / f"{name}.csv")


def published(real_data):
    """The published matrices of -35 and -10, with zeros for the bases between them. [32, 4]."""
    folder = real_data / "regulation" / "lagator2022"
    ends = [np.loadtxt(folder / f"published_matrix-{name}.txt") for name in (35, 10)]
    return np.concatenate([ends[0], np.zeros((8, 4)), ends[1]])


def test_the_published_split_of_the_splice_sites_is_used(splice_sites):
    sides = assay_table.sides(splice_sites, seed=3)
    assert np.bincount(sides).tolist() == [18_469, 5936, 6078]
    assert splice_sites.sequence_length == mechanism("mpsa").sequence_length


def test_the_spec_of_the_promoter_is_that_of_its_library(real_data, tmp_path):
    table = promoter(real_data, tmp_path, "Pr")
    assert (table.rows, table.sequence_length) == (12_476, 139)
    assert table.wild_type() == mechanism("lambda_pr").wild_type
    site = mechanism("lambda_pr").energies["rnap"].bases
    assert table.wild_type()[site][2:8] == "TTGACT"
    assert table.wild_type()[site][25:31] == "GATAAT"
    assert site.stop - site.start == len(published(real_data))


@pytest.mark.slow
def test_splice_sites_inform_as_the_page_says(splice_sites):
    fit = fitting.fit(mechanism("mpsa"), splice_sites, starts=3)
    accuracy = prediction_accuracy.assess(fit, splice_sites.libraries[0])
    assert accuracy.sequences == 6078
    assert accuracy.r == pytest.approx(0.812, abs=0.01)
    assert accuracy.predictive.bits > 0.30
    assert fit.held_out.information.bits == pytest.approx(0.257, abs=0.02)


@pytest.mark.slow
def test_the_matrix_of_a_promoter_is_the_published_one_and_predicts_another(real_data, tmp_path):
    fit = fitting.fit(mechanism("lambda_pr"), promoter(real_data, tmp_path, "Pr"), starts=3)
    assert fit.correlations({"rnap": published(real_data)})["rnap"] > 0.95
    (library,) = promoter(real_data, tmp_path, "Pl").libraries
    accuracy = prediction_accuracy.assess(fit, library)
    assert accuracy.sequences > 2900
    assert accuracy.r > 0.85
    assert accuracy.r2 > 0.70
