import json

import numpy as np
import tensorflow as tf

from akita_bayes.cli import akita_export
from akita_bayes.models import build, predict, weights, zoo
from tests import tiny


def test_a_run_becomes_a_saved_model(tmp_path, capsys):
    (tmp_path / "params.json").write_text(json.dumps(tiny.spec_json()))
    model = build.build(zoo.parse_spec(tiny.spec_json()))
    (tmp_path / "run").mkdir()
    model.save(tmp_path / "run" / "model_best.keras")
    weights.save_weights(model, tmp_path / "model.h5", format="basenji")
    x = tiny.one_hot(2)
    for source in ("run", "model.h5"):
        out = tmp_path / f"saved_{source}"
        arguments = [str(tmp_path / "params.json"), str(tmp_path / source), "-o", str(out)]
        assert akita_export.main(arguments) == 0
        served = tf.saved_model.load(str(out))(x)
        np.testing.assert_allclose(served, predict.predict(model, x), atol=1e-5)
    assert "The model is in" in capsys.readouterr().out


def test_what_cannot_be_exported_is_told_and_nothing_is_written(tmp_path, capsys):
    (tmp_path / "params.json").write_text(json.dumps(tiny.spec_json()))
    out = tmp_path / "saved"
    arguments = [str(tmp_path / "params.json"), str(tmp_path / "absent"), "-o", str(out)]
    assert akita_export.main(arguments) == 2
    assert "no such weights file" in capsys.readouterr().err
    assert not out.exists()
