import inspect

import pytest

from akita_bayes import regulation
from akita_bayes.regulation.posterior import sampling


@pytest.mark.parametrize("name", regulation.__all__)
def test_a_public_name_resolves_and_is_documented(name):
    assert inspect.getdoc(getattr(regulation, name)), name


def test_the_posterior_of_a_mechanism_is_sampled_under_its_public_name():
    assert regulation.sample_posterior is sampling.sample_mechanism
    with pytest.raises(AttributeError, match="has no attribute 'sample'"):
        regulation.sample  # noqa: B018
