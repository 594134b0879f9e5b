"""A training starts from another one: all weights or the trunk, frozen, slower or as fast."""

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.models import build, load, posterior, weights, zoo
from akita_bayes.training import first_weights, fit
from tests import tiny


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny.write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def donor(data, tmp_path_factory):
    """A trained run whose head has another name and number of targets than `spec`."""
    out_dir = tmp_path_factory.mktemp("donor") / "run"
    return short(zoo.parse_spec(tiny.spec_json(train_epochs_max=1)), data, out_dir).out_dir


def short(spec, data, out_dir, **options):
    return fit.fit(spec, data, out_dir=out_dir, devices="cpu", tensorboard=False, **options)


def trunk_arrays(model):
    """The weights and batch statistics of the trunk, without the states of its dropout."""
    arrays = [variable.numpy() for variable in build.trunk(model).variables]
    return [array for array in arrays if array.dtype.kind == "f"]


@pytest.fixture(scope="module")
def second_task(tmp_path_factory):
    """A spec with three targets, and its data."""
    data = tiny.write_data(tmp_path_factory.mktemp("other"), seed=1, targets=3)
    return zoo.parse_spec(tiny.spec_json(heads=(("mouse", 3),), train_epochs_max=1)), data


@pytest.mark.parametrize("name", ["", "model_best.keras", "model_best.h5"])
def test_a_frozen_trunk_is_that_of_the_first_training(name, donor, second_task, tmp_path):
    spec, data = second_task
    start = {"restore": donor / name, "trunk": True}
    run = short(spec, data, tmp_path / "run", **start, trunk_rate=0.0)
    assert run.spec.train.trunk_rate == 0
    for restored, first in zip(
        trunk_arrays(run.model()), trunk_arrays(load.load_model(donor)), strict=True
    ):
        np.testing.assert_array_equal(restored, first)
    assert run.history["train_loss"].iloc[0] > 0


def test_a_slow_trunk_moves_less_than_a_free_one(donor, second_task, tmp_path):
    spec, data = second_task
    first = trunk_arrays(load.load_model(donor))[0]
    moved = []
    for rate in (1.0, 0.1):
        run = short(
            spec, data, tmp_path / str(rate), restore=donor, trunk=True, trunk_rate=rate, seed=3
        )
        moved.append(np.abs(trunk_arrays(run.model())[0] - first).mean())
    assert 0 < moved[1] < moved[0] / 4


def test_a_frozen_training_averages_and_draws_weights(donor, second_task, tmp_path):
    spec, data = second_task
    swa = {"start": 0, "snapshots": 2, "swag_rank": 2, "swag_draws": 2, "annealing_epochs": 0}
    spec = spec.with_training(swa=type(spec.train).model_validate({"swa": swa}).swa)
    run = short(spec, data, tmp_path / "run", restore=donor, trunk=True, trunk_rate=0.0)
    draws = run.model().swag_draws
    assert np.abs(draws[0] - draws[1]).max() > 0
    frozen = np.concatenate([a.ravel() for a in trunk_arrays(load.load_model(donor))[:1]])
    assert any(
        np.array_equal(draws[0][i : i + frozen.size], frozen)
        for i in range(draws.shape[1] - frozen.size + 1)
    )


@pytest.mark.slow
def test_a_run_with_a_slow_trunk_resumes_to_the_same_weights(donor, second_task, tmp_path):
    spec, data = second_task
    options = {"restore": donor, "trunk": True, "trunk_rate": 0.1, "deterministic": True}
    whole = short(spec, data, tmp_path / "whole", **options, epochs=2).model()
    short(spec, data, tmp_path / "parts", **options, epochs=1)
    parts = short(spec, data, tmp_path / "parts", **options, epochs=2, resume=True).model()
    for expected, actual in zip(whole.weights, parts.weights, strict=True):
        np.testing.assert_array_equal(expected.numpy(), actual.numpy())
    with pytest.raises(errors.RunError, match="trunk_rate"):
        short(spec, data, tmp_path / "parts", **{**options, "trunk_rate": 0.0}, resume=True)


def posterior_spec(block, *, position=0):
    """The spec of the donor with a latent before its head, or with drawn weights in the end."""
    params = tiny.spec_json(loss="elbo", train_epochs_max=1)
    head = params["model"]["head_hic"]
    params["model"]["head_hic"] = [block, *head] if position == 0 else [*head[:-1], block]
    return zoo.parse_spec(params)


@pytest.mark.parametrize(
    ("name", "file"),
    [("normal_latent", "model_best.keras"), ("dense_variational", "model_best.h5")],
)
def test_a_posterior_starts_at_its_deterministic_twin(name, file, donor):
    twin = load.load_model(donor)
    channels = build.trunk(twin).output.shape[-1]
    spec = (
        posterior_spec({"name": name, "units": channels, "initial_scale": 1e-4})
        if name == "normal_latent"
        else posterior_spec(
            {"name": name, "units": tiny.TARGETS, "initial_scale": 1e-4}, position=-1
        )
    )
    model = build.build(spec)
    first_weights.restore(model, donor / file, trunk=False)
    x = np.eye(4, dtype=np.float32)[np.random.default_rng(0).integers(0, 4, (3, tiny.SEQ_LENGTH))]
    maps = twin.predict_on_batch(x)
    np.testing.assert_allclose(model.predict_on_batch(x), maps, atol=1e-5)
    draws = posterior.sample_posterior(model, x, draws=4, seed=0)
    assert 0 < draws.epistemic_sd.max() < 0.02 * maps.std()


def test_a_latent_with_too_few_channels_cannot_start_at_its_twin(donor):
    model = build.build(posterior_spec({"name": "normal_latent", "units": 3}))
    with pytest.raises(errors.RunError, match="has 3 channels, but its input has"):
        first_weights.restore(model, donor / "model_best.keras", trunk=False)


def attention_spec(name="transformer", **arguments):
    """The spec of the donor with attention at the end of its trunk."""
    params = tiny.spec_json(train_epochs_max=1)
    params["model"]["trunk"].append({"name": name, "heads": 2, "key_size": 4, **arguments})
    return zoo.parse_spec(params)


@pytest.mark.parametrize("file", ["model_best.keras", "model_best.h5"])
def test_attention_starts_at_the_network_without_it(file, donor):
    model = build.build(attention_spec(layer_scale=0.001))
    first_weights.restore(model, donor / file, trunk=False)
    x = np.eye(4, dtype=np.float32)[np.random.default_rng(0).integers(0, 4, (3, tiny.SEQ_LENGTH))]
    maps = load.load_model(donor).predict_on_batch(x)
    np.testing.assert_allclose(model.predict_on_batch(x), maps, atol=0.02 * maps.std())


def test_attention_comes_back_from_a_network_with_it(donor, data, tmp_path):
    spec = attention_spec(layer_scale=0.5)
    trained = short(spec, data, tmp_path / "run", restore=donor)
    model = build.build(spec)
    first_weights.restore(model, trained.out_dir / "model_best.keras", trunk=False)
    for restored, first in zip(model.weights, trained.model().weights, strict=True):
        np.testing.assert_array_equal(restored.numpy(), first.numpy())


ENCODER = {"name": "transformer_encoder", "dense_width": 8, "layer_scale": 0.01}


@pytest.mark.parametrize("attention", [{}, ENCODER, {**ENCODER, "pre_norm": True}])
def test_attention_that_changes_maps_at_once_cannot_start_so(attention, donor):
    model = build.build(attention_spec(**attention))
    with pytest.raises(errors.RunError, match="does not fit the model"):
        first_weights.restore(model, donor / "model_best.keras", trunk=False)


def test_a_posterior_refuses_weights_of_another_network(second_task, tmp_path):
    spec, _ = second_task
    build.build(spec).save(tmp_path / "model_best.keras")
    model = build.build(posterior_spec({"name": "dense_variational", "units": 2}, position=-1))
    with pytest.raises(errors.RunError, match="does not fit the model: layer dense_variational"):
        first_weights.restore(model, tmp_path / "model_best.keras", trunk=False)


def weighted(network):
    return [layer for layer in network.layers if layer.weights]


def arrays_of(layer):
    return [variable.numpy() for variable in layer.weights if "seed" not in variable.path]


@pytest.mark.parametrize("loss", ["mse", "elbo"])
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_other_targets_start_with_a_new_final_layer(loss, suffix, tmp_path, caplog):
    elbo = {"elbo": {"observation_noise": "target"}} if loss == "elbo" else {}
    source = build.build(zoo.parse_spec(tiny.spec_json(loss=loss, **elbo)))
    path = tmp_path / f"source.{suffix}"
    if suffix == "keras":
        source.save(path)
    else:
        weights.save_weights(source, path, format="basenji")
    model = build.build(zoo.parse_spec(tiny.spec_json(heads=(("hic", 1),), loss=loss, **elbo)))
    own = [arrays_of(layer) for layer in weighted(model)]
    first_weights.restore(model, path, trunk=False)
    assert "has 2 targets, and this model 1; its final layer starts at random" in caplog.text
    last = 1 if loss == "mse" else 2  # the dense layer, and the noise of every target
    layers, of_source = weighted(model), weighted(source)
    for layer, trained in zip(layers[:-last], of_source[:-last], strict=True):
        for array, expected in zip(arrays_of(layer), arrays_of(trained), strict=True):
            np.testing.assert_array_equal(array, expected)
    for layer, first in zip(layers[-last:], own[-last:], strict=True):
        for array, expected in zip(arrays_of(layer), first, strict=True):
            np.testing.assert_array_equal(array, expected)


def test_refusals(donor, second_task, tmp_path):
    _, data = second_task
    with pytest.raises(errors.RunError, match="holds no weights to start from"):
        first_weights.file_of(tmp_path)
    with pytest.raises(errors.RunError, match="no such file or directory, and no model"):
        first_weights.file_of("akita_yaest")
    wide = tiny.spec_json(heads=(("mouse", 3),))
    wide["model"]["trunk"][0]["filters"] += 1
    with pytest.raises(errors.RunError, match="does not fit the model: layer conv1d"):
        short(zoo.parse_spec(wide), data, tmp_path / "run", restore=donor, trunk=True)


def test_a_shipped_model_is_found_by_its_name():
    assert first_weights.file_of("akita_yeast").name == "model_best.keras"
