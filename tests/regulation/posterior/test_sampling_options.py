import dataclasses

import pytest

from akita_bayes import errors
from akita_bayes.cli import mpra_posterior
from akita_bayes.regulation.posterior import sampling
from akita_bayes.regulation.posterior.sampling_options import DEFAULTS, LEAST, SamplingOptions


@pytest.mark.parametrize(("name", "least"), LEAST.items())
def test_numbers_that_are_too_small_are_refused(name, least):
    assert getattr(SamplingOptions(**{name: least}), name) == least
    message = f"{name}: {least - 1} is too few; give {least} or more"
    with pytest.raises(errors.SpecError, match=message):
        SamplingOptions(**{name: least - 1})


def test_the_command_has_the_defaults_of_the_library(repository):
    spec = str(repository / "models" / "json" / "lac_log.json")
    parser = mpra_posterior._parser()
    options = mpra_posterior._sampling_options(parser.parse_args([spec, "data", "-o", "run"]))
    assert options == DEFAULTS
    changed = ["--bootstrap", "3", "--knots", "5", "--weigh", "--effective", "50"]
    options = mpra_posterior._sampling_options(
        parser.parse_args([spec, "data", "-o", "run", *changed])
    )
    assert options == dataclasses.replace(
        DEFAULTS, replicates=3, knots=5, weigh=True, effective=50.0
    )


def test_an_unknown_keyword_is_named_before_anything_is_read():
    with pytest.raises(TypeError, match='Did you mean "starts"'):
        sampling.sample_mechanism("none.json", "none", start=1)
