"""The benchmarks of growth, start-up and Basenji compute what they say from their turns."""

import json

import pytest

from akita_bayes import files
from benchmarks import against_basenji, growth, readme, run, start_up, whole_process


def test_an_exponent_is_the_slope_between_the_two_largest_sizes():
    rows = [{"size": size, "cpu_seconds": 3 * size**2 + 7} for size in (1, 1000, 10_000)]
    assert growth.exponent(rows) == pytest.approx(2, abs=1e-4)
    assert growth.exponent(rows[:1]) is None


def test_absent_sizes_are_listed():
    measurements = {"workers": {"rows": [{"size": 1}]}, "windows": {"rows": []}}
    absent = growth.absent(measurements)
    assert absent["workers"] == [2]
    assert absent["windows"] == list(growth.SIZES["windows"])


def test_a_summary_compares_neighbouring_turns():
    def turns(*seconds):
        return [{"cpu": cpu, "wall": 1.0, "peak_memory_gb": 2.0} for cpu in seconds]

    sides = {"basenji": turns(2.0, 4.0, 6.0), "float32": turns(1.0, 4.0, 2.0)}
    row = against_basenji.summary(sides, "basenji")["float32"]
    assert row["times_faster"] == 2
    assert (row["times_faster_least"], row["times_faster_most"]) == (1, 3)
    assert row["memory_ratio"] == 1
    assert row["cpu_seconds_median"] == 2


def test_a_whole_process_is_measured_and_its_failure_is_told():
    script = "x = bytearray(300 * 2**20); [n * n for n in range(2_000_000)]"
    used = whole_process.spent([start_up.sys.executable, "-c", script])
    assert used["peak_memory_gb"] > 0.29
    assert 0.05 < used["cpu"] < 60
    with pytest.raises(SystemExit, match="no_such_module"):
        whole_process.spent([start_up.sys.executable, "-c", "import no_such_module"])


def test_the_page_of_benchmarks_is_that_of_the_results():
    assert readme.PAGE.read_text(encoding="utf-8") == readme.page(), (
        "run python -m benchmarks.readme"
    )


@pytest.mark.parametrize("name", ["growth", "start_up", "against_basenji"])
def test_results_name_their_machine_and_what_is_missing(name):
    result = files.read_json(run.RESULTS / f"{name}.json")
    for row in result["measurements"].values():
        assert row["environment"]["machine"]["cpu"]
    if name == "growth":
        absent = growth.absent(result["measurements"])
        assert result["missing"] == {key: sizes for key, sizes in absent.items() if sizes}
    json.dumps(result, allow_nan=False)
