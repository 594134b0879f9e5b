"""Every loss against a NumPy twin that loops over examples and looks at measured pixels only."""

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.training.objectives import losses


def mse(y, p, m):
    return np.mean((y - p)[m] ** 2)


def poisson(y, p, m):
    return np.mean((p - y * np.log(p + 1e-7))[m])


def bce(y, p, m):
    return -np.mean((y * np.log(p) + (1 - y) * np.log(1 - p))[m])


def poisson_mn(y, p, m, total_weight=1.0):
    values = []
    for t in range(y.shape[1]):
        yt, pt = y[m[:, t], t] + 1e-6, p[m[:, t], t] + 1e-6
        total = pt.sum() - yt.sum() * np.log(pt.sum())
        values.append((total_weight * total - (yt * np.log(pt / pt.sum())).sum()) / len(yt))
    return np.mean(values)


def mse_udot(y, p, m, spec_weight=1.0):
    values = []
    for i in range(y.shape[0]):
        yi, pi = y[i, m[i]], p[i, m[i]]
        values += list((yi - pi) ** 2 - spec_weight * (yi - yi.mean()) * (pi - pi.mean()))
    return np.mean(values)


def poisson_kl(y, p, m, spec_weight=1.0):
    divergences = []
    for i in range(y.shape[0]):
        q, r = y[i, m[i]] + 1e-3, p[i, m[i]] + 1e-3
        q, r = q / q.sum(), r / r.sum()
        divergences.append((q * np.log(q / r)).sum())
    return poisson(y, p, m) + spec_weight * np.mean(divergences)


TWINS = {
    ("mse", ()): mse,
    ("poisson", ()): poisson,
    ("bce", ()): bce,
    ("poisson_mn", ()): poisson_mn,
    ("poisson_mn", (("total_weight", 0.2),)): lambda *a: poisson_mn(*a, total_weight=0.2),
    ("mse_udot", ()): mse_udot,
    ("mse_udot", (("spec_weight", 3.0),)): lambda *a: mse_udot(*a, spec_weight=3.0),
    ("poisson_kl", ()): poisson_kl,
    ("poisson_kl", (("spec_weight", 0.5),)): lambda *a: poisson_kl(*a, spec_weight=0.5),
}


@pytest.fixture(params=["measured", "masked"])
def arrays(request):
    random = np.random.default_rng(3)
    truth, prediction = random.uniform(0.05, 0.95, (2, 4, 30, 3)).astype(np.float32)
    mask = np.ones(truth.shape, bool)
    if request.param == "masked":
        mask = random.random(truth.shape) > 0.25
        mask[..., 0] |= ~mask.any(-1)
    return np.where(mask, truth, 0), prediction, mask


@pytest.mark.parametrize(("name", "weights"), TWINS)
def test_loss_equals_its_twin_example_by_example(name, weights, arrays):
    truth, prediction, mask = arrays
    loss = np.array(losses.named(name, **dict(weights))(truth, prediction, mask))
    twin = TWINS[name, weights]
    expected = [
        twin(*(a.astype(np.float64) if a.dtype != bool else a for a in example))
        for example in zip(truth, prediction, mask, strict=True)
    ]
    np.testing.assert_allclose(loss, expected, rtol=2e-5)


def test_every_loss_has_a_twin():
    assert {name for name, _ in TWINS} == set(losses.LOSSES)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_an_example_without_a_measured_pixel_costs_nothing(name):
    truth = np.zeros((2, 5, 2), np.float32)
    prediction = np.full((2, 5, 2), 0.5, np.float32)
    loss = np.array(losses.named(name)(truth, prediction, np.zeros(truth.shape, bool)))
    np.testing.assert_array_equal(loss, 0)


def test_a_target_measured_at_one_position_counts():
    truth, prediction = np.random.default_rng(4).uniform(0.1, 0.9, (2, 1, 5, 2)).astype("float32")
    mask = np.zeros(truth.shape, bool)
    mask[0, 2, 0] = mask[0, :, 1] = True
    loss = np.array(losses.poisson_mn(truth, prediction, mask))
    np.testing.assert_allclose(loss, [poisson_mn(truth[0], prediction[0], mask[0])], rtol=2e-5)


@pytest.mark.parametrize("name", ["poisson", "poisson_mn", "poisson_kl"])
def test_a_prediction_of_zero_costs_what_the_small_constants_say(name):
    truth, prediction = np.random.default_rng(6).uniform(0.1, 0.9, (2, 1, 8, 2)).astype("float32")
    prediction[0, :3] = 0
    mask = np.ones(truth.shape, bool)
    loss = np.array(losses.named(name)(truth, prediction, mask))
    expected = TWINS[name, ()](truth[0].astype(float), prediction[0].astype(float), mask[0])
    np.testing.assert_allclose(loss, [expected], rtol=1e-5)


def test_a_certain_probability_costs_a_finite_amount():
    truth, prediction = np.float32([[[0, 1, 1, 0]]]), np.float32([[[1, 0, 1, 0]]])
    loss = np.array(losses.bce(truth, prediction, np.ones(truth.shape, bool)))
    np.testing.assert_allclose(loss, [-np.log(1e-7) / 2], rtol=0.01)


def test_an_unknown_name_is_an_error_with_the_nearest():
    with pytest.raises(errors.SpecError, match=r'"poison" is not a loss.*Did you mean "poisson"'):
        losses.named("poison")
