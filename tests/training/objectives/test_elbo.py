"""The bound against closed forms, Monte Carlo and a model whose posterior is known exactly."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from keras import ops

from akita_bayes import errors
from akita_bayes.layers import latent, noise, stochastic
from akita_bayes.layers.variational import DenseVariational
from akita_bayes.models import load, posterior, swag, zoo
from akita_bayes.specs import train_spec
from akita_bayes.training import fit
from akita_bayes.training.objectives import elbo
from tests import tiny

LATENT = {"name": "normal_latent", "units": 3, "initial_scale": 0.3}


def network(units=4, seed=0, sd=0.5, scale=0.4):
    """z ~ q(z | x) of 3 positions, decoded to 3 pixels of 2 targets."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((3, 4), name="sequence")
    z = latent.NormalLatent(units, initial_scale=scale)(inputs)
    outputs = noise.ObservationNoise(initial=sd)(keras.layers.Dense(2)(z))
    return keras.Model(inputs, outputs)


def batch(count=5, seed=0):
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(count, 3, 4)), generator.normal(size=(count, 3, 2))
    mask = generator.random((count, 3, 2)) > 0.2
    return {
        "sequence": ops.convert_to_tensor(x, "float32"),
        "target": ops.convert_to_tensor(np.where(mask, y, np.nan), "float32"),
        "mask": ops.convert_to_tensor(mask),
    }


def objective(model, **options):
    return elbo.Elbo(model, train_spec.ElboSpec(**options), examples=10)


def evaluated(model, data):
    """The predictions of the draws of an evaluation. [S, B, P, T]."""
    draws = []
    for draw in range(elbo.EVALUATION_DRAWS):
        with stochastic.drawing(elbo.EVALUATION_SEED, draw):
            draws.append(model(data["sequence"], training=False).numpy())
    return np.stack(draws)


def test_log_likelihood_is_the_sum_of_normal_densities_over_measured_pixels():
    data = batch()
    prediction = np.zeros((5, 3, 2), "float32")
    log_likelihood = elbo.log_likelihood(
        data["target"], prediction, np.array([[0.5, 2.0]], "float32"), data["mask"]
    )
    density = scipy.stats.norm.logpdf(data["target"].numpy(), scale=[0.5, 2.0])
    expected = np.where(data["mask"].numpy(), density, 0).sum((1, 2))
    np.testing.assert_allclose(log_likelihood, expected, rtol=1e-5)


def test_the_loss_is_the_negative_bound_over_the_number_of_pixels():
    model, data = network(), batch()
    terms = objective(model, kl_weight=2.0)(model, data, False)
    q = model.layers[1].posterior(data["sequence"])
    mu, sigma = q.mean().numpy(), q.stddev().numpy()
    kl = 0.5 * (sigma**2 + mu**2 - 1 - np.log(sigma**2)).sum((1, 2))
    density = scipy.stats.norm.logpdf(data["target"].numpy(), evaluated(model, data), scale=0.5)
    mask = data["mask"].numpy()
    likelihood = np.where(mask, density, 0).sum((2, 3)).mean(0)
    np.testing.assert_allclose(terms.columns["kl"], kl, rtol=1e-4)
    np.testing.assert_allclose(terms.columns["log_likelihood"], likelihood, rtol=1e-4)
    np.testing.assert_allclose(terms.loss, (2 * kl - likelihood) / 6, rtol=1e-4)


@pytest.mark.parametrize("options", [{}, {"samples": 2, "kl_weight": 0.0}], ids=str)
def test_the_mean_loss_is_the_bound_of_the_data_whatever_was_measured_where(options):
    """An example weighs what was measured of it; one that never was, its divergence alone."""
    model, data = network(scale=1e-4), batch()
    data["mask"] = ops.convert_to_tensor(np.arange(6).reshape(3, 2) < np.arange(5)[:, None, None])
    bound = objective(model, **options)
    terms = bound(model, data, bound.cut is not None)
    likelihood, kl = (terms.columns[name].numpy() for name in ("log_likelihood", "kl"))
    assert likelihood[0] == 0 < kl[0]
    nats = options.get("kl_weight", 1) * kl - likelihood
    np.testing.assert_allclose(np.mean(terms.loss), nats.mean() / 6, rtol=1e-3)
    np.testing.assert_allclose(terms.loss, nats / 6, rtol=1e-2)


@pytest.mark.parametrize("samples", [1, 3])
def test_the_layers_before_the_posterior_train_whatever_the_samples(samples):
    inputs = keras.Input((3, 4), name="sequence")
    normalise = keras.layers.BatchNormalization(momentum=0.5)
    z = latent.NormalLatent(4)(normalise(inputs))
    model = keras.Model(inputs, noise.ObservationNoise(initial=0.5)(keras.layers.Dense(2)(z)))
    data = batch()
    mean = data["sequence"].numpy().mean((0, 1))
    bound = objective(model, samples=samples)
    bound(model, data, False)
    np.testing.assert_array_equal(normalise.moving_mean, np.zeros(4))
    bound(model, data, True)
    np.testing.assert_allclose(normalise.moving_mean, mean / 2, rtol=1e-4)


def test_the_paper_s_objective_is_a_mean_error_beside_a_sum_of_kl():
    model, data = network(), batch()
    terms = objective(model, reduction="paper")(model, data, False)
    mask = data["mask"].numpy()
    error = np.where(mask, data["target"].numpy() - evaluated(model, data).mean(0), 0) ** 2
    expected = error.sum((1, 2)) / mask.sum((1, 2)) + terms.columns["kl"].numpy()
    np.testing.assert_allclose(terms.loss, expected, rtol=1e-5)


def test_beta_grows_linearly_in_training_and_is_whole_in_evaluation():
    model, data = network(), batch()
    bound = objective(model, kl_weight=0.8, kl_warmup=4)
    whole = bound(model, data, False).loss
    for epoch, beta in ((0, 0.0), (1, 0.2), (2, 0.4), (4, 0.8), (9, 0.8)):
        bound.begin_epoch(epoch)
        assert float(bound._beta.numpy()) == pytest.approx(beta)
        np.testing.assert_array_equal(bound(model, data, False).loss, whole)
        terms = bound(model, data, True)
        nats = beta * terms.columns["kl"].numpy() - terms.columns["log_likelihood"].numpy()
        np.testing.assert_allclose(terms.loss, nats / 6, rtol=1e-5)


def test_free_bits_punish_no_less_than_they_allow_and_leave_what_exceeds():
    model, data = network(), batch()
    plain = objective(model)(model, data, False)
    tiny_allowance = objective(model, free_bits=1e-6)(model, data, False)
    np.testing.assert_allclose(tiny_allowance.loss, plain.loss, rtol=1e-5)
    generous = objective(model, free_bits=50.0)(model, data, False)
    spent = (50.0 * 3 * 4 - plain.columns["log_likelihood"].numpy()) / 6
    np.testing.assert_allclose(generous.loss, spent, rtol=1e-5)


def test_more_samples_tighten_the_bound():
    model, data = network(), batch()
    losses = {}
    for samples in (1, 8):
        bound = objective(model, samples=samples)
        loss = tf.function(lambda bound=bound: bound(model, data, True).loss)
        losses[samples] = np.mean([loss().numpy() for _ in range(150)])
    assert losses[8] < losses[1] - 0.01


def test_several_samples_of_weights_are_refused_since_they_give_no_bound():
    inputs = keras.Input((3, 2), name="sequence")
    prediction = DenseVariational(2)(inputs)
    model = keras.Model(inputs, noise.ObservationNoise()(prediction))
    with pytest.raises(errors.SpecError, match=r"samples: is 2, but the layer .* draws weights"):
        objective(model, samples=2)
    assert objective(model, samples=1).elbo.samples == 1


def test_a_linear_gaussian_model_recovers_its_exact_posterior_and_evidence():
    """y = W z + noise with z ~ N(0, 1): q must become N(S W'y / s^2, S), S = (1 + W'W / s^2)^-1."""
    keras.utils.set_random_seed(1)
    decode, sd = np.array([[0.8, -0.5]], "float32"), 0.6
    generator = np.random.default_rng(2)
    y = (generator.normal(size=(256, 1)) @ decode + sd * generator.normal(size=(256, 2)))[:, None]
    inputs = keras.Input((1, 2), name="sequence")  # the encoder sees y, as a true VAE's does
    z = latent.NormalLatent(1)(inputs)
    decoder = keras.layers.Dense(2, use_bias=False)
    model = keras.Model(inputs, noise.ObservationNoise(initial=sd)(decoder(z)))
    decoder.kernel.assign(decode)
    data = {"sequence": y.astype("float32"), "target": y.astype("float32")}
    data["mask"] = np.ones(y.shape, bool)
    bound = objective(model, samples=1)
    trained = model.layers[1].trainable_variables
    optimizer = keras.optimizers.Adam(0.03)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(bound(model, data, True).loss)
        optimizer.apply(tape.gradient(loss, [v.value for v in trained]), trained)

    for rate in (0.03, 0.003):
        optimizer.learning_rate = rate
        for _ in range(400):
            step()
    variance = 1 / (1 + (decode**2).sum() / sd**2)
    exact = variance * y @ decode.T / sd**2
    q = model.layers[1].posterior(data["sequence"])
    np.testing.assert_allclose(q.stddev().numpy(), np.sqrt(variance), rtol=0.05)
    np.testing.assert_allclose(q.mean().numpy(), exact, atol=0.06)
    covariance = decode.T @ decode + sd**2 * np.eye(2)
    evidence = scipy.stats.multivariate_normal.logpdf(y[:, 0], cov=covariance).mean()
    losses = [2 * bound(model, data, True).loss.numpy().mean() for _ in range(20)]
    np.testing.assert_allclose(-np.mean(losses), evidence, atol=0.03)


def test_at_the_exact_posterior_any_samples_give_the_evidence():
    """Then every importance weight p(y, z) / q(z) is p(y), and the bound is tight."""
    decode, sd = np.array([[0.8, -0.5]], "float32"), 0.6
    y = np.random.default_rng(3).normal(size=(4, 1, 2)).astype("float32")
    inputs = keras.Input((1, 2), name="sequence")
    decoder = keras.layers.Dense(2, use_bias=False)
    z = latent.NormalLatent(1)(inputs)
    model = keras.Model(inputs, noise.ObservationNoise(initial=sd)(decoder(z)))
    decoder.kernel.assign(decode)
    variance = 1 / (1 + (decode**2).sum() / sd**2)
    encoder = model.layers[1]
    encoder.mean.kernel.assign(variance * decode.T / sd**2)
    encoder.mean.bias.assign([0.0])
    encoder.raw_scale.kernel.assign(np.zeros((2, 1)))
    encoder.raw_scale.bias.assign([np.log(np.expm1(np.sqrt(variance)))])
    covariance = decode.T @ decode + sd**2 * np.eye(2)
    evidence = scipy.stats.multivariate_normal.logpdf(y[:, 0], cov=covariance)
    data = {"sequence": y, "target": y, "mask": np.ones(y.shape, bool)}
    terms = objective(model, samples=3)(model, data, True)
    np.testing.assert_allclose(terms.loss, -evidence / 2, rtol=1e-3)


@pytest.mark.parametrize("options", [{}, {"kl_weight": 0.1}, {"free_bits": 3.0}])
def test_the_reported_bound_is_that_of_draws_without_free_bits(options):
    model, data = network(), batch()
    columns = objective(model, **options)(model, data, False).columns
    likelihoods = [
        elbo.log_likelihood(data["target"], draw, 0.5, data["mask"])
        for draw in evaluated(model, data)
    ]
    likelihood = np.mean(likelihoods, 0)
    np.testing.assert_allclose(columns["log_likelihood"], likelihood, rtol=1e-5)
    np.testing.assert_allclose(columns["bound"], likelihood - columns["kl"], rtol=1e-5)
    trained = objective(model, **options)(model, data, True).columns
    np.testing.assert_allclose(trained["bound"], trained["log_likelihood"] - trained["kl"])


def test_weights_bear_their_share_of_the_divergence():
    spec = zoo.parse_spec(variational())
    from akita_bayes.models import build

    model = build.build(spec)
    data = {
        "sequence": tiny.one_hot(2).astype("float32"),
        "target": np.zeros((2, tiny.PIXELS, tiny.TARGETS), "float32"),
        "mask": np.ones((2, tiny.PIXELS, tiny.TARGETS), bool),
    }
    with stochastic.collecting() as divergences:
        model(data["sequence"], training=False)
    columns = objective(model)(model, data, False).columns
    np.testing.assert_allclose(columns["kl"], np.full(2, divergences[0].kl / 10), rtol=1e-5)
    assert "active_units" not in columns


def test_active_units_are_those_of_the_latents_beside_variational_weights():
    from akita_bayes.models import build

    spec = variational()
    spec["model"]["head_hic"].insert(0, LATENT)
    model = build.build(zoo.parse_spec(spec))
    data = {
        "sequence": tiny.one_hot(2).astype("float32"),
        "target": np.zeros((2, tiny.PIXELS, tiny.TARGETS), "float32"),
        "mask": np.ones((2, tiny.PIXELS, tiny.TARGETS), bool),
    }
    columns = objective(model)(model, data, False).columns
    np.testing.assert_array_equal(columns["active_units"], [3, 3])


def test_a_collapsed_posterior_is_named_and_a_live_one_is_not():
    model, data = network(), batch()
    bound = objective(model)
    row = {f"valid_{k}": float(np.mean(v)) for k, v in bound(model, data, False).columns.items()}
    assert row["valid_active_units"] == 4
    assert bound.remark(row) is None
    layer = model.layers[1]
    layer.mean.kernel.assign(np.zeros((4, 4)))
    layer.raw_scale.kernel.assign(np.zeros((4, 4)))
    layer.raw_scale.bias.assign(np.full(4, np.log(np.expm1(1.0))))
    row = {f"valid_{k}": float(np.mean(v)) for k, v in bound(model, data, False).columns.items()}
    assert row["valid_kl"] == pytest.approx(0, abs=1e-5)
    assert "has collapsed onto the prior: 0.0 latent units" in bound.remark(row)


def test_a_model_without_noise_is_refused_in_words():
    inputs = keras.Input((3, 4))
    with pytest.raises(errors.SpecError, match="needs one observation noise"):
        objective(keras.Model(inputs, keras.layers.Dense(2)(inputs)))


def variational(**train):
    spec = tiny.spec_json(loss="elbo", **train)
    spec["model"]["head_hic"][-1]["name"] = "dense_variational"
    return spec


def latent_spec(**train):
    spec = tiny.spec_json(loss="elbo", **train)
    spec["model"]["head_hic"].insert(0, LATENT)
    return spec


@pytest.mark.slow
def test_training_with_averaging_leaves_a_posterior_that_can_be_drawn(tmp_path):
    data = tiny.write_data(tmp_path / "data")
    spec = zoo.parse_spec(
        latent_spec(
            elbo={"kl_warmup": 1, "observation_noise": "target_distance"},
            swa={"start": 1, "annealing_epochs": 1, "learning_rate": 0.005, "swag_rank": 2}
            | {"swag_draws": 3},
        )
    )
    run = fit.fit(spec, data, out_dir=tmp_path / "run", devices="cpu", tensorboard=False)
    assert run.history["epoch"].tolist() == [1, 2, 3, 4]  # the last one is the average
    for name in ("kl", "log_likelihood", "active_units"):
        assert np.isfinite(run.history[f"valid_{name}"]).all()
    np.testing.assert_allclose(
        run.history["learning_rate"], [0.01, 0.01 - 0.005 * 5 / 6, 0.005, 0.005]
    )
    gaussian, draws = swag.load(run.out_dir / swag.FILE)
    assert gaussian.deviations.shape == (2, len(gaussian.mean))
    model = load.load_model(run.out_dir)
    assert draws.shape == (3, len(swag.flatten(swag.drawn_variables(model))))
    summary = posterior.sample_posterior(model, tiny.one_hot(2), draws=6)
    assert (summary.epistemic_sd > 0).all()
    assert 0.02 < summary.aleatoric_sd.mean() < 2
