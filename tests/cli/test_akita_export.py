import json
import resource

import numpy as np
import pytest
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
    with pytest.raises(SystemExit, match="2"):
        akita_export.main(arguments)
    assert "no such file or directory" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("room", [100, 4_000, 40_000])
def test_a_full_disk_is_one_line_and_the_older_export_stays(tmp_path, capsys, room):
    """At any moment; a limit on the size of files stands for the end of a disk."""
    (tmp_path / "params.json").write_text(json.dumps(tiny.spec_json()))
    weights.save_weights(
        build.build(zoo.parse_spec(tiny.spec_json())), tmp_path / "model.h5", format="basenji"
    )
    out = tmp_path / "saved"
    arguments = [str(tmp_path / "params.json"), str(tmp_path / "model.h5"), "-o", str(out)]
    assert akita_export.main(arguments) == 0
    before = (out / "saved_model.pb").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        status = akita_export.main(arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert status == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert lines == ["error: the disk is full; free some space and run again."]
    assert (out / "saved_model.pb").read_bytes() == before
    assert not list(tmp_path.glob(".*.partial.*"))


def test_a_head_that_a_trained_model_lacks_is_refused(tmp_path, capsys):
    (tmp_path / "params.json").write_text(json.dumps(tiny.spec_json()))
    build.build(zoo.parse_spec(tiny.spec_json())).save(tmp_path / "model.keras")
    arguments = [str(tmp_path / name) for name in ("params.json", "model.keras")]
    out = tmp_path / "saved"
    assert akita_export.main([*arguments, "-o", str(out), "--head", "mouse"]) == 2
    assert 'model.keras: has no head "mouse"; choose one of hic.' in capsys.readouterr().err
    assert not out.exists()
