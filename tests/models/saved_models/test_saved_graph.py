"""Tests that a SavedModel of a stranger is refused before any of its operations runs."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from akita_bayes import errors, files
from akita_bayes.cli import akita_predict
from akita_bayes.models import build, export, load, predict, zoo
from akita_bayes.models.saved_models import saved_graph
from tests import tiny


@pytest.fixture(scope="module")
def exported(tmp_path_factory, small_model):
    folder = tmp_path_factory.mktemp("exported") / "saved"
    export.export(small_model, folder)
    return folder


@pytest.fixture
def copy(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "copy")


class Predicts(tf.Module):
    """A model that predicts zeros, and that does more when it is called."""

    def __init__(self, does):
        super().__init__()

        @tf.function(input_signature=[tf.TensorSpec((None, tiny.SEQ_LENGTH, 4), tf.float32)])
        def serve(sequence):
            with tf.control_dependencies([tf.identity(does())]):
                return tf.zeros((tf.shape(sequence)[0], tiny.PIXELS, tiny.TARGETS))

        self.serve = self.__call__ = serve


def written(module, folder, exported, *, marked=True):
    """A SavedModel of another program, which copies spec and marker of a genuine export."""
    tf.saved_model.save(module, str(folder))
    shutil.copy(exported / "params.json", folder)
    if marked:
        record = json.loads((exported / "provenance.json").read_text())
        files.write_json(folder / "provenance.json", record | saved_graph.record(folder))
    return folder


def test_an_export_loads_without_trust(exported, small_model):
    x = tiny.one_hot(2).astype(np.float32)
    maps = predict.predict(load.load_model(exported), x)
    np.testing.assert_allclose(maps, predict.predict(small_model, x), atol=1e-5)


def test_hostile_operations_do_not_run_though_the_marker_is_forged(exported, tmp_path, capsys):
    secret, stolen = tmp_path / "secret", tmp_path / "stolen"
    secret.write_text("private")

    def steal():
        content = tf.io.read_file(str(secret))
        with tf.control_dependencies(
            [tf.raw_ops.WriteFile(filename=str(stolen), contents=content)]
        ):
            return tf.constant(0)

    hostile = written(Predicts(steal), tmp_path / "hostile", exported)
    for source in (hostile, (hostile / "params.json", hostile), [hostile]):
        with pytest.raises(errors.RunError, match=r"hostile: holds ReadFile, WriteFile, which no"):
            load.load_model(source)
    (tmp_path / "genome.fa").write_text(">chr1\n" + "ACGT" * tiny.SEQ_LENGTH + "\n")
    arguments = [hostile / "params.json", hostile, "chr1:1-500", "-f", tmp_path / "genome.fa"]
    words = [*map(str, arguments), "-o", str(tmp_path / "out")]
    assert akita_predict.main(words) == 2
    assert "or give --trust if you trust its author" in capsys.readouterr().err
    assert not stolen.exists()
    # The attack is real: the same program runs when the user trusts it.
    trusted = load.load_model(hostile, trust=True)
    trusted(tiny.one_hot(1).astype(np.float32))
    assert stolen.read_text() == "private"


def test_checkpoint_operations_are_refused_where_the_model_calls_them(exported, tmp_path):
    def save():
        prefix = str(tmp_path / "overwritten")
        saved = tf.raw_ops.SaveV2(
            prefix=prefix, tensor_names=["x"], shape_and_slices=[""], tensors=[tf.constant(1.0)]
        )
        with tf.control_dependencies([saved]):
            return tf.constant(0)

    hostile = written(Predicts(save), tmp_path / "hostile", exported)
    with pytest.raises(errors.RunError, match="holds SaveV2, which no network"):
        load.load_model(hostile)


def test_what_tensorflow_runs_while_it_loads_is_refused(exported, tmp_path):
    """A table that reads its content from a file when it is created."""
    (tmp_path / "words.txt").write_text("a\nb\n")
    module = Predicts(lambda: tf.constant(0))
    module.table = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(
            str(tmp_path / "words.txt"),
            *(tf.string, tf.lookup.TextFileIndex.WHOLE_LINE),
            *(tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER),
        ),
        0,
    )
    hostile = written(module, tmp_path / "hostile", exported)
    with pytest.raises(errors.RunError, match=r"holds .*InitializeTableFromTextFileV2"):
        load.load_model(hostile)


def test_harmless_operations_without_the_marker_need_trust(exported, tmp_path):
    unmarked = written(Predicts(lambda: tf.constant(0)), tmp_path / "other", exported, marked=False)
    with pytest.raises(errors.RunError, match="was not exported by this version of akita_bayes"):
        load.load_model(unmarked)
    assert load.load_model(unmarked, trust=True).spec.head_names == ("hic",)


def test_a_graph_that_changed_since_its_export_is_refused(copy):
    content = (copy / "saved_model.pb").read_bytes()
    (copy / "saved_model.pb").write_bytes(content + b"\x0a\x00")
    with pytest.raises(errors.RunError, match="changed since"):
        load.load_model(copy)


def test_a_second_graph_is_refused(copy):
    (copy / "saved_model.cpb").write_bytes(b"")
    with pytest.raises(errors.RunError, match="holds a second graph"):
        load.load_model(copy)


SPECS = sorted((Path(__file__).parents[3] / "models" / "json").glob("akita*_tiny.json"))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_networks_of_shipped_specs_hold_only_these_operations(path, tmp_path):
    export.export(build.build(zoo.load_network(path)), tmp_path / "saved")
    saved_graph.check(tmp_path / "saved")
