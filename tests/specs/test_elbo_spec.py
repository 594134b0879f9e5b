"""What a spec may say of training by the evidence lower bound."""

from typing import Any

import pytest

from akita_bayes import errors
from tests.spec_json import changed, parse, raw


@pytest.mark.parametrize(
    ("elbo", "message"),
    [
        ({"samples": 4, "free_bits": 0.1}, "elbo.free_bits and elbo.samples above 1 exclude"),
        ({"reduction": "paper", "samples": 4}, '"paper" and elbo.samples above 1 exclude'),
        ({"reduction": "paper", "free_bits": 0.1}, '"paper" and elbo.free_bits exclude'),
    ],
)
def test_options_of_the_elbo_without_effect_are_refused(elbo: dict[str, Any], message: str):
    value = raw()
    value["train"] = {"loss": "elbo", "elbo": elbo}
    with pytest.raises(errors.SpecError, match=rf"^train: .*{message} each other; keep one\.$"):
        parse(value)
    value["train"]["elbo"] = dict(list(elbo.items())[:1])
    assert parse(value).train.elbo is not None


def test_the_elbo_has_its_own_options_with_defaults():
    value = raw()
    value["train"] = {"loss": "elbo", "elbo": {"kl_warmup": 5}}
    elbo = parse(value).train.elbo
    assert (elbo.kl_weight, elbo.kl_warmup, elbo.reduction) == (1.0, 5, "elbo")
    value["train"] = {"loss": "elbo"}
    assert parse(value).train.elbo.observation_noise == "target"
    value["train"] = {"loss": "elbo", "elbo": {"kl_wait": 5}}
    with pytest.raises(errors.SpecError, match=r'^train\.elbo\.kl_wait: .* mean "kl_weight"'):
        parse(value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "model.trunk[1]",
            {"name": "normal_latent"},
            r"^model\.trunk\[1\]: normal_latent holds a posterior, which train\.loss \"mse\" would"
            r' .*; write "loss": "elbo"\.$',
        ),
        ("model.head_hic[3].variational", True, r"^model\.head_hic\[3\]: final holds a posterior"),
    ],
)
def test_a_posterior_is_trained_by_the_elbo_alone(path: str, value: Any, message: str):
    whole = changed(path, value)
    with pytest.raises(errors.SpecError, match=message):
        parse(whole)
    whole["train"]["loss"] = "elbo"
    assert parse(whole).train.elbo is not None
