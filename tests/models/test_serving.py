"""The signatures of an exported model, as a server such as TensorFlow Serving runs them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from akita_bayes import dna
from akita_bayes.models import build, export, load, predict, zoo
from tests import rounding, tiny

DOCUMENT = Path(__file__).parents[2] / "docs" / "serving.md"


@pytest.fixture(scope="module")
def model():
    return build.build(zoo.parse_spec(tiny.spec_json(heads=("human", ("mouse", 3)))))


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("serving") / "saved"
    export.export(model, path)
    return path


@pytest.fixture(scope="module")
def loaded(folder):
    return tf.saved_model.load(str(folder))


@pytest.fixture(scope="module")
def signatures(loaded):
    return loaded.signatures


@pytest.fixture(scope="module")
def index():
    """Windows with unknown bases. [3, L]."""
    index = np.random.default_rng(0).integers(0, 5, (3, tiny.SEQ_LENGTH)).astype(np.uint8)
    assert (index == dna.UNKNOWN).any()
    return index


def test_both_signatures_have_named_inputs_and_outputs_of_any_batch(signatures):
    shapes = {"serving_default": (None, tiny.SEQ_LENGTH, 4), "serving_index": (None, 256)}
    dtypes = {"serving_default": tf.float32, "serving_index": tf.uint8}
    assert set(signatures) == set(shapes)
    for name, signature in signatures.items():
        (_, inputs) = signature.structured_input_signature
        assert {key: (spec.shape.as_list(), spec.dtype) for key, spec in inputs.items()} == {
            "sequence": (list(shapes[name]), dtypes[name])
        }
        outputs = {key: spec.shape.as_list() for key, spec in signature.structured_outputs.items()}
        assert outputs == {
            "human": [None, tiny.PIXELS, tiny.TARGETS],
            "mouse": [None, tiny.PIXELS, 3],
        }


def test_rows_and_indices_give_the_numbers_of_predict(model, signatures, index):
    expected = predict.predict(model, index)
    by_index = signatures["serving_index"](sequence=tf.constant(index))
    rows = tf.constant(dna.index_to_one_hot(index), tf.float32)
    by_rows = signatures["serving_default"](sequence=rows)
    for head, y in expected.items():
        rounding.check_other_order(by_index[head].numpy(), y)
        rounding.check_other_order(by_rows[head].numpy(), y)


def test_strands_are_left_to_the_client(model, signatures, index):
    forward = predict.predict(model, index, head="human")
    both = predict.predict(model, index, head="human", rc=True)
    served = signatures["serving_index"](sequence=tf.constant(index))["human"].numpy()
    assert np.abs(both - forward).max() > 10 * np.abs(served - forward).max()


def test_a_batch_gives_the_numbers_of_its_sequences(signatures, index):
    serve = signatures["serving_index"]
    whole = serve(sequence=tf.constant(index))["mouse"].numpy()
    single = [serve(sequence=tf.constant(row[None]))["mouse"].numpy() for row in index]
    rounding.check_other_order(np.concatenate(single), whole)


@pytest.mark.parametrize("shape", [(1, 255), (256,), (1, 256, 3), (1, 256, 1)])
def test_a_wrong_shape_is_refused_by_the_signature(signatures, shape):
    name = "serving_default" if len(shape) == 3 else "serving_index"
    sequence = tf.zeros(shape, tf.float32 if len(shape) == 3 else tf.uint8)
    expected = r"sequence \[.*\] is not compatible with expected shape \[\?,256"
    with pytest.raises(tf.errors.InvalidArgumentError, match=expected):
        signatures[name](sequence=sequence)


@pytest.fixture(scope="module")
def server(folder):
    """Runs a signature by its tensors, without the checks of Python, as a server in C++ does."""
    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph)
    with graph.as_default():
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(folder))

    def run(name, sequence, head="human"):
        signature = meta.signature_def[name]
        options = config_pb2.CallableOptions(
            feed=[signature.inputs["sequence"].name], fetch=[signature.outputs[head].name]
        )
        return session._make_callable_from_options(options)(sequence)[0]

    yield run
    session.close()


def test_a_server_gives_the_numbers_of_predict(server, model, index):
    expected = predict.predict(model, index, head="human")
    rounding.check_other_order(server("serving_index", index), expected)
    rows = dna.index_to_one_hot(index).astype(np.float32)
    rounding.check_other_order(server("serving_default", rows), expected)


@pytest.mark.parametrize(
    ("sequence", "message"),
    [
        (np.zeros((1, 255), np.uint8), r"\[1,255\] is not compatible with .*\[\?,256\]"),
        (np.zeros(256, np.uint8), r"\[256\] is not compatible with .*\[\?,256\]"),
        (np.full((2, 256), 7, np.uint8), "holds an index above 4; give 0..3 for A, C, G and T"),
    ],
)
def test_a_server_refuses_wrong_shapes_and_indices(server, sequence, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        server("serving_index", sequence)


def test_a_server_refuses_rows_of_another_length(server):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"not compatible with .*\[\?,256,4\]"):
        server("serving_default", np.zeros((1, 128, 4), np.float32))


def test_indices_reach_the_saved_graph_as_they_are(folder, model, index, monkeypatch):
    loaded = load.load_model(folder)
    monkeypatch.delattr(dna, "index_to_one_hot")
    rounding.check_other_order(
        predict.predict(loaded, index)["human"], predict.predict(model, index)["human"]
    )


def test_the_documented_request_names_the_signature_and_its_input(signatures):
    text = DOCUMENT.read_text("utf-8")
    (body,) = re.findall(r"-d '(\{.*?\})'", text, re.S)
    request = json.loads(body.replace("...", "0"))
    signature = signatures[request["signature_name"]]
    (_, inputs) = signature.structured_input_signature
    (instance,) = request["instances"]
    assert set(instance) == set(inputs)
    assert set(instance["sequence"]) <= {0, 1, 2, 3, 4}
