"""Settings of a measurement: every key out of range is refused in one sentence."""

import dataclasses

import pytest

from akita_bayes import errors
from akita_bayes.simulate.measurement import settings

OUT_OF_RANGE = {
    "kernel_sigma": (-1.0, "kernel_sigma -1 is out of range; choose 0 to 8"),
    "kernel_width": (4, "kernel_width 4 must be odd"),
    "dispersion": (-0.1, "dispersion -0.1 is out of range; choose 0 to 10"),
    "coverage_smooth": (3.0, "coverage_smooth 3 is out of range; choose 0 to 2"),
    "coverage_length": (0.0, "coverage_length 0 is not a length in bp"),
    "coverage_bin": (float("nan"), "coverage_bin nan is out of range"),
    "unmappable_stretches": (0.5, "unmappable_stretches 0.5 is out of range; choose 0 to 0.4"),
    "unmappable_length": (-1.0, "unmappable_length -1 is not a length in bp"),
    "replicate_bias": (4.0, "replicate_bias 4 is out of range; choose 0 to 3"),
    "target_bias": (-1.0, "target_bias -1 is out of range"),
    "bias_length": (float("inf"), "bias_length inf is not a length in bp"),
    "target_depth": (2.5, "target_depth 2.5 is out of range; choose 0 to 2"),
    "replicate_r": (1.0, "replicate_r 1 is out of range; choose 0.3 to 0.995"),
    "solve_for": ("seed", 'solve_for "seed" is unknown; choose "bias" or "depth"'),
}


@pytest.mark.parametrize("key", [field.name for field in dataclasses.fields(settings.Measurement)])
def test_a_key_out_of_range_is_refused_in_one_sentence(key):
    value, says = OUT_OF_RANGE[key]
    with pytest.raises(errors.DataError) as caught:
        settings.Measurement(**{key: value})
    message = str(caught.value)
    assert says in message
    assert message.startswith(f"measurement.{key} ")
    assert len(message.splitlines()) == 1


def test_only_coverage_asks_for_balancing():
    assert not settings.Measurement(dispersion=1.0, replicate_bias=0.5).has_coverage
    assert settings.Measurement(coverage_smooth=0.1).has_coverage
    assert settings.Measurement(coverage_bin=0.1).has_coverage
