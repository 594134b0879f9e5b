"""Keywords replace fields of frozen options, and an unknown keyword is named."""

import dataclasses

import pytest

from akita_bayes import keywords


@dataclasses.dataclass(frozen=True)
class Options:
    draws: int = 64
    seed: int = 0
    total: int = dataclasses.field(init=False, default=0)

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise ValueError("draws must be at least 1")


def test_fields_are_replaced_in_a_copy():
    options = Options(seed=3)
    assert keywords.replaced(options, {"draws": 8}) == Options(draws=8, seed=3)
    assert options == Options(draws=64, seed=3)
    assert keywords.replaced(options, {}) == options


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("draw", '"draw" is not a keyword of Options. Did you mean "draws"? Its keywords are '),
        ("x", '"x" is not a keyword of Options. Its keywords are draws, seed.'),
        ("total", '"total" is not a keyword of Options. Its keywords are draws, seed.'),
    ],
)
def test_an_unknown_keyword_is_named_with_the_nearest_field(name: str, message: str):
    with pytest.raises(TypeError) as error:
        keywords.replaced(Options(), {"seed": 1, name: 2})
    assert str(error.value).startswith(message)


def test_replaced_options_are_validated():
    with pytest.raises(ValueError, match="at least 1"):
        keywords.replaced(Options(), {"draws": 0})
