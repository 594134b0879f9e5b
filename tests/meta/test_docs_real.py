"""docs/real.md cites what the committed result file of the yeast benchmark holds."""

import re

import pytest

from akita_bayes import files
from benchmarks import ecoli, yeast, yeast_data, yeast_deletions, yeast_report


@pytest.fixture(scope="module")
def result():
    return files.read_json(yeast.RESULT)


@pytest.fixture(scope="module")
def page():
    return yeast_report.PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["accuracy", "distance", "choices", "calibration", "trials"])
def test_each_table_is_that_of_the_result_file(name, result, page):
    rest = page.partition(yeast_report.START.format(name))[2]
    assert rest.partition(yeast_report.END)[0].strip() == yeast_report.tables(result)[name]


def test_the_table_of_e_coli_is_that_of_its_result_file(page):
    rest = page.partition(yeast_report.START.format("ecoli"))[2]
    table = rest.partition(yeast_report.END)[0].strip()
    assert table == ecoli.table(files.read_json(ecoli.RESULT))


def test_the_figure_and_the_folds_are_there(result, page):
    assert yeast.FIGURE.is_file()
    assert f"images/{yeast.FIGURE.name}" in page
    assert result["folds"]["0"] == list(yeast_data.FOLDS[0])
    assert {row["fold"] for row in result["rows"]} <= set(range(len(yeast_data.FOLDS)))
    for names in yeast_data.FOLDS:
        assert ", ".join(names) in page


def test_the_headline_is_that_of_the_shipped_run(result, page):
    row = next(row for row in result["rows"] if row["fold"] == 0 and row["seeds"] == [0])
    (headline,) = re.findall(r"^\*\*.+?\*\*", page, re.M | re.S)
    assert f"{row['pearsonr']:.3f}" in headline
    assert f"{100 * row['share_of_ceiling']:.0f} %" in headline


def test_numbers_in_the_text_are_those_of_the_result_file(result, page):
    row = next(row for row in result["rows"] if row["fold"] == 0 and row["seeds"] == [0])
    ceilings, second = result["ceilings"]["0"], result["genome"]["second_experiment"]
    for text in (
        f"{100 * row['share_of_ceiling']:.1f} % of the ceiling, not 60 %",
        "the interval of r, {:.2f} to {:.2f}".format(*row["pearsonr_95%"]),
        f"has a correlation of {second['r']:.2f} with this map",
        f"differed by noise alone, it would be {second['expected_r']:.2f}",
        f"reached {ceilings['ridge']['map_valid_r']:.3f} on these",
        f"from {row['valid']['plain']:.3f} to {row['valid']['pearsonr']:.3f}",
    ):
        assert text in " ".join(page.split())


def test_the_second_experiment_is_cited_as_measured(result, page):
    second = result["second"]
    for text in (
        f"| {100 * second['coverage_first']:.1f} % | {100 * second['coverage_second']:.1f} % |",
        f"| {second['r_predicted_first']:.3f} | {second['r_predicted_second']:.3f} |",
        f"| {second['sd_first']:.3f} | {second['sd_second']:.3f} |",
        f"the two maps have a correlation of {second['r_first_second']:.2f}",
        f"({second['pixels']} pixels",
    ):
        assert text in " ".join(page.split())


def test_draws_are_all_that_the_spec_stores(page):
    train = files.read_json(yeast.SPEC)["train"]
    assert train["swa"]["swag_draws"] == yeast.DRAWS
    assert f"the {yeast.DRAWS} SWAG draws of each training" in page


def test_the_page_names_the_files_of_the_data_folder(page):
    for name in (yeast_data.COOLER, yeast_data.GENOME, yeast_data.SECOND):
        assert f"| `{name}` |" in page


def test_the_table_of_deletions_is_that_of_its_result_file(page):
    rows = files.read_json(yeast_deletions.RESULT)["rows"]
    assert yeast_deletions.as_table(rows) in page
    assert f"images/{yeast_deletions.FIGURE.name}" in page
    assert yeast_deletions.FIGURE.is_file()
