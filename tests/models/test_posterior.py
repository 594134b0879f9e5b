"""Draws, their mean and their spread, against the model called by hand."""

import collections
import dataclasses
import weakref

import keras
import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.layers import stochastic
from akita_bayes.models import (
    build,
    ensemble,
    network_draws,
    posterior,
    recalibration,
    swag,
    zoo,
)
from akita_bayes.models.passes import cut

LENGTH, TARGETS = 512, 2


def network(*, latent=True, weights=False, loss="elbo", seed=0, rc=True, heads=1, **train):
    """8 bins, 21 pixels; batch statistics and weights random enough that nothing is zero."""
    keras.utils.set_random_seed(seed)
    last = {"name": "dense_variational" if weights else "final", "units": TARGETS}
    head = [
        *([{"name": "normal_latent", "units": 3, "initial_scale": 0.5}] if latent else []),
        {"name": "one_to_two"},
        {"name": "conv_block_2d", "filters": 4, "kernel_size": 3},
        {"name": "symmetrize_2d"},
        {"name": "upper_tri", "diagonal_offset": 2},
        {**last, "activation": "linear"},
    ]
    trunk = [{"name": "conv_block", "filters": 6, "kernel_size": 5, "pool_size": 64}]
    model = {"seq_length": LENGTH, "diagonal_offset": 2, "augment_rc": rc, "activation": "relu"}
    model |= {"norm_type": "batch", "trunk": trunk}
    model |= {f"head_{chr(97 + h)}": head for h in range(heads)}
    return build.build(zoo.parse_spec({"train": {"loss": loss, **train}, "model": model}))


def sequences(count=3, seed=0):
    return np.eye(4, dtype=np.uint8)[np.random.default_rng(seed).integers(0, 4, (count, LENGTH))]


def test_the_cut_halves_make_the_whole_and_only_the_second_is_random():
    model, x = network(), sequences().astype("float32")
    halves = cut.before_posteriors(model)
    np.testing.assert_allclose(halves.decoder(halves.encoder(x)), model(x), rtol=1e-6, atol=1e-6)
    assert not cut.posteriors(halves.encoder)
    assert [layer.name for layer in cut.posteriors(halves.decoder)] == [
        layer.name for layer in cut.posteriors(model)
    ]
    assert cut.before_posteriors(network(latent=False)) is None


@pytest.mark.parametrize("kind", ["latent", "weights", "both"])
def test_a_draw_is_the_whole_model_called_with_that_noise(kind):
    model = network(latent=kind != "weights", weights=kind != "latent")
    x = sequences()
    draws = list(posterior.draw(model, x, draws=3, seed=5))
    for number, y in enumerate(draws):
        with stochastic.drawing(5, number):
            expected = model(x.astype("float32"), training=False)
        np.testing.assert_allclose(y, expected, atol=1e-5)
    assert np.abs(draws[0] - draws[1]).max() > 1e-3


def test_mean_and_spread_are_those_of_the_draws_and_add_in_quadrature():
    model, x = network(), sequences()
    model.get_layer("observation_noise_a").log_sd.assign(np.log([[0.3, 0.7]]))
    summary = posterior.sample_posterior(
        model, x, draws=12, seed=1, quantiles=(0.05, 0.95), keep_draws=True
    )
    np.testing.assert_allclose(summary.mean, summary.draws.mean(0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        summary.epistemic_sd, summary.draws.std(0, ddof=1), rtol=1e-6, atol=1e-6
    )
    np.testing.assert_allclose(
        summary.aleatoric_sd, np.broadcast_to([0.3, 0.7], summary.mean.shape), rtol=1e-5
    )
    width = summary.quantiles[0.95] - summary.quantiles[0.05]
    np.testing.assert_allclose(width, 2 * 1.6448536 * summary.sd, rtol=1e-4)


def test_the_same_seed_gives_the_same_draws_on_any_batch_size():
    model, x = network(weights=True), sequences(5)
    whole = posterior.sample_posterior(model, x, draws=4, seed=3)
    parts = posterior.sample_posterior(model, x, draws=4, seed=3, batch_size=2)
    np.testing.assert_allclose(whole.mean, parts.mean, atol=1e-5)
    np.testing.assert_allclose(whole.epistemic_sd, parts.epistemic_sd, atol=1e-5)
    reseeded = posterior.sample_posterior(model, x, draws=4, seed=4)
    assert np.abs(whole.mean - reseeded.mean).max() > 1e-4


def test_draws_are_common_to_sequences_so_equal_ones_differ_by_nothing():
    model, x = network(), sequences(1)
    for y in posterior.draw(model, np.concatenate([x, x]), draws=3, batch_size=2):
        np.testing.assert_array_equal(y[0], y[1])


def test_an_ensemble_is_drawn_member_by_member_and_exhausted_once():
    members = [network(latent=False, seed=seed) for seed in range(3)]
    x = sequences()
    summary = posterior.sample_posterior(ensemble.Ensemble(tuple(members)), x, draws=64)
    outputs = np.stack([member(x.astype("float32")).numpy() for member in members])
    np.testing.assert_allclose(summary.mean, outputs.mean(0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(summary.epistemic_sd, outputs.std(0, ddof=1), rtol=1e-6, atol=1e-6)
    draws = list(posterior.draw(ensemble.Ensemble(tuple(members)), x, draws=64))
    np.testing.assert_allclose(draws, outputs, rtol=1e-6, atol=1e-6)


def test_an_ensemble_of_latent_models_combines_both_spreads():
    members = tuple(network(seed=seed) for seed in range(2))
    x = sequences(1)
    draws = list(posterior.draw(ensemble.Ensemble(members), x, draws=4, seed=2))
    own = [list(posterior.draw(member, x, draws=2, seed=2)) for member in members]
    for s, y in enumerate(draws):
        np.testing.assert_allclose(y, own[s % 2][s // 2], rtol=1e-6, atol=1e-6)


def test_swag_draws_replace_all_weights_and_are_put_back():
    model, x = network(latent=False), sequences()
    usual = swag.flatten(swag.drawn_variables(model))
    generator = np.random.default_rng(0)
    model.swag_draws = usual + 0.05 * generator.normal(size=(3, len(usual))).astype("float32")
    model.swag_draws = np.abs(model.swag_draws) * np.sign(usual)  # variances stay positive
    summary = posterior.sample_posterior(model, x, draws=50, keep_draws=True)
    assert len(summary.draws) == 3
    np.testing.assert_array_equal(swag.flatten(swag.drawn_variables(model)), usual)
    swag.unflatten(swag.drawn_variables(model), model.swag_draws[1])
    np.testing.assert_allclose(summary.draws[1], model(x.astype("float32")), atol=1e-5)


def with_swag(model, count):
    """The same network with draws of its weights, of which none is like another."""
    usual = swag.flatten(swag.drawn_variables(model))
    model.swag_draws = usual * np.linspace(0.5, 1.5, count, dtype=np.float32)[:, None]
    return model


def test_a_model_keeps_its_weights_while_swag_draws_are_under_way():
    """Also for two streams that take turns, one of which is never finished."""
    model, x = with_swag(network(latent=False), 3), sequences()
    usual = swag.flatten(swag.drawn_variables(model))
    expected = list(posterior.draw(model, x, draws=3))
    unfinished, complete = (posterior.draw(model, x, draws=3, batch_size=size) for size in (1, 3))
    np.testing.assert_allclose(next(unfinished), expected[0], rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(swag.flatten(swag.drawn_variables(model)), usual)
    for y, expected_draw in zip(complete, expected, strict=True):
        np.testing.assert_array_equal(y, expected_draw)
    np.testing.assert_allclose(next(unfinished), expected[1], rtol=1e-6, atol=1e-6)
    unfinished.close()
    np.testing.assert_array_equal(swag.flatten(swag.drawn_variables(model)), usual)


def test_swag_draws_of_one_head_leave_the_weights_of_others_alone():
    model, x = network(latent=False, heads=2), sequences()
    with_swag(model, 3)
    draws = [list(posterior.draw(model, x, draws=3, head=head)) for head in "ab"]
    for number in range(3):
        swag.unflatten(swag.drawn_variables(model), model.swag_draws[number])
        expected = model(x.astype("float32"))
        for head, head_draws in zip("ab", draws, strict=True):
            np.testing.assert_allclose(head_draws[number], expected[head], atol=1e-5)


def test_members_weigh_the_same_however_many_draws_they_hold():
    """Six draws of weights beside one plain network: all six, and that network as often."""
    first = with_swag(network(latent=False), 6)
    second = network(latent=False, seed=1)
    x, both = sequences(), ensemble.Ensemble((first, second))
    draws = list(posterior.draw(both, x, draws=64))
    assert len(draws) == 12
    own = list(posterior.draw(first, x, draws=64))
    np.testing.assert_allclose(draws[::2], own, rtol=1e-6, atol=1e-6)
    assert len({float(y[0, 0, 0]) for y in own}) == 6
    plain = second(x.astype("float32")).numpy()
    np.testing.assert_allclose(draws[1::2], [plain] * 6, rtol=1e-6, atol=1e-6)
    mean = posterior.sample_posterior(both, x, draws=64).mean
    np.testing.assert_allclose(mean, (np.mean(own, axis=0) + plain) / 2, atol=1e-5)
    assert len(list(posterior.draw(both, x, draws=5))) == 5


def test_the_noise_of_an_ensemble_has_the_mean_of_its_members_variances():
    """sd 1 and 7: sqrt((1 + 49) / 2) = 5, where their mean is 4."""
    members = tuple(network(latent=False, seed=seed) for seed in range(2))
    for member, sd in zip(members, (1.0, 7.0), strict=True):
        member.get_layer("observation_noise_a").log_sd.assign(np.full((1, TARGETS), np.log(sd)))
    summary = posterior.sample_posterior(ensemble.Ensemble(members), sequences(), draws=2)
    np.testing.assert_allclose(summary.aleatoric_sd, 5.0, rtol=1e-6)


def test_members_may_state_their_noise_per_target_or_per_distance():
    by_target = network(latent=False, elbo={"observation_noise": "target"})
    by_distance = network(latent=False, elbo={"observation_noise": "target_distance"})
    by_target.get_layer("observation_noise_a").log_sd.assign(np.zeros((1, TARGETS)))
    layer = by_distance.get_layer("observation_noise_a")
    layer.log_sd.assign(np.full(layer.log_sd.shape, np.log(7.0)))
    both = ensemble.Ensemble((by_target, by_distance))
    summary = posterior.sample_posterior(both, sequences(), draws=2)
    np.testing.assert_allclose(summary.aleatoric_sd, 5.0, rtol=1e-6)


def test_a_deterministic_model_has_no_epistemic_spread():
    model, x = network(latent=False), sequences()
    summary = posterior.sample_posterior(model, x, draws=10)
    np.testing.assert_array_equal(summary.epistemic_sd, 0)
    np.testing.assert_allclose(summary.mean, model(x.astype("float32")), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(summary.aleatoric_sd, 1)
    plain = posterior.sample_posterior(network(latent=False, loss="mse"), x)
    np.testing.assert_array_equal(plain.aleatoric_sd, np.zeros(plain.mean.shape))


def factors_of(epistemic, aleatoric, edges=(2, 8), noise=None):
    return recalibration.Recalibration(edges, epistemic, aleatoric, noise, 2)


def test_recalibration_scales_each_spread_and_lends_noise_to_a_model_without():
    x = sequences()
    fitted = factors_of(((2.0, 2.0), (3.0, 1.0)), ((0.5, 0.5), (0.7, 1.0)), (2, 4, 8))
    model = network()
    before = posterior.sample_posterior(model, x, draws=4, keep_draws=True)
    model.recalibrations = {"a": fitted}
    after = posterior.sample_posterior(model, x, draws=4, keep_draws=True)
    factors = fitted.factors(before.mean.shape[1])
    assert set(np.unique(factors.epistemic[:, 1])) == {1.0, 3.0}
    np.testing.assert_allclose(
        after.epistemic_sd, before.epistemic_sd * factors.epistemic, rtol=1e-5
    )
    np.testing.assert_allclose(
        after.aleatoric_sd, before.aleatoric_sd * factors.aleatoric, rtol=1e-5
    )
    np.testing.assert_array_equal(after.mean, before.mean)
    np.testing.assert_allclose(after.draws.std(0, ddof=1), after.epistemic_sd, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(after.draws.mean(0), after.mean, atol=1e-5)
    plain = network(latent=False, loss="mse")
    lent = dataclasses.replace(fitted, noise=((0.5, 0.5), (0.5, 0.5)))
    summary = posterior.sample_posterior(plain, x, recalibration=lent)
    np.testing.assert_allclose(summary.aleatoric_sd[0], 0.5 * factors.aleatoric, rtol=1e-6)


def test_a_head_must_be_chosen_out_of_several():
    model, x = network(heads=2), sequences(1)
    with pytest.raises(errors.SpecError, match="choose a head out of a, b"):
        posterior.sample_posterior(model, x)
    draw = next(posterior.draw(model, x, draws=1, head="b", seed=1))
    assert draw.shape == (1, 21, TARGETS)


def test_each_head_is_scaled_by_its_own_factors_and_one_without_by_none():
    model, x = network(heads=3), sequences()
    before = {head: posterior.sample_posterior(model, x, draws=3, head=head) for head in "abc"}
    fitted = {
        "a": factors_of(((2.0,), (3.0,)), ((2.0,), (3.0,))),
        "c": factors_of(((5.0,), (7.0,)), ((5.0,), (7.0,))),
    }
    model.recalibrations = fitted
    for head, factors in {"a": [2.0, 3.0], "b": [1.0, 1.0], "c": [5.0, 7.0]}.items():
        after = posterior.sample_posterior(model, x, draws=3, head=head)
        np.testing.assert_allclose(after.sd, before[head].sd * factors, rtol=1e-5)


def test_an_ensemble_is_scaled_by_its_own_factors_not_by_those_of_a_member():
    members = tuple(network(latent=False, seed=seed) for seed in range(2))
    x, plain = sequences(), ensemble.Ensemble(members)
    members[0].recalibrations = {"a": factors_of(((9.0,),) * 2, ((9.0,),) * 2)}
    before = posterior.sample_posterior(plain, x, draws=2)
    together = {"a": factors_of(((2.0,), (3.0,)), ((1.0,), (1.0,)))}
    after = posterior.sample_posterior(ensemble.Ensemble(members, together), x, draws=2)
    np.testing.assert_allclose(after.epistemic_sd, before.epistemic_sd * [2.0, 3.0], rtol=1e-5)
    np.testing.assert_allclose(before.aleatoric_sd[0, 0], 1.0)
    alone = posterior.sample_posterior(ensemble.Ensemble(members[:1]), x, draws=1)
    np.testing.assert_allclose(alone.aleatoric_sd, 9.0)


def test_what_no_draw_changes_is_computed_once(monkeypatch):
    """A pass of the trunk a batch, and of the head a batch and draw; the whole network never."""
    model, x = network(), sequences(3)
    calls: collections.Counter = collections.Counter()

    def counted(name, function):
        def call(*args, **kwargs):
            calls[name] += 1
            return function(*args, **kwargs)

        return call

    graphs = network_draws._graphs(model, "a", "float32")
    graphs = graphs._replace(
        **{name: counted(name, getattr(graphs, name)) for name in ("encode", "decode", "whole")}
    )
    monkeypatch.setattr(network_draws, "_graphs", lambda *_: graphs)
    draws = list(posterior.draw(model, x, draws=7, batch_size=2))
    assert len(draws) == 7
    assert calls == {"encode": 2, "decode": 14}


@pytest.mark.parametrize(("keep", "most"), [(False, 2), (True, 9)])
def test_no_more_draws_are_held_than_asked_for(keep, most, monkeypatch):
    """The one under way and the one before it, however many there are, unless all are kept."""
    references: list[weakref.ref] = []
    alive = []
    stream = posterior.Sampler.stream

    def watched(self, batches, draws):
        for y in stream(self, batches, draws):
            references.append(weakref.ref(y))
            alive.append(sum(reference() is not None for reference in references))
            yield y

    monkeypatch.setattr(posterior.Sampler, "stream", watched)
    posterior.sample_posterior(network(), sequences(1), draws=9, keep_draws=keep)
    assert len(alive) == 9
    assert max(alive) == most


def test_options_are_changed_by_keywords():
    model, x = network(), sequences(1)
    options = posterior.PosteriorOptions(draws=3, seed=2, quantiles=(0.1,))
    unchanged = posterior.sample_posterior(model, x, options=options)
    changed = posterior.sample_posterior(model, x, options=options, seed=5)
    expected = posterior.sample_posterior(model, x, draws=3, seed=5, quantiles=(0.1,))
    np.testing.assert_array_equal(changed.mean, expected.mean)
    assert list(changed.quantiles) == [0.1]
    assert np.abs(unchanged.mean - changed.mean).max() > 1e-4
    with pytest.raises(TypeError, match=r'"draw" is not a keyword.*Did you mean "draws"'):
        posterior.sample_posterior(model, x, draw=3)


def test_every_option_is_named_in_the_docstring():
    listed = posterior.sample_posterior.__doc__
    names = [field.name for field in dataclasses.fields(posterior.PosteriorOptions)]
    assert [name for name in names if f"`{name}`" not in listed] == []


def test_bad_requests_are_refused_in_words():
    with pytest.raises(errors.DataError, match="at least 1"):
        posterior.sample_posterior(network(), sequences(), draws=0)
    with pytest.raises(errors.DataError, match=r"\[B, 512, 4\]"):
        posterior.sample_posterior(network(), sequences()[:, :100])
