import json
import subprocess
import sys

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.models import build, export, load, predict, zoo
from akita_bayes.models.passes import inference
from tests import rounding, tiny

PLAIN_PROCESS = """
import sys
import numpy as np
import tensorflow as tf

model, x = tf.saved_model.load("saved"), np.load("x.npy")
serve = model.signatures["serving_default"]
answers = {
    "call": model(x),
    "serve": model.serve(x),
    "float": model(x.astype("float32")),
    "signature": serve(sequence=tf.cast(x, tf.float32))["hic"],
    "one": tf.concat([model(x[i : i + 1]) for i in range(len(x))], 0),
}
np.savez("answers.npz", **{name: y.numpy() for name, y in answers.items()})
assert not [name for name in sys.modules if name.split(".")[0] == "akita_bayes"]
"""


@pytest.fixture(scope="module")
def model():
    return build.build(zoo.parse_spec(tiny.spec_json()))


def test_a_plain_process_gives_the_numbers_of_predict(model, tmp_path):
    x = tiny.one_hot(3)
    np.save(tmp_path / "x.npy", x)
    export.export(model, tmp_path / "saved")
    command = [sys.executable, "-W", "ignore", "-c", PLAIN_PROCESS]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    expected = predict.predict(model, x)
    with np.load(tmp_path / "answers.npz") as answers:
        assert set(answers) == {"call", "serve", "float", "signature", "one"}
        for answer in answers.values():
            rounding.check_other_order(answer, expected)


def test_the_spec_travels_with_the_model(model, tmp_path):
    export.export(model, tmp_path / "saved")
    params = json.loads((tmp_path / "saved" / "params.json").read_text())
    assert zoo.parse_spec(params) == model.spec
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_several_heads_are_a_dict(tmp_path):
    both = build.build(zoo.parse_spec(tiny.spec_json(heads=("human", ("mouse", 3)))))
    export.export(both, tmp_path / "saved")
    loaded = load.load_model(tmp_path / "saved")
    x = tiny.one_hot(2)
    for name, y in predict.predict(both, x).items():
        rounding.check_other_order(predict.predict(loaded, x)[name], y)


def test_an_exported_model_is_copied_but_not_trained(model, tmp_path):
    saved, copy = str(tmp_path / "saved"), str(tmp_path / "copy")
    export.export(model, saved)
    loaded = load.load_model(saved)
    export.export(loaded, copy)
    again = load.load_model(copy)
    x = tiny.one_hot(2)
    assert np.array_equal(predict.predict(again, x), predict.predict(loaded, x))
    with pytest.raises(errors.RunError, match="cannot be trained"):
        loaded(x, training=True)


def test_an_older_export_is_replaced_and_anything_else_is_not(model, tmp_path):
    export.export(model, tmp_path / "saved")
    (tmp_path / "saved" / "old").touch()
    export.export(model, tmp_path / "saved")
    assert not (tmp_path / "saved" / "old").exists()
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").touch()
    for network in (model, load.load_model(tmp_path / "saved")):
        with pytest.raises(errors.RunError, match="does not hold an exported model; choose"):
            export.export(network, tmp_path / "thesis")
        assert (tmp_path / "thesis" / "chapter").exists()


def test_only_networks_are_exported(tmp_path):
    with pytest.raises(errors.RunError, match="a network can be exported, not int"):
        export.export(3, tmp_path / "saved")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "saved_model.pb").touch()
    with pytest.raises(errors.RunError, match=r"has no params\.json; export it with akita_export"):
        load.load_model(tmp_path / "foreign")


def test_the_pass_is_traced_once_for_each_kind_of_rows(model, tmp_path, monkeypatch):
    """Tracing takes most of the time of an export, and each trace is a part of the file."""
    shapes = []
    sequences = inference.InferencePass.sequences
    monkeypatch.setattr(
        inference.InferencePass,
        "sequences",
        lambda self, x: shapes.append(tuple(x.shape)) or sequences(self, x),
    )
    export.export(model, tmp_path / "saved")
    assert shapes == [(None, tiny.SEQ_LENGTH, 4), (None, tiny.SEQ_LENGTH)]
