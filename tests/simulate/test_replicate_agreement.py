"""Replicates correlate as a design asks, whatever is set to reach it."""

import dataclasses

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.simulate import designs, experiment, replicate_agreement
from akita_bayes.simulate.simulation_folder import simulated_records


def _design(**keys):
    """A design like `realistic` with a small genome."""
    preset = designs.PRESETS["realistic"]
    settings = dataclasses.replace(preset.measurement, **keys)
    return dataclasses.replace(preset, genome_mb=0.5, measurement=settings)


def _measured(design, seed):
    windows = experiment.simulate_chromosome(list(design.chromosomes())[-1], design, seed).windows
    return float(
        np.mean(simulated_records.ceiling(windows, design.cell_types)["replicate_pearson"])
    )


@pytest.mark.parametrize(
    ("solve_for", "requested"),
    [("bias", 0.75), ("depth", 0.9)]
    + [
        pytest.param(solve_for, requested, marks=pytest.mark.slow)
        for solve_for in ("bias", "depth")
        for requested in (0.6, 0.75, 0.9, 0.95)
        if (solve_for, requested) not in (("bias", 0.75), ("depth", 0.9))
    ],
)
def test_replicates_correlate_as_asked(solve_for, requested):
    """The search and the simulation draw the same numbers; float16 changes r by less than 1e-3."""
    design = _design(replicate_r=requested, solve_for=solve_for)
    solved = replicate_agreement.solve(design, 0)
    assert _measured(solved, 0) == pytest.approx(requested, abs=replicate_agreement.CLOSE + 1e-3)
    unchanged = dataclasses.replace(solved, depth=design.depth, measurement=design.measurement)
    assert unchanged == design
    assert (solved.depth == design.depth) == (solve_for == "bias")


def test_a_design_without_a_wanted_correlation_is_returned_as_it_is():
    design = _design(replicate_r=None)
    assert replicate_agreement.solve(design, 0) is design


def test_a_correlation_that_no_bias_reaches_is_refused_in_one_sentence():
    shallow = dataclasses.replace(_design(replicate_r=0.95), depth=500.0)
    with pytest.raises(errors.DataError, match=r"replicate_r 0.95: .* choose a smaller") as caught:
        replicate_agreement.solve(shallow, 0)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("solve_for", ["bias", "depth"])
@pytest.mark.parametrize("requested", [0.35, 0.6, 0.9, 0.95])
@pytest.mark.parametrize("signal", [0.02, 1.0, 50.0])
def test_the_search_finds_the_noise_of_a_known_curve(solve_for, requested, signal):
    """r = 0.95 / (1 + noise / signal), over the range of noise that the search covers."""
    design = _design(replicate_r=requested, solve_for=solve_for)
    noise = signal * (0.95 / requested - 1)
    least, _, most = replicate_agreement._NOISE[solve_for]
    calls = []

    def measured(value):
        calls.append(value)
        return 0.95 / (1 + value / signal)

    if noise > most * (1 + 1e-9) or 0.95 / (1 + least / signal) < requested - 0.003:
        extreme = "least" if noise > most else "most"
        with pytest.raises(errors.DataError, match=f"reach at {extreme} r"):
            replicate_agreement._search(measured, design, requested)
        return
    solution = replicate_agreement._search(measured, design, requested)
    assert abs(0.95 / (1 + solution / signal) - requested) < replicate_agreement.CLOSE
    assert len(calls) <= 12


def test_the_correlation_is_the_mean_over_pairs_of_measured_pixels():
    rng = np.random.default_rng(0)
    replicates = rng.standard_normal((3, 4, 50))
    mask = rng.random((4, 50)) < 0.8
    columns = [replicate[mask] for replicate in replicates]
    expected = np.mean(
        [np.corrcoef(columns[a], columns[b])[0, 1] for a, b in ((0, 1), (0, 2), (1, 2))]
    )
    assert replicate_agreement.correlation(replicates, mask) == pytest.approx(expected)


def test_a_correlation_that_jumps_gives_the_closest_trial_and_says_how_far_it_is(caplog):
    design = _design(replicate_r=0.6, solve_for="depth")
    trials = {}

    def measured(noise):
        """Falls as the noise grows, and never comes closer to 0.6 than 0.01."""
        jump = 0.01 * (1 + len(trials) % 3)
        trials[noise] = 0.6 + jump if noise < 7.0 else 0.6 - jump
        return trials[noise]

    noise = replicate_agreement._search(measured, design, 0.6)
    assert abs(trials[noise] - 0.6) == pytest.approx(0.01)
    assert "closest of 16 trials differs by 0.010" in caplog.text
