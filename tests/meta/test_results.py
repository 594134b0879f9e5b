"""What the documents say of results is what the result files hold."""

from akita_bayes import files
from benchmarks import accuracy, accuracy_report, inference, variants


def test_the_table_of_posteriors_is_that_of_its_result_file():
    result = files.read_json(accuracy_report.RESULT)
    page = accuracy_report.PAGE.read_text(encoding="utf-8")
    shown = page.partition(accuracy_report.START)[2].partition(accuracy_report.END)[0]
    assert shown.strip() == accuracy_report.table(result["rows"])
    assert {row["model"] for row in result["rows"]} == set(accuracy.ENTRIES)
    assert accuracy_report.FIGURE.is_file()


def test_the_table_of_variants_is_that_of_its_result_file(repository):
    kinds = files.read_json(variants.RESULT)["kinds"]
    assert variants.as_table(kinds) in (repository / "docs/variants.md").read_text(encoding="utf-8")
    assert kinds["all"]["variants"] == sum(row["variants"] for row in kinds.values()) / 2


def test_each_network_of_the_inference_benchmark_has_its_environment_or_is_missing():
    result = files.read_json(inference.RESULT)
    measurements = result["measurements"]
    assert set(measurements) <= set(inference.NETWORKS)
    for row in measurements.values():
        assert row["environment"]["machine"]["cpu"]
        assert row["environment"]["versions"]["tensorflow"]
        assert len(row["load_after"]) == 3
    assert result["missing"] == inference.missing(measurements)
