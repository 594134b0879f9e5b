import math
import typing

import numpy as np
import pytest

from akita_bayes.blocks import parts
from akita_bayes.layers import activation

X = np.linspace(-3, 3, 13).astype("float32")


def test_gelu_is_the_tanh_approximation():
    inner = math.sqrt(2 / math.pi) * (X + 0.044715 * X**3)
    np.testing.assert_allclose(
        activation.gelu(X), X * (1 + np.tanh(inner)) / 2, rtol=1e-6, atol=1e-6
    )


def test_softplus_is_finite_far_out():
    np.testing.assert_allclose(activation.named("softplus")(X), np.log1p(np.exp(X)), rtol=1e-5)
    assert np.isfinite(activation.named("softplus")(np.float32([1e6, -1e6]))).all()


def test_linear_and_null_change_nothing():
    assert activation.named(None) is activation.named("linear") is None


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(ValueError, match=r"relu, gelu.* got 'rellu'"):
        activation.named("rellu")


def test_a_spec_can_name_every_activation_and_no_other():
    (choices, _) = typing.get_args(parts.Activation)
    assert set(typing.get_args(choices)) == {*activation.NAMED, "linear"}
