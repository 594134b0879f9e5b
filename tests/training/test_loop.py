"""What several heads share and what each has of its own, in one loop; averages of one step."""

import numpy as np
import pytest
import tensorflow as tf

from akita_bayes.data.records import dataset
from akita_bayes.layers import stochastic
from akita_bayes.models import build, swag, zoo
from akita_bayes.training import batches, fit, loop, observers, stopping, strategy
from akita_bayes.training.updates import averaging
from tests import tiny


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Data of two heads, 16 records each."""
    return {
        head: tiny.write_data(tmp_path_factory.mktemp(head), train=16, valid=4, seed=seed)
        for seed, head in enumerate("ab")
    }


def split(folder, **options):
    return dataset.open_split(folder, "train", batch_size=4, drop_remainder=True, **options)


def test_an_epoch_of_all_heads_bears_the_divergence_of_the_trunk_once(folders, tmp_path):
    raw = tiny.spec_json(heads="ab", loss="elbo")
    raw["model"]["trunk"].append({"name": "dense_variational", "units": 5})
    raw["model"]["head_b"][-1]["name"] = "dense_variational"
    cpu = strategy.choose("cpu")
    feeds = {
        head: loop.Feeds(batches.Feed(split(folder), cpu), batches.Feed(split(folder), cpu))
        for head, folder in folders.items()
    }
    training_loop = loop.Loop(
        zoo.parse_spec(raw), feeds, cpu, tmp_path, observer=observers.Silent()
    )
    with stochastic.collecting() as divergences:
        training_loop.model(tiny.one_hot(2).astype("float32"), training=False)
    trunk, own = (float(divergence.kl) for divergence in divergences)
    charged = dict.fromkeys("ab", 0.0)
    for step, (head, folder) in zip(training_loop.steps, folders.items(), strict=True):
        for batch in split(folder):
            batch = {name: value for name, value in batch.items() if name != "region"}
            terms = step.objective(step.model, batch, False)
            nats = terms.loss * tiny.PIXELS * tiny.TARGETS + terms.columns["log_likelihood"]
            charged[head] += float(tf.reduce_sum(nats))
    np.testing.assert_allclose(charged["a"], trunk / 2, rtol=1e-3)
    np.testing.assert_allclose(charged["b"], trunk / 2 + own, rtol=1e-3)


def test_averaged_heads_have_the_batch_statistics_of_their_own_data(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(stopping, "score", lambda row, criterion: row["epoch"])
    raw = tiny.spec_json(heads="ab", swa={"start": 0}, train_epochs_max=1)
    raw["model"] |= {"augment_rc": False, "augment_shift": 0}
    del raw["model"]["trunk"][0]["dropout"]
    options = {"out_dir": tmp_path / "run", "devices": "cpu", "tensorboard": False}
    run = fit.fit(zoo.parse_spec(raw), list(folders.values()), **options)
    assert run.averaged
    model = run.model()
    for head, folder in folders.items():
        alone = build.one_head(model, head)
        last = averaging.batch_statistics(alone)[-1]
        averaged = last.moving_mean.numpy(), last.moving_variance.numpy()
        fed = split(folder, shuffle=True, shuffle_buffer=8).epoch(0)
        assert averaging.Renewal({head: alone})((head, batch) for batch in fed) == 4
        np.testing.assert_allclose(averaged[0], last.moving_mean.numpy(), atol=1e-5)
        np.testing.assert_allclose(averaged[1], last.moving_variance.numpy(), rtol=1e-4)


def test_the_weights_of_one_step_are_no_posterior(folders, tmp_path, caplog):
    swa = {"start": 1, "swag_rank": 2, "swag_draws": 2}
    spec = zoo.parse_spec(tiny.spec_json(swa=swa, train_epochs_max=2))
    options = {"out_dir": tmp_path / "run", "devices": "cpu", "tensorboard": False}
    run = fit.fit(spec, folders["a"], **options)
    assert list(run.history["epoch"]) == [1, 2, 3]
    assert not (run.out_dir / swag.FILE).exists()
    assert "only the weights after epoch 2 were averaged" in caplog.text
