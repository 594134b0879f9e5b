"""What the documents say of results is what the result files hold."""

import numpy as np
import pytest

from akita_bayes import files
from benchmarks import (
    accuracy,
    accuracy_report,
    distillation,
    inference,
    lac_interaction,
    natural_differences,
    novelty,
    simulation_transfer,
    trunks,
    variants,
)


def test_the_table_of_posteriors_is_that_of_its_result_file():
    result = files.read_json(accuracy_report.RESULT)
    page = accuracy_report.PAGE.read_text(encoding="utf-8")
    shown = page.partition(accuracy_report.START)[2].partition(accuracy_report.END)[0]
    assert shown.strip() == accuracy_report.table(result["rows"])
    assert {row["model"] for row in result["rows"]} == set(accuracy.ROWS)
    assert accuracy_report.FIGURE.is_file()


def test_the_table_of_variants_is_that_of_its_result_file(repository):
    result = files.read_json(variants.RESULT)
    kinds = result["kinds"]
    page = (repository / "docs/variant_truth.md").read_text(encoding="utf-8")
    assert variants.as_table(kinds) in page
    assert variants.size_table(result["sizes"]) in page
    assert kinds["all"]["variants"] == sum(row["variants"] for row in kinds.values()) / 2
    own = files.read_json(variants.RESULT.with_name("variants_one_for_each.json"))
    assert variants.size_table(own["sizes"]) in page
    assert own["one_for_each"]


@pytest.mark.parametrize("name", ["simulation_transfer", "simulation_transfer_seed1"])
def test_the_tables_of_unlike_simulations_are_those_of_their_result_files(repository, name):
    result = files.read_json(simulation_transfer.RESULT.with_name(f"{name}.json"))
    page = (repository / "docs/variant_truth.md").read_text(encoding="utf-8")
    assert simulation_transfer.table(result["scenarios"]) in page
    assert set(result["scenarios"]) == set(simulation_transfer.SCENARIOS)


@pytest.mark.parametrize("name", ["natural_differences", "natural_differences_seed1"])
def test_the_tables_of_strains_are_those_of_their_result_files(repository, name):
    rows = files.read_json(natural_differences.RESULT.with_name(f"{name}.json"))["strains"]
    page = (repository / "docs/variant_truth.md").read_text(encoding="utf-8")
    assert natural_differences.table(rows) in page
    if name == "natural_differences":
        assert f"a standard deviation of {rows['1.0%']['noise']:.0f}" in page
        assert f"scores are below {rows['1.0%']['median truth']:.1f}" in page


def test_the_table_of_trunks_is_that_of_its_result_file(repository):
    data_sets = files.read_json(trunks.RESULT)["data"]
    page = (repository / "docs" / "uncertainty_tests.md").read_text(encoding="utf-8")
    assert trunks.table(data_sets) in page
    assert len(data_sets["small"]["rows"]) == 6


def test_each_network_of_the_inference_benchmark_has_its_environment_or_is_missing():
    result = files.read_json(inference.RESULT)
    measurements = result["measurements"]
    assert set(measurements) <= set(inference.NETWORKS)
    for row in measurements.values():
        assert row["environment"]["machine"]["cpu"]
        assert row["environment"]["versions"]["tensorflow"]
        assert len(row["load_after"]) == 3
    assert result["missing"] == inference.missing(measurements)


def test_the_table_of_novelty_is_that_of_its_result_file(repository):
    measured = files.read_json(novelty.RESULT)["measurements"]
    page = (repository / "docs" / "uncertainty_tests.md").read_text(encoding="utf-8")
    for kind, label in (
        ("bases shuffled", "test windows with shuffled bases"),
        ("dinucleotides shuffled", "the same, dinucleotides kept"),
        (f"GC + {novelty.SHIFT:g}", "the same, GC content raised by 0.1"),
        ("foreign: E. coli", "*E. coli*"),
    ):
        row = measured["kinds"][kind]
        numbers = " | ".join(f"{row[name]['auroc']:.3f}" for name in ("trunk", "3-mers", "GC"))
        assert f"| {label} | {numbers} |" in page
    assert f"{100 * measured['test_above_threshold']:.1f} % of the test windows" in page


def test_the_table_of_students_is_that_of_its_result_file(repository):
    result = files.read_json(distillation.RESULT)
    page = (repository / "docs" / "uncertainty_tests.md").read_text(encoding="utf-8")
    assert distillation.as_table(result["summary"]) in page
    assert result["summary"] == distillation.summarised(result["rows"])
    assert result["rows"].keys() == distillation.rows_of(repository).keys()


def test_a_shuffle_keeps_every_dinucleotide():
    rng = np.random.default_rng(0)
    for length in (10, 50, 2000):
        row = rng.integers(0, 4, length).astype(np.uint8)
        shuffled = novelty.shuffled(row, rng)
        pairs = [np.bincount(4 * x[:-1].astype(int) + x[1:], minlength=16) for x in (row, shuffled)]
        np.testing.assert_array_equal(*pairs)
    assert (row != shuffled).mean() > 0.5
    np.testing.assert_allclose(novelty.kmers(row), novelty.kmers(3 - row[::-1]))


def test_the_interactions_of_the_page_are_those_of_the_result_file(repository):
    """The fits of pairs of promoters, and the joint fit that adds profiles."""
    rows = files.read_json(lac_interaction.RESULT)["measurements"]
    page = (repository / "docs" / "lac_findings.md").read_text(encoding="utf-8")
    for name, label in (
        ("pairs", "`lac_pairs.json`"),
        ("pairs, activated alone", "without the occluded promoters"),
        ("pairs, activated alone, own scales", "the same, each library with its own scale"),
    ):
        fit = rows[name]["interaction"]
        ends = " to ".join(f"{end:.2f}" for end in rows[name]["profile_interval"])
        curvature = f"{fit['lower']:.2f} to {fit['upper']:.2f}"
        assert f"| {label} | {fit['mean']:.2f} | {curvature} | {ends} |" in page
    joint = rows["reads, paper, independent"]["joint"]
    assert f"| {joint['chi_squared']:.1f} | |" in page
    assert f"{joint['interaction'] * lac_interaction.KCAL:.2f}" in page


def test_a_joint_profile_is_the_sum_of_two_parabolas():
    def parabola(centre, sd):
        value = centre + sd * np.linspace(-4, 4, 9)
        return {
            "profile": {
                "value": value.tolist(),
                "drop": ((value - centre) ** 2 / (2 * sd**2)).tolist(),
            }
        }

    joint = lac_interaction.joint(parabola(-4.0, 0.3), parabola(-6.0, 0.2))
    weight = np.array([0.3, 0.2]) ** -2.0
    assert joint["interaction"] == pytest.approx(np.average([-4, -6], weights=weight), abs=0.01)
    assert joint["chi_squared"] == pytest.approx(4 / (0.3**2 + 0.2**2), rel=0.01)
    half = 1.96 / np.sqrt(weight.sum())
    assert joint["interval"][1] - joint["interval"][0] == pytest.approx(2 * half, abs=0.02)
