import pytest

import akita_bayes as ab
from akita_bayes import errors
from akita_bayes.models import shipped


def test_a_bare_name_is_a_shipped_spec(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shipped.spec_path("akita_tiny") == repository / "models" / "json" / "akita_tiny.json"
    assert ab.load_spec("akita_tiny") == ab.load_spec(repository / "models/json/akita_tiny.json")


def test_a_file_of_the_user_comes_before_a_shipped_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "akita_tiny").write_text("{}")
    assert not shipped.spec_path("akita_tiny").is_absolute()


def test_a_path_is_never_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("akita_tiny.json", "folder/akita_tiny", "./akita_tiny"):
        assert str(shipped.spec_path(path)) in (path, "akita_tiny")
        assert not shipped.spec_path(path).exists()


def test_an_unknown_name_is_refused_with_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.DataError, match='Did you mean "akita_tiny"'):
        ab.load_spec("akita_tny")
    with pytest.raises(errors.RunError, match="no_such_model: no such file or directory, and no"):
        ab.load_model("no_such_model")


def test_a_wheel_holds_its_own_copy(tmp_path, monkeypatch):
    """The folder of the wheel comes first, so that an installed package needs no clone."""
    (tmp_path / "model_zoo" / "json").mkdir(parents=True)
    (tmp_path / "model_zoo" / "json" / "only_here.json").write_text("{}")
    (tmp_path / "model_zoo" / "pretrained" / "trained_here").mkdir(parents=True)
    monkeypatch.setattr(shipped, "_WHEEL", tmp_path / "model_zoo")
    assert shipped.spec_names() == ["only_here"]
    assert shipped.model_path("trained_here") == tmp_path / "model_zoo/pretrained/trained_here"


def test_random_variants_of_a_shipped_model_leave_the_package_unchanged(tmp_path, monkeypatch):
    monkeypatch.setenv(shipped.MODELS_VARIABLE, str(tmp_path / "models"))
    stored = shipped.background_path(shipped.model_path("akita_yeast"))
    assert stored == tmp_path / "models" / ".random_variants" / "akita_yeast.h5"
    assert stored.parent.is_dir()
    assert shipped.model_names() == ["akita_yeast"]  # the folder is no model
    (tmp_path / "run").mkdir()
    assert shipped.background_path(tmp_path / "run") == tmp_path / "run" / "null.h5"
    weights = tmp_path / "model.keras"
    assert shipped.background_path(weights) == tmp_path / "model.keras.null.h5"
    monkeypatch.setenv(shipped.MODELS_VARIABLE, "/dev/null/models")
    assert shipped.background_path(shipped.model_path("akita_yeast")) is None
