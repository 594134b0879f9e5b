"""A graph is compiled once, stored with its model, replaced when its constants differ."""

import gc
import weakref

import h5py
import numpy as np
import pytest

from akita_bayes.models import build, fingerprint, posterior, predict, zoo
from akita_bayes.models.incremental import predictor
from akita_bayes.models.passes import compiled_graphs
from tests import tiny

LATENT = {"name": "normal_latent", "units": 5, "initial_scale": 0.5}


def network(heads=("hic",)):
    raw = tiny.spec_json(loss="elbo", heads=heads)
    for head in heads:
        raw["model"][f"head_{head}"].insert(0, LATENT)
    return build.build(zoo.parse_spec(raw))


def use(model, head, seed=0):
    """Runs every kind of graph that a network has; returns their predictions."""
    x = tiny.one_hot(1)
    window = predictor.Request(lambda shift: x[0].argmax(-1).astype(np.uint8))
    options = predictor.WindowOptions(head=head)
    return [
        predict.predict(model, x, head=head),
        next(posterior.draw(model, x, draws=1, seed=seed, head=head)),
        next(predictor.WindowPredictor(model, options)([window])),
    ]


@pytest.fixture(scope="module")
def model():
    return network()


def test_a_graph_is_compiled_on_the_first_request_only(model):
    compilations = []

    def compile_graph():
        compilations.append(len(compilations))
        return compilations[-1]

    def graph(key, constants=None):
        return compiled_graphs.compiled(model, key, compile_graph, constants=constants)

    assert [graph("a"), graph("b"), graph("a"), graph("b")] == [0, 1, 0, 1]
    assert [graph("a", 5), graph("a", 5), graph("a", 6), graph("b")] == [2, 2, 3, 1]


def test_predictions_compile_no_second_graph(model):
    use(model, "hic")
    entries = dict(model._compiled_graphs.by_key)
    use(model, "hic")
    assert dict(model._compiled_graphs.by_key) == entries
    whole = entries["draws", "hic", "float32"].graph.decode
    assert whole.experimental_get_tracing_count() == 1


def test_heads_have_graphs_of_their_own():
    both = network(("human", "mouse"))
    human, mouse = use(both, "human"), use(both, "mouse")
    for first, second in zip(human, mouse, strict=True):
        assert np.abs(first - second).max() > 1e-4
    for before, after in zip(human, use(both, "human"), strict=True):
        np.testing.assert_array_equal(before, after)


def test_replaced_weights_are_seen():
    model = network()
    before = use(model, "hic")
    digest = fingerprint.weight_digest(model)
    model.set_weights([1.5 * weight for weight in model.get_weights()])
    assert fingerprint.weight_digest(model) != digest
    after = use(model, "hic")
    for old, new in zip(before, after, strict=True):
        assert np.abs(old - new).max() > 1e-4
    np.testing.assert_allclose(after[2], after[0], atol=1e-5)


def test_a_model_is_freed_with_its_graphs():
    model = network()
    use(model, "hic")
    windows = model._compiled_graphs.by_key["shared windows"].graph
    references = [weakref.ref(model), weakref.ref(windows)]
    del model, windows
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_graphs_are_not_saved_with_their_model(tmp_path):
    model = network(("human", "mouse"))

    def names(path):
        model.save_weights(path)
        with h5py.File(path) as file:
            listed = []
            file.visit(listed.append)
        return listed

    before = names(tmp_path / "before.weights.h5")
    use(model, "mouse")
    assert names(tmp_path / "after.weights.h5") == before
